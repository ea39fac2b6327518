"""What an HSM keeps of keys goes when they are gone: all of it, of them alone, and not before."""

from dataclasses import replace

import pytest
from msgspec import structs

from strongroom.custody.algorithms import spec_of
from strongroom.custody.provider import KeyType
from strongroom.custody.sealing import SealBroken
from strongroom.errors import ServiceUnavailable
from strongroom.objects.keys import discarding
from strongroom.objects.keys.discarding import discard_all, find_discards, versions_of
from strongroom.objects.keys.model import KeyEdit
from strongroom.scheduling.retention import sweep
from strongroom.vaults.model import Deletion
from vault_doubles import (
    NOON,
    a_subscribed_storage,
    a_vault,
    days,
    keepers_of,
    keepers_with_hsm,
    keys_of,
    put_vault,
)

EC = spec_of(KeyType.EC)


@pytest.fixture
async def storage():
    return await a_subscribed_storage()


@pytest.fixture
def keepers(storage):
    return keepers_with_hsm(storage)


@pytest.fixture
async def keys(storage, keepers):
    return keys_of(storage, await put_vault(storage, a_vault(sku="premium", retention_days=7)), keepers=keepers[0])


async def make(keys, name="k", *, hsm=True, count=1):
    for _ in range(count):
        await keys.add(name, await keys.make(name, EC, KeyEdit(), hsm=hsm), KeyEdit())


def told(discards):
    return [(each.place.context.name, each.kept.public) for each in discards]


async def test_a_purge_notes_every_version_of_its_key_and_no_other(keys, keepers):
    await make(keys, "Key", count=3)
    await make(keys, "key-1")
    await make(keys, "ke")
    await keys.delete("key")
    versions = [each.public for each in await keys.store.list_versions(keys.vault.vault_id, "key", after=None, limit=9)]
    await keys.purge("KEY")
    assert sorted(told(keys.removed), key=str) == sorted([("key", public) for public in versions], key=str)
    assert keepers[1].destroyed == [], "not before the change has committed"
    await discard_all(keys.removed)
    assert len(keepers[1].destroyed) == 3


async def test_many_versions_are_found_in_batches(storage, keys, keepers, monkeypatch):
    monkeypatch.setattr(discarding, "BATCH", 2)
    await make(keys, "a", count=5)
    await make(keys, "b", count=2)
    vault_id = keys.vault.vault_id
    assert len(await find_discards(storage.stores, keepers[0], vault_id, "a")) == 5
    assert len(await find_discards(storage.stores, keepers[0], vault_id)) == 7
    assert [each.state.name async for each in versions_of(storage.stores.keys, vault_id, "b")] == ["b", "b"]
    assert await find_discards(storage.stores, keepers[0], vault_id, "aa") == ()


async def test_what_software_keeps_is_not_noted(storage, keys):
    await make(keys, hsm=False)
    await keys.delete("k")
    await keys.purge("k")
    assert keys.removed == []
    assert await find_discards(storage.stores, keepers_of(storage), keys.vault.vault_id) == ()
    assert await find_discards(storage.stores, keepers_of(storage, hsm=False), keys.vault.vault_id) == ()


async def test_a_name_that_is_free_again_was_purged(storage, keys, keepers):
    await make(keys)
    await keys.delete("k")
    later = keys_of(storage, keys.vault, NOON + days(8), keepers[0])
    await make(later)
    assert len(later.removed) == 1


async def test_what_does_not_open_stands_in_no_way(storage, keys, keepers, capsys):
    await make(keys, count=2)
    held = await keys.get("k")
    await keys.store.replace_version(held.state, structs.replace(held.version, sealed=b"\1" + bytes(60)))
    assert len(await find_discards(storage.stores, keepers[0], keys.vault.vault_id, "k")) == 1


async def test_a_row_that_was_tampered_with_keeps_no_vault_from_its_purge(storage, keys, keepers, monkeypatch):
    await make(keys)

    async def broken(*_, **__):
        raise SealBroken("a row of versions is not as it was written")

    monkeypatch.setattr(type(storage.stores.keys), "list_sealed_before", broken)
    assert await find_discards(storage.stores, keepers[0], keys.vault.vault_id) == ()
    deletion = Deletion(deleted=NOON, scheduled_purge=NOON + days(7))
    await storage.stores.vaults.replace(replace(keys.vault, deletion=deletion))
    assert await sweep(storage, NOON + days(8), NOON, keepers[0]) == 1


async def test_while_other_data_may_refer_to_the_same_keys_none_is_destroyed(keys, keepers):
    await make(keys)
    await keys.delete("k")
    keys.keepers = replace(keepers[0], destroys=False)
    await keys.purge("k")
    assert keys.removed == []


async def test_what_cannot_be_destroyed_is_told_and_the_rest_is_destroyed(keys, keepers):
    await make(keys, count=2)
    await keys.delete("k")
    await keys.purge("k")
    keepers[1].fails = ServiceUnavailable("away")
    await discard_all(keys.removed)
    keepers[1].fails = None
    await discard_all(keys.removed)
    assert len(keepers[1].destroyed) == 2


async def test_retention_destroys_what_it_purges(storage, keys, keepers):
    await make(keys)
    await make(keys, "other")
    await keys.delete("k")
    assert await sweep(storage, NOON + days(8), NOON, keepers[0]) == 1
    assert [name for _, name, _ in keepers[1].destroyed] == ["k"]
    assert await sweep(storage, NOON + days(8), NOON, keepers[0]) == 0


async def test_a_vault_whose_retention_has_passed_takes_its_keys_along(storage, keys, keepers):
    await make(keys)
    await make(keys, "other", hsm=False)
    deletion = Deletion(deleted=NOON, scheduled_purge=NOON + days(7))
    await storage.stores.vaults.replace(replace(keys.vault, deletion=deletion))
    assert await sweep(storage, NOON + days(8), NOON, keepers[0]) == 1
    assert [name for _, name, _ in keepers[1].destroyed] == ["k"]


async def test_a_purge_that_is_not_recorded_destroys_nothing(storage, keys, keepers):
    await make(keys)
    await keys.delete("k")
    storage.broken = True
    with pytest.raises(ServiceUnavailable):
        await sweep(storage, NOON + days(8), NOON, keepers[0])
    assert keepers[1].destroyed == []


async def test_a_key_that_will_not_be_is_undone(keys, keepers):
    made = await keys.make("k", EC, KeyEdit(), hsm=True)
    await discard_all([keys.undoing("k", made)])
    assert keepers[1].destroyed == [(made.kept.public, "k", made.version)]
