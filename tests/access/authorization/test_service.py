from dataclasses import replace

import pytest

from doubles import MemoryStorage
from strongroom.access.authorization import actions
from strongroom.access.authorization.model import RoleAssignment
from strongroom.access.authorization.roles import KEY_VAULT_SECRETS_USER, READER
from strongroom.access.authorization.service import (
    authorize_data,
    authorize_management,
    find_management_decision,
)
from strongroom.access.identity.model import Caller, PrincipalType
from strongroom.errors import AuthorizationFailed, ForbiddenByPolicy, ForbiddenByRbac
from strongroom.ids import vault_scope
from strongroom.vaults.model import AccessPolicy
from vault_doubles import NOON, SUBSCRIPTION, TENANT, a_vault

ME = "c0ffee00-0000-4000-8000-000000000001"
TEAM = "c0ffee00-0000-4000-8000-000000000002"
APP = "c0ffee00-0000-4000-8000-0000000000aa"
ISSUER = f"https://sts.localhost/{TENANT}/"
CALLER = Caller(
    object_id=ME,
    app_id=APP,
    tenant_id=TENANT,
    issuer=ISSUER,
    type=PrincipalType.SERVICE_PRINCIPAL,
    audience="https://vault.localhost",
    token_id="t",
    expires=NOON,
    principals=frozenset({ME, TEAM}),
)
SCOPE = vault_scope(SUBSCRIPTION, "group", "kv1")


@pytest.fixture
def assignments():
    return MemoryStorage().stores.assignments


async def give(assignments, principal, role, scope=SCOPE):
    await assignments.add(
        RoleAssignment(
            assignment_id="assignment-1",
            scope=scope.lower(),
            role_id=role.role_id,
            principal_id=principal,
            principal_type=PrincipalType.SERVICE_PRINCIPAL,
            created=NOON,
        )
    )


async def test_a_policy_vault_asks_its_policies_and_no_role(assignments):
    policy = AccessPolicy(tenant_id=TENANT, object_id=ME, secrets=frozenset({"get"}))
    vault = a_vault(access_policies=(policy,))
    decision = await authorize_data(assignments, vault, CALLER, actions.SECRET_GET, SCOPE + "/secrets/a")
    assert (decision.allowed, decision.policy, decision.assignment_id) == (True, True, None)
    await give(assignments, ME, KEY_VAULT_SECRETS_USER)
    with pytest.raises(ForbiddenByPolicy) as refused:
        await authorize_data(assignments, vault, CALLER, actions.SECRET_LIST, SCOPE)
    assert refused.value.message == (
        f"The user, group or application 'appid={APP};oid={ME};iss={ISSUER}' does not have secrets list permission on "
        "key vault 'kv1;location=local'. For help resolving this issue, please see "
        "https://go.microsoft.com/fwlink/?linkid=2125287"
    )
    assert (refused.value.status, refused.value.code, refused.value.inner) == (403, "Forbidden", "ForbiddenByPolicy")


@pytest.mark.parametrize("principal", [ME, TEAM])
async def test_an_rbac_vault_asks_roles_and_no_policy(assignments, principal):
    policy = AccessPolicy(tenant_id=TENANT, object_id=ME, secrets=frozenset({"all", "purge"}))
    vault = a_vault(access_policies=(policy,), rbac=True)
    with pytest.raises(ForbiddenByRbac):
        await authorize_data(assignments, vault, CALLER, actions.SECRET_GET, SCOPE + "/secrets/a")
    await give(assignments, principal, KEY_VAULT_SECRETS_USER)
    decision = await authorize_data(assignments, vault, CALLER, actions.SECRET_GET, SCOPE + "/secrets/a")
    assert (decision.allowed, decision.policy, decision.assignment_id) == (True, False, "assignment-1")


async def test_the_refusal_of_an_rbac_vault_reads_as_the_services(assignments):
    with pytest.raises(ForbiddenByRbac) as refused:
        await authorize_data(assignments, a_vault(rbac=True), CALLER, actions.SECRET_GET, SCOPE + "/secrets/Name")
    assert refused.value.message == (
        "Caller is not authorized to perform action on resource.\r\n"
        "If role assignments, deny assignments or role definitions were changed recently, please observe propagation "
        "time.\r\n"
        f"Caller: appid={APP};oid={ME};iss={ISSUER}\r\n"
        "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'\r\n"
        f"Resource: '/subscriptions/{SUBSCRIPTION}/resourcegroups/group/providers/microsoft.keyvault/vaults/kv1"
        "/secrets/name'\r\n"
        "Assignment: (not found)\r\n"
        "DenyAssignmentId: null\r\n"
        "DecisionReason: null \r\n"
        "Vault: kv1;location=local\r\n"
    )
    assert (refused.value.code, refused.value.inner) == ("Forbidden", "ForbiddenByRbac")


@pytest.mark.parametrize("rbac", [True, False])
async def test_another_tenants_caller_gets_nothing(assignments, rbac):
    policy = AccessPolicy(tenant_id=TENANT, object_id=ME, secrets=frozenset({"get"}))
    vault = a_vault(access_policies=(policy,), rbac=rbac, tenant_id=APP)
    await give(assignments, ME, KEY_VAULT_SECRETS_USER)
    with pytest.raises((ForbiddenByPolicy, ForbiddenByRbac)):
        await authorize_data(assignments, vault, CALLER, actions.SECRET_GET, SCOPE)


async def test_the_management_plane_asks_roles(assignments):
    with pytest.raises(AuthorizationFailed):
        await authorize_management(assignments, CALLER, "Microsoft.KeyVault/vaults/read", SCOPE)
    await give(assignments, TEAM, READER, f"/subscriptions/{SUBSCRIPTION}")
    decision = await authorize_management(assignments, CALLER, "Microsoft.KeyVault/vaults/read", SCOPE.upper())
    assert decision.assignment_id == "assignment-1"
    with pytest.raises(AuthorizationFailed) as refused:
        await authorize_management(
            assignments,
            replace(CALLER, user_principal_name="me@localhost"),
            "Microsoft.KeyVault/vaults/write",
            SCOPE,
        )
    assert refused.value.message == (
        f"The client 'me@localhost' with object id '{ME}' does not have authorization to perform action "
        f"'Microsoft.KeyVault/vaults/write' over scope '{SCOPE}' or the scope is invalid. If access was recently "
        "granted, please refresh your credentials."
    )
    assert refused.value.code == "AuthorizationFailed"
    assert not (await find_management_decision(assignments, CALLER, "a/write", SCOPE)).allowed
