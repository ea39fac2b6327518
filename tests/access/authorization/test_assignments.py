import pytest

from doubles import MemoryStorage
from strongroom.access.authorization.assignments import (
    AssignmentRequest,
    assign_role,
    list_assignments,
    remove_assignment,
    require_role,
)
from strongroom.access.authorization.roles import BUILT_IN, READER
from strongroom.errors import BadRequest, Conflict, NotFound
from strongroom.ids import group_scope, is_guid, subscription_scope, vault_scope
from strongroom.resources.model import ResourceGroup, Subscription
from strongroom.vaults.model import Deletion
from vault_doubles import MADE, NOON, SUBSCRIPTION, TENANT, a_vault

ME = "C0FFEE00-0000-4000-8000-000000000001"
HERE = subscription_scope(SUBSCRIPTION)


@pytest.fixture
async def stores():
    stores = MemoryStorage().stores
    await stores.resources.add_subscription(
        Subscription(subscription_id=SUBSCRIPTION, tenant_id=TENANT, display_name="s", created=NOON)
    )
    await stores.resources.put_group(
        ResourceGroup(subscription_id=SUBSCRIPTION, name="Group", location="local", tags=(), system_data=MADE)
    )
    await stores.vaults.add(a_vault("kv1", resource_group="Group"))
    await stores.vaults.add(
        a_vault("gone", resource_group="Group", deletion=Deletion(deleted=NOON, scheduled_purge=NOON))
    )
    return stores


async def assign(stores, scope=HERE, role="Reader", principal=ME):
    return await assign_role(stores, AssignmentRequest(principal_id=principal, role=role, scope=scope), now=NOON)


@pytest.mark.parametrize(
    "scope",
    [
        HERE,
        HERE.upper() + "/",
        group_scope(SUBSCRIPTION, "gRoUp"),
        vault_scope(SUBSCRIPTION, "group", "KV1"),
        *(f"{vault_scope(SUBSCRIPTION, 'group', 'kv1')}/{kind}/A-name" for kind in ("secrets", "keys", "certificates")),
    ],
)
async def test_a_role_is_given_at_a_place_that_exists(stores, scope):
    made = await assign(stores, scope)
    assert made.scope == scope.rstrip("/").lower()
    assert (made.role_id, made.principal_id) == (READER.role_id, ME.lower())
    assert made.created.microsecond == 0
    assert is_guid(made.assignment_id)
    assert await stores.assignments.list_for(ME.lower()) == (made,)


@pytest.mark.parametrize(
    ("scope", "error", "code"),
    [
        ("/", BadRequest, "InvalidScope"),
        ("", BadRequest, "InvalidScope"),
        (HERE + "/providers/x", BadRequest, "InvalidScope"),
        (vault_scope(SUBSCRIPTION, "group", "kv1") + "/secrets/a_b", BadRequest, "InvalidScope"),
        (vault_scope(SUBSCRIPTION, "group", "kv1") + "/secrets/a/b", BadRequest, "InvalidScope"),
        (vault_scope(SUBSCRIPTION, "group", "kv1") + "/storage/a", BadRequest, "InvalidScope"),
        (vault_scope(SUBSCRIPTION, "group", "none") + "/secrets/a", NotFound, "ResourceNotFound"),
        ("/x/y/providers/microsoft.keyvault/vaults/kv1/secrets/a", BadRequest, "InvalidScope"),
        (subscription_scope(TENANT), NotFound, "SubscriptionNotFound"),
        (group_scope(TENANT, "group"), NotFound, "SubscriptionNotFound"),
        (group_scope(SUBSCRIPTION, "none"), NotFound, "ResourceGroupNotFound"),
        (vault_scope(SUBSCRIPTION, "none", "kv1"), NotFound, "ResourceGroupNotFound"),
        (vault_scope(SUBSCRIPTION, "group", "none"), NotFound, "ResourceNotFound"),
        (vault_scope(SUBSCRIPTION, "group", "gone"), NotFound, "ResourceNotFound"),
    ],
)
async def test_a_role_is_given_nowhere_else(stores, scope, error, code):
    with pytest.raises(error) as refused:
        await assign(stores, scope)
    assert refused.value.code == code


async def test_what_is_given_is_named_rightly_and_once(stores):
    with pytest.raises(NotFound) as refused:
        await assign(stores, role="King")
    assert refused.value.code == "RoleDefinitionDoesNotExist"
    with pytest.raises(BadRequest) as invalid:
        await assign(stores, principal="me")
    assert invalid.value.code == "InvalidPrincipalId"
    await assign(stores)
    with pytest.raises(Conflict) as again:
        await assign(stores)
    assert again.value.code == "RoleAssignmentExists"


async def test_assignments_are_listed_and_taken_back(stores):
    one = await assign(stores)
    two = await assign(stores, vault_scope(SUBSCRIPTION, "group", "kv1"), "Owner", principal=TENANT)
    assert await list_assignments(stores.assignments) == (one, two)
    assert await list_assignments(stores.assignments, principal_id=ME) == (one,)
    assert await list_assignments(stores.assignments, scope=group_scope(SUBSCRIPTION, "GROUP")) == (two,)
    await remove_assignment(
        stores.assignments, f"{HERE}/providers/Microsoft.Authorization/roleAssignments/{one.assignment_id.upper()}"
    )
    assert await list_assignments(stores.assignments) == (two,)
    with pytest.raises(NotFound):
        await remove_assignment(stores.assignments, one.assignment_id)


async def test_roles_are_found_by_name_and_by_id(stores):
    for role in BUILT_IN:
        for text in (
            role.name,
            role.name.upper(),
            role.role_id,
            f"/providers/Microsoft.Authorization/roleDefinitions/{role.role_id.upper()}",
        ):
            assert await require_role(stores.roles, text) is role


def test_role_ids_are_unique_guids():
    assert len({role.role_id for role in BUILT_IN}) == len(BUILT_IN)
    assert all(is_guid(role.role_id) and role.role_id == role.role_id.lower() for role in BUILT_IN)


MINE = "@Resource[Microsoft.KeyVault/vaults/secrets:name] StringEquals 'mine'"


def asked(**changes):
    return AssignmentRequest(**{"principal_id": ME, "role": "Reader", "scope": HERE} | changes)


async def test_what_may_change_of_an_assignment_is_its_condition_and_description(stores):
    made = await assign_role(stores, asked(), now=NOON, author="one", assignment_id=TENANT)
    again = asked(condition=MINE, condition_version="2.0", description="mine only")
    changed = await assign_role(stores, again, now=NOON, author="two", assignment_id=TENANT.upper())
    assert (changed.assignment_id, changed.condition, changed.description) == (TENANT, MINE, "mine only")
    assert (changed.created_by, changed.updated_by, made.updated_by) == ("one", "two", "one")
    assert await stores.assignments.list_all() == (changed,)
    other = asked(role="Owner"), asked(principal_id=TENANT), asked(scope=group_scope(SUBSCRIPTION, "Group"))
    for request in other:
        with pytest.raises(Conflict) as refused:
            await assign_role(stores, request, now=NOON, assignment_id=TENANT)
        assert refused.value.code == "RoleAssignmentUpdateNotPermitted"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"condition": "x"}, "InvalidCondition"),
        ({"condition": MINE, "condition_version": "1.0"}, "InvalidCondition"),
        ({"condition_version": "2.0"}, "InvalidCondition"),
        ({"description": "d" * 1025}, "BadRequestFormat"),
    ],
)
async def test_a_condition_that_cannot_be_decided_is_not_kept(stores, changes, code):
    with pytest.raises(BadRequest) as refused:
        await assign_role(stores, asked(**changes), now=NOON)
    assert refused.value.code == code
    assert await stores.assignments.list_all() == ()
