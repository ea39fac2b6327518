"""A128CBC to A256CBC, and the same with PKCS#7 padding."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from key_doubles import OCT_KEYS, made, name_of, openssl, taken
from key_vectors import nist, wycheproof, wycheproof_cases
from strongroom.custody import symmetric as ours
from strongroom.custody.algorithms import ALGORITHMS
from strongroom.custody.provider import Ciphertext, KeyType, PrivateParts
from strongroom.errors import BadRequest
from strongroom.sensitive import Sensitive

REFUSAL = "Unable to decrypt specified value with this key."
IV = bytes(range(16))
RAW = {128: bytes(range(16)), 192: bytes(range(24)), 256: bytes(range(32))}
every_key = pytest.mark.parametrize("spec", OCT_KEYS, ids=name_of)
every_size = pytest.mark.parametrize("bits", RAW)


def loaded(raw):
    return ours.OctKey(Sensitive(raw))


@every_key
@pytest.mark.parametrize("suffix", ["CBC", "CBCPAD"])
@pytest.mark.parametrize("iv", [None, IV])
async def test_what_was_encrypted_comes_back(keeper, place, spec, suffix, iv):
    key, name = made(spec), f"A{spec.bits}{suffix}"
    for length in (16, 32, 4096) if suffix == "CBC" else (0, 1, 15, 16, 17, 4096):
        sealed = await keeper.encrypt(key, place, name, Sensitive(b"p" * length), iv=iv)
        assert (len(sealed.iv), sealed.tag, sealed.aad) == (16, None, None)
        assert iv is None or sealed.iv == iv
        assert len(sealed.value) == (length if suffix == "CBC" else length + 16 - length % 16)
        assert (await keeper.decrypt(key, place, name, sealed)).reveal() == b"p" * length


async def test_an_iv_that_is_made_is_never_the_same(keeper, place):
    key = made(OCT_KEYS[2])
    found = {(await keeper.encrypt(key, place, "A256CBCPAD", Sensitive(b"v"))).iv for _ in range(200)}
    assert len(found) == 200


@every_size
@settings(max_examples=8, deadline=None)
@given(plaintext=st.binary(max_size=70))
def test_openssl_decrypts_what_was_encrypted_and_the_reverse(bits, plaintext):
    raw, row = RAW[bits], ALGORITHMS[f"A{bits}CBCPAD"]
    sealed = loaded(raw).encrypt(row, Sensitive(plaintext), IV, None)
    arguments = ["enc", f"-aes-{bits}-cbc", "-K", raw.hex(), "-iv", IV.hex()]
    assert openssl(*arguments, given=plaintext) == sealed.value
    assert openssl(*arguments, "-d", given=sealed.value) == plaintext


@every_size
def test_openssl_decrypts_whole_blocks(bits):
    raw, row, plaintext = RAW[bits], ALGORITHMS[f"A{bits}CBC"], b"0123456789abcdef" * 3
    sealed = loaded(raw).encrypt(row, Sensitive(plaintext), IV, None)
    arguments = ["enc", f"-aes-{bits}-cbc", "-nopad", "-K", raw.hex(), "-iv", IV.hex()]
    assert openssl(*arguments, given=plaintext) == sealed.value
    assert loaded(raw).decrypt(row, Ciphertext(value=sealed.value, iv=IV)).reveal() == plaintext


@pytest.mark.parametrize("length", [0, 1, 15, 17, 31])
async def test_without_padding_there_are_only_whole_blocks(keeper, place, length):
    with pytest.raises(BadRequest, match=f"'value': {length} bytes. A256CBC requires 16 bytes or a multiple of them"):
        await keeper.encrypt(made(OCT_KEYS[2]), place, "A256CBC", Sensitive(bytes(length)))


@pytest.mark.parametrize("name", ["A256CBC", "A256CBCPAD"])
@pytest.mark.parametrize("length", [0, 1, 15, 17, 31])
async def test_what_is_no_whole_block_does_not_decrypt(keeper, place, name, length):
    with pytest.raises(BadRequest, match=f"'value': {length} bytes. {name} requires 16 bytes or a multiple of them"):
        await keeper.decrypt(made(OCT_KEYS[2]), place, name, Ciphertext(value=bytes(length), iv=IV))


@pytest.mark.parametrize("name", ["A256CBC", "A256CBCPAD"])
@pytest.mark.parametrize("length", [0, 12, 15, 17, 32])
async def test_an_iv_has_16_bytes(keeper, place, name, length):
    key, told = made(OCT_KEYS[2]), f"'iv': {length} bytes. {name} requires 16 bytes"
    with pytest.raises(BadRequest, match=told):
        await keeper.encrypt(key, place, name, Sensitive(bytes(16)), iv=bytes(length))
    with pytest.raises(BadRequest, match=told):
        await keeper.decrypt(key, place, name, Ciphertext(value=bytes(16), iv=bytes(length)))


async def test_decrypting_needs_the_iv(keeper, place):
    with pytest.raises(BadRequest, match="Property iv has invalid value: A256CBC needs it"):
        await keeper.decrypt(made(OCT_KEYS[2]), place, "A256CBC", Ciphertext(value=bytes(16)))


# --- official vectors


def decrypted(key, iv, ciphertext, suffix="CBCPAD"):
    row = ALGORITHMS[f"A{len(key) * 8}{suffix}"]
    try:
        return loaded(key).decrypt(row, Ciphertext(value=ciphertext, iv=iv)).reveal()
    except BadRequest:
        return None


def test_wycheproof():
    cases = [case for _, case in wycheproof_cases("aes_cbc_pkcs5_test")]
    suites = [suite for suite in wycheproof("selection")["suites"] if suite["alg"].endswith("CBCPAD")]
    assert len(suites) == 3
    for case in [*cases, *(case for suite in suites for case in suite["tests"])]:
        key, iv, ct, msg = (bytes.fromhex(case[name]) for name in ("key", "iv", "ct", "msg"))
        assert decrypted(key, iv, ct) == (msg if case["result"] == "valid" else None), case
        if case["result"] == "valid":
            row = ALGORITHMS[f"A{len(key) * 8}CBCPAD"]
            assert loaded(key).encrypt(row, Sensitive(msg), iv, None).value == ct


@every_size
@pytest.mark.parametrize("file", ["CBCGFSbox", "CBCKeySbox", "CBCMMT", "CBCVarKey", "CBCVarTxt"])
def test_nist(bits, file):
    cases = nist(f"ciphers/AES/CBC/{file}{bits}.rsp", "ciphertext")
    assert cases
    for case in cases:
        key, iv, text, ct = (bytes.fromhex(case[name]) for name in ("key", "iv", "plaintext", "ciphertext"))
        assert decrypted(key, iv, ct, "CBC") == text
        assert loaded(key).encrypt(ALGORITHMS[f"A{bits}CBC"], Sensitive(text), iv, None).value == ct


async def test_a_key_that_is_brought_decrypts_what_openssl_encrypted_with_it(keeper, place):
    key = taken(PrivateParts(type=KeyType.OCT, k=Sensitive(RAW[192])))
    theirs = openssl("enc", "-aes-192-cbc", "-K", RAW[192].hex(), "-iv", IV.hex(), given=b"value")
    assert (await keeper.decrypt(key, place, "A192CBCPAD", Ciphertext(value=theirs, iv=IV))).reveal() == b"value"
