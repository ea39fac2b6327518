"""Who may do what with secrets: every operation under every permission and role, against tables of its own.

The tables here repeat the reference on purpose: they must not be read from the code that they check.
"""

import re
from fnmatch import fnmatchcase

import pytest

from data_doubles import SECRET_PERMISSIONS, an_application
from strongroom.access.authorization.roles import BUILT_IN
from strongroom.objects.secrets.model import SecretEdit
from strongroom.sensitive import Sensitive
from strongroom.vaults.model import AccessPolicy
from vault_doubles import SUBSCRIPTION, TENANT, secrets_of

# operation → method, path, permission of an access policy, data action below Microsoft.KeyVault/vaults/
OPERATIONS = {
    "SecretSet": ("PUT", "/secrets/s", "set", "secrets/setSecret/action"),
    "SecretGet": ("GET", "/secrets/s", "get", "secrets/getSecret/action"),
    "SecretGet version": ("GET", "/secrets/s/0123456789abcdef0123456789abcdef", "get", "secrets/getSecret/action"),
    "SecretUpdate": ("PATCH", "/secrets/s", "set", "secrets/update/action"),
    "SecretUpdate version": ("PATCH", "/secrets/s/0123456789abcdef0123456789abcdef", "set", "secrets/update/action"),
    "SecretList": ("GET", "/secrets", "list", "secrets/readMetadata/action"),
    "SecretListVersions": ("GET", "/secrets/s/versions", "list", "secrets/readMetadata/action"),
    "SecretDelete": ("DELETE", "/secrets/s", "delete", "secrets/delete"),
    "SecretGetDeleted": ("GET", "/deletedsecrets/s", "get", "secrets/readMetadata/action"),
    "SecretListDeleted": ("GET", "/deletedsecrets", "list", "secrets/readMetadata/action"),
    "SecretRecover": ("POST", "/deletedsecrets/s/recover", "recover", "secrets/recover/action"),
    "SecretPurge": ("DELETE", "/deletedsecrets/s", "purge", "secrets/purge/action"),
    "SecretBackup": ("POST", "/secrets/s/backup", "backup", "secrets/backup/action"),
    "SecretRestore": ("POST", "/secrets/restore", "restore", "secrets/restore/action"),
}
# role → data actions below Microsoft.KeyVault/vaults/; roles that are not named here have none for secrets
ROLES = {
    "Key Vault Administrator": ("*",),
    "Key Vault Reader": ("*/read", "secrets/readMetadata/action"),
    "Key Vault Secrets Officer": ("secrets/*",),
    "Key Vault Secrets User": ("secrets/getSecret/action", "secrets/readMetadata/action"),
    "Key Vault Certificate User": ("secrets/getSecret/action", "secrets/readMetadata/action"),
}
VAULT = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/group/providers/Microsoft.KeyVault/vaults/kv1"
# scope → what of the vault it covers: everything, only the object `s`, nothing
SCOPES = {
    "/": "all",
    f"/subscriptions/{SUBSCRIPTION}": "all",
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/GROUP": "all",
    VAULT: "all",
    VAULT.upper(): "all",
    f"{VAULT}/secrets/s": "s",
    f"{VAULT}/secrets/S": "s",
    f"{VAULT}/secrets/other": "none",
    f"{VAULT}2": "none",
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/grou": "none",
    "/subscriptions/99999999-9999-4999-8999-999999999999": "none",
}
BODIES = {"PUT": {"value": "x"}, "PATCH": {"tags": {}}, "POST": {"value": "x"}}
REFUSED_BY_POLICY = (
    "The user, group or application 'appid={app};oid={oid};iss=https://sts.localhost/{tenant}/' does not have secrets "
    "{permission} permission on key vault 'kv1;location=local'. For help resolving this issue, please see "
    "https://go.microsoft.com/fwlink/?linkid=2125287"
)


async def ask(world, operation):
    method, path, _, _ = OPERATIONS[operation]
    return await world.ask(method, path, BODIES.get(method))


def was_let_in(answer):
    return not (answer.status == 403 and answer.error.get("innererror", {}).get("code", "").startswith("ForbiddenBy"))


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_under_policies_an_operation_needs_its_own_permission_and_no_other(world, operation):
    _, _, needed, _ = OPERATIONS[operation]
    for granted in SECRET_PERMISSIONS:
        await world.change_vault(access_policies=(world.policy(granted),))
        assert was_let_in(await ask(world, operation)) == (granted == needed), granted
        assert world.last_record["properties"]["isAccessPolicyMatch"] == (granted == needed)


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_policy_that_does_not_fit_grants_nothing(world, operation):
    everything = dict.fromkeys(("keys", "certificates", "storage"), frozenset(SECRET_PERMISSIONS))
    mine = {"tenant_id": TENANT, "object_id": world.application.object_id}
    all_secrets = frozenset(SECRET_PERMISSIONS)
    for policies in (
        (),
        (AccessPolicy(**mine, **everything),),
        (world.policy(application=an_application(2)),),
        (AccessPolicy(**mine | {"tenant_id": "99999999-9999-4999-8999-999999999999"}, secrets=all_secrets),),
        (AccessPolicy(**mine, application_id=an_application(2).app_id, secrets=all_secrets),),
    ):
        await world.change_vault(access_policies=policies)
        answer = await ask(world, operation)
        assert answer.says(403, "Forbidden", "ForbiddenByPolicy")
        assert answer.error["message"] == REFUSED_BY_POLICY.format(
            app=world.application.app_id,
            oid=world.application.object_id,
            tenant=TENANT,
            permission=OPERATIONS[operation][2],
        )


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_policies_of_one_caller_add_up(world, operation):
    await world.change_vault(access_policies=tuple(world.policy(one) for one in SECRET_PERMISSIONS))
    assert was_let_in(await ask(world, operation))


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_under_rbac_policies_grant_nothing(world, operation):
    await world.change_vault(rbac=True)
    answer = await ask(world, operation)
    assert answer.says(403, "Forbidden", "ForbiddenByRbac")
    lines = answer.error["message"].split("\r\n")
    scope = VAULT.lower() + ("/secrets/s" if re.search(r"secrets/s\b", OPERATIONS[operation][1]) else "")
    assert lines[0] == "Caller is not authorized to perform action on resource."
    assert lines[3] == f"Action: 'Microsoft.KeyVault/vaults/{OPERATIONS[operation][3]}'"
    assert lines[4] == f"Resource: '{scope}'"
    assert lines[5:9] == [
        "Assignment: (not found)",
        "DenyAssignmentId: null",
        "DecisionReason: null ",
        "Vault: kv1;location=local",
    ]
    assert world.last_record["properties"]["isRbacAuthorized"] is False


@pytest.mark.parametrize("role", BUILT_IN, ids=lambda role: role.name)
async def test_under_rbac_a_role_grants_its_data_actions_and_no_others(world, role):
    await world.change_vault(rbac=True, access_policies=())
    assignment = await world.grant(role)
    for operation, (_, _, _, action) in OPERATIONS.items():
        granted = any(fnmatchcase(action.lower(), pattern.lower()) for pattern in ROLES.get(role.name, ()))
        assert was_let_in(await ask(world, operation)) == granted, operation
        noted = world.last_record["properties"]
        assert noted["isRbacAuthorized"] == granted
        assert noted.get("appliedAssignmentId") == (assignment.assignment_id if granted else None)


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_role_counts_where_it_was_given_and_below(world, scope):
    await world.change_vault(rbac=True)
    officer = next(role for role in BUILT_IN if role.name == "Key Vault Secrets Officer")
    await world.grant(officer, scope)
    for operation, (_, path, _, _) in OPERATIONS.items():
        is_about_s = re.search(r"secrets/s\b", path) is not None
        covered = SCOPES[scope] == "all" or (SCOPES[scope] == "s" and is_about_s)
        assert was_let_in(await ask(world, operation)) == covered, operation


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_role_of_another_principal_counts_for_nothing(world, operation):
    await world.change_vault(rbac=True)
    officer = next(role for role in BUILT_IN if role.name == "Key Vault Secrets Officer")
    await world.grant(officer, application=an_application(2))
    assert not was_let_in(await ask(world, operation))


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_under_policies_roles_grant_nothing(world, operation):
    await world.change_vault(access_policies=())
    await world.grant(next(role for role in BUILT_IN if role.name == "Key Vault Administrator"))
    assert not was_let_in(await ask(world, operation))


@pytest.mark.parametrize("rbac", [False, True])
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_refusal_has_the_same_bytes_whether_or_not_the_object_exists(world, operation, rbac):
    await world.change_vault(access_policies=(), rbac=rbac)
    answers = [await ask(world, operation)]
    secrets = secrets_of(world.storage, world.vault)
    await secrets.set("s", Sensitive(b"x"), SecretEdit(enabled=False))
    answers.append(await ask(world, operation))
    await secrets.delete("s")
    answers.append(await ask(world, operation))
    assert {answer.status for answer in answers} == {403}
    assert len({answer.raw for answer in answers}) == 1
    changing = {"x-ms-request-id"}
    assert len({tuple((k, v) for k, v in answer.headers.items() if k not in changing) for answer in answers}) == 1


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_refusal_comes_before_the_body_is_looked_at(world, operation):
    await world.change_vault(access_policies=())
    method, path, _, _ = OPERATIONS[operation]
    assert (await world.ask(method, path, b"{not json")).says(403, "Forbidden", "ForbiddenByPolicy")
