"""HS256, HS384 and HS512: the MAC of a message of any length."""

import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from key_doubles import OCT_KEYS, made, name_of, openssl
from key_vectors import nist, wycheproof_cases
from strongroom.custody import symmetric as ours
from strongroom.custody.algorithms import ALGORITHMS
from strongroom.custody.provider import KeyType, PrivateParts
from strongroom.errors import BadRequest
from strongroom.sensitive import Sensitive

NAMES = {"HS256": 32, "HS384": 48, "HS512": 64}
every_name = pytest.mark.parametrize("name", NAMES)


@every_name
@pytest.mark.parametrize("spec", OCT_KEYS, ids=name_of)
async def test_a_mac_is_that_of_the_message_and_whole(keeper, place, spec, name):
    key = made(spec)
    for message in (b"", b"m", bytes(32), b"long" * 1000):
        mac = await keeper.sign(key, place, name, message)
        assert len(mac) == NAMES[name]
        assert await keeper.verify(key, place, name, message, mac)
        assert not await keeper.verify(key, place, name, message + b"x", mac)
        for wrong in (b"", mac[:-1], mac[:16], mac + b"\0", bytes(len(mac)), bytes([mac[0] ^ 1]) + mac[1:]):
            assert not await keeper.verify(key, place, name, message, wrong)


@every_name
@pytest.mark.parametrize("bits", [128, 192, 256])
def test_openssl_makes_the_same(name, bits):
    raw, row = bytes(range(bits // 8)), ALGORITHMS[name]
    arguments = ["dgst", f"-{row.digest}", "-mac", "HMAC", "-macopt", f"hexkey:{raw.hex()}", "-binary"]
    assert openssl(*arguments, given=b"message") == ours.OctKey(Sensitive(raw)).sign(row, b"message")


@settings(deadline=None)
@given(raw=st.sampled_from([16, 24, 32]).map(bytes), message=st.binary(max_size=300))
def test_another_library_makes_the_same(raw, message):
    for name in NAMES:
        row = ALGORITHMS[name]
        expected = hmac.new(raw, message, getattr(hashlib, row.digest)).digest()
        assert ours.OctKey(Sensitive(raw)).sign(row, message) == expected


@pytest.mark.parametrize("length", [0, 1, 15, 17, 31, 33, 64, 100_000])
def test_a_key_of_another_length_is_not_taken(length):
    with pytest.raises(BadRequest) as caught:
        ours.take(PrivateParts(type=KeyType.OCT, k=Sensitive(bytes(length))))
    assert caught.value.message.startswith(("Unsupported key size", 'The property "key" must be a valid JsonWebKey'))


def test_a_key_without_bytes_is_not_taken():
    with pytest.raises(BadRequest, match="k is missing"):
        ours.take(PrivateParts(type=KeyType.OCT))


# --- official vectors; their keys have sizes that none has here, but the MAC is one and the same


@every_name
def test_wycheproof(name):
    row, checked = ALGORITHMS[name], set()
    for group, case in wycheproof_cases(f"hmac_sha{name[2:]}_test"):
        key, message, tag = (bytes.fromhex(case[field]) for field in ("key", "msg", "tag"))
        valid = case["result"] == "valid"
        assert (ours.mac(Sensitive(key), row, message)[: len(tag)] == tag) == valid, case
        checked.add(len(key))
        if len(key) in (16, 24, 32):  # a shortened MAC is none here
            whole = group["tagSize"] == NAMES[name] * 8
            assert ours.OctKey(Sensitive(key)).verify(row, message, tag) == (valid and whole), case
    assert len(checked) > 2


@every_name
def test_nist(name):
    for case in nist(f"HMAC/rfc-4231-sha{name[2:]}.txt", "md"):
        key, message = bytes.fromhex(case["key"]), bytes.fromhex(case["msg"])
        assert ours.mac(Sensitive(key), ALGORITHMS[name], message).hex() == case["md"]
