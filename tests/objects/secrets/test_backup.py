import base64
from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from doubles import MemoryStorage
from strongroom.custody.sealing import Context
from strongroom.custody.store import Purpose
from strongroom.errors import BadRequest, Conflict, NotFound
from strongroom.objects import backup
from strongroom.objects.secrets import backup as secret_backup
from strongroom.objects.secrets.backup import back_up, restore
from strongroom.objects.secrets.model import SecretEdit
from strongroom.sensitive import Sensitive
from vault_doubles import NOON, SUBSCRIPTION, a_vault, days, put_vault, secrets_of

CANARY = "canary-hunter2"


@pytest.fixture
def storage():
    return MemoryStorage()


@pytest.fixture
async def source(storage):
    secrets = secrets_of(storage, await put_vault(storage, a_vault("kv1")))
    edit = SecretEdit(enabled=False, not_before=NOON, expires=NOON, content_type="text", tags=(("a", "ä"),))
    await secrets.set("Name", Sensitive(CANARY.encode()), edit)
    await secrets.set("name", Sensitive(b""), SecretEdit())
    return secrets


@pytest.fixture
async def target(storage):
    return secrets_of(storage, await put_vault(storage, a_vault("kv2")), NOON + days(400))


async def told(secrets, name):
    """Return all that can be told of a secret, values too."""
    versions = [replace(one.version, sealed=b"") for one in await secrets.list_versions(name, None, 25)]
    found = [await secrets.store.find(secrets.vault.vault_id, name, one.version) for one in versions]
    return versions, [(await secrets.open(one)).reveal() for one in found], found[-1].state.name


async def test_what_is_restored_is_what_was_backed_up(source, target):
    restored = await restore(target, await back_up(source, "NAME"))
    assert await told(target, "name") == await told(source, "name")
    assert restored.version.version == (await source.get("name"))[0].version.version
    assert restored.state == (await target.get("name"))[0].state


async def test_a_backup_outlives_its_secret_and_its_vault(source, target, storage):
    taken = await back_up(source, "name")
    before = await told(source, "name")
    await storage.stores.vaults.purge(source.vault)
    await restore(target, taken)
    assert await told(target, "name") == before


async def test_a_backup_shows_nothing_and_is_one_line_of_base64url(source):
    taken = await back_up(source, "name")
    raw = base64.urlsafe_b64decode(taken + "=" * (-len(taken) % 4))
    assert set(taken) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert CANARY.encode() not in raw
    assert b"name" not in raw.lower()


async def test_a_backup_names_its_key_and_old_keys_still_open_it(source, target, storage):
    taken = await back_up(source, "name")
    old = await storage.stores.keyring.newest(Purpose.BACKUP, SUBSCRIPTION)
    await storage.stores.keyring.add(storage.custodian.new_key(Purpose.BACKUP, SUBSCRIPTION, 2, NOON))
    newer = await back_up(source, "name")
    assert old.key_id in base64.urlsafe_b64decode(taken + "==").hex()
    assert old.key_id not in base64.urlsafe_b64decode(newer + "==").hex()
    await restore(target, taken)
    assert await told(target, "name") == await told(source, "name")


async def test_the_backup_key_is_made_once(source, storage):
    await back_up(source, "name")
    await back_up(source, "name")
    assert [key.purpose for key in await storage.stores.keyring.list_all()].count(Purpose.BACKUP) == 1


@pytest.mark.parametrize("spell", [lambda b: b, lambda b: b + "=" * (-len(b) % 4), lambda b: standard(b, "=")])
async def test_both_alphabets_are_read_with_padding_and_without(source, target, spell):
    await restore(target, spell(await back_up(source, "name")))
    assert (await target.get("name"))[1].reveal() == b""


def standard(text, padding):
    return text.replace("-", "+").replace("_", "/") + padding * (-len(text) % 4)


@pytest.mark.parametrize(
    "change",
    [
        lambda _: "",
        lambda _: "x",
        lambda _: "not a backup",
        lambda b: b[: len(b) // 2],
        lambda b: b + "AAAA",
        lambda b: ("B" if b[0] == "A" else "A") + b[1:],
        lambda b: b[:10] + ("B" if b[10] == "A" else "A") + b[11:],
        lambda b: b[:30] + ("B" if b[30] == "A" else "A") + b[31:],
        lambda b: b[:90] + ("B" if b[90] == "A" else "A") + b[91:],
        lambda b: b + "\n",
        lambda b: "ä" + b,
    ],
)
async def test_what_was_changed_opens_nowhere(source, target, change):
    taken = await back_up(source, "name")
    with pytest.raises(BadRequest, match=r"^Cannot decrypt backup blob\.$") as caught:
        await restore(target, change(taken))
    assert caught.value.code == "BadParameter"


@pytest.mark.parametrize(
    "elsewhere", [{"subscription_id": "33333333-3333-4333-8333-333333333333"}, {"location": "abroad"}]
)
async def test_a_backup_opens_in_its_subscription_and_location_only(source, storage, elsewhere):
    abroad = secrets_of(storage, await put_vault(storage, a_vault("kv3", **elsewhere)))
    with pytest.raises(BadRequest, match="Cannot decrypt backup blob"):
        await restore(abroad, await back_up(source, "name"))


@pytest.mark.parametrize("purpose", [Purpose.VAULT, Purpose.PAGING])
async def test_other_sealed_values_are_no_backups(source, target, storage, purpose):
    key = storage.custodian.new_key(purpose, SUBSCRIPTION, 9, NOON)
    await storage.stores.keyring.add(key)
    context = Context(SUBSCRIPTION, "secrets", "", "", "backup")
    blob = backup.FORMAT + storage.custodian.seal(key, Sensitive(b"\x94"), context)
    with pytest.raises(BadRequest, match="Cannot decrypt"):
        await restore(target, base64.urlsafe_b64encode(blob).decode())


@pytest.mark.parametrize("content", [["keys", "local", "n", []], ["secrets", "local", "n", []]])
async def test_a_backup_without_a_secret_is_none(target, storage, content):
    key = storage.custodian.new_key(Purpose.BACKUP, SUBSCRIPTION, 1, NOON)
    await storage.stores.keyring.add(key)
    sealed = Sensitive(msgspec.msgpack.encode(content))
    blob = backup.FORMAT + storage.custodian.seal(key, sealed, Context(SUBSCRIPTION, "secrets", "", "", "backup"))
    with pytest.raises(BadRequest, match="Cannot decrypt"):
        await restore(target, base64.urlsafe_b64encode(blob).decode())


async def test_a_restore_overwrites_nothing(source, target):
    taken = await back_up(source, "name")
    with pytest.raises(Conflict, match="already exists"):
        await restore(source, taken)
    await restore(target, taken)
    await target.delete("name")
    with pytest.raises(Conflict, match="deleted but recoverable") as caught:
        await restore(target, taken)
    assert caught.value.inner == "ObjectIsDeletedButRecoverable"
    await target.purge("name")
    await restore(target, taken)


async def test_a_restore_takes_the_name_of_what_retention_has_ended(source, storage):
    taken = await back_up(source, "name")
    await source.delete("name")
    after = secrets_of(storage, source.vault, NOON + days(90))
    await restore(after, taken)
    assert len(await after.list_versions("name", None, 25)) == 2


async def test_only_the_living_are_backed_up(source):
    with pytest.raises(NotFound):
        await back_up(source, "other")
    await source.delete("name")
    with pytest.raises(NotFound):
        await back_up(source, "name")
    with pytest.raises(BadRequest, match="invalid name"):
        await back_up(source, "a_b")


async def test_a_backup_holds_500_past_versions_and_no_more(storage):
    secrets = secrets_of(storage, await put_vault(storage, a_vault("many")))
    for _ in range(501):
        await secrets.set("s", Sensitive(b"x"), SecretEdit())
    await back_up(secrets, "s")
    await secrets.set("s", Sensitive(b"x"), SecretEdit())
    with pytest.raises(BadRequest, match="more than 500 past versions"):
        await back_up(secrets, "s")


async def test_no_backup_is_handed_out_that_could_not_be_restored(source, monkeypatch):
    monkeypatch.setattr(backup, "MAX_BLOB_BYTES", 100)
    with pytest.raises(BadRequest, match="too large"):
        await back_up(source, "name")


def test_a_version_with_its_value_does_not_print_it():
    moment = NOON + timedelta(seconds=1)
    packed = secret_backup._Version("1", CANARY.encode(), moment, moment, True, None, None, None, ())
    assert CANARY not in repr(packed)
    assert CANARY not in repr(backup._Content("secrets", "local", "n", (msgspec.Raw(CANARY.encode()),)))
