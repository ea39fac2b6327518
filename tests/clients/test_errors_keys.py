"""Every error of keys that a client can meet today. Held against `docs/errors.md` by `test_errors.py`."""

import json

import pytest

from clients.direct import unique
from clients.provoking import fits, meet
from jwk_doubles import digest_of, ec_jwk, encoded
from release_doubles import a_policy, attest, claims_of

pytestmark = [pytest.mark.xdist_group("errors"), pytest.mark.usefixtures("client_environ")]

DIGEST = encoded(digest_of())
PREMIUM = "dev"
A_POLICY = {"data": encoded(json.dumps(a_policy()).encode())}
RECOVERY_HELP = (
    "If you recently deleted this key you may be able to recover it using the correct recovery command. For help "
    "resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"
)


def ask(world, method, path, body=None, vault=None):
    return world.direct.secret(method, world.direct.vault_url(vault or world.policy_vault), path, body)


def make(world, **said):
    """Make a key and return its name."""
    name = unique("key-")
    answer = ask(world, "POST", f"/keys/{name}/create", {"kty": "EC"} | said)
    assert answer.status == 200, answer
    return name


def make_deleted(world):
    name = make(world)
    assert ask(world, "DELETE", f"/keys/{name}").status == 200
    return name


def creating(**said):
    return lambda w: ask(w, "POST", f"/keys/{unique('key-')}/create", {"kty": "EC"} | said)


def importing(**said):
    return lambda w: ask(w, "PUT", f"/keys/{unique('key-')}", {"key": ec_jwk(**said)})


def using(use, body, **said):
    return lambda w: ask(w, "POST", f"/keys/{make(w, **said)}/{use}", {"alg": "ES256", "value": DIGEST} | body)


def signing(**said):
    return using("sign", {}, **said)


def make_exportable(world):
    """Make an exportable key, its policy immutable, in the premium vault; return its path and its version."""
    said = {"attributes": {"exportable": True}, "release_policy": A_POLICY | {"immutable": True}}
    answer = ask(world, "POST", f"/keys/{unique('key-')}/create", {"kty": "EC-HSM"} | said, PREMIUM)
    assert answer.status == 200, answer
    path, _, version = answer.json["key"]["kid"].rpartition("/")
    return path[path.index("/keys/") :], version


def changing(body, *, version=False):
    def provoke(world):
        path, made = make_exportable(world)
        return ask(world, "PATCH", f"{path}/{made}" if version else path, body, PREMIUM)

    return provoke


def releasing(target, **said):
    return lambda w: ask(w, "POST", f"{make_exportable(w)[0]}/release", {"target": target} | said, PREMIUM)


def restore_over_living(world):
    name = make(world)
    return ask(world, "POST", "/keys/restore", ask(world, "POST", f"/keys/{name}/backup").json)


BAD, FORBIDDEN = (400, "BadParameter", None), "Forbidden"
# name → how, status, code, inner code, message
ROWS = {
    "KeyNotFound": (
        lambda w: ask(w, "GET", "/keys/none"),
        (404, "KeyNotFound", None),
        "A key with (name/id) none was not found in this key vault. " + RECOVERY_HELP,
    ),
    "KeyNotFound of a version, at a use": (
        lambda w: ask(w, "POST", f"/keys/none/{'0' * 32}/sign", {"alg": "ES256", "value": DIGEST}),
        (404, "KeyNotFound", None),
        "A key with (name/id) none/00000000000000000000000000000000 was not found in this key vault. …",
    ),
    "KeyNotFound among the deleted": (
        lambda w: ask(w, "GET", "/deletedkeys/none"),
        (404, "KeyNotFound", None),
        "Deleted Key not found: none",
    ),
    "KeyDisabled": (
        signing(attributes={"enabled": False}),
        (403, FORBIDDEN, "KeyDisabled"),
        "Operation sign is not allowed on a disabled key.",
    ),
    "KeyOperationForbidden": (
        signing(key_ops=["verify"]),
        (403, FORBIDDEN, "KeyOperationForbidden"),
        "Operation sign is not permitted on this key.",
    ),
    "KeyNotYetValid": (
        signing(attributes={"nbf": 4_000_000_000}),
        (403, FORBIDDEN, "KeyNotYetValid"),
        "Operation sign is not allowed on a key that is not yet valid.",
    ),
    "KeyExpired": (
        signing(attributes={"exp": 1}),
        (403, FORBIDDEN, "KeyExpired"),
        "Operation sign is not allowed on an expired key.",
    ),
    "a name that a deleted key holds": (
        lambda w: ask(w, "POST", f"/keys/{make_deleted(w)}/create", {"kty": "EC"}),
        (409, "Conflict", "ObjectIsDeletedButRecoverable"),
        "Key … is currently in a deleted but recoverable state, and its name cannot be reused; …",
    ),
    "a restore over a living key": (
        restore_over_living,
        (409, "Conflict", None),
        "A key with the name … already exists in this key vault; restore never overwrites.",
    ),
    "a type of no key": (
        creating(kty="DSA"),
        BAD,
        "Property kty has invalid value: it is EC, EC-HSM, RSA, RSA-HSM or oct-HSM.",
    ),
    "a plain symmetric key": (
        creating(kty="oct"),
        BAD,
        "Property kty has invalid value: keys of type oct are not offered in vaults; oct-HSM is, in premium ones.",
    ),
    "a key of an HSM in a standard vault": (
        creating(kty="RSA-HSM"),
        BAD,
        "Property kty has invalid value: keys of type RSA-HSM need a vault of the SKU premium, and this one …",
    ),
    "a size of no key": (
        creating(kty="RSA", key_size=1024),
        (400, "BadParameter", "KeySizeNotSupported"),
        "Unsupported key size (1024). Supported sizes are [2048, 3072, 4096]",
    ),
    "an exportable key without a policy": (
        creating(attributes={"exportable": True}),
        BAD,
        "AKV.SKR.1004: Exportable keys must have release policy.",
    ),
    "a policy of a key that is not exportable": (
        creating(release_policy={"data": encoded(b"{}")}),
        BAD,
        "AKV.SKR.1005: Non-exportable keys must not have release policy.",
    ),
    "an exportable key in a standard vault": (
        creating(kty="EC-HSM", attributes={"exportable": True}, release_policy=A_POLICY),
        BAD,
        (
            "AKV.SKR.1001: The exportable attribute is only supported with premium vaults and API version >= "
            "'7.3-preview'."
        ),
    ),
    "an exportable key of software": (
        creating(attributes={"exportable": True}, release_policy=A_POLICY),
        BAD,
        "AKV.SKR.1006: Exportable keys are of type RSA-HSM, EC-HSM or oct-HSM.",
    ),
    "a policy that is none": (
        creating(kty="EC-HSM", attributes={"exportable": True}, release_policy={"data": encoded(b"{}")}),
        BAD,
        "Key Release Policy: missing 'version' property",
    ),
    "an exportable key that shall not be so any more": (
        changing({"attributes": {"exportable": False}}),
        BAD,
        "AKV.SKR.1014: Cannot modify the exportable state of a key.",
    ),
    "a policy sent to a version": (
        changing({"release_policy": A_POLICY}, version=True),
        BAD,
        "AKV.SKR.1016: Key Release Policy can only be set on versionless key.",
    ),
    "an immutable policy that is changed": (
        changing({"release_policy": A_POLICY | {"immutable": False}}),
        BAD,
        "AKV.SKR.1020: Immutable Key Release Policy cannot be modified.",
    ),
    "the release of a key that is not exportable": (
        using("release", {"target": "a.b.c"}),
        (403, FORBIDDEN, "KeyOperationForbidden"),
        "Operation release is not permitted on this key.",
    ),
    "a target that is no token": (
        releasing("a.b"),
        (403, FORBIDDEN, None),
        "Target environment attestation statement cannot be verified: …",
    ),
    "a token of another authority than the policy's": (
        releasing(attest(claims_of("https://elsewhere.example.test"))),
        (403, FORBIDDEN, None),
        "Target environment attestation does not meet key release policy requirements.",
    ),
    "a token of an authority that the operator has not named": (
        releasing(attest()),
        (403, FORBIDDEN, None),
        "Target environment attestation statement cannot be verified: the operator of this server has not allowed …",
    ),
    "a form that no key leaves in": (
        releasing("a.b.c", enc="none"),
        BAD,
        "Property enc has invalid value: it is one of …",
    ),
    "an operation that no such key can": (
        creating(key_ops=["encrypt"]),
        BAD,
        "Property key_ops has invalid value: a key of type EC can sign, verify.",
    ),
    "an imported key without a member": (
        importing(x=""),
        BAD,
        'The property "key" must be a valid JsonWebKey object: …',
    ),
    "an imported key that is not sound": (
        importing(y=encoded(bytes(32))),
        BAD,
        "EC key is not valid - cannot instantiate crypto service: …",
    ),
    "an algorithm for another key": (
        using("sign", {"alg": "RS256"}),
        BAD,
        (
            "Key and signing algorithm are incompatible. The key is of type 'EC', and algorithm 'RS256' can only be "
            "used with a key of type 'RSA'."
        ),
    ),
    "an algorithm that there is not": (
        using("sign", {"alg": "none"}),
        BAD,
        "Property alg has invalid value: signing with this key takes …",
    ),
    "a digest of another length": (
        using("sign", {"value": "AAAA"}),
        BAD,
        "Invalid length of 'value': 3 bytes. ES256 requires 32 bytes, encoded with base64url.",
    ),
    "what does not decrypt": (
        using("decrypt", {"alg": "RSA-OAEP", "value": encoded(bytes(256))}, kty="RSA"),
        BAD,
        "Unable to decrypt specified value with this key.",
    ),
    "a value that is no base64url": (
        using("sign", {"value": "?"}),
        BAD,
        "The request body does not fit: Expected base64url - at `$.value`.",
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_an_error_of_keys_is_the_documented_one(world, name):
    provoke, expected, message = ROWS[name]
    met = meet(world, provoke)
    assert (met.status, met.code, met.inner) == expected
    assert fits(message, met.message, world.facts), met.message
