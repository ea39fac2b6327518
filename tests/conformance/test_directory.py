"""Users, groups and memberships."""

import random
from dataclasses import replace

import pytest

from directory_doubles import a_membership, a_security_group, a_user
from strongroom.access.identity.model import Relation
from strongroom.errors import Conflict, NotFound

MEMBER, OWNER = Relation


async def test_a_user_is_found_by_id_and_name_whatever_their_case(storage, change):
    await change(lambda stores: stores.identity.add_user(a_user(mail="u@example.com")))
    identity = storage.read().identity
    assert await identity.find_user("USER-1") == a_user(mail="u@example.com")
    assert await identity.find_user_named("user.1@EXAMPLE.com") == a_user(mail="u@example.com")
    assert await identity.find_user("user-2") is None
    assert await identity.find_user_named("user-1") is None


@pytest.mark.parametrize(
    "changes", [{"object_id": "user-9", "user_principal_name": "USER.1@example.COM"}, {"user_principal_name": "u@x"}]
)
async def test_neither_id_nor_name_of_a_user_is_taken_twice(change, changes):
    await change(lambda stores: stores.identity.add_user(a_user()))
    with pytest.raises(Conflict):
        await change(lambda stores: stores.identity.add_user(a_user(**changes)))


async def test_users_are_listed_oldest_first_replaced_and_removed(storage, change):
    for number in (3, 1, 2):
        await change(lambda stores, number=number: stores.identity.add_user(a_user(number)))
    await change(lambda stores: stores.identity.replace_user(a_user(1, enabled=False)))
    listed = [a_user(3), a_user(1, enabled=False), a_user(2)]
    assert list(await storage.read().identity.list_users()) == listed
    assert await storage.read().identity.find_user("user-1") == listed[1]
    await change(lambda stores: stores.identity.remove_user("USER-1"))
    assert list(await storage.read().identity.list_users()) == [a_user(3), a_user(2)]
    await change(lambda stores: stores.identity.add_user(a_user(1)))


async def test_a_user_that_is_not_there_is_neither_replaced_nor_removed(change):
    with pytest.raises(NotFound):
        await change(lambda stores: stores.identity.replace_user(a_user()))
    with pytest.raises(NotFound):
        await change(lambda stores: stores.identity.remove_user("user-1"))


async def test_groups_are_kept(storage, change):
    for number in (2, 1):
        await change(lambda stores, number=number: stores.identity.add_group(a_security_group(number)))
    identity = storage.read().identity
    assert await identity.list_groups() == (a_security_group(2), a_security_group(1))
    assert await identity.find_group("GROUP-1") == a_security_group(1)
    with pytest.raises(Conflict):
        await change(lambda stores: stores.identity.add_group(a_security_group(1, description="other")))
    await change(lambda stores: stores.identity.replace_group(a_security_group(1, display_name="Other")))
    assert await storage.read().identity.find_group("group-1") == a_security_group(1, display_name="Other")
    with pytest.raises(NotFound):
        await change(lambda stores: stores.identity.replace_group(a_security_group(3)))
    await change(lambda stores: stores.identity.remove_group("Group-1"))
    assert await storage.read().identity.find_group("group-1") is None
    with pytest.raises(NotFound):
        await change(lambda stores: stores.identity.remove_group("group-1"))


async def add(change, *memberships):
    for membership in memberships:
        await change(lambda stores, membership=membership: stores.identity.add_membership(membership))


async def test_memberships_are_listed_from_both_ends_oldest_first(storage, change):
    first, second = a_membership(member="user-2"), a_membership(member="user-1")
    owner, elsewhere = a_membership(member="user-1", relation=OWNER), a_membership("group-2", "user-1")
    await add(change, first, second, owner, elsewhere)
    identity = storage.read().identity
    assert await identity.list_memberships("GROUP-1", MEMBER) == (first, second)
    assert await identity.list_memberships("group-1", OWNER) == (owner,)
    assert await identity.list_memberships_of("USER-1", MEMBER) == (second, elsewhere)
    assert await identity.list_memberships_of("user-1", OWNER) == (owner,)


async def test_a_membership_is_added_once_and_removed_once(storage, change):
    await add(change, a_membership(), a_membership(relation=OWNER))
    with pytest.raises(Conflict):
        await add(change, replace(a_membership(), added=a_user().created.replace(year=2027)))
    await change(lambda stores: stores.identity.remove_membership("Group-1", MEMBER, "User-1"))
    assert await storage.read().identity.list_memberships("group-1", MEMBER) == ()
    assert await storage.read().identity.list_memberships("group-1", OWNER) == (a_membership(relation=OWNER),)
    with pytest.raises(NotFound):
        await change(lambda stores: stores.identity.remove_membership("group-1", MEMBER, "user-1"))


async def test_groups_count_through_others_and_owners_do_not(storage, change):
    chain = [a_membership(f"group-{number}", f"group-{number - 1}") for number in range(2, 6)]
    await add(
        change, a_membership(), *chain, a_membership("group-9", "user-1", OWNER), a_membership("group-8", "user-2")
    )
    identity = storage.read().identity
    assert await identity.groups_of("USER-1") == {f"group-{number}" for number in range(1, 6)}
    assert await identity.groups_of("group-4") == {"group-5"}
    assert await identity.groups_of("nobody") == frozenset()


async def test_groups_in_a_circle_end(storage, change):
    await add(change, a_membership(), a_membership("group-2", "group-1"), a_membership("group-1", "group-2"))
    identity = storage.read().identity
    assert await identity.groups_of("user-1") == await identity.groups_of("group-1") == {"group-1", "group-2"}


async def test_groups_are_looked_up_anew_after_every_change(storage, change):
    for step in (
        lambda stores: stores.identity.add_membership(a_membership()),
        lambda stores: stores.identity.add_membership(a_membership("group-2", "group-1")),
        lambda stores: stores.identity.remove_membership("group-1", MEMBER, "user-1"),
    ):
        before = await storage.read().identity.groups_of("user-1")
        await change(step)
        assert await storage.read().identity.groups_of("user-1") != before


async def test_hundreds_of_groups_count(storage, change):
    async def fill(stores):
        for number in range(300):
            await stores.identity.add_membership(a_membership(f"group-{number}", "user-1"))
            await stores.identity.add_membership(a_membership(f"group-{number + 1}", f"group-{number}"))

    await change(fill)
    assert len(await storage.read().identity.groups_of("user-1")) == 301


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_groups_are_in_each_other_all_that_is_reached_counts(storage, change, seed):
    chance = random.Random(seed)
    edges = {(chance.randrange(12), chance.randrange(12)) for _ in range(18)}

    async def fill(stores):
        for inner, outer in edges:
            await stores.identity.add_membership(a_membership(f"group-{outer}", f"group-{inner}"))

    await change(fill)
    for start in range(12):
        reached = set()
        for _ in range(12):
            reached |= {outer for inner, outer in edges if inner == start or inner in reached}
        assert await storage.read().identity.groups_of(f"group-{start}") == {f"group-{each}" for each in reached}


async def test_who_is_gone_is_in_no_group_and_has_no_members(storage, change):
    kept = a_membership("group-3", "user-2")
    await add(change, a_membership(), a_membership("group-2", "group-1"), a_membership(relation=OWNER), kept)
    await change(lambda stores: stores.identity.remove_memberships("GROUP-1"))
    identity = storage.read().identity
    for relation in Relation:
        assert await identity.list_memberships("group-1", relation) == ()
    assert await identity.list_memberships_of("group-1", MEMBER) == ()
    assert await identity.list_memberships("group-3", MEMBER) == (kept,)
    await change(lambda stores: stores.identity.remove_memberships("nobody"))
