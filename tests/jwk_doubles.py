"""Keys to test with: what clients send and what is kept, made by other hands than the server's."""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from storage_doubles import NOON
from strongroom.custody.algorithms import spec_of
from strongroom.custody.provider import KeyType, PublicParts
from strongroom.objects.keys.model import DEFAULTS, KeyVersion
from strongroom.objects.keys.rotation import RotationPolicy, Trigger, parse_period

CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1(), "P-256K": ec.SECP256K1()}
COORDINATE_BYTES = {"P-256": 32, "P-384": 48, "P-521": 66, "P-256K": 32}
DIGESTS = {32: hashlib.sha256, 48: hashlib.sha384, 64: hashlib.sha512}


def encoded(octets):
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def decoded(text):
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(value, length=None):
    return encoded(value.to_bytes(length or (value.bit_length() + 7) // 8))


def digest_of(length=32, said=b"what is signed"):
    return DIGESTS[length](said).digest()


@cache
def an_rsa_key(bits=2048):
    return rsa.generate_private_key(65537, bits)


@cache
def an_ec_key(curve="P-256"):
    return ec.generate_private_key(CURVES[curve])


def rsa_jwk(key=None, **changes):
    """Return an RSA key with its private part as a JSON Web Key."""
    numbers = (key or an_rsa_key()).private_numbers()
    public = numbers.public_numbers
    return {
        "kty": "RSA",
        "n": number(public.n),
        "e": number(public.e),
        "d": number(numbers.d),
        "p": number(numbers.p),
        "q": number(numbers.q),
        "dp": number(numbers.dmp1),
        "dq": number(numbers.dmq1),
        "qi": number(numbers.iqmp),
    } | changes


def ec_jwk(curve="P-256", key=None, **changes):
    """Return an elliptic curve key with its private part as a JSON Web Key."""
    numbers, length = (key or an_ec_key(curve)).private_numbers(), COORDINATE_BYTES[curve]
    return {
        "kty": "EC",
        "crv": curve,
        "x": number(numbers.public_numbers.x, length),
        "y": number(numbers.public_numbers.y, length),
        "d": number(numbers.private_value, length),
    } | changes


def a_policy(**changes):
    described = {
        "expiry": parse_period("expiryTime", "P90D"),
        "rotate": Trigger(before_expiry=parse_period("timeBeforeExpiry", "P30D")),
        "created": NOON,
        "updated": NOON,
    }
    return RotationPolicy(**described | changes)


def a_key_version(number=1, **changes):
    """Return a version of a key as a store keeps it; what is private of it is none."""
    described = {
        "version": f"{number:032x}",
        "sealed": b"sealed %d" % number,
        "created": NOON,
        "updated": NOON,
        "spec": spec_of(KeyType.EC),
        "public": PublicParts(x=bytes(32), y=bytes(range(32))),
        "operations": DEFAULTS[KeyType.EC],
    }
    return KeyVersion(**described | changes)
