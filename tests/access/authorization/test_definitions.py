"""Custom roles: what they may be, and what is refused."""

from dataclasses import replace

import pytest

from doubles import MemoryStorage
from strongroom.access.authorization.assignments import AssignmentRequest, assign_role
from strongroom.access.authorization.definitions import (
    RoleRequest,
    can_be_assigned_at,
    get_role,
    put_role,
    remove_role,
    spelled_scopes,
)
from strongroom.access.authorization.roles import OWNER
from strongroom.errors import BadRequest, Conflict, NotFound
from strongroom.ids import Scope, group_scope, new_guid, subscription_scope
from strongroom.resources.model import ResourceGroup, Subscription
from vault_doubles import MADE, NOON, SUBSCRIPTION, TENANT

HERE = subscription_scope(SUBSCRIPTION)
ROLE_ID = "AAAAAAAA-0000-4000-8000-000000000001"
ASKED = RoleRequest(name="Vault Watcher", actions=("Microsoft.KeyVault/vaults/read",), assignable_scopes=(HERE,))


@pytest.fixture
async def stores():
    stores = MemoryStorage().stores
    await stores.resources.add_subscription(
        Subscription(subscription_id=SUBSCRIPTION, tenant_id=TENANT, display_name="s", created=NOON)
    )
    for name in ("one", "two"):
        await stores.resources.put_group(
            ResourceGroup(subscription_id=SUBSCRIPTION, name=name, location="local", tags=(), system_data=MADE)
        )
    return stores


async def put(stores, role_id=ROLE_ID, **changes):
    return await put_role(stores, role_id, replace(ASKED, **changes), author="me", now=NOON)


async def test_a_role_is_made_and_changed(stores):
    made = await put(stores)
    assert (made.role_id, made.custom, made.created_by) == (ROLE_ID.lower(), True, "me")
    assert await get_role(stores.roles, ROLE_ID) == made
    changed = await put(stores, name="Watcher", data_actions=("Microsoft.KeyVault/vaults/*",))
    assert (changed.name, changed.created) == ("Watcher", made.created)
    assert (await stores.roles.roles()).grants(made.role_id, "Microsoft.KeyVault/vaults/keys/read", data=True)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": " "}, "RoleDefinitionNameNullOrEmpty"),
        ({"name": "n" * 513}, "BadRequestFormat"),
        ({"description": "d" * 2049}, "BadRequestFormat"),
        ({"assignable_scopes": ()}, "MissingAssignableScopes"),
        ({"assignable_scopes": ("/",)}, "LinkedInvalidPropertyId"),
        ({"assignable_scopes": ("Invalid_Scope",)}, "LinkedInvalidPropertyId"),
        ({"assignable_scopes": (group_scope(SUBSCRIPTION, "none"),)}, "LinkedInvalidPropertyId"),
        ({"actions": ()}, "InvalidActionOrNotAction"),
        ({"actions": ("Microsoft.KeyVault/vaults/reed",)}, "InvalidActionOrNotAction"),
        ({"actions": ("read",)}, "InvalidActionOrNotAction"),
        ({"actions": ("*/read\n",)}, "InvalidActionOrNotAction"),
        ({"not_actions": ("Microsoft.KeyVault/vaults/secrets/getSecret/action",)}, "InvalidActionOrNotAction"),
        ({"data_actions": ("Microsoft.KeyVault/vaults/secrets/read",)}, "InvalidActionOrNotAction"),
        ({"not_data_actions": ("",)}, "InvalidActionOrNotAction"),
        ({"actions": ("*/" + "r" * 255,)}, "InvalidActionOrNotAction"),
        ({"actions": ("*",) * 2049}, "InvalidActionOrNotAction"),
    ],
)
async def test_what_no_role_can_be(stores, changes, code):
    with pytest.raises(BadRequest) as refused:
        await put(stores, **changes)
    assert refused.value.code == code
    assert not stores.roles.kept


@pytest.mark.parametrize(
    "action", ["*", "*/read", "Microsoft.Compute/virtualMachines/*", "microsoft.keyvault/VAULTS/*/read"]
)
async def test_what_actions_may_be(stores, action):
    assert (await put(stores, actions=(action,))).actions == (action,)


def test_scopes_are_kept_in_one_spelling_each_once():
    odd = HERE.strip("/").upper() + "//"
    assert spelled_scopes([HERE, odd, group_scope(SUBSCRIPTION, "one") + "/"]) == (
        HERE,
        group_scope(SUBSCRIPTION, "one"),
    )
    assert spelled_scopes([odd, HERE]) == ("/" + odd.strip("/"),)
    for text in ("", "/", HERE + "/resourceGroups//", HERE + "/a" * 30_000, "/" + HERE.replace("/", "//")):
        with pytest.raises(BadRequest) as refused:
            spelled_scopes([text])
        assert refused.value.code == "LinkedInvalidPropertyId"
        assert len(refused.value.message) < 1500


async def test_ids_and_names_are_taken_once(stores):
    for role_id, error, code in (
        ("me", BadRequest, "InvalidRoleDefinitionId"),
        (OWNER.role_id.upper(), Conflict, "RoleDefinitionExists"),
    ):
        with pytest.raises(error) as refused:
            await put(stores, role_id)
        assert refused.value.code == code
    await put(stores)
    for name in ("VAULT watcher", "owner"):
        with pytest.raises(Conflict) as taken:
            await put(stores, new_guid(), name=name)
        assert taken.value.code == "RoleDefinitionWithSameNameExists"


async def test_there_is_an_end_to_them(stores, monkeypatch):
    monkeypatch.setattr("strongroom.access.authorization.definitions.MAX_ROLES", 1)
    await put(stores)
    await put(stores, description="again")
    with pytest.raises(Conflict) as refused:
        await put(stores, new_guid(), name="another")
    assert refused.value.code == "RoleDefinitionLimitExceeded"


async def test_a_role_that_somebody_has_stays_and_stays_where_he_has_it(stores):
    one, two = group_scope(SUBSCRIPTION, "one"), group_scope(SUBSCRIPTION, "two")
    role = await put(stores, assignable_scopes=(one,))
    asked = AssignmentRequest(principal_id=TENANT, role=role.role_id, scope=one)
    with pytest.raises(BadRequest) as elsewhere:
        await assign_role(stores, replace(asked, scope=two), now=NOON)
    assert elsewhere.value.code == "RoleAssignmentScopeNotAssignableToRoleDefinition"
    await assign_role(stores, asked, now=NOON)
    for change in (put(stores, assignable_scopes=(two,)), remove_role(stores, ROLE_ID)):
        with pytest.raises(Conflict) as refused:
            await change
        assert refused.value.code == "RoleDefinitionHasAssignments"
    await put(stores, assignable_scopes=(two, one))
    await stores.assignments.remove_within("/")
    assert (await remove_role(stores, ROLE_ID)).name == ASKED.name
    assert await remove_role(stores, ROLE_ID) is None
    with pytest.raises(NotFound) as gone:
        await get_role(stores.roles, ROLE_ID)
    assert gone.value.code == "RoleDefinitionDoesNotExist"


async def test_ids_are_guids(stores):
    for work in (get_role(stores.roles, "me"), remove_role(stores, "me")):
        with pytest.raises(BadRequest) as refused:
            await work
        assert refused.value.code == "InvalidRoleDefinitionId"


async def test_a_built_in_role_is_not_removed(stores):
    with pytest.raises(BadRequest) as refused:
        await remove_role(stores, OWNER.role_id)
    assert refused.value.code == "BuiltInRoleDefinitionCannotBeDeleted"


async def test_where_a_role_can_be_assigned(stores):
    role = await put(stores, assignable_scopes=(group_scope(SUBSCRIPTION, "ONE"),))
    one, here = Scope.parse(group_scope(SUBSCRIPTION, "one")), Scope.parse(HERE)
    assert can_be_assigned_at(role, one)
    assert not can_be_assigned_at(role, here)
    assert can_be_assigned_at(role, here, or_below=True)
    assert can_be_assigned_at(OWNER, one)
