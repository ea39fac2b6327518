"""A128KW to A256KW and CKM_AES_KEY_WRAP (RFC 3394), CKM_AES_KEY_WRAP_PAD (RFC 5649)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from key_doubles import OCT_KEYS, made, name_of, openssl
from key_vectors import nist, wycheproof, wycheproof_cases
from strongroom.custody import symmetric as ours
from strongroom.custody.algorithms import ALGORITHMS
from strongroom.custody.provider import Ciphertext
from strongroom.errors import BadRequest
from strongroom.sensitive import Sensitive

REFUSAL = ("Unable to decrypt specified value with this key.", "BadParameter", None)
RAW = {128: bytes(range(16)), 192: bytes(range(24)), 256: bytes(range(32))}
PADDED = ALGORITHMS["CKM_AES_KEY_WRAP_PAD"]
every_key = pytest.mark.parametrize("spec", OCT_KEYS, ids=name_of)
every_size = pytest.mark.parametrize("bits", RAW)


def wrapped(key, row, material):
    return ours.OctKey(Sensitive(key)).encrypt(row, Sensitive(material), None, None).value


def unwrapped(key, row, value):
    """Return what a value unwraps to; None when it is refused as all that do not unwrap are."""
    try:
        return ours.OctKey(Sensitive(key)).decrypt(row, Ciphertext(value=value)).reveal()
    except BadRequest as error:
        return None if (error.message, error.code, error.inner) == REFUSAL else error


@every_key
async def test_what_was_wrapped_comes_back(keeper, place, spec):
    key = made(spec)
    for name, lengths in (
        (f"A{spec.bits}KW", (16, 24, 32, 64, 4096)),
        ("CKM_AES_KEY_WRAP", (16, 24, 32, 64, 4096)),
        ("CKM_AES_KEY_WRAP_PAD", (1, 7, 8, 9, 16, 20, 32, 1218)),
    ):
        for length in lengths:
            sealed = await keeper.wrap(key, place, name, Sensitive(b"m" * length))
            assert (sealed.iv, sealed.tag, sealed.aad) == (None, None, None)
            assert (await keeper.unwrap(key, place, name, sealed.value)).reveal() == b"m" * length


@every_key
async def test_both_names_of_the_plain_wrap_are_one(keeper, place, spec):
    sealed = await keeper.wrap(made(spec), place, f"A{spec.bits}KW", Sensitive(bytes(32)))
    assert (await keeper.wrap(made(spec), place, "CKM_AES_KEY_WRAP", Sensitive(bytes(32)))).value == sealed.value


@every_size
@settings(max_examples=6, deadline=None)
@given(blocks=st.integers(2, 9), length=st.integers(1, 70))
def test_openssl_wraps_and_unwraps_the_same(bits, blocks, length):
    key, plain = RAW[bits], ALGORITHMS[f"A{bits}KW"]
    for row, material, cipher, iv in (
        (plain, bytes(range(8 * blocks)), f"-id-aes{bits}-wrap", "a6a6a6a6a6a6a6a6"),
        (PADDED, bytes(range(length)), f"-id-aes{bits}-wrap-pad", "a65959a6"),
    ):
        arguments = ["enc", cipher, "-K", key.hex(), "-iv", iv]
        assert openssl(*arguments, given=material) == wrapped(key, row, material)
        assert openssl(*arguments, "-d", given=wrapped(key, row, material)) == material


@pytest.mark.parametrize("length", [0, 1, 8, 15, 17, 20, 33])
async def test_what_the_plain_wrap_cannot_take_is_refused(keeper, place, length):
    for name in ("A256KW", "CKM_AES_KEY_WRAP"):
        with pytest.raises(BadRequest) as caught:
            await keeper.wrap(made(OCT_KEYS[2]), place, name, Sensitive(bytes(length)))
        assert caught.value.message == (
            f"Invalid length of 'value': {length} bytes. {name} requires 16 bytes or more in multiples of 8, encoded "
            "with base64url."
        )


async def test_the_padded_wrap_takes_any_length_but_none(keeper, place):
    with pytest.raises(BadRequest, match="CKM_AES_KEY_WRAP_PAD requires at least 1 byte"):
        await keeper.wrap(made(OCT_KEYS[2]), place, "CKM_AES_KEY_WRAP_PAD", Sensitive(b""))


@settings(max_examples=60, deadline=None)
@given(position=st.integers(0), length=st.integers(0, 80))
def test_nothing_unwraps_that_was_changed_cut_or_made_up(position, length):
    for row, material in ((ALGORITHMS["A256KW"], bytes(32)), (PADDED, bytes(20))):
        value = bytearray(wrapped(RAW[256], row, material))
        bit = position % (len(value) * 8)
        value[bit // 8] ^= 1 << (bit % 8)
        assert unwrapped(RAW[256], row, bytes(value)) is None
        assert unwrapped(RAW[256], row, bytes(length)) is None


def test_the_two_wraps_are_not_taken_for_each_other():
    plain, padded = (wrapped(RAW[256], row, bytes(32)) for row in (ALGORITHMS["A256KW"], PADDED))
    assert unwrapped(RAW[256], PADDED, plain) is None
    assert unwrapped(RAW[256], ALGORITHMS["A256KW"], padded) is None


# --- official vectors


@pytest.mark.parametrize(("file", "padded"), [("aes_wrap_test", False), ("aes_kwp_test", True)])
def test_wycheproof(file, padded):
    valid = 0
    for _, case in wycheproof_cases(file):
        key, msg, ct = (bytes.fromhex(case[name]) for name in ("key", "msg", "ct"))
        row = PADDED if padded else ALGORITHMS[f"A{len(key) * 8}KW"]
        found = unwrapped(key, row, ct)
        if case["result"] == "acceptable":  # RFC 3394 for one block, which has no form; RFC 5649 for an unusual length
            assert found in (None, msg), case
        else:
            assert found == (msg if case["result"] == "valid" else None), case
        if case["result"] == "valid":
            valid += 1
            assert wrapped(key, row, msg) == ct
    assert valid > 30


def test_wycheproof_selection():
    suites = [suite for suite in wycheproof("selection")["suites"] if suite["alg"].endswith("KW")]
    assert len(suites) == 3
    for suite in suites:
        for case in suite["tests"]:
            key, msg, ct = (bytes.fromhex(case[name]) for name in ("key", "msg", "ct"))
            assert unwrapped(key, ALGORITHMS[suite["alg"]], ct) == (msg if case["result"] == "valid" else None), case


@every_size
@pytest.mark.parametrize("padded", [False, True])
def test_nist_unwraps(bits, padded):
    row = PADDED if padded else ALGORITHMS[f"A{bits}KW"]
    cases = nist(f"keywrap/kwtestvectors/{'KWP' if padded else 'KW'}_AD_{bits}.txt", "c")
    refused = 0
    for case in cases:
        key, value = bytes.fromhex(case["k"]), bytes.fromhex(case["c"])
        expected = None if "fail" in case else bytes.fromhex(case["p"])
        assert unwrapped(key, row, value) == expected, case
        refused += expected is None
    assert len(cases) > 400
    assert refused > 50


@every_size
@pytest.mark.parametrize("padded", [False, True])
def test_nist_wraps(bits, padded):
    row = PADDED if padded else ALGORITHMS[f"A{bits}KW"]
    cases = nist(f"keywrap/kwtestvectors/{'KWP' if padded else 'KW'}_AE_{bits}.txt", "c")
    assert len(cases) > 400
    for case in cases:
        assert wrapped(bytes.fromhex(case["k"]), row, bytes.fromhex(case["p"])).hex() == case["c"]
