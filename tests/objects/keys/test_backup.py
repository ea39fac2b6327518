import pytest
from msgspec.structs import replace

from doubles import MemoryStorage
from jwk_doubles import digest_of
from strongroom.custody.algorithms import spec_of
from strongroom.custody.provider import KeyType
from strongroom.errors import BadRequest, Conflict, NotFound
from strongroom.objects.keys.backup import back_up, restore
from strongroom.objects.keys.model import KeyEdit, Operation
from strongroom.objects.secrets import backup as secret_backup
from strongroom.objects.secrets.model import SecretEdit
from strongroom.sensitive import Sensitive
from vault_doubles import NOON, a_vault, days, keys_of, put_vault, secrets_of

DIGEST = digest_of()


@pytest.fixture
def storage():
    return MemoryStorage()


@pytest.fixture
async def source(storage):
    keys = keys_of(storage, await put_vault(storage, a_vault("kv1", sku="premium")))
    edit = KeyEdit(enabled=False, not_before=NOON, expires=NOON, tags=(("a", "ä"),), operations=(Operation.SIGN,))
    for name, type_, said, hsm in (
        ("Name", KeyType.EC, edit, False),
        ("name", KeyType.RSA, KeyEdit(), True),
        ("name", KeyType.EC, KeyEdit(), False),
    ):
        await keys.add(name, await keys.make(name, spec_of(type_), said, hsm=hsm), said)
    return keys


@pytest.fixture
async def target(storage):
    return keys_of(storage, await put_vault(storage, a_vault("kv2", sku="premium")), NOON + days(400))


async def told(keys, name="name"):
    """Return all that is said of the versions of a key, but for what is sealed."""
    return [replace(each.version, sealed=b"") for each in await keys.list_versions(name, None, 25)]


async def test_a_restored_key_is_what_it_was_and_signs_as_it_did(source, target):
    _, signature = await source.sign("name", None, "ES256", DIGEST)
    restored = await restore(target, await back_up(source, "NAME"))
    assert restored.state.name == "Name"
    assert await told(target) == await told(source)
    assert (await target.verify("name", None, "ES256", DIGEST, signature))[1] is True
    _, signature = await target.sign("name", None, "ES256", DIGEST)
    assert (await source.verify("name", None, "ES256", DIGEST, signature))[1] is True


async def test_a_restored_key_lies_under_its_own_vault(source, target):
    await restore(target, await back_up(source, "name"))
    key = await target.vault_key()
    assert {each.version.sealed[1:17].hex() for each in await target.list_versions("name", None, 9)} == {key.key_id}


async def test_a_backup_is_of_one_kind(storage, source, target):
    secrets = secrets_of(storage, source.vault)
    await secrets.set("name", Sensitive(b"x"), SecretEdit())
    with pytest.raises(BadRequest, match="Cannot decrypt backup blob"):
        await restore(target, await secret_backup.back_up(secrets, "name"))
    with pytest.raises(BadRequest, match="Cannot decrypt backup blob"):
        await secret_backup.restore(secrets, await back_up(source, "name"))


async def test_a_backup_opens_in_its_subscription_and_location_only(source, storage):
    taken = await back_up(source, "name")
    for elsewhere in ({"subscription_id": "33333333-3333-4333-8333-333333333333"}, {"location": "abroad"}):
        abroad = keys_of(storage, await put_vault(storage, a_vault(f"kv-{len(elsewhere)}", sku="premium", **elsewhere)))
        await storage.stores.vaults.purge(abroad.vault)
        with pytest.raises(BadRequest, match="Cannot decrypt backup blob"):
            await restore(abroad, taken)


async def test_a_key_of_an_hsm_is_not_restored_where_there_may_be_none(source, storage):
    standard = keys_of(storage, await put_vault(storage, a_vault("kv3")))
    with pytest.raises(BadRequest, match="RSA-HSM need a vault of the SKU premium"):
        await restore(standard, await back_up(source, "name"))


async def test_a_restore_overwrites_nothing(source):
    taken = await back_up(source, "name")
    with pytest.raises(Conflict, match="A key with the name Name already exists"):
        await restore(source, taken)
    await source.delete("name")
    with pytest.raises(Conflict, match="deleted but recoverable"):
        await restore(source, taken)
    with pytest.raises(NotFound):
        await back_up(source, "name")


async def test_a_changed_backup_is_none(source, target):
    taken = await back_up(source, "name")
    for place in (0, 30, 200, len(taken) - 2):
        changed = taken[:place] + ("B" if taken[place] == "A" else "A") + taken[place + 1 :]
        with pytest.raises(BadRequest, match="Cannot decrypt backup blob"):
            await restore(target, changed)


async def test_a_key_with_too_many_versions_is_told_so(source, monkeypatch):
    from strongroom.objects import backup

    monkeypatch.setattr(backup, "MAX_PAST_VERSIONS", 1)
    with pytest.raises(BadRequest, match="A key with more than 1 past versions cannot be backed up"):
        await back_up(source, "name")
