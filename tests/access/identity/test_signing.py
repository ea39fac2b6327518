from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from doubles import MemoryStorage, a_custodian, a_signing_key
from strongroom.access.identity.signing import (
    TOKEN_LIFETIME,
    SigningKeys,
    load_public_key,
    retired_by,
    rotate_signing_key,
    signing_key,
    verifying_keys,
)
from strongroom.custody.sealing import SealBroken
from strongroom.custody.store import Purpose
from strongroom.errors import ServiceUnavailable

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def public_der(key):
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def storage():
    return MemoryStorage()


async def load(storage):
    return await SigningKeys(storage.custodian).current(storage.stores.identity, storage.stores.keyring, NOW)


async def test_the_key_that_was_kept_signs_again(storage):
    await storage.stores.identity.add_signing_key(a_signing_key())
    loaded = await load(storage)
    assert loaded.kid == a_signing_key().kid
    assert public_der(loaded.private.public_key()) == a_signing_key().public_der
    assert load_public_key(a_signing_key()).key_size == 2048


async def test_a_key_is_opened_once(storage):
    await storage.stores.identity.add_signing_key(a_signing_key())
    keys = SigningKeys(storage.custodian)
    first = await keys.current(storage.stores.identity, storage.stores.keyring, NOW)
    await storage.stores.keyring.remove_scope(Purpose.SERVER, "")
    assert await keys.current(storage.stores.identity, storage.stores.keyring, NOW) is first


async def test_the_newest_key_signs_unless_it_is_retired(storage):
    await storage.stores.identity.add_signing_key(a_signing_key())
    await storage.stores.identity.add_signing_key(a_signing_key(2))
    assert (await load(storage)).kid == a_signing_key(2).kid
    storage.stores.identity.signing_keys[1] = replace(a_signing_key(2), retired=NOW)
    assert (await load(storage)).kid == a_signing_key().kid


async def test_without_a_key_nothing_is_signed(storage):
    with pytest.raises(ServiceUnavailable):
        await load(storage)


async def test_the_private_half_lies_sealed_and_in_its_place(storage):
    one, two = a_signing_key(), a_signing_key(2)
    await storage.stores.identity.add_signing_key(replace(one, sealed_private=two.sealed_private))
    with pytest.raises(SealBroken):
        await load(storage)


async def test_a_key_sealed_by_an_unknown_key_is_not_used(storage):
    await storage.stores.identity.add_signing_key(a_signing_key())
    await storage.stores.keyring.remove_scope(Purpose.SERVER, "")
    with pytest.raises(SealBroken):
        await load(storage)


@pytest.mark.parametrize(
    ("after", "verifies"),
    [(timedelta(0), True), (TOKEN_LIFETIME - timedelta(seconds=1), True), (TOKEN_LIFETIME, False)],
)
def test_a_retired_key_verifies_until_its_last_token_has_expired(after, verifies):
    key = replace(a_signing_key(), retired=NOW)
    assert (key in verifying_keys([key], NOW + after)) is verifies


def test_signing_keys_differ():
    assert a_signing_key().kid != a_signing_key(2).kid
    assert a_custodian() is a_custodian()


# --- rotation, over any number of rotations at any times

MOMENTS = st.integers(0, 20_000).map(lambda seconds: NOW + timedelta(seconds=seconds))
ROTATIONS = st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 7200)), min_size=1, max_size=5)


def rotated(rotations):
    """Return the keys after rotations, newest first. rotations: seconds since the one before, seconds of overlap."""
    keys, moment = [replace(a_signing_key(), kid="0", created=NOW)], NOW
    for number, (pause, overlap) in enumerate(rotations, 1):
        moment += timedelta(seconds=pause)
        made = replace(a_signing_key(), kid=str(number), created=moment, begins=moment + timedelta(seconds=overlap))
        changed = {key.kid: key for key in retired_by(keys, made.begins)}
        keys = [made, *(changed.get(key.kid, key) for key in keys)]
    return keys


@given(ROTATIONS, MOMENTS)
def test_at_any_moment_one_key_signs_and_it_is_published(rotations, now):
    keys = rotated(rotations)
    signing = signing_key(keys, now)
    assert signing in verifying_keys(keys, now)
    assert signing.begins is None or signing.begins <= now
    assert signing.retired is None or now < signing.retired


@given(ROTATIONS, MOMENTS, st.integers(0, 3599))
def test_a_token_verifies_as_long_as_it_lives(rotations, signed, age):
    keys = rotated(rotations)
    assert signing_key(keys, signed) in verifying_keys(keys, signed + timedelta(seconds=age))


@given(ROTATIONS)
def test_in_the_end_the_last_key_is_alone(rotations):
    keys = rotated(rotations)
    begins = keys[0].begins
    assert signing_key(keys, begins) == keys[0]
    assert verifying_keys(keys, begins + TOKEN_LIFETIME) == (keys[0],)


def test_a_clock_that_was_set_back_leaves_a_key_that_signs():
    made = replace(a_signing_key(2), begins=NOW + timedelta(days=1))
    assert signing_key([made], NOW) == made
    assert signing_key([replace(made, retired=NOW)], NOW) is None


@pytest.mark.parametrize("revoke", [True, False])
async def test_the_keys_before_are_retired_or_revoked(storage, revoke):
    store = storage.stores.identity
    await store.add_signing_key(a_signing_key())
    made = replace(a_signing_key(2), begins=NOW)
    assert await rotate_signing_key(store, made, revoke=revoke) == (a_signing_key().kid,)
    left = await store.list_signing_keys()
    assert left == ((made,) if revoke else (made, replace(a_signing_key(), retired=NOW)))
    assert (await load(storage)).kid == made.kid
