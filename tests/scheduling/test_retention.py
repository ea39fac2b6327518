from dataclasses import replace
from datetime import timedelta

import pytest

from doubles import MemoryStorage
from strongroom.clock import CLOCK_FACT, real_now
from strongroom.errors import StorageUnavailable
from strongroom.objects.lifecycle import Kind
from strongroom.objects.secrets.model import SecretEdit
from strongroom.resources.model import Subscription
from strongroom.scheduling import retention
from strongroom.scheduling.retention import sweep, sweep_now
from strongroom.sensitive import Sensitive
from strongroom.vaults.model import Deletion
from vault_doubles import MADE, NOON, SUBSCRIPTION, TENANT, a_vault, days, put_vault, secrets_of

REAL = NOON + timedelta(hours=1)
VAULT_ID = f"/SUBSCRIPTIONS/{SUBSCRIPTION}/RESOURCEGROUPS/GROUP/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/KV1"


@pytest.fixture
async def storage():
    storage = MemoryStorage()
    subscription = Subscription(
        subscription_id=SUBSCRIPTION, tenant_id=TENANT, display_name="one", created=MADE.created_at
    )
    await storage.stores.resources.add_subscription(subscription)
    await put_vault(storage, a_vault(retention_days=7, purge_protection=True))
    return storage


async def delete_some(storage, *names, now=NOON):
    secrets = secrets_of(storage, storage.stores.vaults.rows["kv1"], now)
    for name in names:
        await secrets.set(name, Sensitive(b"x"), SecretEdit())
        await secrets.delete(name)
    return secrets


async def test_a_secret_is_purged_when_its_retention_has_passed_and_not_before(storage):
    await delete_some(storage, "s")
    end = NOON.replace(microsecond=0) + days(7)
    assert await sweep(storage, end - timedelta(seconds=1), REAL) == 0
    assert storage.stores.secrets.states
    assert await sweep(storage, end, REAL) == 1
    assert not storage.stores.secrets.states
    assert not storage.stores.secrets.versions
    assert await sweep(storage, end, REAL) == 0


async def test_each_purge_has_its_record(storage):
    await delete_some(storage, "a", "B")
    await sweep(storage, NOON + days(8), REAL)
    first, second = storage.bodies()
    assert {first["properties"]["secret"], second["properties"]["secret"]} == {"a", "B"}
    assert first["operationName"] == "SecretPurge"
    assert first["category"] == "AuditEvent"
    assert first["resourceId"] == VAULT_ID
    assert first["time"].startswith("2026-11-23T13:00:00")
    assert first["identity"] == {}
    assert first["properties"]["actor"] == "server"
    assert "retention" in first["properties"]["reason"]


async def test_the_living_and_the_recovered_stay(storage):
    secrets = await delete_some(storage, "recovered")
    await secrets.recover("recovered")
    await secrets.set("living", Sensitive(b"x"), SecretEdit())
    assert await sweep(storage, NOON + days(1000), REAL) == 0
    assert len(storage.stores.secrets.states) == 2


async def test_a_vault_is_purged_with_all_it_holds(storage):
    await delete_some(storage, "s")
    vault = storage.stores.vaults.rows["kv1"]
    deletion = Deletion(deleted=NOON, scheduled_purge=NOON + days(7))
    await storage.stores.vaults.replace(replace(vault, deletion=deletion))
    assert await sweep(storage, NOON + days(7), REAL) == 1
    assert not storage.stores.vaults.rows
    assert not storage.stores.secrets.states
    (record,) = storage.bodies()
    assert (record["operationName"], record["resourceId"]) == ("VaultPurge", VAULT_ID)


async def test_the_secrets_of_a_deleted_vault_keep_their_own_time(storage):
    await delete_some(storage, "s")
    vault = storage.stores.vaults.rows["kv1"]
    deletion = Deletion(deleted=NOON + days(6), scheduled_purge=NOON + days(13))
    await storage.stores.vaults.replace(replace(vault, deletion=deletion))
    assert await sweep(storage, NOON + days(8), REAL) == 1
    assert storage.bodies()[0]["resourceId"] == VAULT_ID


async def test_more_than_a_batch_is_swept_at_once(storage, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 2)
    await delete_some(storage, *"abcde")
    assert await sweep(storage, NOON + days(8), REAL) == 5


async def test_what_changed_since_it_was_found_is_left_alone(storage):
    await delete_some(storage, "s")
    stale = storage.stores.secrets

    class Stale:
        facts, resources, vaults = storage.stores.facts, storage.stores.resources, storage.stores.vaults
        keys = storage.stores.keys

        class secrets:  # noqa: N801 - stands in for an attribute
            kind = Kind.SECRET

            @staticmethod
            async def list_expired(now, limit):
                found = await stale.list_expired(now, limit)
                await stale.purge("id-of-kv1", "s")
                return found

    storage.read = Stale
    assert await sweep(storage, NOON + days(8), REAL) == 0
    assert storage.records == []


async def test_a_vault_that_came_back_since_it_was_found_is_left_alone(storage):
    living = storage.stores.vaults.rows["kv1"]
    deletion = Deletion(deleted=NOON, scheduled_purge=NOON + days(7))
    deleted = replace(living, deletion=deletion)

    class Stale:
        facts, resources, secrets = storage.stores.facts, storage.stores.resources, storage.stores.secrets
        keys = storage.stores.keys

        class vaults:  # noqa: N801 - stands in for an attribute
            @staticmethod
            async def list_deleted():
                return (deleted,)

    storage.read = Stale
    assert await sweep(storage, NOON + days(8), REAL) == 0
    assert storage.stores.vaults.rows["kv1"] == living


async def test_a_purge_that_cannot_be_recorded_does_not_happen(storage):
    await delete_some(storage, "s")
    storage.broken = True
    with pytest.raises(StorageUnavailable):
        await sweep(storage, NOON + days(8), REAL)
    assert storage.stores.secrets.states


@pytest.mark.parametrize(("offset", "purged"), [(None, 0), (b"0", 0), (b"604900", 1)])
async def test_the_sweep_lives_in_the_time_of_the_vaults(storage, offset, purged):
    await delete_some(storage, "s", now=real_now())
    if offset is not None:
        await storage.stores.facts.put(CLOCK_FACT, offset)
    assert await sweep_now(storage) == purged
