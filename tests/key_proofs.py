"""Whether a signature is one by the key that an answer told: judged by PyJWT, from the JSON Web Key alone."""

from functools import cache
from hashlib import sha256, sha384, sha512

import jwt

from jwk_doubles import decoded, ec_jwk, rsa_jwk
from lives import BROUGHT

ALGORITHMS = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "RSA": "RS256"}
"""The kinds of keys that are told apart, and what each signs with."""
A_MESSAGE = b"what is signed"
_DIGESTS = {"P-256": sha256, "P-384": sha384, "P-521": sha512, "RSA": sha256}
_PUBLIC = ("kty", "crv", "x", "y", "n", "e")


def kind_of(key):
    """Return which kind of key a JSON Web Key is."""
    return key.get("crv", key["kty"])


def digest_for(kind):
    """Return the digest of the message, as a key of this kind signs it."""
    return _DIGESTS[kind](A_MESSAGE).digest()


def public_of(key):
    """Return what is public of a JSON Web Key."""
    return {name: key[name] for name in _PUBLIC if key.get(name)}


@cache
def brought(kind):
    """Return the key of this kind that is imported, with its private part."""
    return rsa_jwk() if kind == "RSA" else ec_jwk(kind)


def value_of(key):
    """Return the value of a key in its life: its kind, and whether it is the one that is imported."""
    kind = kind_of(key)
    return BROUGHT + kind if public_of(key) == public_of(brought(kind)) else kind


def is_signed_by(key, signature):
    """Answer whether a signature, in base64url, is one of the message by this key."""
    algorithm = jwt.get_algorithm_by_name(ALGORITHMS[kind_of(key)])
    return algorithm.verify(A_MESSAGE, algorithm.from_jwk(public_of(key)), decoded(signature))
