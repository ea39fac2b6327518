"""Who may do what with secrets and keys: every operation under every permission and role, against tables of its own.

The tables here repeat the reference on purpose: they must not be read from the code that they check.
"""

import re

import pytest

from authorization_oracle import role_allows_data
from data_doubles import KEY_PERMISSIONS, SECRET_PERMISSIONS, an_application
from strongroom.access.authorization.roles import BUILT_IN
from strongroom.custody.algorithms import spec_of
from strongroom.custody.provider import KeyType
from strongroom.objects.keys.model import KeyEdit
from strongroom.objects.secrets.model import SecretEdit
from strongroom.planes.data.plane import operations
from strongroom.sensitive import Sensitive
from strongroom.vaults.model import AccessPolicy
from vault_doubles import SUBSCRIPTION, TENANT, keys_of, secrets_of

VERSION = "0123456789abcdef0123456789abcdef"
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
    "KeyCreate": ("POST", "/keys/s/create", "create", "keys/create/action"),
    "KeyImport": ("PUT", "/keys/s", "import", "keys/import/action"),
    "KeyRotate": ("POST", "/keys/s/rotate", "rotate", "keys/rotate/action"),
    "KeyRotationPolicyGet": (
        "GET",
        "/keys/s/rotationpolicy",
        "getrotationpolicy",
        "keyrotationpolicies/read",
    ),
    "KeyRotationPolicySet": (
        "PUT",
        "/keys/s/rotationpolicy",
        "setrotationpolicy",
        "keyrotationpolicies/write",
    ),
    "KeyGet": ("GET", "/keys/s", "get", "keys/read"),
    "KeyGet version": ("GET", f"/keys/s/{VERSION}", "get", "keys/read"),
    "KeyGetAttestation": ("GET", "/keys/s/attestation", "get", "keys/read"),
    "KeyGetAttestation version": ("GET", f"/keys/s/{VERSION}/attestation", "get", "keys/read"),
    "KeyGetAttestation empty version": ("GET", "/keys/s//attestation", "get", "keys/read"),
    "KeyUpdate": ("PATCH", "/keys/s", "update", "keys/update/action"),
    "KeyUpdate version": ("PATCH", f"/keys/s/{VERSION}", "update", "keys/update/action"),
    "KeyList": ("GET", "/keys", "list", "keys/read"),
    "KeyListVersions": ("GET", "/keys/s/versions", "list", "keys/read"),
    "KeyDelete": ("DELETE", "/keys/s", "delete", "keys/delete"),
    "KeyGetDeleted": ("GET", "/deletedkeys/s", "get", "keys/read"),
    "KeyListDeleted": ("GET", "/deletedkeys", "list", "keys/read"),
    "KeyRecover": ("POST", "/deletedkeys/s/recover", "recover", "keys/recover/action"),
    "KeyPurge": ("DELETE", "/deletedkeys/s", "purge", "keys/purge/action"),
    "KeyBackup": ("POST", "/keys/s/backup", "backup", "keys/backup/action"),
    "KeyRestore": ("POST", "/keys/restore", "restore", "keys/restore/action"),
    "KeyEncrypt": ("POST", "/keys/s/encrypt", "encrypt", "keys/encrypt/action"),
    "KeyEncrypt version": (
        "POST",
        "/keys/s/0123456789abcdef0123456789abcdef/encrypt",
        "encrypt",
        "keys/encrypt/action",
    ),
    "KeyEncrypt empty version": ("POST", "/keys/s//encrypt", "encrypt", "keys/encrypt/action"),
    "KeyDecrypt": ("POST", "/keys/s/decrypt", "decrypt", "keys/decrypt/action"),
    "KeyDecrypt version": (
        "POST",
        "/keys/s/0123456789abcdef0123456789abcdef/decrypt",
        "decrypt",
        "keys/decrypt/action",
    ),
    "KeyDecrypt empty version": ("POST", "/keys/s//decrypt", "decrypt", "keys/decrypt/action"),
    "KeyWrap": ("POST", "/keys/s/wrapkey", "wrapkey", "keys/wrap/action"),
    "KeyWrap version": ("POST", f"/keys/s/{VERSION}/wrapkey", "wrapkey", "keys/wrap/action"),
    "KeyWrap empty version": ("POST", "/keys/s//wrapkey", "wrapkey", "keys/wrap/action"),
    "KeyUnwrap": ("POST", "/keys/s/unwrapkey", "unwrapkey", "keys/unwrap/action"),
    "KeyUnwrap version": (
        "POST",
        "/keys/s/0123456789abcdef0123456789abcdef/unwrapkey",
        "unwrapkey",
        "keys/unwrap/action",
    ),
    "KeyUnwrap empty version": ("POST", "/keys/s//unwrapkey", "unwrapkey", "keys/unwrap/action"),
    "KeySign": ("POST", "/keys/s/sign", "sign", "keys/sign/action"),
    "KeySign version": ("POST", f"/keys/s/{VERSION}/sign", "sign", "keys/sign/action"),
    "KeySign empty version": ("POST", "/keys/s//sign", "sign", "keys/sign/action"),
    "KeyVerify": ("POST", "/keys/s/verify", "verify", "keys/verify/action"),
    "KeyVerify version": ("POST", f"/keys/s/{VERSION}/verify", "verify", "keys/verify/action"),
    "KeyRelease": ("POST", "/keys/s/release", "release", "keys/release/action"),
    "KeyRelease version": ("POST", f"/keys/s/{VERSION}/release", "release", "keys/release/action"),
    "KeyRelease empty version": ("POST", "/keys/s//release", "release", "keys/release/action"),
    "KeyVerify empty version": ("POST", "/keys/s//verify", "verify", "keys/verify/action"),
}
VAULT = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/group/providers/Microsoft.KeyVault/vaults/kv1"
PERMISSIONS = {"secrets": SECRET_PERMISSIONS, "keys": KEY_PERMISSIONS}
ADMINISTRATOR = next(role for role in BUILT_IN if role.name == "Key Vault Administrator")
# scope → what of the vault it covers: everything, only the secret or the key `s`, nothing
SCOPES = {
    "/": "all",
    f"/subscriptions/{SUBSCRIPTION}": "all",
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/GROUP": "all",
    VAULT: "all",
    VAULT.upper(): "all",
    f"{VAULT}/secrets/s": "secrets/s",
    f"{VAULT}/secrets/S": "secrets/s",
    f"{VAULT}/secrets/other": "none",
    f"{VAULT}/keys/s": "keys/s",
    f"{VAULT}/keys/S": "keys/s",
    f"{VAULT}/keys/other": "none",
    f"{VAULT}2": "none",
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/grou": "none",
    "/subscriptions/99999999-9999-4999-8999-999999999999": "none",
}
BODIES = {
    "SecretSet": {"value": "x"},
    "KeyCreate": {"kty": "EC"},
    "KeyImport": {"key": {"kty": "EC"}},
    "KeyVerify": {"alg": "ES256", "value": "AA", "digest": "AA"},
    "KeyRelease": {"target": "a.b.c"},
    "PATCH": {"tags": {}},
    "POST": {"alg": "ES256", "value": "AA"},
}
REFUSED_BY_POLICY = (
    "The user, group or application 'appid={app};oid={oid};iss=https://sts.localhost/{tenant}/' does not have {kind} "
    "{permission} permission on key vault 'kv1;location=local'. For help resolving this issue, please see "
    "https://go.microsoft.com/fwlink/?linkid=2125287"
)


async def ask(world, operation):
    method, path, _, _ = OPERATIONS[operation]
    return await world.ask(method, path, BODIES.get(operation.split()[0], BODIES.get(method)))


def kind_of(operation):
    return "keys" if operation.startswith("Key") else "secrets"


def object_of(operation):
    """Return which object an operation is about, None when it is about none."""
    found = re.search(r"(secrets|keys)/s\b", OPERATIONS[operation][1])
    return found and found.group()


def policy(world, kind, *permissions, **changes):
    mine = {"tenant_id": TENANT, "object_id": world.application.object_id, kind: frozenset(permissions)}
    return AccessPolicy(**mine | changes)


def was_let_in(answer):
    return not (answer.status == 403 and answer.error.get("innererror", {}).get("code", "").startswith("ForbiddenBy"))


def test_every_row_of_the_plane_is_asked():
    """Forms of one row (`KeySign version`) have the name of their record first."""
    assert {operation.split()[0] for operation in OPERATIONS} == {row.log for row in operations(None)}


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_under_policies_an_operation_needs_its_own_permission_and_no_other(world, operation):
    _, _, needed, _ = OPERATIONS[operation]
    kind = kind_of(operation)
    for granted in PERMISSIONS[kind]:
        await world.change_vault(access_policies=(policy(world, kind, granted),))
        assert was_let_in(await ask(world, operation)) == (granted == needed), granted
        assert world.last_record["properties"]["isAccessPolicyMatch"] == (granted == needed)


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_policy_that_does_not_fit_grants_nothing(world, operation):
    kind, other = kind_of(operation), an_application(2)
    everything = PERMISSIONS[kind]
    others = {each: frozenset(everything) for each in ("keys", "secrets", "certificates", "storage") if each != kind}
    for policies in (
        (),
        (policy(world, kind, **others),),
        (policy(world, kind, *everything, object_id=other.object_id),),
        (policy(world, kind, *everything, tenant_id="99999999-9999-4999-8999-999999999999"),),
        (policy(world, kind, *everything, application_id=other.app_id),),
    ):
        await world.change_vault(access_policies=policies)
        answer = await ask(world, operation)
        assert answer.says(403, "Forbidden", "ForbiddenByPolicy")
        assert answer.error["message"] == REFUSED_BY_POLICY.format(
            app=world.application.app_id,
            oid=world.application.object_id,
            tenant=TENANT,
            kind=kind,
            permission=OPERATIONS[operation][2],
        )


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_policies_of_one_caller_add_up(world, operation):
    kind = kind_of(operation)
    await world.change_vault(access_policies=tuple(policy(world, kind, one) for one in PERMISSIONS[kind]))
    assert was_let_in(await ask(world, operation))


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_under_rbac_policies_grant_nothing(world, operation):
    await world.change_vault(rbac=True)
    answer = await ask(world, operation)
    assert answer.says(403, "Forbidden", "ForbiddenByRbac")
    lines = answer.error["message"].split("\r\n")
    scope = VAULT.lower() + (f"/{object_of(operation)}" if object_of(operation) else "")
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
        granted = role_allows_data(role.name, f"Microsoft.KeyVault/vaults/{action}")
        assert was_let_in(await ask(world, operation)) == granted, operation
        noted = world.last_record["properties"]
        assert noted["isRbacAuthorized"] == granted
        assert noted.get("appliedAssignmentId") == (assignment.assignment_id if granted else None)


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_role_counts_where_it_was_given_and_below(world, scope):
    await world.change_vault(rbac=True)
    await world.grant(ADMINISTRATOR, scope)
    for operation in OPERATIONS:
        covered = SCOPES[scope] in ("all", object_of(operation))
        assert was_let_in(await ask(world, operation)) == covered, operation


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_role_of_another_principal_counts_for_nothing(world, operation):
    await world.change_vault(rbac=True)
    await world.grant(ADMINISTRATOR, application=an_application(2))
    assert not was_let_in(await ask(world, operation))


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_under_policies_roles_grant_nothing(world, operation):
    await world.change_vault(access_policies=())
    await world.grant(ADMINISTRATOR)
    assert not was_let_in(await ask(world, operation))


@pytest.mark.parametrize("rbac", [False, True])
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_refusal_has_the_same_bytes_whether_or_not_the_object_exists(world, operation, rbac):
    await world.change_vault(access_policies=(), rbac=rbac)
    answers = [await ask(world, operation)]
    secrets, keys = secrets_of(world.storage, world.vault), keys_of(world.storage, world.vault)
    await secrets.set("s", Sensitive(b"x"), SecretEdit(enabled=False))
    edit = KeyEdit(enabled=False)
    await keys.add("s", await keys.make("s", spec_of(KeyType.EC), edit, hsm=False), edit)
    answers.append(await ask(world, operation))
    await secrets.delete("s")
    await keys.delete("s")
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
