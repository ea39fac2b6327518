import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory_doubles import NOON, a_security_group
from strongroom.access.identity.membership import closure, make_membership
from strongroom.access.identity.model import Principal, PrincipalType, Relation
from strongroom.errors import BadRequest

GRAPHS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=40)


def following(edges):
    return lambda node: [str(above) for below, above in edges if str(below) == node]


def naive(start, edges):
    """Return what is reached, by the plainest of ways: as many rounds as there are nodes."""
    found = set()
    for _ in range(11):
        found |= {str(above) for below, above in edges if str(below) == start or str(below) in found}
    return found


@given(GRAPHS)
def test_all_that_is_reached_is_found_whatever_circles_there_are(edges):
    for start in map(str, range(10)):
        assert closure(start, following(edges)) == naive(start, edges)


@given(GRAPHS, st.randoms(use_true_random=False))
def test_the_order_of_memberships_says_nothing(edges, chance):
    shuffled = list(edges)
    chance.shuffle(shuffled)
    assert closure("0", following(edges)) == closure("0", following(shuffled))


@given(GRAPHS)
def test_each_group_is_followed_once(edges):
    followed = []

    def noting(node):
        followed.append(node)
        return following(edges)(node)

    found = closure("0", noting)
    assert sorted(followed) == sorted(["0", *(found - {"0"}), *(found & {"0"})])


def test_who_is_in_no_group_reaches_nothing():
    assert closure("0", lambda _: ()) == frozenset()


def test_a_long_chain_is_followed_to_its_end():
    assert len(closure("0", lambda node: [str(int(node) + 1)] if int(node) < 5000 else [])) == 5000


GROUP = a_security_group()


def principal(kind, object_id="other"):
    return Principal(object_id=object_id, type=kind, display_name="x", name="x")


@pytest.mark.parametrize("kind", PrincipalType)
def test_every_kind_of_principal_may_be_a_member(kind):
    made = make_membership(GROUP, Relation.MEMBER, principal(kind), NOON)
    assert (made.group_id, made.relation, made.member_id, made.member_type, made.added) == (
        GROUP.object_id, Relation.MEMBER, "other", kind, NOON
    )  # fmt: skip


def test_a_group_is_neither_an_owner_nor_its_own_member():
    assert make_membership(GROUP, Relation.OWNER, principal(PrincipalType.USER), NOON).relation is Relation.OWNER
    with pytest.raises(BadRequest, match="never a group"):
        make_membership(GROUP, Relation.OWNER, principal(PrincipalType.GROUP), NOON)
    with pytest.raises(BadRequest, match="its own member"):
        make_membership(GROUP, Relation.MEMBER, principal(PrincipalType.GROUP, GROUP.object_id), NOON)
