"""Who may do what, asked over the wire of a server started by its command: every operation under every permission.

The tables here are the reference's ("Access-policy permission names", "Vault dataActions", "Control actions", "Built-in
roles"), written down once more on purpose: they must not be read from the code that they check.
"""

import json
from fnmatch import fnmatchcase

import pytest

from clients.direct import GROUP_VERSION, VAULT_VERSION, Direct, make_applications, object_id_in, unique
from jwk_doubles import ec_jwk, encoded

pytestmark = pytest.mark.xdist_group("refusals")

SECRET_PERMISSIONS = ("get", "list", "set", "delete", "backup", "restore", "recover", "purge")
KEY_PERMISSIONS = (
    *("get", "list", "create", "import", "update", "delete", "backup", "restore", "recover", "purge", "rotate"),
    *("getrotationpolicy", "setrotationpolicy", "encrypt", "decrypt", "wrapkey", "unwrapkey", "sign", "verify"),
)
PERMISSIONS = tuple(dict.fromkeys((*SECRET_PERMISSIONS, *KEY_PERMISSIONS)))
CIPHER = {"alg": "RSA-OAEP", "value": encoded(bytes(8))}
SIGN = {"alg": "ES256", "value": encoded(bytes(32))}
VERIFY = {"alg": "ES256", "digest": encoded(bytes(32)), "value": encoded(bytes(64))}
POLICIES = "keyrotationpolicies"
# operation → method, path, body, permission of an access policy, data action, state its object must be in, success
OPERATIONS = {
    "SecretSet": ("PUT", "/secrets/{}", {"value": "v"}, "set", "secrets/setSecret/action", "none", 200),
    "SecretGet": ("GET", "/secrets/{}", None, "get", "secrets/getSecret/action", "living", 200),
    "SecretGet version": ("GET", "/secrets/{}/{{}}", None, "get", "secrets/getSecret/action", "living", 200),
    "SecretUpdate": ("PATCH", "/secrets/{}", {"tags": {}}, "set", "secrets/update/action", "living", 200),
    "SecretUpdate version": ("PATCH", "/secrets/{}/{{}}", {"tags": {}}, "set", "secrets/update/action", "living", 200),
    "SecretList": ("GET", "/secrets", None, "list", "secrets/readMetadata/action", "living", 200),
    "SecretListVersions": ("GET", "/secrets/{}/versions", None, "list", "secrets/readMetadata/action", "living", 200),
    "SecretDelete": ("DELETE", "/secrets/{}", None, "delete", "secrets/delete", "living", 200),
    "SecretGetDeleted": ("GET", "/deletedsecrets/{}", None, "get", "secrets/readMetadata/action", "deleted", 200),
    "SecretListDeleted": ("GET", "/deletedsecrets", None, "list", "secrets/readMetadata/action", "deleted", 200),
    "SecretRecover": ("POST", "/deletedsecrets/{}/recover", None, "recover", "secrets/recover/action", "deleted", 200),
    "SecretPurge": ("DELETE", "/deletedsecrets/{}", None, "purge", "secrets/purge/action", "deleted", 204),
    "SecretBackup": ("POST", "/secrets/{}/backup", None, "backup", "secrets/backup/action", "living", 200),
    "SecretRestore": ("POST", "/secrets/restore", {"value": None}, "restore", "secrets/restore/action", "none", 200),
    "KeyCreate": ("POST", "/keys/{}/create", {"kty": "EC"}, "create", "keys/create/action", "none", 200),
    "KeyImport": ("PUT", "/keys/{}", {"key": ec_jwk()}, "import", "keys/import/action", "none", 200),
    "KeyRotate": ("POST", "/keys/{}/rotate", None, "rotate", "keys/rotate/action", "living", 200),
    "KeyRotationPolicyGet": (
        *("GET", "/keys/{}/rotationpolicy", None, "getrotationpolicy", f"{POLICIES}/read"),
        *("living", 200),
    ),
    "KeyRotationPolicySet": (
        *("PUT", "/keys/{}/rotationpolicy", {}, "setrotationpolicy", f"{POLICIES}/write"),
        *("living", 200),
    ),
    "KeyGet": ("GET", "/keys/{}", None, "get", "keys/read", "living", 200),
    "KeyGet version": ("GET", "/keys/{}/{{}}", None, "get", "keys/read", "living", 200),
    "KeyGetAttestation": ("GET", "/keys/{}/attestation", None, "get", "keys/read", "living", 200),
    "KeyGetAttestation version": ("GET", "/keys/{}/{{}}/attestation", None, "get", "keys/read", "living", 200),
    "KeyUpdate": ("PATCH", "/keys/{}", {"tags": {}}, "update", "keys/update/action", "living", 200),
    "KeyUpdate version": ("PATCH", "/keys/{}/{{}}", {"tags": {}}, "update", "keys/update/action", "living", 200),
    "KeyList": ("GET", "/keys", None, "list", "keys/read", "living", 200),
    "KeyListVersions": ("GET", "/keys/{}/versions", None, "list", "keys/read", "living", 200),
    "KeyDelete": ("DELETE", "/keys/{}", None, "delete", "keys/delete", "living", 200),
    "KeyGetDeleted": ("GET", "/deletedkeys/{}", None, "get", "keys/read", "deleted", 200),
    "KeyListDeleted": ("GET", "/deletedkeys", None, "list", "keys/read", "deleted", 200),
    "KeyRecover": ("POST", "/deletedkeys/{}/recover", None, "recover", "keys/recover/action", "deleted", 200),
    "KeyPurge": ("DELETE", "/deletedkeys/{}", None, "purge", "keys/purge/action", "deleted", 204),
    "KeyBackup": ("POST", "/keys/{}/backup", None, "backup", "keys/backup/action", "living", 200),
    "KeyRestore": ("POST", "/keys/restore", {"value": None}, "restore", "keys/restore/action", "none", 200),
    "KeyEncrypt": ("POST", "/keys/{}/encrypt", CIPHER, "encrypt", "keys/encrypt/action", "living", 200),
    "KeyEncrypt version": ("POST", "/keys/{}/{{}}/encrypt", CIPHER, "encrypt", "keys/encrypt/action", "living", 200),
    "KeyDecrypt": ("POST", "/keys/{}/decrypt", CIPHER, "decrypt", "keys/decrypt/action", "living", 400),
    "KeyDecrypt version": ("POST", "/keys/{}/{{}}/decrypt", CIPHER, "decrypt", "keys/decrypt/action", "living", 400),
    "KeyWrap": ("POST", "/keys/{}/wrapkey", CIPHER, "wrapkey", "keys/wrap/action", "living", 200),
    "KeyWrap version": ("POST", "/keys/{}/{{}}/wrapkey", CIPHER, "wrapkey", "keys/wrap/action", "living", 200),
    "KeyUnwrap": ("POST", "/keys/{}/unwrapkey", CIPHER, "unwrapkey", "keys/unwrap/action", "living", 400),
    "KeyUnwrap version": ("POST", "/keys/{}/{{}}/unwrapkey", CIPHER, "unwrapkey", "keys/unwrap/action", "living", 400),
    "KeySign": ("POST", "/keys/{}/sign", SIGN, "sign", "keys/sign/action", "living", 200),
    "KeySign version": ("POST", "/keys/{}/{{}}/sign", SIGN, "sign", "keys/sign/action", "living", 200),
    "KeyVerify": ("POST", "/keys/{}/verify", VERIFY, "verify", "keys/verify/action", "living", 200),
    "KeyVerify version": ("POST", "/keys/{}/{{}}/verify", VERIFY, "verify", "keys/verify/action", "living", 200),
}
# role → what it may do with secrets and keys, below Microsoft.KeyVault/vaults/
DATA_ROLES = {
    "Owner": (),
    "Contributor": (),
    "Reader": (),
    "Key Vault Contributor": (),
    "Key Vault Crypto Officer": ("keys/*", "keyrotationpolicies/*"),
    "Key Vault Certificates Officer": ("certificates/*", "certificatecas/*", "certificatecontacts/write"),
    "Key Vault Administrator": ("*",),
    "Key Vault Secrets Officer": ("secrets/*",),
    "Key Vault Secrets User": ("secrets/getSecret/action", "secrets/readMetadata/action"),
    "Key Vault Reader": ("*/read", "secrets/readMetadata/action"),
}
# role → what it may do on the management plane, and what of that it may not
COMMON = (
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.KeyVault/checkNameAvailability/read",
    "Microsoft.KeyVault/deletedVaults/read",
    "Microsoft.KeyVault/locations/*/read",
    "Microsoft.KeyVault/vaults/*/read",
    "Microsoft.KeyVault/vaults/read",  # what vaults/*/read is taken to include
)
MANAGEMENT_ROLES = {
    "Owner": (("*",), ()),
    "Contributor": (("*",), ("Microsoft.Authorization/*/Write", "Microsoft.Authorization/*/Delete")),
    "Reader": (("*/read",), ()),
    "Key Vault Contributor": (
        ("Microsoft.KeyVault/*", "Microsoft.Resources/subscriptions/resourceGroups/read"),
        ("Microsoft.KeyVault/locations/deletedVaults/purge/action",),
    ),
    "Key Vault Administrator": (COMMON, ()),
    "Key Vault Secrets Officer": (COMMON, ()),
    "Key Vault Secrets User": ((), ()),
    "Key Vault Reader": (COMMON, ()),
    "Key Vault Crypto Officer": (COMMON, ()),
    "Key Vault Certificates Officer": (COMMON, ()),
}
GROUP = "/resourceGroups/{group}"
PROVIDER = "/providers/Microsoft.KeyVault"
VAULT = GROUP + PROVIDER + "/vaults/{vault}"
DELETED = PROVIDER + "/locations/{location}/deletedVaults/{vault}"
# operation → method, path below the subscription, body, action. The bodies are ones that nothing can come of.
MANAGEMENT = {
    "VaultGet": ("GET", VAULT, None, "Microsoft.KeyVault/vaults/read"),
    "VaultPut": ("PUT", VAULT, {"properties": {}}, "Microsoft.KeyVault/vaults/write"),
    "VaultPatch": ("PATCH", VAULT, {"properties": {"createMode": "x"}}, "Microsoft.KeyVault/vaults/write"),
    "policies": (
        "PUT",
        VAULT + "/accessPolicies/upset",
        {"properties": {"accessPolicies": []}},
        "Microsoft.KeyVault/vaults/accessPolicies/write",
    ),
    "VaultDelete": ("DELETE", VAULT, None, "Microsoft.KeyVault/vaults/delete"),
    "VaultList": ("GET", PROVIDER + "/vaults", None, "Microsoft.KeyVault/vaults/read"),
    "VaultList of a group": ("GET", GROUP + PROVIDER + "/vaults", None, "Microsoft.KeyVault/vaults/read"),
    "VaultCheckNameAvailability": (
        "POST",
        PROVIDER + "/checkNameAvailability",
        {"name": "any", "type": "Microsoft.KeyVault/vaults"},
        "Microsoft.KeyVault/checkNameAvailability/read",
    ),
    "VaultListDeleted": ("GET", PROVIDER + "/deletedVaults", None, "Microsoft.KeyVault/deletedVaults/read"),
    "VaultGetDeleted": ("GET", DELETED, None, "Microsoft.KeyVault/locations/deletedVaults/read"),
    "VaultPurge": ("POST", DELETED + "/purge", None, "Microsoft.KeyVault/locations/deletedVaults/purge/action"),
    "group get": ("GET", GROUP, None, "Microsoft.Resources/subscriptions/resourceGroups/read"),
    "group list": ("GET", "/resourceGroups", None, "Microsoft.Resources/subscriptions/resourceGroups/read"),
    "group put": ("PUT", GROUP, {}, "Microsoft.Resources/subscriptions/resourceGroups/write"),
    "group patch": ("PATCH", GROUP, {"tags": 1}, "Microsoft.Resources/subscriptions/resourceGroups/write"),
    "group delete": ("DELETE", GROUP, None, "Microsoft.Resources/subscriptions/resourceGroups/delete"),
    "locations": ("GET", "/locations", None, "Microsoft.Resources/subscriptions/locations/read"),
}


KINDS = ("secrets", "keys", "certificates", "storage")
OTHERS = {"not-secrets": "secrets", "not-keys": "keys"}
"""Who may do everything with all kinds but one."""


def kind_of(row):
    return "keys" if "keys" in row[1] else "secrets"


class World:
    """A vault of each mode, and a caller for each permission and each role, with tokens for both planes."""

    def __init__(self, server, connection):
        self.direct = Direct(connection)
        roles = {role: role for role in DATA_ROLES}
        self.made = make_applications(server, ["nobody", *PERMISSIONS, *OTHERS, *DATA_ROLES], roles=roles)
        self.tokens = {name: self._token(name, "vault") for name in self.made}
        self.by_policy, self.by_rbac = self._make_vaults()

    def _token(self, name, service):
        client_id, _, secret = self.made[name]
        return self.direct.sign_in(client_id, secret, service)

    def management_tokens(self):
        return {name: self._token(name, "management") for name in ("nobody", *DATA_ROLES)}

    def _make_vaults(self):
        direct = self.direct
        everything = ["all", "purge", "get", "list", "delete"]
        policies = [
            direct.policy(object_id_in(direct.owner()), "all", "purge", keys=["all", "purge"]),
            *(
                direct.policy(self.made[name][1], **dict.fromkeys(KINDS, everything) | {kind: []})
                for name, kind in OTHERS.items()
            ),
            *(self._policy(name) for name in PERMISSIONS),
        ]
        # Policies stand in the vault with RBAC too, where they must count for nothing.
        return (
            direct.make_vault(unique("rfp"), accessPolicies=policies),
            direct.make_vault(unique("rfr"), accessPolicies=policies, enableRbacAuthorization=True),
        )

    def _policy(self, name):
        """Return the policy of who has one permission, for every kind that has it."""
        given = {"secrets": SECRET_PERMISSIONS, "keys": KEY_PERMISSIONS}
        permissions = {kind: [name] for kind, names in given.items() if name in names}
        return self.direct.policy(self.made[name][1], **{"secrets": []} | permissions)

    def callers(self, rbac):
        """Return {name: whether it may} as a function of an operation's row."""
        if rbac:
            holders = {
                role: (lambda row, granted=granted: any(fnmatchcase(row[4].lower(), each.lower()) for each in granted))
                for role, granted in DATA_ROLES.items()
            }
            return holders | dict.fromkeys(("nobody", *PERMISSIONS, *OTHERS), lambda _: False)
        holders = {name: (lambda row, name=name: row[3] == name) for name in PERMISSIONS}
        holders |= {name: (lambda row, kind=kind: kind_of(row) != kind) for name, kind in OTHERS.items()}
        return holders | dict.fromkeys(("nobody", *DATA_ROLES), lambda _: False)

    def vault(self, rbac):
        return self.by_rbac if rbac else self.by_policy

    def keeper(self, vault):
        """Return the token of one who may do everything in a vault, to bring its secrets into a state."""
        return self.direct.owner() if vault == self.by_policy else self.tokens["Key Vault Administrator"]

    def keep(self, vault, name, state, row):
        """Bring an object into a state, from none; return its version, and a backup that can be restored."""
        token, ask, kind = self.keeper(vault), self.direct.secret, kind_of(row)
        if kind == "secrets":
            kept = ask("PUT", vault, f"/secrets/{name}", {"value": "v"}, token=token)
        else:
            wanted = {"kty": "RSA" if row[2] is CIPHER else "EC"}
            kept = ask("POST", vault, f"/keys/{name}/create", wanted, token=token)
        assert kept.status == 200, kept
        backup = ask("POST", vault, f"/{kind}/{name}/backup", token=token).json["value"]
        if state != "living":
            self.remove(vault, name, row)
        if state == "none":
            assert ask("DELETE", vault, f"/deleted{kind}/{name}", token=token).status == 204
        found = kept.json["id"] if kind == "secrets" else kept.json["key"]["kid"]
        return found.rpartition("/")[2], backup

    def remove(self, vault, name, row):
        assert self.direct.secret("DELETE", vault, f"/{kind_of(row)}/{name}", token=self.keeper(vault)).status == 200

    def ask(self, vault, operation, name, caller, version, backup="x"):
        method, path, body, *_ = OPERATIONS[operation]
        if body == {"value": None}:
            body = {"value": backup}
        return self.direct.secret(method, vault, path.format(name).format(version), body, token=self.tokens[caller])


@pytest.fixture(scope="module")
def world(server, connection):
    made = World(server, connection)
    yield made
    made.direct.close()


@pytest.fixture(scope="module")
def managing(world):
    return world.management_tokens()


BOTH = pytest.mark.parametrize("rbac", [False, True], ids=["policies", "RBAC"])


@BOTH
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_refusal_is_the_same_whether_an_object_is_missing_lives_or_is_deleted(world, operation, rbac):
    vault, row = world.vault(rbac), OPERATIONS[operation]
    refused = [caller for caller, may in world.callers(rbac).items() if not may(row)]
    name = unique("object-")

    def refusals(version):
        return {caller: world.ask(vault, operation, name, caller, version).lasting for caller in refused}

    missing = refusals("0" * 32)
    assert {status for status, _, _ in missing.values()} == {403}
    assert {inner_code(raw) for _, _, raw in missing.values()} == {"ForbiddenByRbac" if rbac else "ForbiddenByPolicy"}
    version, _ = world.keep(vault, name, "living", row)
    assert refusals(version) == missing
    world.remove(vault, name, row)
    assert refusals(version) == missing


@BOTH
@pytest.mark.parametrize("operation", OPERATIONS)
def test_who_has_the_permission_may_and_it_is_done(world, operation, rbac):
    vault, row = world.vault(rbac), OPERATIONS[operation]
    allowed = [caller for caller, may in world.callers(rbac).items() if may(row)]
    assert allowed
    for caller in allowed:
        name = unique("object-")
        version, backup = world.keep(vault, name, row[5], row)
        answer = world.ask(vault, operation, name, caller, version, backup)
        assert answer.status == row[6], (caller, answer)


def inner_code(raw):
    return json.loads(raw)["error"]["innererror"]["code"]


def is_granted(role, action):
    granted, taken = MANAGEMENT_ROLES[role]
    return any(fnmatchcase(action.lower(), each.lower()) for each in granted) and not any(
        fnmatchcase(action.lower(), each.lower()) for each in taken
    )


@pytest.mark.parametrize("operation", MANAGEMENT)
def test_a_refusal_to_manage_is_the_same_whatever_is_there(world, managing, operation):
    """Nothing there, a group, a vault in it, the vault deleted: for who may not, it is all one."""
    method, path, body, action = MANAGEMENT[operation]
    direct, group, vault = world.direct, unique("refusals-"), unique("rfm")
    version = GROUP_VERSION if "KeyVault" not in path else VAULT_VERSION
    where = direct.subscription + path.format(group=group, vault=vault, location=direct.facts.location)

    def ask(caller):
        return direct.manage(method, where, body, token=managing[caller], version=version)

    def refusals():
        return {caller: ask(caller).lasting for caller in refused}

    refused = [caller for caller in managing if caller == "nobody" or not is_granted(caller, action)]
    missing = refusals()
    assert {(status, json.loads(raw)["error"]["code"]) for status, _, raw in missing.values()} == {
        (403, "AuthorizationFailed")
    }
    for caller in managing.keys() - set(refused):
        answer = ask(caller)
        assert answer.status not in (401, 403), (caller, answer)
        assert method == "GET" or answer.status in (200, 204, 400, 404), (caller, answer)
    direct.make_group(group)
    assert refusals() == missing
    direct.make_vault(vault, group)
    assert refusals() == missing
    assert direct.manage("DELETE", direct.vault_path(vault, group)).status == 200
    assert refusals() == missing


def test_lists_of_all_resources_show_what_the_caller_may_read_and_nothing_else(world, managing):
    direct = world.direct
    for caller, token in managing.items():
        answer = direct.manage("GET", f"{direct.subscription}/resources", token=token, version=GROUP_VERSION)
        may = caller != "nobody" and is_granted(caller, "Microsoft.KeyVault/vaults/read")
        assert (answer.status, bool(answer.json["value"])) == (200, may), caller
