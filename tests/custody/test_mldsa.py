"""ML-DSA-44, ML-DSA-65 and ML-DSA-87: messages with a context, and their representative mu."""

import hashlib

import pytest
from cryptography.hazmat.backends.openssl import backend
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import mldsa

from key_doubles import AKP_KEYS, RSA_KEYS, made, name_of
from key_vectors import nist, wycheproof_cases
from strongroom.custody import lattice as ours
from strongroom.custody.lattice import AkpPublicKey
from strongroom.custody.provider import KeyType, PrivateParts
from strongroom.errors import BadRequest

PUBLIC = {
    "ML-DSA-44": mldsa.MLDSA44PublicKey,
    "ML-DSA-65": mldsa.MLDSA65PublicKey,
    "ML-DSA-87": mldsa.MLDSA87PublicKey,
}
PRIVATE = {
    "ML-DSA-44": mldsa.MLDSA44PrivateKey,
    "ML-DSA-65": mldsa.MLDSA65PrivateKey,
    "ML-DSA-87": mldsa.MLDSA87PrivateKey,
}
SIZES = {"ML-DSA-44": (1312, 2420), "ML-DSA-65": (1952, 3309), "ML-DSA-87": (2592, 4627)}  # FIPS 204, table 2
every_key = pytest.mark.parametrize("spec", AKP_KEYS, ids=name_of)
every_name = pytest.mark.parametrize("name", PUBLIC)


def mu_of(public, message, context=b""):
    """Return the representative of a message as a client computes it (FIPS 204, algorithm 7, lines 6 and 7)."""
    hashed = hashlib.shake_256(public).digest(64)
    return hashlib.shake_256(hashed + b"\0" + bytes([len(context)]) + context + message).digest(64)


@every_key
async def test_what_was_signed_verifies_and_nothing_else_does(keeper, place, spec):
    key, name = made(spec), spec.algorithm
    assert (len(key.public.pub), key.public.n, key.public.x) == (SIZES[name][0], None, None)
    for message in (b"", b"message", b"long" * 5000):
        signature = await keeper.sign(key, place, name, message)
        assert len(signature) == SIZES[name][1]
        assert await keeper.verify(key, place, name, message, signature)
        assert not await keeper.verify(key, place, name, message + b"x", signature)
        assert not await keeper.verify(key, place, name, message, signature, context=b"c")
    for wrong in (
        b"",
        signature[:-1],
        signature + b"\0",
        bytes(len(signature)),
        bytes([signature[0] ^ 1]) + signature[1:],
    ):
        assert not await keeper.verify(key, place, name, message, wrong)


@every_key
async def test_a_context_is_part_of_what_is_signed(keeper, place, spec):
    key, name = made(spec), spec.algorithm
    signature = await keeper.sign(key, place, name, b"message", context=b"c" * 255)
    assert await keeper.verify(key, place, name, b"message", signature, context=b"c" * 255)
    assert not await keeper.verify(key, place, name, b"message", signature)


@every_key
async def test_a_representative_stands_for_its_message(keeper, place, spec):
    key, name = made(spec), spec.algorithm
    mu = mu_of(key.public.pub, b"message", b"context")
    signature = await keeper.sign(key, place, name, mu, is_mu=True)
    assert await keeper.verify(key, place, name, b"message", signature, context=b"context")
    assert await keeper.verify(key, place, name, mu, signature, is_mu=True)
    assert not await keeper.verify(key, place, name, mu, signature)
    signature = await keeper.sign(key, place, name, b"message", context=b"context")
    assert await keeper.verify(key, place, name, mu, signature, is_mu=True)


@every_key
async def test_another_library_verifies_what_was_signed(keeper, place, spec):
    key, name = made(spec), spec.algorithm
    signature = await keeper.sign(key, place, name, b"message", context=b"context")
    PUBLIC[name].from_public_bytes(key.public.pub).verify(signature, b"message", b"context")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"context": bytes(256)}, "context has invalid value: it has at most 255 bytes"),
        ({"context": b"c", "is_mu": True, "digest": bytes(64)}, "context has invalid value: it is part of external_mu"),
        ({"is_mu": True, "digest": bytes(63)}, "Invalid length of 'external_mu': 63 bytes. ML-DSA requires 64 bytes"),
        ({"is_mu": True, "digest": b""}, "Invalid length of 'external_mu': 0 bytes"),
    ],
)
async def test_what_cannot_be_signed_is_refused(keeper, place, given, told):
    key, digest, rest = made(AKP_KEYS[1]), given.get("digest", b"m"), {k: v for k, v in given.items() if k != "digest"}
    with pytest.raises(BadRequest, match=told):
        await keeper.sign(key, place, "ML-DSA-65", digest, **rest)
    with pytest.raises(BadRequest, match=told):
        await keeper.verify(key, place, "ML-DSA-65", digest, b"signature", **rest)


async def test_only_ml_dsa_has_contexts_and_representatives(keeper, place):
    key = made(RSA_KEYS[0])
    with pytest.raises(BadRequest, match="context has invalid value: RS256 takes none"):
        await keeper.sign(key, place, "RS256", bytes(32), context=b"c")
    with pytest.raises(BadRequest, match="external_mu has invalid value: RS256 takes none"):
        await keeper.sign(key, place, "RS256", bytes(32), is_mu=True)
    with pytest.raises(BadRequest, match="context has invalid value: RS256 takes none"):
        await keeper.verify(key, place, "RS256", bytes(32), b"", context=b"c")


async def test_a_key_is_not_brought(keeper, place):
    with pytest.raises(BadRequest, match="keys of type AKP are made here and not imported"):
        await keeper.take(PrivateParts(type=KeyType.AKP), place)


async def test_where_openssl_has_no_ml_dsa_that_is_told(keeper, place, monkeypatch):
    monkeypatch.setattr(type(backend), "mldsa_supported", lambda _self: False)
    with pytest.raises(BadRequest, match="the OpenSSL of this server has no ML-DSA"):
        await keeper.make(AKP_KEYS[0], place)


# --- official vectors


@every_name
def test_wycheproof(name):
    valid, wrong = 0, []
    for group, case in wycheproof_cases(f"mldsa_{name[-2:]}_verify_test"):
        context = bytes.fromhex(case.get("ctx", ""))
        try:
            key = AkpPublicKey(PUBLIC[name].from_public_bytes(bytes.fromhex(group["publicKey"])))
            ours.require_message(b"", context, is_mu=False)
        except (ValueError, BadRequest):
            found = False  # a public key of a wrong length, a context that is too long
        else:
            found = key.verify(bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"]), context, is_mu=False)
        valid += found
        if found != (case["result"] == "valid"):
            wrong.append((case["tcId"], case["comment"]))
    assert valid > 30
    assert not wrong


@every_name
def test_nist(name):
    cases = nist(f"asymmetric/MLDSA/kat_MLDSA_{name[-2:]}_det_pure.rsp", "sm")
    assert len(cases) > 50
    for case in cases:
        message, context = bytes.fromhex(case["msg"]), bytes.fromhex(case["ctx"])
        theirs = PRIVATE[name].from_seed_bytes(bytes.fromhex(case["xi"]))
        key = ours.AkpKey(theirs)
        assert key.public.pub.hex() == case["pk"]
        assert key.spec.algorithm == name
        signature = bytes.fromhex(case["sm"])[: SIZES[name][1]]
        assert key.verify(message, signature, context, is_mu=False)
        assert key.verify(message, key.sign(message, context, is_mu=False), context, is_mu=False)


@every_key
async def test_what_is_sealed_is_the_seed(keeper, place, spec):
    key = PRIVATE[spec.algorithm].generate()
    material = ours.AkpKey(key).material().reveal()
    assert serialization.load_der_private_key(material, None).private_bytes_raw() == key.private_bytes_raw()
    assert len(material) == 54
    assert ours.load(ours.AkpKey(key).material()).public.pub == key.public_key().public_bytes_raw()
