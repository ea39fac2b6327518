"""Attacks on keys in use, each by its name. Those on keys that are brought: `test_rsa_imports.py`, `test_ecdsa.py`."""

import hashlib
import hmac
import os

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric import rsa as library

from doubles import a_custodian
from key_doubles import (
    AKP_KEYS,
    EC_KEYS,
    EVERY_KEY,
    OCT_KEYS,
    RSA_KEYS,
    changed,
    digest_for,
    ec_parts,
    made,
    name_of,
    public_key_of,
    public_pem,
    rsa_parts,
    taken,
    value_of,
)
from strongroom.custody import rsa, symmetric
from strongroom.custody.algorithms import ALGORITHMS, Use
from strongroom.custody.provider import Ciphertext
from strongroom.custody.software import SoftwareProvider
from strongroom.errors import BadRequest
from strongroom.sensitive import Sensitive

ONE_REFUSAL = ("Unable to decrypt specified value with this key.", "BadParameter", None, 400)
AES = OCT_KEYS[2]


class Closed:
    """A custodian that opens nothing: what a test refuses must be refused before a key is touched."""

    def open(self, *_given):
        raise AssertionError("a key was opened for what cannot be done with it")


@pytest.fixture
def untouched():
    return SoftwareProvider(Closed())


@pytest.fixture
def fresh():
    return SoftwareProvider(a_custodian())


async def refusal(awaitable):
    """Return all that a client can tell of a refusal."""
    with pytest.raises(BadRequest) as caught:
        await awaitable
    error = caught.value
    assert error.__cause__ is None
    return error.message, error.code, error.inner, error.status


# --- key confusion


def is_for(row, use, spec):
    fits = row.type is spec.type and row.curve in (None, spec.curve) and row.bits in (None, spec.bits)
    return fits and use in row.uses and (spec.algorithm in (None, row.name))


def attempts(keeper, key, place, name):
    """Return every way to use an algorithm with a key, and what it would be for."""
    yield Use.SIGN, keeper.sign(key, place, name, bytes(32))
    yield Use.SIGN, keeper.verify(key, place, name, bytes(32), bytes(32))
    yield Use.ENCRYPT, keeper.encrypt(key, place, name, Sensitive(bytes(32)))
    yield Use.ENCRYPT, keeper.decrypt(key, place, name, Ciphertext(value=bytes(32)))
    yield Use.WRAP, keeper.wrap(key, place, name, Sensitive(bytes(32)))
    yield Use.WRAP, keeper.unwrap(key, place, name, bytes(32))


@pytest.mark.parametrize("spec", EVERY_KEY, ids=name_of)
async def test_key_confusion_every_algorithm_that_is_another_key_s_or_for_something_else(untouched, place, spec):
    key, refused = made(spec), 0
    for name, row in [*ALGORITHMS.items(), ("none", None), ("", None), ("HS256 ", None), ("rs256", None)]:
        for use, attempt in attempts(untouched, key, place, name):
            if row is not None and is_for(row, use, spec):
                attempt.close()
                continue
            message, code, _, _ = await refusal(attempt)
            assert code == "BadParameter"
            assert message.startswith(
                ("Property alg has invalid value: ", f"Key and {use} algorithm are incompatible. ")
            )
            refused += 1
    assert refused > 150


async def test_key_confusion_a_mac_keyed_with_a_public_key_is_no_signature(keeper, place):
    key, digest = made(RSA_KEYS[0]), hashlib.sha256(b"message").digest()
    forged = hmac.digest(public_pem(key), digest, "sha256")
    assert not await keeper.verify(key, place, "RS256", digest, forged)
    with pytest.raises(BadRequest, match="algorithm 'HS256' can only be used with a key of type 'oct'"):
        await keeper.verify(key, place, "HS256", digest, forged)


@pytest.mark.parametrize(
    ("name", "spec", "use"),
    [
        ("A256KW", AES, "sign"),
        ("RSA-OAEP", RSA_KEYS[0], "sign"),
        ("RS256", RSA_KEYS[0], "encrypt"),
        ("A256GCM", AES, "wrap"),
        ("A256KW", AES, "encrypt"),
        ("HS256", AES, "wrap"),
        ("ES256", EC_KEYS[0], "encrypt"),
        ("ML-DSA-44", AKP_KEYS[0], "wrap"),
    ],
)
async def test_key_confusion_an_algorithm_does_what_it_is_for(untouched, place, name, spec, use):
    given = bytes(32) if use == "sign" else Sensitive(bytes(32))
    message, *_ = await refusal(getattr(untouched, use)(made(spec), place, name, given))
    assert message.startswith("Property alg has invalid value: ")
    assert name not in message.split("takes", 1)[1].split(", ")


# --- digests


@pytest.mark.parametrize("name", [name for name, row in ALGORITHMS.items() if row.digest_bytes])
@pytest.mark.parametrize("length", [0, 1, 20, 31, 33, 47, 49, 63, 65, 128, 100_000])
async def test_wrong_digest_length(untouched, place, name, length):
    row = ALGORITHMS[name]
    spec = next(each for each in (*RSA_KEYS, *EC_KEYS) if is_for(row, Use.SIGN, each))
    told = f"bytes. {name} requires {row.digest_bytes} bytes, encoded with base64url."
    signing = await refusal(untouched.sign(made(spec), place, name, bytes(length)))
    verifying = await refusal(untouched.verify(made(spec), place, name, bytes(length), bytes(64)))
    assert signing[0] == f"Invalid length of 'value': {length} {told}"
    assert verifying[0] == f"Invalid length of 'digest': {length} {told}"


# --- nonces and tags


@pytest.mark.parametrize("spec", OCT_KEYS, ids=name_of)
@pytest.mark.parametrize("length", [0, 1, 8, 12, 16])
async def test_nonce_supplied(untouched, place, spec, length):
    name = f"A{spec.bits}GCM"
    attempt = untouched.encrypt(made(spec), place, name, Sensitive(b"v"), iv=bytes(length))
    assert (await refusal(attempt))[0] == f"Property iv has invalid value: {name} takes none: the service makes it."


async def test_nonces_of_many_encryptions_all_differ(keeper, place):
    key, count = made(AES), 20_000
    sealed = [await keeper.encrypt(key, place, "A256GCM", Sensitive(b"v")) for _ in range(count)]
    assert len({each.iv for each in sealed}) == count
    assert len({each.value for each in sealed}) > 200, "one byte of key stream each"
    ones = sum(int.from_bytes(each.iv, "big").bit_count() for each in sealed)
    assert abs(ones - count * 48) < 6 * (count * 24) ** 0.5, "six standard deviations"


def test_nonces_come_from_the_operating_system(monkeypatch):
    asked = []
    monkeypatch.setattr(symmetric.os, "urandom", lambda length: asked.append(length) or b"\7" * length)
    sealed = symmetric.OctKey(Sensitive(bytes(32))).encrypt(ALGORITHMS["A256GCM"], Sensitive(b"v"), None, None)
    assert (sealed.iv, asked) == (b"\7" * 12, [12])


@pytest.mark.parametrize("length", [0, 1, 4, 8, 12, 13, 14, 15, 17, 32])
async def test_shortened_tag(keeper, place, length):
    key = made(AES)
    sealed = await keeper.encrypt(key, place, "A256GCM", Sensitive(b"value"), aad=b"context")
    tag = (sealed.tag + sealed.tag)[:length]
    shortened = Ciphertext(value=sealed.value, iv=sealed.iv, tag=tag, aad=sealed.aad)
    told = f"Invalid length of 'tag': {length} bytes. A256GCM requires 16 bytes, encoded with base64url."
    assert (await refusal(keeper.decrypt(key, place, "A256GCM", shortened)))[0] == told


@pytest.mark.parametrize("left_out", ["iv", "tag"])
async def test_a_nonce_or_tag_that_is_left_out(keeper, place, left_out):
    key = made(AES)
    sealed = await keeper.encrypt(key, place, "A256GCM", Sensitive(b"value"))
    parts = {"iv": sealed.iv, "tag": sealed.tag} | {left_out: None}
    attempt = keeper.decrypt(key, place, "A256GCM", Ciphertext(value=sealed.value, **parts))
    assert (await refusal(attempt))[0] == f"Property {left_out} has invalid value: A256GCM needs it."


async def test_a_tag_moved_into_the_ciphertext(keeper, place):
    """Whoever lays tag and ciphertext end to end must not be able to shift where one begins."""
    key = made(AES)
    sealed = await keeper.encrypt(key, place, "A256GCM", Sensitive(b"0123456789abcdef" * 2))
    whole = sealed.value + sealed.tag
    for cut in range(16, len(whole)):
        if cut != len(sealed.value):
            moved = Ciphertext(value=whole[:cut], iv=sealed.iv, tag=whole[cut : cut + 16].ljust(16, b"\0"))
            assert await refusal(keeper.decrypt(key, place, "A256GCM", moved)) == ONE_REFUSAL


@pytest.mark.parametrize(
    ("name", "spec", "member"),
    [
        ("A256CBC", AES, "aad"),
        ("A256CBCPAD", AES, "aad"),
        ("A256CBC", AES, "tag"),
        ("RSA-OAEP", RSA_KEYS[0], "iv"),
        ("RSA-OAEP", RSA_KEYS[0], "tag"),
        ("RSA-OAEP", RSA_KEYS[0], "aad"),
        ("RSA1_5", RSA_KEYS[0], "aad"),
    ],
)
async def test_what_an_algorithm_does_not_authenticate_is_not_taken_as_if_it_did(untouched, place, name, spec, member):
    key, told = made(spec), f"Property {member} has invalid value: {name} takes none."
    given = Ciphertext(**({"value": bytes(32), "iv": bytes(16) if spec is AES else None} | {member: b"given"}))
    assert (await refusal(untouched.decrypt(key, place, name, given)))[0] == told
    if member != "tag":
        attempt = untouched.encrypt(key, place, name, Sensitive(bytes(32)), **{member: b"given"})
        assert (await refusal(attempt))[0] == told


# --- padding oracles


def raw_rsa(key, padded):
    numbers = public_key_of(key).public_numbers()
    return pow(int.from_bytes(padded, "big"), numbers.e, numbers.n).to_bytes(len(padded), "big")


def bad_pkcs1(length):
    """Return what Bleichenbacher's attack and its children tell apart, by what is wrong with it."""
    filler, secret = bytes(range(1, 256)) * 2, b"the secret"
    rest = length - 3 - len(secret)
    return {
        "first byte": b"\1\2" + filler[:rest] + b"\0" + secret,
        "block type 1": b"\0\1" + filler[:rest] + b"\0" + secret,
        "block type 0": b"\0\0" + filler[:rest] + b"\0" + secret,
        "no separator": b"\0\2" + (filler + filler)[: length - 2],
        "separator first": b"\0\2\0" + filler[: length - 3],
        "short padding": b"\0\2" + filler[:7] + b"\0" + filler[: length - 10],
        "zero in padding": b"\0\2" + filler[:4] + b"\0" + filler[: length - 7],
        "all zero": b"\0" * length,
        "one": b"\0" * (length - 1) + b"\1",
    }


@pytest.mark.parametrize("spec", RSA_KEYS, ids=name_of)
@pytest.mark.parametrize("kind", bad_pkcs1(256))
async def test_padding_oracle_pkcs1_bad_padding_decrypts_like_good(fresh, place, spec, kind):
    """Implicit rejection: bytes that come from key and ciphertext, the same each time, and nothing of what was sent."""
    key, length = made(spec), spec.bits // 8
    ciphertext = raw_rsa(key, bad_pkcs1(length)[kind])
    found = {(await fresh.decrypt(key, place, "RSA1_5", Ciphertext(value=ciphertext))).reveal() for _ in range(3)}
    found |= {(await fresh.unwrap(key, place, "RSA1_5", ciphertext)).reveal()}
    (garbage,) = found
    assert len(garbage) <= length - 11
    assert b"the secret" not in garbage


async def test_padding_oracle_pkcs1_the_length_of_garbage_tells_nothing(fresh, place):
    """Lengths of what bad paddings decrypt to are spread over all that good ones could have."""
    key = made(RSA_KEYS[0])
    lengths = []
    for _ in range(300):
        ciphertext = b"\0" + os.urandom(255)
        lengths.append(len((await fresh.decrypt(key, place, "RSA1_5", Ciphertext(value=ciphertext))).reveal()))
    assert len(set(lengths)) > 100
    assert (min(lengths) < 40, max(lengths) > 200) == (True, True)


@pytest.mark.parametrize("name", ["RSA1_5", "RSA-OAEP", "RSA-OAEP-256"])
async def test_padding_oracle_rsa_what_is_no_ciphertext_of_the_key_is_refused_alike(fresh, place, name):
    key = made(RSA_KEYS[0])
    modulus = public_key_of(key).public_numbers().n
    for value in (b"", b"\0", bytes(255), bytes(257), bytes(512), b"\xff" * 256, modulus.to_bytes(256, "big")):
        assert await refusal(fresh.decrypt(key, place, name, Ciphertext(value=value))) == ONE_REFUSAL
        assert await refusal(fresh.unwrap(key, place, name, value)) == ONE_REFUSAL


@pytest.mark.parametrize("name", ["RSA-OAEP", "RSA-OAEP-256"])
async def test_padding_oracle_oaep_all_bad_paddings_are_refused_alike(fresh, place, name):
    """Manger's attack tells a first byte that is not 0 from all else that may be wrong."""
    key = made(RSA_KEYS[0])
    sealed = (await fresh.encrypt(key, place, name, Sensitive(b"secret"))).value
    other = "RSA-OAEP-256" if name == "RSA-OAEP" else "RSA-OAEP"
    attacks = [
        raw_rsa(key, b"\1" + bytes(255)),  # below the modulus, and its first byte is not 0
        raw_rsa(key, b"\0" + bytes(255)),
        raw_rsa(key, b"\0" + os.urandom(255)),
        raw_rsa(key, b"\0\2" + b"\1" * 200 + b"\0" + b"secret".rjust(53, b"x")),
        (await fresh.encrypt(key, place, other, Sensitive(b"secret"))).value,
        sealed[:-1] + bytes([sealed[-1] ^ 1]),
        bytes([sealed[0] >> 1]) + sealed[1:],
    ]
    for value in attacks:
        assert await refusal(fresh.decrypt(key, place, name, Ciphertext(value=value))) == ONE_REFUSAL
        assert await refusal(fresh.unwrap(key, place, name, value)) == ONE_REFUSAL


@pytest.mark.parametrize("spec", OCT_KEYS, ids=name_of)
async def test_padding_oracle_cbc_all_bad_paddings_are_refused_alike(fresh, place, spec):
    """Vaudenay's attack changes the block before the last until the padding is good."""
    key, name, plain = made(spec), f"A{spec.bits}CBCPAD", f"A{spec.bits}CBC"
    refusals = set()
    for last in (
        *(bytes(15) + bytes([end]) for end in (0, *range(17, 256))),
        *(b"\xaa" * (16 - end) + bytes([end ^ 1]) + bytes([end]) * (end - 1) for end in range(2, 17)),
    ):
        sealed = await fresh.encrypt(key, place, plain, Sensitive(bytes(16) + last))
        whole = Ciphertext(value=sealed.value, iv=sealed.iv)
        refusals.add(await refusal(fresh.decrypt(key, place, name, whole)))
    assert refusals == {ONE_REFUSAL}


async def test_padding_oracle_where_openssl_cannot_reject_implicitly_nothing_is_decrypted(fresh, place, monkeypatch):
    monkeypatch.setattr(rsa, "REJECTS_IMPLICITLY", False)
    key = made(RSA_KEYS[0])
    good = (await fresh.encrypt(key, place, "RSA1_5", Sensitive(b"v"))).value
    refusals = {
        await refusal(fresh.decrypt(key, place, "RSA1_5", Ciphertext(value=value)))
        for value in (good, bytes(256), b"", raw_rsa(key, bytes(256)))
    }
    assert [message for message, *_ in refusals] == [
        "RSA1_5 cannot decrypt here: the OpenSSL of this server is too old to do so safely."
    ]
    sealed = (await fresh.encrypt(key, place, "RSA-OAEP", Sensitive(b"v"))).value
    assert (await fresh.unwrap(key, place, "RSA-OAEP", sealed)).reveal() == b"v"


# --- what must not be seen


def shown(thing):
    """Return all that a thing shows of itself in a log, a trace or a debugger's first look."""
    slots = [getattr(thing, name) for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
    return " ".join([repr(thing), str(thing), *map(repr, slots)])


@pytest.mark.parametrize("spec", EVERY_KEY, ids=name_of)
async def test_no_private_byte_is_shown(fresh, place, spec):
    key = made(spec)
    material = a_custodian().open(place.key, key.handle, place.context).reveal()
    loaded = fresh._open(key, place)
    text = shown(loaded) + repr(key) + repr(loaded.material())
    for start in range(0, max(1, len(material) - 16), 8):
        piece = material[start : start + 16]
        if not any(piece in part for part in (key.public.n, key.public.x, key.public.y, key.public.pub) if part):
            assert piece.hex() not in text
            assert repr(piece)[2:-1] not in text


async def test_a_refused_key_is_not_shown(fresh, place):
    for parts in (
        rsa_parts(library.generate_private_key(65537, 2048)),
        ec_parts(ec.generate_private_key(ec.SECP256R1()), "P-256"),
    ):
        wrong = changed(parts, d=value_of(parts, "d") - 2)
        message, *_ = await refusal(fresh.take(wrong, place))
        assert str(value_of(parts, "d"))[:20] not in message
        assert "Sensitive(…)" in repr(parts)
        assert repr(parts.d.reveal()) not in repr(parts)


async def test_what_was_taken_can_be_used_at_once(fresh, place):
    key = taken(ec_parts(ec.generate_private_key(ec.SECP384R1()), "P-384"))
    row = ALGORITHMS["ES384"]
    signature = await fresh.sign(key, place, row.name, digest_for(row))
    assert await fresh.verify(key, place, row.name, digest_for(row), signature)
