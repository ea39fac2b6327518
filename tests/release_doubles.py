"""What the release of keys is tested with: policies, tokens of authorities, environments, and their way back."""

import json
import os
import time
from functools import cache

import jwt
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from jwk_doubles import decoded, encoded, number
from strongroom.access.identity.attestation import AuthorityKey, not_allowed

AUTHORITY = "https://attest.example.test"
DIGESTS = {
    "CKM_RSA_AES_KEY_WRAP": hashes.SHA1,
    "RSA_AES_KEY_WRAP_256": hashes.SHA256,
    "RSA_AES_KEY_WRAP_384": hashes.SHA384,
}


def a_policy(authority=AUTHORITY, **changes):
    """Return a policy that lets a key go to whom the authority attests `sdk-test`."""
    return {
        "version": "1.0.0",
        "anyOf": [{"authority": authority, "allOf": [{"claim": "sdk-test", "equals": "true"}]}],
    } | changes


@cache
def authority_key(kind="RSA", number=1):
    """Return a private key of an authority. number: tells keys of one kind apart."""
    return rsa.generate_private_key(65537, 2048) if kind == "RSA" else ec.generate_private_key(ec.SECP256R1())


@cache
def environment(bits=2048):
    """Return the key that only the environment holds."""
    return rsa.generate_private_key(65537, bits)


def runtime(key=None, **changes):
    """Return the claim that an environment's key stands in. key: another one; changes: members that differ."""
    public = (key or environment()).public_key().public_numbers()
    described = {"kty": "RSA", "kid": "the-environment", "use": "enc", "n": number(public.n), "e": number(public.e)}
    return {"keys": [{name: value for name, value in (described | changes).items() if value is not None}]}


def claims_of(authority=AUTHORITY, now=None, **changes):
    """Return what an authority attests of an environment; None takes a claim away."""
    now = time.time() if now is None else now
    said = {"iss": authority, "iat": now, "nbf": now, "exp": now + 600, "sdk-test": True, "x-ms-runtime": runtime()}
    return {name: value for name, value in (said | changes).items() if value is not None}


def attest(claims=None, key=None, algorithm="RS256", **headers):
    return jwt.encode(
        claims or claims_of(),
        key or authority_key(),
        algorithm=algorithm,
        headers={"kid": "authority-1"} | headers,
    )


class SomeAuthorities:
    """Authorities that are known without asking: `keys` by address and kid."""

    def __init__(self, keys=None):
        self.keys = keys or {AUTHORITY: {"authority-1": authority_key().public_key()}}
        self.asked = []

    async def find_key(self, authority, kid):
        self.asked.append(authority)
        if authority not in self.keys:
            raise not_allowed(authority)
        found = self.keys[authority].get(kid)
        return None if found is None else AuthorityKey(kid, found)


def wrapped_blob(kek, material):
    """Return the content of a `.byok` file, as an HSM of another maker writes it. kek: what is public of the key."""
    public = rsa.RSAPublicNumbers(int.from_bytes(decoded(kek["e"])), int.from_bytes(decoded(kek["n"]))).public_key()
    once, digest = os.urandom(32), hashes.SHA1()
    head = public.encrypt(once, padding.OAEP(padding.MGF1(digest), digest, None))
    return {
        "schema_version": "1.0.0",
        "header": {"kid": kek["kid"], "alg": "dir", "enc": "CKM_RSA_AES_KEY_WRAP"},
        "ciphertext": encoded(head + keywrap.aes_key_wrap_with_padding(once, material)),
        "generator": "tests",
    }


def payload_of(jws):
    """Return what a release's answer says, without looking at its signature."""
    return json.loads(decoded(jws.split(".")[1]))


def unwrapped(blob, enc, key=None):
    """Return the key that travelled: the other side of `custody.transfer`, by another hand."""
    key = key or environment()
    length, digest = key.key_size // 8, DIGESTS[enc]()
    once = key.decrypt(blob[:length], padding.OAEP(padding.MGF1(digest), digest, None))
    assert len(once) == 32
    return keywrap.aes_key_unwrap_with_padding(once, blob[length:])


def released_key(jws, key=None):
    """Return the private key in a release's answer, loaded as its receiver would; bytes where it is symmetric."""
    told = payload_of(jws)["response"]["key"]["key"]
    blob = json.loads(decoded(told["key_hsm"]))
    assert (blob["schema_version"], blob["header"]["alg"]) == ("1.0", "dir")
    raw = unwrapped(decoded(blob["ciphertext"]), blob["header"]["enc"], key)
    return raw if told["kty"].startswith("oct") else serialization.load_der_private_key(raw, None)
