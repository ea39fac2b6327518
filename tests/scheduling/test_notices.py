"""Whose end is near, or has come, is told: once, of the newest version, with a record."""

from dataclasses import replace

import pytest
import structlog

from strongroom.custody.algorithms import spec_of
from strongroom.custody.provider import KeyType
from strongroom.errors import ServiceUnavailable
from strongroom.objects.keys.backup import back_up, restore
from strongroom.objects.keys.model import KeyEdit
from strongroom.objects.keys.rotation import RotationPolicy, Trigger, parse_period
from strongroom.objects.keys.service import Keys
from strongroom.scheduling.rotation import Rotation
from strongroom.vaults.model import Deletion
from vault_doubles import NOON, a_subscribed_storage, a_vault, days, keepers_of, keys_of, put_vault

NEAR, END = "KeyNearExpiryEventGridNotification", "KeyExpiredEventGridNotification"
EXPIRES = NOON.replace(microsecond=0) + days(100)  # the wire has whole seconds
WEEK_BEFORE = RotationPolicy(notify=Trigger(before_expiry=parse_period("timeBeforeExpiry", "P7D")))


@pytest.fixture
async def storage():
    storage = await a_subscribed_storage()
    await put_vault(storage, a_vault())
    return storage


def keys_at(storage, now=NOON, vault="kv1"):
    return keys_of(storage, storage.stores.vaults.rows[vault], now)


async def make(storage, name="k", expires=EXPIRES, now=NOON):
    keys = keys_at(storage, now)
    made = await keys.make(name, spec_of(KeyType.EC), KeyEdit(), hsm=False)
    return await keys.add(name, made, KeyEdit(expires=expires))


async def told(storage, day):
    """Return what a look on a day records: operation, key, version."""
    before = len(storage.bodies())
    now = NOON + days(day)
    await Rotation(storage, storage.custodian, keepers_of(storage), now, now).run()
    bodies = [body for body in storage.bodies()[before:] if body["operationName"] in {NEAR, END}]
    return [(body["operationName"], body["properties"]["key"], body["properties"]["version"]) for body in bodies]


async def test_a_key_is_told_thirty_days_before_its_end_and_at_its_end_once_each(storage):
    version = (await make(storage)).version.version
    assert await told(storage, 69) == []
    assert await told(storage, 70) == [(NEAR, "k", version)]
    assert await told(storage, 71) == []
    assert await told(storage, 99) == []
    assert await told(storage, 100) == [(END, "k", version)]
    assert await told(storage, 5000) == []


async def test_what_is_told_is_a_record_of_the_vault_and_a_line_of_the_log(storage):
    made = await make(storage)
    with structlog.testing.capture_logs() as lines:
        await told(storage, 70)
    (record,) = storage.bodies()
    assert (record["category"], record["resultType"]) == ("AuditEvent", "Success")
    assert record["resourceId"].endswith("/VAULTS/KV1")
    assert record["properties"] == {
        "actor": "server",
        "key": "k",
        "version": made.version.version,
        "expires": f"{EXPIRES:%Y-%m-%dT%H:%M:%S}.0000000Z",
    }
    assert [line["event"] for line in lines if line["log_level"] == "warning"] == ["a key is about to expire"]


async def test_what_was_missed_is_told_as_what_it_is_by_now(storage):
    version = (await make(storage)).version.version
    assert await told(storage, 400) == [(END, "k", version)]
    assert await told(storage, 401) == []


async def test_a_key_without_an_end_is_never_told(storage):
    await make(storage, expires=None)
    assert await told(storage, 9000) == []


async def test_only_the_newest_version_is_told(storage):
    await make(storage)
    newest = (await make(storage, expires=NOON + days(200))).version.version
    assert await told(storage, 150) == []
    assert await told(storage, 170) == [(NEAR, "k", newest)]
    await make(storage, expires=None)
    assert await told(storage, 9000) == []


async def test_an_end_that_is_moved_is_told_anew(storage):
    version = (await make(storage)).version.version
    assert await told(storage, 70) == [(NEAR, "k", version)]
    await keys_at(storage, NOON + days(71)).update("k", None, KeyEdit(expires=NOON + days(300)))
    assert await told(storage, 100) == []
    assert await told(storage, 270) == [(NEAR, "k", version)]
    assert await told(storage, 300) == [(END, "k", version)]
    await keys_at(storage, NOON + days(301)).update("k", None, KeyEdit(tags=(("a", "b"),)))
    assert await told(storage, 302) == []


async def test_a_policy_says_when_and_whether(storage):
    for name, policy in (("week", WEEK_BEFORE), ("none", RotationPolicy())):
        await make(storage, name)
        await keys_at(storage).set_policy(name, policy)
    assert await told(storage, 92) == []
    assert [each[:2] for each in await told(storage, 93)] == [(NEAR, "week")]
    assert sorted(each[:2] for each in await told(storage, 100)) == [(END, "none"), (END, "week")]


async def test_a_policy_that_is_changed_does_not_tell_again_what_was_told(storage):
    await make(storage)
    assert len(await told(storage, 70)) == 1
    await keys_at(storage, NOON + days(71)).set_policy(
        "k", replace(WEEK_BEFORE, notify=Trigger(before_expiry=parse_period("t", "P40D")))
    )
    assert await told(storage, 72) == []
    await keys_at(storage, NOON + days(72)).set_policy("k", WEEK_BEFORE)
    assert await told(storage, 92) == []
    assert [each[0] for each in await told(storage, 93)] == [NEAR]


async def test_the_service_s_policy_is_told_as_before(storage):
    await make(storage)
    policy = await keys_at(storage).get_policy("k")
    assert (policy.created, policy.notify.before_expiry.text) == (None, "P30D")


async def test_a_deleted_key_and_a_deleted_vault_wait(storage):
    await put_vault(storage, a_vault("kv2"))
    version = (await make(storage)).version.version
    keys = keys_at(storage, vault="kv2")
    await keys.add("k", await keys.make("k", spec_of(KeyType.EC), KeyEdit(), hsm=False), KeyEdit(expires=EXPIRES))
    await keys_at(storage).delete("k")
    vault = storage.stores.vaults.rows["kv2"]
    await storage.stores.vaults.replace(replace(vault, deletion=Deletion(deleted=NOON, scheduled_purge=EXPIRES)))
    assert await told(storage, 70) == []
    await keys_at(storage).recover("k")
    assert await told(storage, 71) == [(NEAR, "k", version)]


async def test_a_disabled_key_is_told_too_and_one_that_is_rotated_in_time_never(storage):
    version = (await make(storage, "disabled")).version.version
    await keys_at(storage).update("disabled", None, KeyEdit(enabled=False))
    await make(storage, "rotated")
    rotating = RotationPolicy(
        expiry=parse_period("expiryTime", "P100D"),
        rotate=Trigger(before_expiry=parse_period("timeBeforeExpiry", "P40D")),
        notify=Trigger(before_expiry=parse_period("timeBeforeExpiry", "P30D")),
    )
    await keys_at(storage).set_policy("rotated", rotating)
    for day in range(50, 99):
        expected = [(NEAR, "disabled", version)] if day == 70 else []
        assert await told(storage, day) == expected


async def test_a_key_that_cannot_be_rotated_is_told_all_the_same(storage, monkeypatch):
    await make(storage)
    rotating = RotationPolicy(
        expiry=parse_period("expiryTime", "P100D"),
        rotate=Trigger(after_create=parse_period("timeAfterCreate", "P30D")),
        notify=Trigger(before_expiry=parse_period("timeBeforeExpiry", "P30D")),
    )
    await keys_at(storage).set_policy("k", rotating)

    async def fail(*_, **__):
        raise ServiceUnavailable("the HSM is away")

    monkeypatch.setattr(Keys, "make_next", fail)
    assert await told(storage, 40) == []
    assert [each[0] for each in await told(storage, 70)] == [NEAR]
    assert [each[0] for each in await told(storage, 100)] == [END]


async def test_where_nothing_is_to_be_told_nothing_is_changed(storage, monkeypatch):
    await make(storage)
    await keys_at(storage).delete("k")

    async def never(*_, **__):
        raise AssertionError("no change is needed")

    monkeypatch.setattr(storage, "change", never)
    assert await told(storage, 70) == []


async def test_keys_of_an_hsm_that_is_away_are_tried_once_a_sweep(storage, monkeypatch):
    rotating = RotationPolicy(rotate=Trigger(after_create=parse_period("timeAfterCreate", "P30D")))
    for name in "abc":
        await make(storage, name, expires=None)
        await keys_at(storage).set_policy(name, rotating)
    tried = []

    async def fail(_keys, name):
        tried.append(name)
        raise ServiceUnavailable("the HSM is away")

    monkeypatch.setattr(Keys, "make_next", fail)
    await told(storage, 31)
    assert tried == ["a"]


async def test_a_restored_key_is_told(storage):
    await make(storage)
    await put_vault(storage, a_vault("kv2"))
    blob = await back_up(keys_at(storage), "k")
    await restore(keys_at(storage, vault="kv2"), blob)
    assert [each[:2] for each in await told(storage, 70)] == [(NEAR, "k")] * 2
