from dataclasses import replace

import pytest

from storage_doubles import an_assignment
from strongroom.errors import Conflict, NotFound


@pytest.fixture
def add(change):
    async def run(*assignments):
        for assignment in assignments:
            await change(lambda stores, one=assignment: stores.assignments.add(one))

    return run


async def test_assignments_are_listed_by_principal_whatever_its_case(storage, add):
    mine, too = an_assignment(1), an_assignment(2, scope="/subscriptions/s1/resourcegroups/g")
    await add(mine, too, an_assignment(3, principal="object-2"))
    assert await storage.read().assignments.list_for("OBJECT-1") == (mine, too)
    assert await storage.read().assignments.list_for("nobody") == ()


async def test_all_are_listed_oldest_first(storage, add):
    rows = an_assignment(2, role="role-2"), an_assignment(1), an_assignment(3, principal="object-3")
    await add(*rows)
    assert await storage.read().assignments.list_all() == rows


async def test_the_same_role_is_not_given_twice_at_one_scope(add):
    await add(an_assignment(1))
    with pytest.raises(Conflict) as refused:
        await add(an_assignment(2))
    assert refused.value.code == "RoleAssignmentExists"


async def test_an_assignment_is_removed_by_its_id(storage, change, add):
    await add(an_assignment(1), an_assignment(2, role="role-2"))
    await change(lambda stores: stores.assignments.remove("ASSIGNMENT-1"))
    assert await storage.read().assignments.list_for("object-1") == (an_assignment(2, role="role-2"),)
    with pytest.raises(NotFound) as refused:
        await change(lambda stores: stores.assignments.remove("assignment-1"))
    assert refused.value.code == "RoleAssignmentNotFound"


@pytest.mark.parametrize(
    ("scope", "left"),
    [
        ("/subscriptions/s1", ["/", "/subscriptions/s10"]),
        ("/Subscriptions/S1/ResourceGroups/G", ["/", "/subscriptions/s1", "/subscriptions/s10"]),
        ("/", []),
        ("/subscriptions/s2", ["/", "/subscriptions/s1", "/subscriptions/s1/resourcegroups/g", "/subscriptions/s10"]),
    ],
)
async def test_with_a_scope_goes_what_is_at_it_and_below_it(storage, change, add, scope, left):
    places = ("/", "/subscriptions/s1", "/subscriptions/s1/resourcegroups/g", "/subscriptions/s10")
    await add(*[an_assignment(number, scope=place) for number, place in enumerate(places)])
    await change(lambda stores: stores.assignments.remove_within(scope))
    assert [each.scope for each in await storage.read().assignments.list_all()] == left


async def test_with_a_principal_goes_all_that_it_was_given(storage, change, add):
    other = an_assignment(3, principal="object-2")
    await add(an_assignment(1), replace(an_assignment(2), role_id="role-2"), other)
    await change(lambda stores: stores.assignments.remove_principal("Object-1"))
    assert await storage.read().assignments.list_all() == (other,)


@pytest.mark.parametrize(
    ("scope", "above", "below"),
    [
        ("/subscriptions/s1", [0, 1], [2]),
        ("/Subscriptions/S1/resourcegroups/G", [0, 1, 2], []),
        ("/subscriptions/s1/resourcegroups/g2", [0, 1], []),
        ("/subscriptions/s10/resourcegroups/g", [0, 3], []),
        ("/", [0], [1, 2, 3]),
    ],
)
async def test_around_a_scope_is_what_is_at_it_above_it_and_below_it(storage, add, scope, above, below):
    places = ("/", "/subscriptions/s1", "/subscriptions/s1/resourcegroups/g", "/subscriptions/s10")
    rows = [an_assignment(number, scope=place) for number, place in enumerate(places)]
    await add(*reversed(rows))

    async def around(**asked):
        return [rows.index(each) for each in await storage.read().assignments.list_around(scope, **asked)]

    assert await around(below=False) == above
    assert await around(below=True) == sorted(above + below)
    for start in range(4):
        past = [number for number in sorted(above + below) if number > start]
        assert await around(below=True, after=f"assignment-{start}") == past
        assert await around(below=True, after=f"assignment-{start}", limit=1) == past[:1]


async def test_what_somebody_holds_is_his_own_first_then_what_his_groups_hold_that_hold_anything(storage, change, add):
    own, of_team, of_club = an_assignment(1), an_assignment(2, principal="b-team"), an_assignment(3, principal="a-club")
    await add(of_team, own, of_club, an_assignment(4, principal="object-2"))
    principals = frozenset({"object-1", "b-team", "a-club", "empty"})

    async def held(object_id="object-1", principals=principals):
        found = await storage.read().assignments.held_by(object_id, principals)
        return [each.by_scope for each in found]

    assert await held() == [{each.scope: [each]} for each in (own, of_club, of_team)]
    assert await held(principals=frozenset()) == [{own.scope: [own]}]
    assert await held("empty", frozenset({"empty"})) == []
    await change(lambda stores: stores.assignments.remove("assignment-2"))
    await add(an_assignment(5, principal="empty"))
    assert [next(iter(each.values()))[0].assignment_id for each in await held()] == [
        "assignment-1",
        "assignment-3",
        "assignment-5",
    ]
