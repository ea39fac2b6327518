"""How the acts of `lives` go over the wire, and what their answers tell."""

from clients.direct import DATA_VERSION, VAULT_VERSION
from jwk_doubles import encoded
from key_proofs import ALGORITHMS, brought, digest_for, is_signed_by, public_of, value_of
from lives import BROUGHT, KEY_ACTS, SECRET_ACTS, VAULT_ACTS

RECORDED_AS = {
    "secrets": {
        "set": "SecretSet",
        "update": "SecretUpdate",
        "get": "SecretGet",
        "versions": "SecretListVersions",
        "delete": "SecretDelete",
        "get-deleted": "SecretGetDeleted",
        "recover": "SecretRecover",
        "purge": "SecretPurge",
        "knock": "Authentication",
    },
    "keys": {
        "create": "KeyCreate",
        "import": "KeyImport",
        "rotate": "KeyRotate",
        "sign": "KeySign",
        "update": "KeyUpdate",
        "get": "KeyGet",
        "versions": "KeyListVersions",
        "delete": "KeyDelete",
        "get-deleted": "KeyGetDeleted",
        "recover": "KeyRecover",
        "purge": "KeyPurge",
        "knock": "Authentication",
    },
    "vaults": {
        "put": "VaultPut",
        "patch": "VaultPatch",
        "get": "VaultGet",
        "delete": "VaultDelete",
        "get-deleted": "VaultGetDeleted",
        "recover": "VaultRecover",
        "purge": "VaultPurge",
    },
}
"""The operation that a record names for each act. `knock` asks for a secret or a key without a token."""


class SecretActs:
    """Acts on the secrets of one vault. The mark is the content type."""

    kind, kinds = "secrets", SECRET_ACTS

    def __init__(self, direct, vault="dev"):
        self.url = direct.vault_url(vault)
        self.token = direct.owner()

    def request(self, act, name):
        """Return method, path and body of an act."""
        living, deleted = f"/secrets/{name}", f"/deletedsecrets/{name}"
        method, path, body = {
            "set": ("PUT", living, {"value": act.value, "contentType": act.mark}),
            "update": ("PATCH", living, {"contentType": act.mark}),
            "get": ("GET", living, None),
            "knock": ("GET", living, None),
            "versions": ("GET", f"{living}/versions", None),
            "delete": ("DELETE", living, None),
            "get-deleted": ("GET", deleted, None),
            "recover": ("POST", f"{deleted}/recover", None),
            "purge": ("DELETE", deleted, None),
        }[act.kind]
        return method, f"{path}?api-version={DATA_VERSION}", body

    def address(self, name):
        """Return the URL of the host that an act on something of this name goes to."""
        del name
        return self.url

    def told(self, act, answer):
        """Return the outcome that an answer tells."""
        if answer.status != 200:
            return answer.status, None
        if act.kind == "versions":
            return 200, tuple(item.get("contentType") for item in answer.json["value"])
        mark = answer.json.get("contentType")
        return 200, (answer.json["value"], mark) if act.kind in {"set", "get"} else mark


class KeyActs:
    """Acts on the keys of one vault. The mark is a tag, the value what kind of key it is (`key_proofs.ALGORITHMS`).

    What was told of each version is remembered: a later answer that tells another public part, and a signature that is
    not one by it, come out as values that no key has.
    """

    kind, kinds = "keys", KEY_ACTS

    def __init__(self, direct, vault="dev"):
        self.url = direct.vault_url(vault)
        self.token = direct.owner()
        self._brought = {kind: brought(kind) for kind in ALGORITHMS}
        self._told = {}

    def request(self, act, name):
        """Return method, path and body of an act."""
        living, deleted, tags = f"/keys/{name}", f"/deletedkeys/{name}", {"mark": act.mark}
        kind = act.value.removeprefix(BROUGHT)
        method, path, body = {
            "create": ("POST", f"{living}/create", _asked_for(kind) | {"tags": tags}),
            "import": ("PUT", living, {"key": self._brought.get(kind), "tags": tags}),
            "rotate": ("POST", f"{living}/rotate", None),
            "sign": ("POST", f"{living}/sign", {"alg": ALGORITHMS[kind], "value": encoded(digest_for(kind))}),
            "update": ("PATCH", living, {"tags": tags}),
            "get": ("GET", living, None),
            "knock": ("GET", living, None),
            "versions": ("GET", f"{living}/versions", None),
            "delete": ("DELETE", living, None),
            "get-deleted": ("GET", deleted, None),
            "recover": ("POST", f"{deleted}/recover", None),
            "purge": ("DELETE", deleted, None),
        }[act.kind]
        return method, f"{path}?api-version={DATA_VERSION}", body

    def address(self, name):
        """Return the URL of the host that an act on something of this name goes to."""
        del name
        return self.url

    def told(self, act, answer):
        """Return the outcome that an answer tells."""
        if answer.status != 200:
            return answer.status, None
        if act.kind == "versions":
            return 200, tuple(item["tags"]["mark"] for item in answer.json["value"])
        if act.kind == "sign":
            return 200, self._signer(answer.json)
        key, mark = answer.json["key"], answer.json["tags"]["mark"]
        value = self._value(key)
        return 200, (value, mark) if act.kind in {"create", "import", "rotate", "get"} else mark

    def _signer(self, said):
        """Return the value of the key that a signature is one by."""
        key = self._told.get(said["kid"])
        if key is None:
            return f"{said['kid']}, of which nobody was told"
        return self._value(key) if is_signed_by(key, said["value"]) else f"not signed by {said['kid']}"

    def _value(self, key):
        """Return the value of a key as an answer told it."""
        known = self._told.setdefault(key["kid"], key)
        if public_of(known) != public_of(key):
            return f"{key['kid']} with another public part than it was made with"
        return value_of(key)


def _asked_for(kind):
    return {"kty": "RSA", "key_size": 2048} if kind == "RSA" else {"kty": "EC", "crv": kind}


class VaultActs:
    """Acts on the vaults of one resource group. The mark is a tag."""

    kind, kinds = "vaults", VAULT_ACTS

    def __init__(self, direct, group="dev"):
        self._direct, self._group = direct, group
        self.url = direct.facts.managementUrl
        self.token = direct.owner("management")
        self._body = direct.vault_body(accessPolicies=[direct.policy(direct.owner_id, "all", "purge")])

    def request(self, act, name):
        """Return method, path and body of an act."""
        direct = self._direct
        living = direct.vault_path(name, self._group)
        provider = f"{direct.subscription}/providers/Microsoft.KeyVault"
        deleted = f"{provider}/locations/{direct.facts.location}/deletedVaults/{name}"
        marked = {"tags": {"mark": act.mark}}
        recovery = {"location": direct.facts.location, "properties": {"createMode": "recover"}}
        method, path, body = {
            "put": ("PUT", living, self._body | marked),
            "patch": ("PATCH", living, marked),
            "get": ("GET", living, None),
            "delete": ("DELETE", living, None),
            "get-deleted": ("GET", deleted, None),
            "recover": ("PUT", living, recovery),
            "purge": ("POST", f"{deleted}/purge", None),
        }[act.kind]
        return method, f"{path}?api-version={VAULT_VERSION}", body

    def address(self, name):
        """Return the URL of the host that an act on something of this name goes to."""
        del name
        return self.url

    def told(self, act, answer):
        """Return the outcome that an answer tells."""
        if answer.status != 200 or act.kind == "delete":
            return answer.status, None
        said = answer.json["properties"] if act.kind == "get-deleted" else answer.json
        return 200, said.get("tags", {}).get("mark")
