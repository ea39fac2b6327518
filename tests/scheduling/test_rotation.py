import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
import structlog
from msgspec import structs

from doubles import a_custodian
from jwk_doubles import digest_of
from storage_doubles import a_data_directory, a_record
from strongroom.clock import CLOCK_FACT, real_now
from strongroom.custody.algorithms import spec_of
from strongroom.custody.provider import KeyType, Place
from strongroom.custody.software import SoftwareProvider
from strongroom.custody.store import Purpose
from strongroom.errors import Conflict, StorageUnavailable
from strongroom.objects.keys.keepers import Keepers
from strongroom.objects.keys.model import KeyEdit
from strongroom.objects.keys.rotation import RotationPolicy, Trigger, parse_period
from strongroom.objects.keys.service import Keys
from strongroom.resources.model import Subscription
from strongroom.scheduling import rotation
from strongroom.scheduling.rotation import Rotation, rotate_now
from strongroom.storage.sqlite import SqliteStorage
from strongroom.vaults.model import Deletion
from vault_doubles import (
    NOON,
    SUBSCRIPTION,
    TENANT,
    a_subscribed_storage,
    a_vault,
    days,
    keepers_of,
    keepers_with_hsm,
    keys_of,
    put_vault,
)

REAL = NOON + timedelta(hours=1)
MONTHLY = RotationPolicy(
    expiry=parse_period("expiryTime", "P90D"),
    rotate=Trigger(after_create=parse_period("timeAfterCreate", "P30D")),
)


@pytest.fixture
async def storage():
    storage = await a_subscribed_storage()
    await put_vault(storage, a_vault())
    return storage


def keys_at(storage, now=NOON):
    return keys_of(storage, storage.stores.vaults.rows["kv1"], now)


async def make(storage, *names, policy=MONTHLY, now=NOON):
    keys = keys_at(storage, now)
    for name in names:
        await keys.add(name, await keys.make(name, spec_of(KeyType.EC), KeyEdit(), hsm=False), KeyEdit())
        await keys.set_policy(name, policy)
    return keys


async def rotate(storage, now, keepers=None):
    return await Rotation(storage, storage.custodian, keepers or keepers_of(storage), now, REAL).run()


async def versions(storage, name="k"):
    return [each.version for each in await keys_at(storage).list_versions(name, None, 25)]


async def test_a_key_is_rotated_when_its_time_has_come_and_once(storage):
    await make(storage, "k")
    assert await rotate(storage, NOON + days(29)) == 0
    assert await rotate(storage, NOON + days(30)) == 1
    assert await rotate(storage, NOON + days(30)) == 0
    _, new = await versions(storage)
    assert new.created == (NOON + days(30)).replace(microsecond=0)
    assert new.expires == new.created + days(90)
    (record,) = storage.bodies()
    assert (record["operationName"], record["category"], record["resultType"]) == (
        "KeyRotateIfDue",
        "AuditEvent",
        "Success",
    )
    assert record["properties"] == {"actor": "server", "reason": "Its rotation policy says so.", "key": "k"}
    assert record["resourceId"].endswith("/VAULTS/KV1")


async def test_a_rotated_key_signs_anew_and_verifies_what_it_signed(storage):
    keys = await make(storage, "k")
    signed, signature = await keys.sign("k", None, "ES256", digest_of())
    await rotate(storage, NOON + days(30))
    old, (_, is_one) = (
        signed.version.version,
        await keys.verify("k", signed.version.version, "ES256", digest_of(), signature),
    )
    assert is_one
    assert (await keys.get("k")).version.version != old


async def test_what_was_missed_for_years_is_made_up_for_once(storage):
    await make(storage, "k")
    assert await rotate(storage, NOON + days(4000)) == 1
    assert len(await versions(storage)) == 2


async def test_all_that_is_due_is_rotated_page_by_page(storage, monkeypatch):
    monkeypatch.setattr(rotation, "BATCH", 2)
    await make(storage, *"abcde")
    assert await rotate(storage, NOON + days(30)) == 5


async def test_a_key_that_is_deleted_or_disabled_waits(storage):
    keys = await make(storage, "deleted", "disabled")
    await keys.delete("deleted")
    await keys.update("disabled", None, KeyEdit(enabled=False))
    assert await rotate(storage, NOON + days(30)) == 0
    await keys.recover("deleted")
    await keys.update("disabled", None, KeyEdit(enabled=True))
    assert await rotate(storage, NOON + days(31)) == 2


async def test_the_keys_of_a_deleted_vault_wait(storage):
    await make(storage, "k")
    vault = storage.stores.vaults.rows["kv1"]
    await storage.stores.vaults.replace(replace(vault, deletion=Deletion(deleted=NOON, scheduled_purge=NOON)))
    assert await rotate(storage, NOON + days(30)) == 0
    await storage.stores.vaults.replace(vault)
    assert await rotate(storage, NOON + days(30)) == 1


@pytest.mark.parametrize("meanwhile", ["rotated", "deleted", "vault deleted", "policy gone"])
async def test_what_was_settled_while_the_key_was_made_is_left_alone(storage, monkeypatch, meanwhile):
    keys = await make(storage, "k")
    later = keys_at(storage, NOON + days(30))
    vault = storage.stores.vaults.rows["kv1"]

    async def settle(self, name):
        made = await make_next(self, name)
        if meanwhile == "rotated":
            await later.rotate(name, await make_next(later, name))
        elif meanwhile == "deleted":
            await later.delete(name)
        elif meanwhile == "vault deleted":
            gone = replace(vault, deletion=Deletion(deleted=NOON, scheduled_purge=NOON))
            await storage.stores.vaults.replace(gone)
        else:
            await later.set_policy(name, RotationPolicy())
        return made

    make_next = type(keys).make_next
    monkeypatch.setattr(type(keys), "make_next", settle)
    before = len(storage.records)
    assert await rotate(storage, NOON + days(30)) == 0
    assert len(storage.records) == before


async def test_what_was_made_for_a_rotation_that_is_refused_is_destroyed(storage, monkeypatch):
    keepers, hsm = keepers_with_hsm(storage)
    vault = replace(storage.stores.vaults.rows["kv1"], sku="premium")
    await storage.stores.vaults.replace(vault)
    keys = keys_of(storage, vault, keepers=keepers)
    await keys.add("k", await keys.make("k", spec_of(KeyType.EC), KeyEdit(), hsm=True), KeyEdit())
    await keys.set_policy("k", MONTHLY)

    async def refuse(self, name, made):
        raise Conflict("it became another")

    monkeypatch.setattr(Keys, "rotate", refuse)
    assert await rotate(storage, NOON + days(30), keepers) == 0
    assert [name for _, name, _ in hsm.destroyed] == ["k"]


async def test_a_key_that_cannot_be_rotated_is_told_and_holds_up_no_other(storage):
    keys = await make(storage, "a", "b")
    found = await keys.get("a")
    await keys.store.replace_version(found.state, structs.replace(found.version, hsm=True))
    assert await rotate(storage, NOON + days(30), keepers_of(storage, hsm=False)) == 1


async def test_a_rotation_that_cannot_be_recorded_does_not_happen(storage):
    await make(storage, "k")
    storage.broken = True
    with pytest.raises(StorageUnavailable):
        await rotate(storage, NOON + days(30))
    assert len(await versions(storage)) == 1


@pytest.mark.parametrize(("offset", "rotated"), [(None, 0), (b"0", 0), (b"2592100", 1)])
async def test_rotation_lives_in_the_time_of_the_vaults(storage, offset, rotated):
    await make(storage, "k", now=real_now())
    if offset is not None:
        await storage.stores.facts.put(CLOCK_FACT, offset)
    assert await rotate_now(storage, storage.custodian, keepers_of(storage)) == rotated


async def test_keepers_begin_nothing_more_when_a_worker_ends(storage):
    keepers = keepers_of(storage)
    await keepers.software.make(spec_of(KeyType.EC), Place(*await _place(storage)))
    keepers.close()
    assert keepers.software._making._line is None


async def _place(storage):
    keys = keys_at(storage)
    return await keys.vault_key(), keys.place("k", "0" * 32)


@pytest.mark.parametrize("edit", ["due - 1", "due - 0.5", "due - 0.000001", "0", "-0.5"])
async def test_a_policy_that_was_edited_holds_up_no_other(tmp_path, edit):
    place = a_data_directory(tmp_path / "data")
    storage = SqliteStorage.open(place, a_custodian())
    keepers = Keepers(software=SoftwareProvider(a_custodian()))
    vault = a_vault()

    async def furnish(stores):
        await stores.resources.add_subscription(
            Subscription(subscription_id=SUBSCRIPTION, tenant_id=TENANT, display_name="one", created=NOON)
        )
        await stores.vaults.add(vault)
        await stores.keyring.add(a_custodian().new_key(Purpose.VAULT, vault.vault_id, 1, NOON))
        return None, a_record()

    await storage.change(furnish)
    for name in ("a", "b"):

        def keys(stores):
            return Keys(stores.keys, stores.keyring, a_custodian(), keepers=keepers, vault=vault, now=NOON)

        made = await keys(storage.read()).make(name, spec_of(KeyType.EC), KeyEdit(), hsm=False)

        async def add(stores, name=name, made=made, keys=keys):
            await keys(stores).add(name, made, KeyEdit())
            await keys(stores).set_policy(name, MONTHLY)
            return None, a_record()

        await storage.change(add)
    with closing(sqlite3.connect(place / "strongroom.db")) as connection, connection:
        connection.execute(f"UPDATE rotation_policies SET due = {edit} WHERE name = 'a'")
    now = NOON + days(30)
    (first,) = await storage.read().keys.list_due(now, after=None, limit=1)
    assert first not in await storage.read().keys.list_due(now, after=first, limit=1)  # else a sweep would never end
    with structlog.testing.capture_logs() as lines:
        assert await Rotation(storage, a_custodian(), keepers, now, REAL).run() == 1
    assert [line["key"] for line in lines if line["log_level"] == "error"] == ["a"]
    assert await Rotation(storage, a_custodian(), keepers, now, REAL).run() == 0
    storage.close()
