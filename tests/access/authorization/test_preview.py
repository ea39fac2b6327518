from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from access_worlds import (
    ACTORS,
    AT_RANDOM,
    CONDITIONS,
    GIVEN,
    GROUP,
    POLICIES,
    SECRET,
    VAULT,
    a_policy,
    a_world,
    an_assignment,
    worlds,
)
from directory_doubles import a_membership
from strongroom.access.authorization.operations import OPERATIONS
from strongroom.access.authorization.preview import (
    compare,
    with_assignment,
    with_membership,
    with_model,
    with_policies,
    without_assignment,
    without_membership,
)
from strongroom.access.authorization.reach import decide_for
from strongroom.access.authorization.roles import (
    CONTRIBUTOR,
    KEY_VAULT_ADMINISTRATOR,
    KEY_VAULT_SECRETS_OFFICER,
    KEY_VAULT_SECRETS_USER,
)
from strongroom.access.authorization.world import Atlas, path_of
from strongroom.vaults.policies import PolicyChange


@st.composite
def changes(draw):
    """A world and what it becomes by one change."""
    world = draw(worlds())
    kind = draw(st.sampled_from(["give", "take", "join", "leave", "policy", "model"]))
    vault = world.vaults[0]
    if kind == "give":
        return world, with_assignment(world, an_assignment(*draw(GIVEN), number=99))
    if kind == "take" and world.assignments:
        return world, without_assignment(world, draw(st.sampled_from(world.assignments)))
    if kind == "join":
        return world, with_membership(world, a_membership(*draw(ACTORS)))
    if kind == "leave" and world.memberships:
        left = draw(st.sampled_from(world.memberships))
        return world, without_membership(world, left.group_id, left.member_id)
    if kind == "policy":
        changed = replace(vault, access_policies=tuple(draw(st.lists(POLICIES, max_size=3))))
        return world, replace(world, vaults=(changed, *world.vaults[1:]))
    return world, with_model(world, vault, rbac=not vault.rbac)


def allowed(world, vault, place, subject_id):
    atlas = Atlas(world)
    subject = atlas.subject(subject_id)
    return {
        name
        for name, action in OPERATIONS.items()
        if (place == path_of(vault) or f"/{name.partition('/')[0]}/" in place)
        and decide_for(atlas, vault, subject, action, place).allowed
    }


@AT_RANDOM
@given(changes())
def test_what_is_told_to_change_is_what_the_evaluator_decides_otherwise(change):
    before, after = change
    told = {(each.subject.object_id, each.place): each for each in compare(before, after)}
    for vault, changed in zip(before.vaults, after.vaults, strict=True):
        place = path_of(vault)
        for subject in Atlas(before).subjects:
            if not subject.acts:
                assert (subject.object_id, place) not in told
                continue
            then = allowed(before, vault, place, subject.object_id)
            now = allowed(after, changed, place, subject.object_id)
            said = told.get((subject.object_id, place))
            assert set(said.gains if said else ()) & OPERATIONS.keys() == now - then
            assert set(said.loses if said else ()) & OPERATIONS.keys() == then - now


def told(before, after):
    return [(each.subject.object_id, each.place, each.gains, each.loses) for each in compare(before, after)]


READ = ("secrets/get", "secrets/readmetadata", "secrets/list")


def test_who_is_given_a_role_gains_and_so_do_the_members_of_a_group():
    world = a_world(memberships=[("group-1", "group-2"), ("group-2", "app-2")])
    given = with_assignment(world, an_assignment("group-1", KEY_VAULT_SECRETS_USER, GROUP))
    assert told(world, given) == [("app-2", VAULT, READ, ())]
    assert told(given, without_assignment(given, given.assignments[0])) == [("app-2", VAULT, (), READ)]
    assert told(given, without_membership(given, "group-2", "app-2")) == [("app-2", VAULT, (), READ)]


def test_who_has_it_already_gains_nothing():
    world = a_world(assignments=[("app-1", KEY_VAULT_ADMINISTRATOR, VAULT)])
    assert told(world, with_assignment(world, an_assignment("app-1", KEY_VAULT_SECRETS_USER, GROUP, number=9))) == []


def test_one_object_is_told_with_what_is_new_there():
    world = a_world(assignments=[("app-1", KEY_VAULT_SECRETS_USER, VAULT)])
    ((_, place, gains, loses),) = told(
        world, with_assignment(world, an_assignment("app-1", KEY_VAULT_SECRETS_OFFICER, SECRET, number=9))
    )
    assert (place, loses) == (SECRET, ())
    assert "secrets/set" in gains
    assert not {"secrets/get", "keys/get"} & set(gains)
    only = a_world(assignments=[("app-1", KEY_VAULT_SECRETS_USER, SECRET)])
    wider = with_assignment(only, an_assignment("app-1", KEY_VAULT_SECRETS_USER, VAULT, number=9))
    assert told(only, wider) == [("app-1", VAULT, READ, ())]


def test_what_a_condition_lets_in_is_told_as_such():
    world = a_world()
    given = with_assignment(world, an_assignment("app-1", KEY_VAULT_SECRETS_USER, VAULT, CONDITIONS[1]))
    assert told(world, given) == [("app-1", VAULT, tuple(f"{each} (if a condition holds)" for each in READ), ())]


def test_control_is_told_in_words():
    world = a_world()
    given = with_assignment(world, an_assignment("app-1", CONTRIBUTOR, VAULT))
    control = "write access policies", "change the vault", "delete the vault"
    assert told(world, given) == [
        ("app-1", VAULT, (*control, "set secrets as resources", "make keys as resources"), ())
    ]


def test_the_permission_model_takes_from_some_and_gives_to_others():
    world = a_world(
        policies=[a_policy("app-1", secrets=frozenset({"list"}))],
        assignments=[("app-2", KEY_VAULT_SECRETS_USER, VAULT)],
    )
    assert told(world, with_model(world, world.vaults[0], rbac=True)) == [
        ("app-1", VAULT, (), ("secrets/list",)),
        ("app-2", VAULT, READ, ()),
    ]


def test_who_joins_a_group_gains_what_it_has_and_the_disabled_gain_nothing():
    world = a_world(assignments=[("group-1", KEY_VAULT_SECRETS_USER, VAULT)], disabled=("app-2",))
    assert told(world, with_membership(world, a_membership("group-1", "app-1"))) == [("app-1", VAULT, READ, ())]
    assert told(world, with_membership(world, a_membership("group-1", "app-2"))) == []


def test_access_policies_are_added_and_removed():
    someone, application = "c0ffee00-0000-4000-8000-000000000001", "c0ffee00-0000-4000-8000-0000000000aa"
    world = a_world(policies=[a_policy(someone, secrets=frozenset({"list"}))])
    user = replace(world.principals[0], object_id=someone)
    world = replace(world, principals=(user,))
    more = a_policy(someone, secrets=frozenset({"list", "get"}))
    added = with_policies(world, world.vaults[0], PolicyChange.ADD, more)
    assert told(world, added) == [(someone, VAULT, ("secrets/get", "secrets/readmetadata"), ())]
    taken = with_policies(added, added.vaults[0], PolicyChange.REMOVE, more)
    assert told(world, taken) == [(someone, VAULT, (), ("secrets/list",))]
    through = replace(more, application_id=application, secrets=frozenset({"set"}))
    (said,) = told(world, with_policies(world, world.vaults[0], PolicyChange.ADD, through))
    assert said[2] == ("secrets/set (through one application)", "secrets/update (through one application)")
