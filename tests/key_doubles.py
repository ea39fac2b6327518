"""Keys for tests: a keeper in software, a place for them, keys in the forms that other tools speak, and OpenSSL."""

import asyncio
import hashlib
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from doubles import TENANT, a_custodian
from strongroom.custody.algorithms import ML_DSA, OCT_BITS, RSA_BITS, spec_of
from strongroom.custody.provider import KeyType, Place, PrivateParts
from strongroom.custody.sealing import Context
from strongroom.custody.software import SoftwareProvider
from strongroom.custody.store import Purpose
from strongroom.sensitive import Sensitive

DIGESTS = {32: "sha256", 48: "sha384", 64: "sha512"}
CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1(), "P-256K": ec.SECP256K1()}
RSA_KEYS = [spec_of(KeyType.RSA, bits=bits) for bits in RSA_BITS]
EC_KEYS = [spec_of(KeyType.EC, curve=curve) for curve in CURVES]
OCT_KEYS = [spec_of(KeyType.OCT, bits=bits) for bits in OCT_BITS]
AKP_KEYS = [spec_of(KeyType.AKP, algorithm=name) for name in ML_DSA]
EVERY_KEY = [*RSA_KEYS, *EC_KEYS, *OCT_KEYS, *AKP_KEYS]


def name_of(spec):
    """Return a short name of a kind of key, for the ids of tests."""
    return "-".join(str(each) for each in (spec.type, spec.bits, spec.curve, spec.algorithm) if each)


@cache
def a_data_key(owner="vault-a"):
    return a_custodian().new_key(Purpose.VAULT, owner, 1, TENANT.created)


def a_place(owner="vault-a", name="key", version="0" * 32):
    return Place(a_data_key(owner), Context(owner, "keys", name, version, "material"))


@cache
def a_keeper():
    return SoftwareProvider(a_custodian())


def settled(coroutine):
    """Return what a coroutine returns, for callers that run in a loop and for those that do not."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


@cache
def made(spec):
    """Return a key of a kind, the same one to every test."""
    return settled(a_keeper().make(spec, a_place()))


def taken(parts):
    """Return a key that is brought."""
    return settled(a_keeper().take(parts, a_place()))


def digest_for(row, message=b"message"):
    """Return what an algorithm signs when it signs a message."""
    return message if row.digest_bytes is None else hashlib.new(DIGESTS[row.digest_bytes], message).digest()


def octets(number, length=None):
    return number.to_bytes(length or (number.bit_length() + 7) // 8, "big")


def rsa_parts(key):
    """Return an RSA key of another library as a caller brings it."""
    numbers = key.private_numbers()
    names = {"d": "d", "p": "p", "q": "q", "dp": "dmp1", "dq": "dmq1", "qi": "iqmp"}
    private = {name: Sensitive(octets(getattr(numbers, theirs))) for name, theirs in names.items()}
    public = numbers.public_numbers
    return PrivateParts(type=KeyType.RSA, n=octets(public.n), e=octets(public.e), **private)


def ec_parts(key, curve):
    """Return an elliptic curve key of another library as a caller brings it."""
    numbers, length = key.private_numbers(), (key.curve.key_size + 7) // 8
    x, y = (octets(each, length) for each in (numbers.public_numbers.x, numbers.public_numbers.y))
    d = Sensitive(octets(numbers.private_value, length))
    return PrivateParts(type=KeyType.EC, curve=curve, x=x, y=y, d=d)


def changed(parts, **members):
    """Return a key that is brought with other members; numbers stand for their octets, None for their absence."""
    given = {name: octets(value) if isinstance(value, int) else value for name, value in members.items()}
    wrapped = {
        name: Sensitive(value) if isinstance(getattr(parts, name), Sensitive) and value is not None else value
        for name, value in given.items()
    }
    return replace(parts, **wrapped)


def value_of(parts, name):
    """Return a member of a key that is brought, as a number."""
    member = getattr(parts, name)
    return int.from_bytes(member.reveal() if isinstance(member, Sensitive) else member, "big")


def public_key_of(kept):
    """Return the public half of a kept key for another library, from what the service tells of it."""
    public = {name: int.from_bytes(getattr(kept.public, name) or b"", "big") for name in ("n", "e", "x", "y")}
    if kept.spec.type is KeyType.RSA:
        return rsa.RSAPublicNumbers(public["e"], public["n"]).public_key()
    return ec.EllipticCurvePublicNumbers(public["x"], public["y"], CURVES[kept.spec.curve]).public_key()


def public_pem(kept):
    return public_key_of(kept).public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def openssl(*arguments, given=b""):
    """Return what the command line of OpenSSL answers; CalledProcessError when it refuses."""
    return subprocess.run(["openssl", *map(str, arguments)], input=given, capture_output=True, check=True).stdout
