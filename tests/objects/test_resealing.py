"""A vault's data key is replaced while values are read, set and purged between any two steps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles import MemoryStorage
from strongroom.custody.algorithms import spec_of
from strongroom.custody.provider import KeyType
from strongroom.custody.sealing import SealBroken, sealing_key_id
from strongroom.custody.store import Purpose
from strongroom.objects.keys.model import KeyEdit
from strongroom.objects.resealing import begin, finish, reseal, unfinished
from strongroom.objects.secrets.backup import back_up, restore
from strongroom.objects.secrets.model import SecretEdit
from strongroom.sensitive import Sensitive
from vault_doubles import NOON, a_vault, keys_of, put_vault, secrets_of

NAMES = ("a", "b", "C")


async def a_world():
    storage = MemoryStorage()
    vault = await put_vault(storage, a_vault(purge_protection=False))
    return storage, vault, secrets_of(storage, vault)


async def rotate(storage, vault):
    await begin(storage.stores.keyring, storage.custodian, [vault], NOON)


async def value_of(secrets, name):
    _, value = await secrets.get(name)
    return value.reveal().decode()


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["set", "purge", "reseal", "begin", "back up"]), st.sampled_from(NAMES)), max_size=25
)


@given(ACTIONS)
async def test_whatever_happens_between_steps_no_value_is_lost(actions):
    storage, vault, secrets = await a_world()
    expected, blobs = {}, {}
    await rotate(storage, vault)
    for number, (action, name) in enumerate(actions):
        if action == "set":
            expected[name] = str(number)
            await secrets.set(name, Sensitive(str(number).encode()), SecretEdit())
        elif action == "purge" and name in expected:
            del expected[name]
            await secrets.delete(name)
            await secrets.purge(name)
        elif action == "back up" and name in expected:
            blobs[name] = (await back_up(secrets, name), expected[name])
        elif action == "reseal":
            await reseal(secrets, None, limit=2)
        elif action == "begin":
            await rotate(storage, vault)
        assert {name: await value_of(secrets, name) for name in expected} == expected
    await to_the_end(storage, secrets)
    assert {name: await value_of(secrets, name) for name in expected} == expected
    for name, (blob, value) in blobs.items():
        if name not in expected:
            await restore(secrets, blob)
            assert await value_of(secrets, name) == value


async def to_the_end(storage, secrets):
    after = None
    while (batch := await reseal(secrets, after, limit=2)).count:
        after = batch.last
    await finish((secrets,))
    (only,) = await storage.stores.keyring.list_versions(Purpose.VAULT, secrets.vault.vault_id)
    for versions in storage.stores.secrets.versions.values():
        assert {sealing_key_id(one.sealed) for one in versions.values()} <= {only.key_id}
    assert await unfinished(storage.stores.keyring) == frozenset()


async def test_new_values_lie_under_the_new_key_at_once_and_old_ones_follow():
    storage, vault, secrets = await a_world()
    old = await secrets.vault_key()
    before = await secrets.set("a", Sensitive(b"1"), SecretEdit())
    await rotate(storage, vault)
    assert await unfinished(storage.stores.keyring) == {vault.vault_id}
    after = await secrets.set("b", Sensitive(b"2"), SecretEdit())
    assert sealing_key_id(before.version.sealed) == old.key_id != sealing_key_id(after.version.sealed)
    assert (await reseal(secrets, None)).count == 1
    assert await finish((secrets,)) == (old.key_id,)


async def test_a_key_with_something_under_it_stays():
    storage, vault, secrets = await a_world()
    await secrets.set("a", Sensitive(b"1"), SecretEdit())
    await rotate(storage, vault)
    with pytest.raises(SealBroken):
        await finish((secrets,))
    assert len(await storage.stores.keyring.list_versions(Purpose.VAULT, vault.vault_id)) == 2


async def test_a_value_that_was_read_before_its_key_went_opens_all_the_same():
    storage, vault, secrets = await a_world()
    await secrets.set("a", Sensitive(b"1"), SecretEdit())
    read = await secrets.living("a")
    await rotate(storage, vault)
    await to_the_end(storage, secrets)
    assert (await secrets.open(read)).reveal() == b"1"


async def test_keys_follow_a_vaults_next_key_and_go_on_signing():
    storage = MemoryStorage()
    vault = await put_vault(storage, a_vault())
    keys, secrets = keys_of(storage, vault), secrets_of(storage, vault)
    for name in ("a", "b", "b"):
        await keys.add(name, await keys.make(name, spec_of(KeyType.EC), KeyEdit(), hsm=False), KeyEdit())
    await secrets.set("a", Sensitive(b"x"), SecretEdit())
    _, signature = await keys.sign("a", None, "ES256", bytes(32))
    (new,) = await begin(storage.stores.keyring, storage.custodian, [vault], NOON)
    first = await reseal(keys, None, limit=2)
    assert first.count == 2
    with pytest.raises(SealBroken, match="still lies under"):
        await finish((keys, secrets))
    assert (await reseal(keys, first.last)).count == 1
    with pytest.raises(SealBroken, match="still lies under"):
        await finish((keys, secrets))
    assert (await reseal(secrets, None)).count == 1
    await finish((keys, secrets))
    for versions in storage.stores.keys.versions.values():
        assert {sealing_key_id(one.sealed) for one in versions.values()} == {new.key_id}
    assert (await keys.verify("a", None, "ES256", bytes(32), signature))[1] is True
    await keys.sign("b", None, "ES256", bytes(32))
