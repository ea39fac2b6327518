"""A128GCM, A192GCM and A256GCM: nonces are the service's own, tags are whole."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from key_doubles import OCT_KEYS, made, name_of, taken
from key_vectors import nist, wycheproof, wycheproof_cases
from strongroom.custody import symmetric as ours
from strongroom.custody.algorithms import ALGORITHMS
from strongroom.custody.provider import Ciphertext, KeyType, PrivateParts
from strongroom.errors import BadRequest
from strongroom.sensitive import Sensitive

REFUSAL = "Unable to decrypt specified value with this key."
every_key = pytest.mark.parametrize("spec", OCT_KEYS, ids=name_of)
texts = st.one_of(st.none(), st.binary(max_size=40))


def name_for(spec):
    return f"A{spec.bits}GCM"


def loaded(raw):
    return ours.OctKey(Sensitive(raw))


def opened(raw, ciphertext):
    """Return what a ciphertext opens to, None where it is refused as all that do not open are."""
    try:
        return loaded(raw).decrypt(ALGORITHMS[f"A{len(raw) * 8}GCM"], ciphertext).reveal()
    except BadRequest as error:
        return None if error.message == REFUSAL else error


@every_key
@pytest.mark.parametrize("aad", [None, b"", b"context"])
async def test_what_was_encrypted_comes_back(keeper, place, spec, aad):
    key = made(spec)
    for plaintext in (b"", b"v", bytes(16), b"p" * 5000):
        sealed = await keeper.encrypt(key, place, name_for(spec), Sensitive(plaintext), aad=aad)
        assert (len(sealed.value), len(sealed.iv), len(sealed.tag), sealed.aad) == (len(plaintext), 12, 16, aad)
        assert (await keeper.decrypt(key, place, name_for(spec), sealed)).reveal() == plaintext


@settings(max_examples=40, deadline=None)
@given(raw=st.sampled_from([bytes(16), bytes(24), bytes(range(32))]), plaintext=st.binary(max_size=80), aad=texts)
def test_another_library_opens_what_was_encrypted_and_the_reverse(raw, plaintext, aad):
    row, nonce = ALGORITHMS[f"A{len(raw) * 8}GCM"], b"123456789012"
    sealed = loaded(raw).encrypt(row, Sensitive(plaintext), None, aad)
    assert AESGCM(raw).decrypt(sealed.iv, sealed.value + sealed.tag, aad) == plaintext
    theirs = AESGCM(raw).encrypt(nonce, plaintext, aad)
    assert opened(raw, Ciphertext(value=theirs[:-16], iv=nonce, tag=theirs[-16:], aad=aad)) == plaintext


@settings(max_examples=60, deadline=None)
@given(plaintext=st.binary(max_size=40), part=st.sampled_from(["value", "iv", "tag", "aad"]), position=st.integers(0))
def test_no_bit_of_what_was_encrypted_may_change(plaintext, part, position):
    raw = bytes(range(32))
    sealed = loaded(raw).encrypt(ALGORITHMS["A256GCM"], Sensitive(plaintext), None, b"context")
    parts = {name: getattr(sealed, name) for name in ("value", "iv", "tag", "aad")}
    if parts[part]:
        bit = position % (len(parts[part]) * 8)
        changed = bytearray(parts[part])
        changed[bit // 8] ^= 1 << (bit % 8)
        assert opened(raw, Ciphertext(**(parts | {part: bytes(changed)}))) is None


async def test_aad_that_is_left_out_or_added_does_not_open(keeper, place):
    key = made(OCT_KEYS[2])
    bound = await keeper.encrypt(key, place, "A256GCM", Sensitive(b"v"), aad=b"context")
    free = await keeper.encrypt(key, place, "A256GCM", Sensitive(b"v"))
    for sealed, aad in ((bound, None), (bound, b""), (free, b"context")):
        with pytest.raises(BadRequest, match=REFUSAL):
            await keeper.decrypt(
                key, place, "A256GCM", Ciphertext(value=sealed.value, iv=sealed.iv, tag=sealed.tag, aad=aad)
            )


# --- official vectors


def check(raw, iv, aad, tag, ciphertext, expected):
    """Answer whether a vector has the outcome that it should; None: it must not open."""
    found = opened(raw, Ciphertext(value=ciphertext, iv=iv, tag=tag, aad=aad))
    if len(iv) != 12:
        return isinstance(found, BadRequest) and found.message.startswith(f"Invalid length of 'iv': {len(iv)} bytes.")
    if len(tag) != 16:
        return isinstance(found, BadRequest) and found.message.startswith(f"Invalid length of 'tag': {len(tag)} bytes.")
    return found == expected


def test_wycheproof():
    wrong, opening = [], 0
    for _, case in wycheproof_cases("aes_gcm_test"):
        key, iv, aad, ct, tag, msg = (bytes.fromhex(case[name]) for name in ("key", "iv", "aad", "ct", "tag", "msg"))
        opening += case["result"] == "valid" and len(iv) == 12
        if not check(key, iv, aad, tag, ct, msg if case["result"] == "valid" else None):
            wrong.append((case["tcId"], case["comment"]))
    assert opening > 50
    assert not wrong


def test_wycheproof_selection():
    suites = [suite for suite in wycheproof("selection")["suites"] if suite["alg"].endswith("GCM")]
    assert len(suites) == 3
    for case in (case for suite in suites for case in suite["tests"]):
        key, iv, aad, ct, tag, msg = (bytes.fromhex(case[name]) for name in ("key", "iv", "aad", "ct", "tag", "msg"))
        assert check(key, iv, aad, tag, ct, msg if case["result"] == "valid" else None), case


@pytest.mark.parametrize("bits", [128, 192, 256])
@pytest.mark.parametrize("file", ["gcmDecrypt", "gcmEncryptExtIV"])
def test_nist(bits, file):
    opening, refused = 0, 0
    for case in nist(f"ciphers/AES/GCM/{file}{bits}.rsp", "tag"):
        key, iv, aad, ct, tag = (bytes.fromhex(case[name]) for name in ("key", "iv", "aad", "ct", "tag"))
        expected = None if "fail" in case else bytes.fromhex(case["pt"])
        assert check(key, iv, aad, tag, ct, expected), case
        opening += expected is not None and (len(iv), len(tag)) == (12, 16)
        refused += expected is None
    assert opening > 100
    assert refused or file == "gcmEncryptExtIV"


async def test_a_key_that_is_brought_opens_what_another_sealed_with_it(keeper, place):
    raw = bytes(range(16))
    key = taken(PrivateParts(type=KeyType.OCT, k=Sensitive(raw)))
    theirs = AESGCM(raw).encrypt(bytes(12), b"value", None)
    sealed = Ciphertext(value=theirs[:-16], iv=bytes(12), tag=theirs[-16:])
    assert (await keeper.decrypt(key, place, "A128GCM", sealed)).reveal() == b"value"
