from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.custody import sealing
from strongroom.custody.sealing import HEADER_BYTES, Context, Custodian, MasterKeyWrong, SealBroken, sealing_key_id
from strongroom.custody.store import Purpose
from strongroom.sensitive import Sensitive

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PLACE = Context("vault-a", "secrets", "password", "0" * 32, "value")
MOVES = [
    Context("vault-b", "secrets", "password", "0" * 32, "value"),
    Context("vault-a", "keys", "password", "0" * 32, "value"),
    Context("vault-a", "secrets", "other", "0" * 32, "value"),
    Context("vault-a", "secrets", "password", "1" * 32, "value"),
    Context("vault-a", "secrets", "password", "0" * 32, "tags"),
]


@pytest.fixture(scope="module")
def custodian():
    return Custodian(Sensitive(bytes(range(32))))


@pytest.fixture(scope="module")
def key(custodian):
    return custodian.new_key(Purpose.VAULT, "vault-a", 1, NOW)


def test_keys_of_many_vaults_open_and_are_not_all_kept(custodian, monkeypatch):
    monkeypatch.setattr(sealing, "OPENED_KEYS", 3)
    fresh = Custodian(Sensitive(bytes(range(32))))
    keys = [custodian.new_key(Purpose.VAULT, f"vault-{number}", 1, NOW) for number in range(8)]
    for _ in range(2):
        for key in keys:
            assert fresh.open(key, custodian.seal(key, Sensitive(b"v"), PLACE), PLACE).reveal() == b"v"
            assert max(len(fresh._opened), len(fresh._sealers)) <= 3


@given(value=st.binary(max_size=200))
def test_what_was_sealed_opens_in_its_place(custodian, key, value):
    sealed = custodian.seal(key, Sensitive(value), PLACE)
    assert sealing_key_id(sealed) == key.key_id
    assert custodian.open(key, sealed, PLACE).reveal() == value
    assert len(value) < 8 or value not in sealed


@pytest.mark.parametrize("place", MOVES, ids=lambda place: place.encode().hex()[:12])
def test_what_was_moved_does_not_open(custodian, key, place):
    sealed = custodian.seal(key, Sensitive(b"value"), PLACE)
    with pytest.raises(SealBroken):
        custodian.open(key, sealed, place)


def test_no_single_bit_may_change(custodian, key):
    sealed = custodian.seal(key, Sensitive(b"value"), PLACE)
    for position in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[position // 8] ^= 1 << (position % 8)
        with pytest.raises(SealBroken):
            custodian.open(key, bytes(changed), PLACE)


@pytest.mark.parametrize("length", [0, 1, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 15])
def test_a_value_cut_short_does_not_open(custodian, key, length):
    with pytest.raises(SealBroken):
        custodian.open(key, custodian.seal(key, Sensitive(b"value"), PLACE)[:length], PLACE)


def test_another_data_key_does_not_open_it(custodian, key):
    other = custodian.new_key(Purpose.VAULT, "vault-a", 2, NOW)
    with pytest.raises(SealBroken):
        custodian.open(other, custodian.seal(key, Sensitive(b"value"), PLACE), PLACE)


def test_a_data_key_renamed_to_another_does_not_open(custodian, key):
    other = custodian.new_key(Purpose.VAULT, "vault-a", 1, NOW)
    forged = type(key)(
        key_id=other.key_id, purpose=key.purpose, scope=key.scope, version=1, sealed=key.sealed, created=NOW
    )
    with pytest.raises(MasterKeyWrong):
        Custodian(Sensitive(bytes(range(32)))).seal(forged, Sensitive(b"value"), PLACE)


@pytest.mark.parametrize("change", [{"purpose": Purpose.BACKUP}, {"scope": "vault-b"}, {"version": 2}])
def test_a_data_key_put_to_another_use_does_not_open(key, change):
    fields = {name: getattr(key, name) for name in ("key_id", "purpose", "scope", "version", "sealed", "created")}
    with pytest.raises(MasterKeyWrong):
        Custodian(Sensitive(bytes(range(32)))).mac(type(key)(**(fields | change)), b"row")


def test_another_master_key_opens_no_data_key(key):
    with pytest.raises(MasterKeyWrong, match=key.key_id):
        Custodian(Sensitive(bytes(32))).mac(key, b"row")


def test_a_master_key_has_32_bytes():
    with pytest.raises(MasterKeyWrong):
        Custodian(Sensitive(b"short"))


def test_the_same_value_never_seals_alike(custodian, key):
    assert custodian.seal(key, Sensitive(b"value"), PLACE) != custodian.seal(key, Sensitive(b"value"), PLACE)


def test_a_mac_depends_on_key_and_message(custodian, key):
    other = custodian.new_key(Purpose.ROWS, "", 1, NOW)
    macs = {custodian.mac(key, b"row"), custodian.mac(key, b"raw"), custodian.mac(other, b"row")}
    assert len(macs) == 3
    assert custodian.authenticator(other)(b"row") in macs


@given(st.lists(st.text(max_size=5), min_size=5, max_size=5), st.lists(st.text(max_size=5), min_size=5, max_size=5))
def test_no_two_places_are_written_alike(one, other):
    assert (Context(*one).encode() == Context(*other).encode()) is (one == other)
