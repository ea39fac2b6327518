from dataclasses import replace
from datetime import UTC, datetime

import pytest

from doubles import TENANT, MemoryStorage, sign_up
from storage_doubles import an_assignment
from strongroom.access.identity.applications import Applications
from strongroom.access.identity.directory import Directory
from strongroom.access.identity.membership import OWNERS
from strongroom.access.identity.model import PrincipalType, Relation
from strongroom.errors import BadRequest, Conflict, NotFound

NOW = datetime(2026, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)
MEMBER, OWNER = Relation


class World:
    """A directory with a user, an application and groups that are made when they are named."""

    def __init__(self, storage, application):
        self.stores = storage.stores
        self.storage = storage
        self.application = application
        self.directory = Directory(self.stores.identity)

    async def user(self, alias, display_name=None):
        return await self.directory.create_user(
            f"{alias}@example.com", display_name or alias, tenant_id=TENANT.tenant_id, now=NOW
        )

    async def groups(self, *names):
        return [await self.directory.create_group(each, tenant_id=TENANT.tenant_id, now=NOW) for each in names]

    async def add(self, group, member, relation=MEMBER):
        return await self.directory.add_to_group(group, relation, member, now=NOW)


@pytest.fixture
async def world():
    storage = MemoryStorage()
    application, _ = await sign_up(storage, "payments")
    return World(storage, application)


async def test_a_user_is_found_by_every_name(world):
    user = await world.user("anna", "Anna A.")
    assert (user.user_principal_name, user.display_name, user.enabled) == ("anna@example.com", "Anna A.", True)
    assert user.created == NOW.replace(microsecond=0)
    for reference in (user.object_id.upper(), " ANNA@example.com ", "anna a."):
        assert await world.directory.get_user(reference) == user


async def test_a_principal_name_is_taken_once(world):
    await world.user("anna")
    with pytest.raises(Conflict):
        await world.user("ANNA", "other")


async def test_a_user_may_have_other_names_but_no_other_users(world):
    anna, bert = await world.user("anna", "Anna A."), await world.user("bert")
    renamed = await world.directory.update_user("anna a.", principal_name="ANNA@example.com", mail="a@example.com")
    assert (renamed.object_id, renamed.user_principal_name) == (anna.object_id, "ANNA@example.com")
    assert (renamed.display_name, renamed.mail) == ("Anna A.", "a@example.com")
    with pytest.raises(Conflict):
        await world.directory.update_user("anna a.", principal_name="Bert@example.com")
    with pytest.raises(BadRequest):
        await world.directory.update_user("anna a.", principal_name="")
    assert await world.directory.get_user(bert.object_id) == bert
    assert await world.directory.get_user(anna.object_id) == renamed


async def test_a_group_may_have_another_name_but_no_other_groups(world):
    team, _ = await world.groups("team", "club")
    renamed = await world.directory.update_group("team", display_name="TEAM", description="all")
    assert (renamed.object_id, renamed.display_name, renamed.description) == (team.object_id, "TEAM", "all")
    assert await world.directory.update_group("team", description="") == replace(renamed, description="")
    with pytest.raises(Conflict):
        await world.directory.update_group("team", display_name="Club")


async def test_a_display_name_of_several_is_told_with_their_ids(world):
    users = [await world.user("anna", "Twin"), await world.user("bert", "Twin")]
    with pytest.raises(BadRequest, match="2 are called 'twin'") as caught:
        await world.directory.get_user("twin")
    assert all(user.object_id in caught.value.message for user in users)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (PrincipalType.USER, "There is no user 'x'."),
        (PrincipalType.GROUP, "There is no group 'x'."),
        (PrincipalType.SERVICE_PRINCIPAL, "There is no application 'x'."),
        (None, "There is no user, group or application 'x'."),
    ],
)
async def test_nobody_is_nobody(world, kind, told):
    with pytest.raises(NotFound) as caught:
        await world.directory.get_principal("x", kind)
    assert caught.value.message == told


async def test_a_kind_is_asked_for_alone(world):
    user = await world.user("payments")
    with pytest.raises(BadRequest, match="are called 'payments'"):
        await world.directory.get_principal("payments")
    assert (await world.directory.get_principal("payments", PrincipalType.USER)).object_id == user.object_id
    with pytest.raises(NotFound):
        await world.directory.get_group(user.object_id)
    found = await world.directory.get_principal(world.application.app_id)
    assert (found.object_id, found.type) == (world.application.object_id, PrincipalType.SERVICE_PRINCIPAL)


async def test_a_user_is_disabled_and_enabled(world):
    await world.user("anna")
    assert not (await world.directory.set_user_enabled("anna", enabled=False)).enabled
    assert not (await world.directory.get_user("anna")).enabled
    assert (await world.directory.set_user_enabled("anna", enabled=True)).enabled


async def test_members_and_owners(world):
    user, (outer, inner) = await world.user("anna"), await world.groups("outer", "inner")
    await world.add("outer", "inner")
    await world.add("inner", "anna@example.com")
    await world.add("inner", "payments")
    await world.add("outer", "anna", OWNER)
    directory = world.directory
    assert [each.display_name for each in await directory.list_in(outer.object_id, MEMBER)] == ["inner"]
    assert [each.display_name for each in await directory.list_in(outer.object_id, OWNER)] == ["anna"]
    assert [each.display_name for each in await directory.list_all_members(outer.object_id)] == [
        "inner", "payments", "anna",
    ]  # fmt: skip
    assert await directory.list_groups_of(user.object_id) == (inner,)
    assert await directory.list_all_groups_of(user.object_id) == (inner, outer)
    assert await directory.list_all_groups_of(world.application.object_id) == (inner, outer)


async def test_groups_in_a_circle_are_listed_to_their_end(world):
    one, two = await world.groups("one", "two")
    await world.add("one", "two")
    await world.add("two", "one")
    assert {each.display_name for each in await world.directory.list_all_members(one.object_id)} == {"one", "two"}
    assert await world.directory.list_all_groups_of(one.object_id) == (one, two)


async def test_what_a_group_cannot_have(world):
    await world.user("anna")
    await world.groups("one", "two")
    await world.add("one", "anna")
    for group, member, relation, error in (
        ("one", "one", MEMBER, BadRequest),
        ("one", "two", OWNER, BadRequest),
        ("one", "anna", MEMBER, Conflict),
        ("one", "nobody", MEMBER, NotFound),
        ("none", "anna", MEMBER, NotFound),
        ("anna", "one", MEMBER, NotFound),
    ):
        with pytest.raises(error):
            await world.add(group, member, relation)
    for group, member in (("two", "anna"), ("one", "two")):
        with pytest.raises(NotFound):
            await world.directory.remove_from_group(group, MEMBER, member)
    await world.directory.remove_from_group("one", MEMBER, "anna")
    await world.add("one", "anna")


async def test_a_group_has_so_many_owners_and_no_more(world):
    await world.groups("one")
    for number in range(OWNERS):
        user = await world.user(f"u{number}")
        await world.add("one", user.object_id, OWNER)
    with pytest.raises(BadRequest, match="at most 100 owners"):
        await world.add("one", "payments", OWNER)


async def test_commands_do_not_give_two_groups_one_name(world):
    await world.groups("one")
    await world.directory.require_new_group_name("two")
    with pytest.raises(Conflict, match="is called 'one' already"):
        await world.directory.require_new_group_name(" ONE ")


async def delete_user(world):
    await world.directory.delete_user("anna", world.stores.assignments)


async def delete_group(world):
    await world.directory.delete_group("inner", world.stores.assignments)


async def delete_application(world):
    applications = Applications(world.stores.identity, world.stores.keyring, world.storage.custodian)
    await applications.delete("payments", world.stores.assignments)


@pytest.mark.parametrize(
    ("delete", "name"), [(delete_user, "anna"), (delete_group, "inner"), (delete_application, "payments")]
)
async def test_who_is_deleted_is_in_no_group_and_has_no_role(world, delete, name):
    await world.user("anna")
    await world.groups("outer", "inner")
    gone = await world.directory.get_principal(name)
    await world.add("outer", name)
    if gone.type is PrincipalType.GROUP:
        await world.add("inner", "anna")
    else:
        await world.add("outer", name, OWNER)
    await world.stores.assignments.add(an_assignment(1, principal=gone.object_id))
    await world.stores.assignments.add(an_assignment(2, principal="other"))
    await delete(world)
    assert await world.directory.find_principal(gone.object_id) is None
    assert world.stores.identity.memberships == {}
    assert [each.principal_id for each in await world.stores.assignments.list_all()] == ["other"]
