"""ES256, ES256K, ES384 and ES512: r and s of fixed length."""

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st

from key_doubles import (
    CURVES,
    EC_KEYS,
    changed,
    digest_for,
    ec_parts,
    made,
    name_of,
    octets,
    openssl,
    public_key_of,
    public_pem,
    taken,
    value_of,
)
from key_vectors import nist, parts_of, wycheproof, wycheproof_cases
from strongroom.custody import elliptic as ours
from strongroom.custody.algorithms import ALGORITHMS
from strongroom.custody.elliptic import EcPublicKey
from strongroom.custody.provider import KeyType, PrivateParts
from strongroom.errors import BadRequest
from strongroom.sensitive import Sensitive

LENGTHS = {"P-256": 32, "P-384": 48, "P-521": 66, "P-256K": 32}
NAMES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "P-256K": "ES256K"}
OPENSSL_NAMES = {"P-256": "P-256", "P-384": "P-384", "P-521": "P-521", "P-256K": "secp256k1"}
LIBRARY = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
UNSOUND = "EC key is not valid - cannot instantiate crypto service: "
NO_KEY = 'The property "key" must be a valid JsonWebKey object: '
every_key = pytest.mark.parametrize("spec", EC_KEYS, ids=name_of)
every_curve = pytest.mark.parametrize("curve", LENGTHS)


def row_of(curve):
    return ALGORITHMS[NAMES[curve]]


def der_of(signature):
    half = len(signature) // 2
    return encode_dss_signature(*(int.from_bytes(each, "big") for each in (signature[:half], signature[half:])))


def raw_of(der, curve):
    return b"".join(each.to_bytes(LENGTHS[curve], "big") for each in decode_dss_signature(der))


@every_key
async def test_what_was_signed_verifies_and_nothing_else_does(keeper, place, spec):
    row, key = row_of(spec.curve), made(spec)
    digest = digest_for(row)
    signature = await keeper.sign(key, place, row.name, digest)
    assert len(signature) == 2 * LENGTHS[spec.curve]
    assert await keeper.verify(key, place, row.name, digest, signature)
    assert not await keeper.verify(key, place, row.name, digest_for(row, b"another"), signature)
    half = len(signature) // 2
    for wrong in (
        *(b"", signature[:-1], signature + b"\0", b"\0" + signature, der_of(signature), signature[:half]),
        *(bytes(len(signature)), b"\xff" * len(signature), signature[half:] + signature[:half]),
        *(bytes(half) + signature[half:], signature[:half] + bytes(half)),
        *(signature[:half] + b"\0" + signature[half:], signature[:half] + bytes(half) + signature[half:]),
    ):
        assert not await keeper.verify(key, place, row.name, digest, wrong)


@every_curve
@settings(max_examples=15, deadline=None)
@given(message=st.binary(max_size=64), position=st.integers(min_value=0))
def test_no_bit_of_a_signature_may_change(curve, message, position):
    row, key = row_of(curve), loaded(curve)
    signature = bytearray(key.sign(row, digest_for(row, message)))
    assert key.verify(row, digest_for(row, message), bytes(signature))
    bit = position % (len(signature) * 8)
    signature[bit // 8] ^= 1 << (bit % 8)
    assert not key.verify(row, digest_for(row, message), bytes(signature))


def loaded(curve, kept={}):  # noqa: B006 - made once for each
    if curve not in kept:
        kept[curve] = ours.generate(next(spec for spec in EC_KEYS if spec.curve == curve))
    return kept[curve]


@every_key
async def test_r_and_s_keep_their_length_when_they_are_small(keeper, place, spec):
    row, key = row_of(spec.curve), made(spec)
    signatures = [await keeper.sign(key, place, row.name, digest_for(row, bytes([each]))) for each in range(256)]
    assert {len(each) for each in signatures} == {2 * LENGTHS[spec.curve]}
    assert len({each[: len(each) // 2] for each in signatures}) == len(signatures), "no r comes twice"
    assert any(each[0] == 0 for each in signatures) or spec.curve != "P-521", "half of all r of P-521 begin with 0"


@every_key
async def test_another_library_verifies_what_was_signed(keeper, place, spec):
    row, key = row_of(spec.curve), made(spec)
    signature = await keeper.sign(key, place, row.name, digest_for(row))
    public_key_of(key).verify(der_of(signature), digest_for(row), ec.ECDSA(Prehashed(LIBRARY[row.digest])))


@every_key
async def test_openssl_verifies_what_was_signed(keeper, place, spec, tmp_path):
    row, key = row_of(spec.curve), made(spec)
    (tmp_path / "public").write_bytes(public_pem(key))
    (tmp_path / "signature").write_bytes(der_of(await keeper.sign(key, place, row.name, digest_for(row))))
    arguments = ["-verify", "-pubin", "-inkey", tmp_path / "public", "-sigfile", tmp_path / "signature"]
    assert b"Verified" in openssl("pkeyutl", *arguments, given=digest_for(row))


@every_curve
async def test_what_openssl_signed_verifies(keeper, place, curve, tmp_path):
    arguments = ["-pkeyopt", f"ec_paramgen_curve:{OPENSSL_NAMES[curve]}", "-pkeyopt", "ec_param_enc:named_curve"]
    private = openssl("genpkey", "-algorithm", "EC", *arguments)
    (tmp_path / "private").write_bytes(private)
    key, row = taken(ec_parts(serialization.load_pem_private_key(private, None), curve)), row_of(curve)
    signature = openssl("pkeyutl", "-sign", "-inkey", tmp_path / "private", given=digest_for(row))
    assert await keeper.verify(key, place, row.name, digest_for(row), raw_of(signature, curve))


# --- keys that callers bring


def refusal(parts):
    with pytest.raises(BadRequest) as caught:
        ours.take(parts)
    return caught.value.message


def sound(curve):
    return ec_parts(ec.generate_private_key(CURVES[curve]), curve)


@every_curve
async def test_a_sound_key_is_taken_as_it_is(keeper, place, curve):
    theirs = ec.generate_private_key(CURVES[curve])
    key = await keeper.take(ec_parts(theirs, curve), place)
    assert key.spec.curve == curve
    assert public_key_of(key) == theirs.public_key()
    assert len(key.public.x) == len(key.public.y) == LENGTHS[curve]


@pytest.mark.parametrize("d", [1, 2, 0xFFFF])
@every_curve
def test_coordinates_are_told_at_their_full_length_and_taken_without_leading_zeros(curve, d):
    theirs = ec.derive_private_key(d, CURVES[curve])
    parts = ec_parts(theirs, curve)
    short = changed(parts, **{name: value_of(parts, name) for name in ("x", "y", "d")})
    long = changed(parts, **{name: b"\0" + octets(value_of(parts, name), LENGTHS[curve]) for name in ("x", "y", "d")})
    for given_parts in (parts, short, long):
        key = ours.take(given_parts)
        assert (key.public.x, key.public.y) == (parts.x, parts.y)
        assert len(key.public.x) == len(key.public.y) == LENGTHS[curve]


def test_the_curve_s_name_of_the_preview_is_taken():
    assert ours.take(changed(sound("P-256K"), curve="SECP256K1")).spec.curve == "P-256K"


@every_curve
@pytest.mark.parametrize("name", ["x", "y", "d"])
def test_every_member_is_needed_and_bounded(curve, name):
    parts = sound(curve)
    assert refusal(changed(parts, **{name: None})) == f"{NO_KEY}{name} is missing."
    for length in (0, LENGTHS[curve] + 2, 1_000_000):
        assert refusal(changed(parts, **{name: bytes(length)})) == (
            f"{NO_KEY}{name} has {length} bytes, where {LENGTHS[curve] + 1} are the most."
        )


def test_the_curve_is_needed_and_known():
    assert refusal(changed(sound("P-256"), curve=None)) == f"{NO_KEY}crv is missing."
    assert "crv has invalid value" in refusal(changed(sound("P-256"), curve="P-224"))
    assert "crv has invalid value" in refusal(changed(sound("P-256"), curve="Ed25519"))


@every_curve
def test_a_private_number_out_of_range_is_refused(curve):
    order, parts = CURVES[curve].group_order, sound(curve)
    for d in (b"\0", order, order + value_of(parts, "d") if curve != "P-521" else order + 1):
        assert refusal(changed(parts, d=d)) == f"{UNSOUND}d is not between 1 and the order of {curve}."


@every_curve
def test_a_point_that_is_not_on_the_curve_is_refused(curve):
    parts = sound(curve)
    zero = bytes(LENGTHS[curve])
    for wrong in ({"x": value_of(parts, "x") ^ 1}, {"x": zero, "y": zero}, {"y": b"\xff" * LENGTHS[curve]}):
        assert refusal(changed(parts, **wrong)) == f"{UNSOUND}x and y are no point of {curve}."


@every_curve
@pytest.mark.parametrize("name", ["x", "y"])
def test_a_coordinate_that_is_right_but_for_the_curve_s_prime_is_refused(curve, name):
    parts = ec_parts(ec.derive_private_key(5, CURVES[curve]), curve)
    larger = changed(parts, **{name: value_of(parts, name) + CURVE_PRIMES[curve]})
    assert refusal(larger) == f"{UNSOUND}x and y are no point of {curve}."


@every_curve
def test_the_public_half_of_another_key_is_refused(curve):
    parts, other = sound(curve), sound(curve)
    assert refusal(changed(parts, x=other.x, y=other.y)) == f"{UNSOUND}d does not belong to x and y."
    negated = CURVE_PRIMES[curve] - value_of(parts, "y")
    assert refusal(changed(parts, y=octets(negated))) == f"{UNSOUND}d does not belong to x and y."


CURVE_PRIMES = {
    "P-256": 2**256 - 2**224 + 2**192 + 2**96 - 1,
    "P-384": 2**384 - 2**128 - 2**96 + 2**32 - 1,
    "P-521": 2**521 - 1,
    "P-256K": 2**256 - 2**32 - 977,
}


def test_a_point_of_another_curve_is_refused():
    parts = sound("P-256")
    for curve in ("P-256K", "P-384", "P-521"):
        assert refusal(changed(parts, curve=curve)) == f"{UNSOUND}x and y are no point of {curve}."


@settings(max_examples=50, deadline=None)
@given(
    curve=st.sampled_from(list(LENGTHS)), x=st.binary(max_size=70), y=st.binary(max_size=70), d=st.binary(max_size=70)
)
def test_whatever_is_brought_is_refused_in_words(curve, x, y, d):
    refusal(PrivateParts(type=KeyType.EC, curve=curve, x=x, y=y, d=Sensitive(d)))


# --- official vectors

WYCHEPROOF = {
    "P-256": "ecdsa_secp256r1_sha256_p1363_test",
    "P-384": "ecdsa_secp384r1_sha384_p1363_test",
    "P-521": "ecdsa_secp521r1_sha512_p1363_test",
    "P-256K": "ecdsa_secp256k1_sha256_p1363_test",
}


@every_curve
def test_wycheproof_signatures(curve):
    row, wrong = row_of(curve), []
    for group, case in wycheproof_cases(WYCHEPROOF[curve]):
        point = bytes.fromhex(group["publicKey"]["uncompressed"])
        key = EcPublicKey(ec.EllipticCurvePublicKey.from_encoded_point(CURVES[curve], point))
        digest = digest_for(row, bytes.fromhex(case["msg"]))
        if key.verify(row, digest, bytes.fromhex(case["sig"])) != (case["result"] == "valid"):
            wrong.append((case["tcId"], case["comment"]))
    assert not wrong


@pytest.mark.parametrize(
    ("path", "curves"),
    [
        ("FIPS_186-3/SigVer.rsp", {"P-256,SHA-256": "P-256", "P-384,SHA-384": "P-384", "P-521,SHA-512": "P-521"}),
        ("FIPS_186-3/SigGen.txt", {"P-256,SHA-256": "P-256", "P-384,SHA-384": "P-384", "P-521,SHA-512": "P-521"}),
        ("SECP256K1/SigGen.txt", {"K-256,SHA-256": "P-256K"}),
    ],
)
def test_nist_signatures(path, curves):
    checked, wrong = 0, []
    for case in nist(f"asymmetric/ECDSA/{path}", "msg"):
        curve = next((curves[heading] for heading in curves if heading.lower() in case), None)
        if curve is None:
            continue
        row, checked = row_of(curve), checked + 1
        numbers = ec.EllipticCurvePublicNumbers(int(case["qx"], 16), int(case["qy"], 16), CURVES[curve])
        signature = octets(int(case["r"], 16), LENGTHS[curve]) + octets(int(case["s"], 16), LENGTHS[curve])
        found = EcPublicKey(numbers.public_key()).verify(row, digest_for(row, bytes.fromhex(case["msg"])), signature)
        if found != case.get("result", "P").startswith("P"):
            wrong.append(case)
    assert checked >= 15
    assert not wrong


def test_nist_key_pairs():
    checked = 0
    for case in nist("asymmetric/ECDSA/FIPS_186-3/KeyPair.rsp", "d"):
        curve = next((each for each in ("P-256", "P-384", "P-521") if each.lower() in case), None)
        if curve is None:
            continue
        x, y, d = (octets(int(case[name], 16), LENGTHS[curve]) for name in ("qx", "qy", "d"))
        key = ours.take(PrivateParts(type=KeyType.EC, curve=curve, x=x, y=y, d=Sensitive(d)))
        assert (key.public.x, key.public.y) == (x, y)
        checked += 1
    assert checked >= 30


def test_nist_public_keys_that_are_none():
    refused = 0
    for case in nist("asymmetric/ECDSA/FIPS_186-3/PKV.rsp", "result"):
        curve = next((each for each in ("P-256", "P-384", "P-521") if each.lower() in case), None)
        if curve is None:
            continue
        x, y = (octets(int(case[name], 16)) for name in ("qx", "qy"))
        message = refusal(PrivateParts(type=KeyType.EC, curve=curve, x=x, y=y, d=Sensitive(b"\1")))
        if case["result"].startswith("P"):
            assert message.endswith("d does not belong to x and y.")
        else:
            assert message.endswith(f"x and y are no point of {curve}.") or "bytes, where" in message
            refused += 1
    assert refused >= 20


def test_wycheproof_keys():
    for group in wycheproof("json_web_key_test")["testGroups"]:
        for jwk in group["private"]["keys"]:
            if jwk["kty"] != "EC" or "d" not in jwk:
                continue
            if group["comment"] == "invalid_point":
                assert refusal(parts_of(jwk)).endswith("x and y are no point of P-256.")
            elif group["comment"] == "wrong_curve":
                assert refusal(parts_of(jwk)).endswith("x and y are no point of P-384.")
            else:
                assert ours.take(parts_of(jwk)).spec.curve == "P-256"
