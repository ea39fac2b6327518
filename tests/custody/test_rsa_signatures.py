"""RS256 to RS512, PS256 to PS512 and RSNULL."""

import hashlib
from functools import cache

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from hypothesis import given, settings
from hypothesis import strategies as st

from key_doubles import RSA_KEYS, digest_for, made, name_of, openssl, public_key_of, public_pem, rsa_parts, taken
from key_vectors import nist, unpadded, wycheproof, wycheproof_cases
from strongroom.custody import rsa as ours
from strongroom.custody.algorithms import ALGORITHMS
from strongroom.custody.rsa import RsaPublicKey
from strongroom.errors import BadRequest

DIGEST_INFO = {  # RFC 8017, section 9.2, note 1
    "sha1": "3021300906052b0e03021a05000414",
    "sha256": "3031300d060960864801650304020105000420",
}
NAMES = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
LIBRARY = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
every_key = pytest.mark.parametrize("spec", RSA_KEYS, ids=name_of)


@every_key
@pytest.mark.parametrize("name", [*NAMES, "RSNULL"])
async def test_what_was_signed_verifies_and_nothing_else_does(keeper, place, spec, name):
    row, key = ALGORITHMS[name], made(spec)
    digest = digest_for(row)
    signature = await keeper.sign(key, place, name, digest)
    assert len(signature) == spec.bits // 8
    assert await keeper.verify(key, place, name, digest, signature)
    assert not await keeper.verify(key, place, name, digest_for(row, b"another"), signature)
    for wrong in (b"", signature[:-1], signature + b"\0", b"\0" + signature, bytes(len(signature)), b"\xff" * 512):
        assert not await keeper.verify(key, place, name, digest, wrong)
    other = next(each for each in NAMES if each[2:] == name[2:] and each != name) if name != "RSNULL" else None
    assert other is None or not await keeper.verify(key, place, other, digest, signature)


@settings(max_examples=30, deadline=None)
@given(message=st.binary(max_size=64), bit=st.integers(min_value=0, max_value=2047), name=st.sampled_from(NAMES))
def test_no_bit_of_a_signature_may_change(message, bit, name):
    row, key = ALGORITHMS[name], our_key()
    signature = bytearray(key.sign(row, digest_for(row, message)))
    signature[bit // 8] ^= 1 << (bit % 8)
    assert not key.verify(row, digest_for(row, message), bytes(signature))


@cache
def our_key():
    return ours.generate(RSA_KEYS[0])


def padding_of(row):
    if row.name.startswith("PS"):
        return padding.PSS(padding.MGF1(LIBRARY[row.digest]), row.digest_bytes)
    return padding.PKCS1v15()


@every_key
@pytest.mark.parametrize("name", NAMES)
async def test_another_library_verifies_what_was_signed(keeper, place, spec, name):
    row, key = ALGORITHMS[name], made(spec)
    digest = digest_for(row)
    signature = await keeper.sign(key, place, name, digest)
    public_key_of(key).verify(signature, digest, padding_of(row), Prehashed(LIBRARY[row.digest]))


@every_key
@pytest.mark.parametrize("name", NAMES)
async def test_openssl_verifies_what_was_signed(keeper, place, spec, name, tmp_path):
    row, key = ALGORITHMS[name], made(spec)
    (tmp_path / "public").write_bytes(public_pem(key))
    (tmp_path / "signature").write_bytes(await keeper.sign(key, place, name, digest_for(row)))
    arguments = ["-verify", "-pubin", "-inkey", tmp_path / "public", "-sigfile", tmp_path / "signature"]
    assert b"Verified" in openssl("pkeyutl", *arguments, *options(row), given=digest_for(row))


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
@pytest.mark.parametrize("name", NAMES)
async def test_what_openssl_signed_verifies(keeper, place, bits, name, tmp_path):
    private = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}")
    (tmp_path / "private").write_bytes(private)
    key = taken(rsa_parts(serialization.load_pem_private_key(private, None)))
    row = ALGORITHMS[name]
    arguments = ["-sign", "-inkey", tmp_path / "private", *options(row)]
    signature = openssl("pkeyutl", *arguments, given=digest_for(row))
    assert await keeper.verify(key, place, name, digest_for(row), signature)
    if name.startswith("RS"):  # the same bits: nothing in it is random
        assert await keeper.sign(key, place, name, digest_for(row)) == signature


def options(row):
    scheme = ["pss", "-pkeyopt", f"rsa_pss_saltlen:{row.digest_bytes}"] if row.name.startswith("PS") else ["pkcs1"]
    return ["-pkeyopt", f"digest:{row.digest}", "-pkeyopt", f"rsa_padding_mode:{scheme[0]}", *scheme[1:]]


# --- RSNULL: the caller makes the DigestInfo, as for SHA-1; so does TLS 1.0, whose 36 bytes have none


@pytest.mark.parametrize("digest", DIGEST_INFO)
async def test_rsnull_signs_a_digest_info_that_the_caller_made(keeper, place, digest):
    key, hashed = made(RSA_KEYS[0]), hashlib.new(digest, b"message").digest()
    signature = await keeper.sign(key, place, "RSNULL", bytes.fromhex(DIGEST_INFO[digest]) + hashed)
    library = hashes.SHA1() if digest == "sha1" else hashes.SHA256()
    public_key_of(key).verify(signature, b"message", padding.PKCS1v15(), library)
    if digest == "sha256":
        assert signature == await keeper.sign(key, place, "RS256", hashed)
        assert await keeper.verify(key, place, "RS256", hashed, signature)


async def test_openssl_finds_in_an_rsnull_signature_what_was_signed(keeper, place, tmp_path):
    key, value = made(RSA_KEYS[0]), bytes(range(36))
    (tmp_path / "public").write_bytes(public_pem(key))
    signature = await keeper.sign(key, place, "RSNULL", value)
    arguments = ["-verifyrecover", "-pubin", "-inkey", tmp_path / "public", "-pkeyopt", "rsa_padding_mode:pkcs1"]
    assert openssl("pkeyutl", *arguments, given=signature) == value


@pytest.mark.parametrize("length", [1, 36, 245])
async def test_rsnull_signs_what_fits_into_the_key(keeper, place, length):
    key, value = made(RSA_KEYS[0]), b"v" * length
    signature = await keeper.sign(key, place, "RSNULL", value)
    assert await keeper.verify(key, place, "RSNULL", value, signature)
    assert not await keeper.verify(key, place, "RSNULL", b"w" * length, signature)
    assert not await keeper.verify(key, place, "RSNULL", value[:-1] + b"w", signature)
    assert length == 1 or not await keeper.verify(key, place, "RSNULL", value[:-1], signature)


@pytest.mark.parametrize("length", [0, 246, 256, 70_000])
async def test_rsnull_refuses_what_does_not(keeper, place, length):
    key = made(RSA_KEYS[0])
    with pytest.raises(BadRequest, match=f"'value': {length} bytes. RSNULL with 2048 bits requires 1 to 245 bytes"):
        await keeper.sign(key, place, "RSNULL", bytes(length))
    with pytest.raises(BadRequest, match=f"'digest': {length} bytes"):
        await keeper.verify(key, place, "RSNULL", bytes(length), bytes(256))


# --- official vectors


def public_of(jwk):
    n, e = (int.from_bytes(unpadded(jwk[name]), "big") for name in ("n", "e"))
    return RsaPublicKey(rsa.RSAPublicNumbers(e, n).public_key())


PKCS1 = [f"rsa_signature_{bits}_sha{sha}_test" for bits in (2048, 3072, 4096) for sha in (256, 384, 512)]
PSS = [
    *("rsa_pss_2048_sha256_mgf1_32_test", "rsa_pss_2048_sha384_mgf1_48_test", "rsa_pss_3072_sha256_mgf1_32_test"),
    *("rsa_pss_4096_sha256_mgf1_32_test", "rsa_pss_4096_sha384_mgf1_48_test", "rsa_pss_4096_sha512_mgf1_64_test"),
]


@pytest.mark.parametrize("name", [*PKCS1, *PSS])
def test_wycheproof_signatures(name):
    wrong = []
    for group, case in wycheproof_cases(name):
        numbers = group["publicKey"]
        key = RsaPublicKey(
            rsa.RSAPublicNumbers(int(numbers["publicExponent"], 16), int(numbers["modulus"], 16)).public_key()
        )
        row = ALGORITHMS[("PS" if "pss" in name else "RS") + group["sha"].removeprefix("SHA-")]
        digest = digest_for(row, bytes.fromhex(case["msg"]))
        found = key.verify(row, digest, bytes.fromhex(case["sig"]))
        # "acceptable" is a DigestInfo without its NULL: RFC 8017 lets a verifier choose, and we take it for none.
        if found != (case["result"] == "valid"):
            wrong.append((case["tcId"], case["comment"]))
    assert not wrong


async def test_wycheproof_generated_signatures(keeper, place):
    suites = [suite for suite in wycheproof("selection")["suites"] if suite["op"] == "sign"]
    assert len(suites) == 9
    for suite in suites:
        row = ALGORITHMS[suite["alg"]]
        key = taken(rsa_parts(serialization.load_der_private_key(bytes.fromhex(suite["pkcs8"]), None)))
        for case in suite["tests"]:
            digest = digest_for(row, bytes.fromhex(case["msg"]))
            signature = bytes.fromhex(case["sig"])
            assert await keeper.verify(key, place, row.name, digest, signature)
            assert await keeper.sign(key, place, row.name, digest) == signature


@pytest.mark.parametrize("name", ["SigVer15_186-3", "SigGen15_186-3"])
def test_nist_pkcs1_signatures(name):
    cases = [case for case in nist(f"asymmetric/RSA/FIPS_186-2/{name}.rsp", "msg") if case["shaalg"] in NIST_HASHES]
    assert len(cases) > 40
    assert not [case["count"] for case in cases if nist_verifies(case, "RS") != case.get("result", "P").startswith("P")]


def test_nist_pss_signatures_whose_salt_is_no_digest_s_length_are_none():
    cases = nist("asymmetric/RSA/FIPS_186-2/SigVerPSS_186-3.rsp", "msg")
    sound = [case for case in cases if case["shaalg"] in NIST_HASHES and case["result"].startswith("P")]
    assert sound
    assert not any(nist_verifies(case, "PS") for case in sound)


NIST_HASHES = {"SHA256", "SHA384", "SHA512"}


def nist_verifies(case, scheme):
    row = ALGORITHMS[scheme + case["shaalg"].removeprefix("SHA")]
    try:
        key = rsa.RSAPublicNumbers(int(case["e"], 16), int(case["n"], 16)).public_key()
    except ValueError:
        return False  # an exponent that was changed to an even one
    digest = digest_for(row, bytes.fromhex(case["msg"]))
    return RsaPublicKey(key).verify(row, digest, bytes.fromhex(case["s"]))


def test_a_key_with_exponent_3_signs_and_no_forger_does():
    """Bleichenbacher's forgery of 2006: a cube whose beginning looks right, with garbage where padding should be."""
    key = ours.RsaKey(rsa.generate_private_key(3, 2048))
    row, digest = ALGORITHMS["RS256"], digest_for(ALGORITHMS["RS256"])
    assert key.verify(row, digest, key.sign(row, digest))
    beginning = b"\0\1" + b"\xff" * 8 + b"\0" + bytes.fromhex(DIGEST_INFO["sha256"]) + digest
    forged = cube_root(int.from_bytes(beginning + b"\xff" * (256 - len(beginning)), "big"))
    assert (forged**3).to_bytes(256, "big").startswith(beginning)
    assert not key.verify(row, digest, forged.to_bytes(256, "big"))
    bare = ALGORITHMS["RSNULL"]
    assert not key.verify(bare, bytes.fromhex(DIGEST_INFO["sha256"]) + digest, forged.to_bytes(256, "big"))


def cube_root(number):
    low, high = 0, 1 << (number.bit_length() // 3 + 1)
    while low < high - 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**3 <= number else (low, middle)
    return low
