from dataclasses import replace

import pytest

from doubles import MemoryStorage
from strongroom.access.authorization import actions
from strongroom.access.authorization.evaluation import REFUSED
from strongroom.access.authorization.model import Decision, RoleAssignment
from strongroom.access.authorization.roles import KEY_VAULT_SECRETS_USER, READER
from strongroom.access.authorization.service import (
    data_refusal,
    find_data_decision,
    find_management_decision,
    find_scopes,
    management_refusal,
    reason_of,
)
from strongroom.access.identity.model import Caller, PrincipalType
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
def stores():
    return MemoryStorage().stores


async def give(stores, principal, role, scope=SCOPE, condition=None):
    await stores.assignments.add(
        RoleAssignment(
            assignment_id="assignment-1",
            scope=scope.lower(),
            role_id=role.role_id,
            principal_id=principal,
            principal_type=PrincipalType.SERVICE_PRINCIPAL,
            created=NOON,
            condition=condition,
        )
    )


async def ask(stores, vault, action, scope=SCOPE):
    return await find_data_decision(stores, vault, CALLER, action, scope, now=NOON)


async def test_a_policy_vault_asks_its_policies_and_no_role(stores):
    policy = AccessPolicy(tenant_id=TENANT, object_id=ME, secrets=frozenset({"get"}))
    vault = a_vault(access_policies=(policy,))
    decision = await ask(stores, vault, actions.SECRET_GET, SCOPE + "/secrets/a")
    assert (decision.allowed, decision.policy_of, decision.assignment) == (True, ME, None)
    assert await reason_of(decision, stores.roles) == f"the access policy of '{ME}' allows it"
    await give(stores, ME, KEY_VAULT_SECRETS_USER)
    stores.assignments = None  # not even read
    assert not (await ask(stores, vault, actions.SECRET_LIST)).allowed
    refusal = data_refusal(vault, CALLER, actions.SECRET_LIST, SCOPE)
    assert refusal.message == (
        f"The user, group or application 'appid={APP};oid={ME};iss={ISSUER}' does not have secrets list permission on "
        "key vault 'kv1;location=local'. For help resolving this issue, please see "
        "https://go.microsoft.com/fwlink/?linkid=2125287"
    )
    assert (refusal.status, refusal.code, refusal.inner) == (403, "Forbidden", "ForbiddenByPolicy")


@pytest.mark.parametrize("principal", [ME, TEAM])
async def test_an_rbac_vault_asks_roles_and_no_policy(stores, principal):
    policy = AccessPolicy(tenant_id=TENANT, object_id=ME, secrets=frozenset({"all", "purge"}))
    vault = a_vault(access_policies=(policy,), rbac=True)
    refused = await ask(stores, vault, actions.SECRET_GET, SCOPE + "/secrets/a")
    assert refused == REFUSED
    assert await reason_of(refused, stores.roles) == "nothing that the caller or one of its groups was given allows it"
    await give(stores, principal, KEY_VAULT_SECRETS_USER)
    decision = await ask(stores, vault, actions.SECRET_GET, SCOPE + "/secrets/a")
    assert (decision.allowed, decision.policy_of) == (True, None)
    assert decision.assignment.assignment_id == "assignment-1"
    assert await reason_of(decision, stores.roles) == (
        f"the role 'Key Vault Secrets User', given to '{principal}' at '{SCOPE.lower()}', allows it"
    )


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("@Resource[Microsoft.KeyVault/vaults/secrets:name] StringEquals 'b'", "its condition does not hold"),
        (
            "@Request[Microsoft.KeyVault/vaults/secrets:name] StringEquals 'a'",
            "the request does not tell what its condition asks",
        ),
    ],
)
async def test_a_condition_that_stands_against_it_is_told(stores, condition, told):
    await give(stores, ME, KEY_VAULT_SECRETS_USER, condition=condition)
    decision = await ask(stores, a_vault(rbac=True), actions.SECRET_GET, SCOPE + "/secrets/a")
    assert not decision.allowed
    assert told in await reason_of(decision, stores.roles)


async def test_a_role_that_is_gone_is_told_by_its_id(stores):
    await give(stores, ME, replace(KEY_VAULT_SECRETS_USER, role_id="gone"))
    (assignment,) = stores.assignments.rows
    told = await reason_of(Decision(allowed=False, unmet=assignment), stores.roles)
    assert told.startswith("the role 'gone', given to")


async def test_the_refusal_of_an_rbac_vault_reads_as_the_services():
    refusal = data_refusal(a_vault(rbac=True), CALLER, actions.SECRET_GET, SCOPE + "/secrets/Name")
    assert refusal.message == (
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
    assert (refusal.code, refusal.inner) == ("Forbidden", "ForbiddenByRbac")


@pytest.mark.parametrize("rbac", [True, False])
async def test_another_tenants_caller_gets_nothing(stores, rbac):
    policy = AccessPolicy(tenant_id=TENANT, object_id=ME, secrets=frozenset({"get"}))
    vault = a_vault(access_policies=(policy,), rbac=rbac, tenant_id=APP)
    await give(stores, ME, KEY_VAULT_SECRETS_USER)
    assert await ask(stores, vault, actions.SECRET_GET) == REFUSED


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (None, True),
        ("@Environment[UtcNow] DateTimeLessThan '2020-01-01'", False),
        ("@Environment[UtcNow] DateTimeGreaterThan '2020-01-01'", True),
        ("@Request[Microsoft.Authorization/roleAssignments:PrincipalType] StringEquals 'User'", False),
    ],
)
async def test_where_somebody_was_given_an_action_is_found_without_asking_of_each_place(stores, condition, found):
    read = "Microsoft.KeyVault/vaults/read"
    assert await find_scopes(stores, CALLER, read, now=NOON) == frozenset()
    await give(stores, TEAM, READER, condition=condition)
    assert await find_scopes(stores, CALLER, read, now=NOON) == ({SCOPE.lower()} if found else frozenset())
    assert await find_scopes(stores, CALLER, "Microsoft.KeyVault/vaults/write", now=NOON) == frozenset()
    assert await find_scopes(stores, replace(CALLER, principals=frozenset({ME})), read, now=NOON) == frozenset()


async def test_data_actions_are_no_control_actions_where_scopes_are_looked_for(stores):
    await give(stores, ME, KEY_VAULT_SECRETS_USER)
    assert await find_scopes(stores, CALLER, actions.SECRET_GET.data_action, now=NOON) == frozenset()


async def test_the_management_plane_asks_roles(stores):
    read, write = "Microsoft.KeyVault/vaults/read", "Microsoft.KeyVault/vaults/write"
    assert not (await find_management_decision(stores, CALLER, read, SCOPE, now=NOON)).allowed
    await give(stores, TEAM, READER, f"/subscriptions/{SUBSCRIPTION}")
    decision = await find_management_decision(stores, CALLER, read, SCOPE.upper(), now=NOON)
    assert decision.assignment.assignment_id == "assignment-1"
    assert not (await find_management_decision(stores, CALLER, write, SCOPE, now=NOON)).allowed
    refusal = management_refusal(replace(CALLER, user_principal_name="me@localhost"), write, SCOPE)
    assert refusal.message == (
        f"The client 'me@localhost' with object id '{ME}' does not have authorization to perform action "
        f"'Microsoft.KeyVault/vaults/write' over scope '{SCOPE}' or the scope is invalid. If access was recently "
        "granted, please refresh your credentials."
    )
    assert refusal.code == "AuthorizationFailed"
    assert f"The client '{APP}' with" in management_refusal(CALLER, write, SCOPE).message
