"""The next master key, over a storage of dictionaries: who holds what, and what opens with which."""

import os
from dataclasses import replace

import pytest

from doubles import MemoryStorage
from strongroom.custody.keyring import add_key
from strongroom.custody.master import decode_description, new_master_key
from strongroom.custody.passphrase import Derivation
from strongroom.custody.sealing import AESGCM, Context, Custodian, MasterKeyWrong, SealBroken, _first_key_place, _seal
from strongroom.custody.store import Purpose
from strongroom.custody.succession import HANDOVER_FACT, MASTER_FACT, is_handing_over, succeed, take_over
from strongroom.errors import Conflict
from strongroom.sensitive import Sensitive
from vault_doubles import NOON

PLACE = Context("vault", "secrets", "name", "1", "value")
DERIVATION = Derivation(salt=bytes(16), memory_kib=8192, iterations=1, lanes=1)
FIRST = Sensitive(bytes(range(32)))


@pytest.fixture
def storage():
    return MemoryStorage(Custodian(FIRST))


@pytest.fixture
def stores(storage):
    return storage.stores


@pytest.fixture
def rotate(storage, stores):
    async def run(successor, *, hand_over=True):
        return await succeed(
            stores.keyring, stores.facts, storage.custodian, successor, place=None, hand_over=hand_over, now=NOON
        )

    return run


def holding(key, stores=None):
    """A custodian of its own; with stores, one that finds what was left in them."""
    custodian = Custodian(key)
    if stores is not None:
        custodian.follow(lambda: stores.facts.values.get(HANDOVER_FACT) or None)
    return custodian


async def test_every_key_lies_under_the_next_and_opens_what_it_sealed(storage, stores, rotate):
    key = await add_key(stores.keyring, storage.custodian, Purpose.VAULT, "v", NOON)
    sealed = storage.custodian.seal(key, Sensitive(b"value"), PLACE)
    successor = new_master_key()
    assert await rotate(successor) == len(await stores.keyring.list_all())
    after = holding(successor.key)
    for each in await stores.keyring.list_all():
        after.authenticator(each)
        with pytest.raises(MasterKeyWrong):
            holding(FIRST).authenticator(each)
    found = await stores.keyring.find(key.key_id)
    assert after.open(found, sealed, PLACE).reveal() == b"value"
    assert decode_description(await stores.facts.get(MASTER_FACT)).master_id == successor.master_id


async def test_who_holds_the_key_before_is_led_to_the_next(stores, rotate):
    successor = new_master_key()
    await rotate(successor)
    follower = holding(FIRST, stores)
    follower.authenticator(await stores.keyring.newest(Purpose.ROWS))
    assert follower.master_id == successor.master_id


async def test_who_holds_a_third_key_is_led_nowhere(stores, rotate):
    await rotate(new_master_key())
    stranger = holding(Sensitive(bytes(32)), stores)
    with pytest.raises(MasterKeyWrong):
        stranger.authenticator(await stores.keyring.newest(Purpose.ROWS))


async def test_a_handover_that_was_changed_leads_nowhere(stores, rotate):
    await rotate(new_master_key())
    left = stores.facts.values[HANDOVER_FACT]
    stores.facts.values[HANDOVER_FACT] = left[:-1] + bytes([left[-1] ^ 1])
    with pytest.raises(MasterKeyWrong):
        holding(FIRST, stores).authenticator(await stores.keyring.newest(Purpose.ROWS))


async def test_a_handover_of_another_rotation_leads_nowhere(storage, stores, rotate):
    other = storage.custodian.hand_over(new_master_key().key)
    await rotate(new_master_key())
    stores.facts.values[HANDOVER_FACT] = other
    with pytest.raises(MasterKeyWrong):
        holding(FIRST, stores).authenticator(await stores.keyring.newest(Purpose.ROWS))


async def test_a_new_key_lies_under_the_master_key_of_the_keyring_even_when_its_maker_was_behind(stores, rotate):
    successor = new_master_key()
    await rotate(successor)
    behind = holding(FIRST, stores)
    key = await add_key(stores.keyring, behind, Purpose.VAULT, "new", NOON)
    holding(successor.key).authenticator(key)


async def test_a_key_under_another_master_key_is_never_added(storage, stores, rotate):
    late = storage.custodian.new_key(Purpose.VAULT, "new", 1, NOON)
    await rotate(new_master_key())
    with pytest.raises(Conflict):
        await stores.keyring.add(late)
    with pytest.raises(MasterKeyWrong):
        await add_key(stores.keyring, holding(FIRST), Purpose.VAULT, "new", NOON)


async def test_the_handover_is_put_away_when_it_was_taken_over(stores, rotate):
    successor = replace(new_master_key(), derivation=DERIVATION)
    await rotate(successor)
    assert await is_handing_over(stores.facts)
    follower = holding(FIRST, stores)
    await take_over(stores.keyring, stores.facts, follower)
    assert not await is_handing_over(stores.facts)
    assert (follower.master_id, follower.derivation) == (successor.master_id, DERIVATION)
    with pytest.raises(MasterKeyWrong):
        holding(FIRST, stores).authenticator(await stores.keyring.newest(Purpose.ROWS))


async def test_without_somebody_to_follow_nothing_is_left(stores, rotate):
    await rotate(new_master_key(), hand_over=False)
    assert not await is_handing_over(stores.facts)


async def test_a_worker_leads_those_that_were_forked_and_those_that_will_be(stores, rotate):
    """The parent never looks; a child that does leads it, and a child that is forked later finds nothing to open."""
    successor = new_master_key()
    await rotate(successor)
    rows = await stores.keyring.newest(Purpose.ROWS)
    parent = holding(FIRST, stores)

    def child(work):
        pid = os.fork()
        if pid == 0:
            try:
                work()
            except BaseException:  # noqa: BLE001 - the exit code tells
                os._exit(1)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    assert child(lambda: parent.authenticator(rows)) == 0
    stores.facts.values[HANDOVER_FACT] = b""
    assert child(lambda: parent.authenticator(rows)) == 0
    assert parent.master_id == successor.master_id


async def test_a_key_from_before_master_keys_had_ids_opens_and_goes_along(storage, stores, rotate):
    key = replace(storage.custodian.new_key(Purpose.VAULT, "old", 1, NOON), sealed=b"")
    place = _first_key_place(key)
    first = replace(key, sealed=_seal(AESGCM(FIRST.reveal()), bytes.fromhex(key.key_id), bytes(32), place))
    stores.keyring.keys.append(first)
    sealed = storage.custodian.seal(first, Sensitive(b"value"), PLACE)
    successor = new_master_key()
    await rotate(successor)
    found = await stores.keyring.find(key.key_id)
    assert holding(successor.key).open(found, sealed, PLACE).reveal() == b"value"


def test_a_description_that_is_none_is_refused():
    with pytest.raises(SealBroken):
        decode_description(b"{}")
