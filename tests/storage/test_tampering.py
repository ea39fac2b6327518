"""A row that was edited behind the server's back is not believed; everything else goes on."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from storage_doubles import (
    CUSTODIAN,
    NOON,
    a_group,
    a_signing_key,
    a_state,
    a_subscription,
    a_tenant,
    a_version,
    adding,
    an_application,
    an_assignment,
)
from strongroom.custody.sealing import Custodian, MasterKeyWrong, SealBroken
from strongroom.custody.store import Purpose
from strongroom.sensitive import Sensitive
from strongroom.storage.sqlite import SqliteStorage
from vault_doubles import SUBSCRIPTION, a_vault

READS = {
    "tenants": lambda stores: stores.identity.list_tenants(),
    "applications": lambda stores: stores.identity.list_applications(),
    "signing_keys": lambda stores: stores.identity.list_signing_keys(),
    "subscriptions": lambda stores: stores.resources.list_subscriptions(),
    "resource_groups": lambda stores: stores.resources.list_groups("s1"),
    "facts": lambda stores: stores.facts.get("fact"),
    "vaults": lambda stores: stores.vaults.find("kv1"),
    "assignments": lambda stores: stores.assignments.list_all(),
    "objects": lambda stores: stores.secrets.find("vault-1", "secret"),
    "versions": lambda stores: stores.secrets.find("vault-1", "secret"),
}
EDITS = [
    ("tenants", "document = CAST(replace(document, 'Tenant', 'Tenent') AS BLOB)"),
    ("tenants", "tenant_id = 'tenant-2'"),
    ("applications", "document = CAST(replace(document, '\"enabled\":true', '\"enabled\":false') AS BLOB)"),
    ("applications", "app_id = 'app-2'"),
    ("applications", "object_id = 'object-2'"),
    ("signing_keys", "document = CAST(replace(document, 'Kid', 'Kod') AS BLOB)"),
    ("signing_keys", "kid = 'other'"),
    ("subscriptions", "document = CAST(replace(document, 'tenant-1', 'tenant-2') AS BLOB)"),
    ("resource_groups", "document = CAST(replace(document, 'local', 'lokal') AS BLOB)"),
    ("resource_groups", "name = 'grope'"),
    ("facts", 'document = \'{"value":""}\''),
    ("vaults", "document = CAST(replace(document, '\"rbac\":false', '\"rbac\":true ') AS BLOB)"),
    ("vaults", "deleted = 1"),
    ("vaults", "resource_group = 'other'"),
    ("vaults", "subscription_id = 'other'"),
    ("vaults", "mac = zeroblob(32)"),
    ("vaults", "mac = x''"),
    ("assignments", "principal_id = 'object-2'"),
    ("assignments", "scope = '/'"),
    ("assignments", "role_id = 'owner'"),
    ("assignments", "document = CAST(replace(document, 'role-1', 'role-2') AS BLOB)"),
    ("objects", "deleted = 1"),
    ("objects", "purge = 1"),
    ("objects", "document = CAST(replace(document, 'Secret', 'SECRET') AS BLOB)"),
    ("objects", "latest = '00000000000000000000000000000002'"),
    ("versions", "document = CAST(replace(document, 'created', 'crested') AS BLOB)"),
    ("versions", "mac = (SELECT mac FROM versions WHERE name = 'other')"),
    ("versions", "document = (SELECT document FROM versions WHERE name = 'other')"),
    ("versions", "document = CAST('no json' AS BLOB)"),
    ("versions", "document = 'text'"),
    ("versions", "document = 1"),
    ("versions", "mac = 'text'"),
    ("versions", "sealed = 1"),
    ("objects", "deleted = 1.5"),
    ("objects", "latest = CAST(latest AS BLOB)"),
]


@pytest.fixture
async def filled(storage):
    await storage.change(
        adding(
            lambda stores: stores.identity.add_tenant(a_tenant()),
            lambda stores: stores.identity.add_application(an_application()),
            lambda stores: stores.identity.add_signing_key(a_signing_key()),
            lambda stores: stores.resources.add_subscription(a_subscription()),
            lambda stores: stores.resources.put_group(a_group()),
            lambda stores: stores.facts.put("fact", b"value"),
            lambda stores: stores.facts.put("other", b"other value"),
            lambda stores: stores.vaults.add(a_vault("kv1")),
            lambda stores: stores.assignments.add(an_assignment()),
            lambda stores: stores.secrets.add_version(a_state("Secret"), a_version(1)),
            lambda stores: stores.secrets.add_version(a_state("Secret", latest=2), a_version(2)),
            lambda stores: stores.secrets.add_version(a_state("Secret"), a_version(3)),
            lambda stores: stores.secrets.add_version(a_state("other"), a_version(1, enabled=False)),
        )
    )
    return storage


@pytest.mark.parametrize("table", READS)
async def test_what_was_written_is_believed(filled, table):
    assert await READS[table](filled.read())


@pytest.mark.parametrize(("table", "edit"), EDITS)
async def test_an_edited_row_is_not_believed(filled, sql, table, edit):
    before = sql(f"SELECT * FROM {table}")
    where = "WHERE name = 'secret'" if table in ("objects", "versions") else ""
    if table == "facts":
        where = "WHERE name = 'fact'"
    sql(f"UPDATE {table} SET {edit} {where}")
    assert sql(f"SELECT * FROM {table}") != before
    sql("UPDATE epoch SET value = value + 1")
    with pytest.raises(SealBroken):
        await READS[table](filled.read())


async def test_a_row_read_before_and_edited_then_is_not_believed_either(filled, sql):
    assert await filled.read().secrets.find("vault-1", "secret")
    sql("UPDATE objects SET deleted = 5, purge = 6 WHERE name = 'secret'")
    with pytest.raises(SealBroken):
        await filled.read().secrets.find("vault-1", "secret")


async def test_a_newest_version_that_was_removed_is_noticed(filled, sql):
    sql("DELETE FROM versions WHERE name = 'secret' AND version = ?", (a_version(3).version,))
    stores = filled.read()
    with pytest.raises(SealBroken):
        await stores.secrets.find("vault-1", "secret")
    with pytest.raises(SealBroken):
        await stores.secrets.list_newest("vault-1", deleted=False, after=None, limit=9, now=NOON)
    assert (await stores.secrets.find("vault-1", "secret", a_version(2).version)).version == a_version(2)


async def test_a_row_under_the_name_of_another_is_not_believed(filled, sql):
    sql("DELETE FROM objects WHERE name = 'other'")
    sql("DELETE FROM versions WHERE name = 'other'")
    sql("UPDATE objects SET name = 'other' WHERE name = 'secret'")
    sql("UPDATE versions SET name = 'other' WHERE name = 'secret'")
    stores = filled.read()
    for read in (
        stores.secrets.find("vault-1", "other"),
        stores.secrets.find_state("vault-1", "other"),
        stores.secrets.list_newest("vault-1", deleted=False, after=None, limit=9, now=NOON),
        stores.secrets.list_versions("vault-1", "other", after=None, limit=9),
    ):
        with pytest.raises(SealBroken):
            await read


async def test_what_was_not_edited_goes_on(filled, sql):
    sql("UPDATE versions SET mac = zeroblob(32) WHERE name = 'other'")
    with pytest.raises(SealBroken):
        await filled.read().secrets.find("vault-1", "other")
    assert (await filled.read().secrets.find("vault-1", "secret")).version == a_version(3)
    assert await filled.read().vaults.list_living(SUBSCRIPTION) == (a_vault("kv1"),)


async def test_a_change_over_an_edited_row_is_refused_and_undone(filled, sql):
    sql("UPDATE vaults SET resource_group = 'other'")

    async def work(stores):
        await stores.facts.put("fact", b"changed")
        vault = await stores.vaults.find("kv1")
        raise AssertionError(vault)

    with pytest.raises(SealBroken):
        await filled.change(work)
    assert await filled.read().facts.get("fact") == b"value"


@pytest.mark.parametrize(
    "edit",
    [
        "purpose = 'backup'",
        "scope = 'other'",
        "version = 2",
        "sealed = zeroblob(77)",
        "sealed = x''",
        "key_id = '00000000000000000000000000000000'",
    ],
)
async def test_a_key_that_was_edited_does_not_open(filled, sql, edit):
    key = CUSTODIAN.new_key(Purpose.VAULT, "vault-1", 1, NOON)
    await filled.change(adding(lambda stores: stores.keyring.add(key)))
    sql(f"UPDATE data_keys SET {edit} WHERE key_id = ?", (key.key_id,))
    after = next(each for each in await filled.read().keyring.list_all() if each.scope in ("vault-1", "other"))
    fresh = Custodian(Sensitive(bytes(range(32))))
    with pytest.raises(MasterKeyWrong):
        fresh.mac(after, b"")


@pytest.mark.parametrize(
    "edit", ["purpose = 'unheard of'", "scope = x'00'", "version = 'one'", "sealed = 'text'", "created = 1e300"]
)
async def test_a_row_that_is_no_key_at_all_is_not_believed(filled, sql, edit):
    key = CUSTODIAN.new_key(Purpose.VAULT, "vault-1", 1, NOON)
    await filled.change(adding(lambda stores: stores.keyring.add(key)))
    sql(f"UPDATE data_keys SET {edit} WHERE key_id = ?", (key.key_id,))
    with pytest.raises(SealBroken, match="data_keys"):
        await filled.read().keyring.find(key.key_id)


def test_another_master_key_is_told_before_anything_is_done(place):
    SqliteStorage.open(place, CUSTODIAN).close()
    before = sorted((path.name, path.read_bytes()) for path in place.glob("*.db"))
    with pytest.raises(MasterKeyWrong):
        SqliteStorage.open(place, Custodian(Sensitive(bytes(32))))
    assert sorted((path.name, path.read_bytes()) for path in place.glob("*.db")) == before


async def test_no_new_keyring_is_made_beside_data(place, sql):
    storage = SqliteStorage.open(place, CUSTODIAN)
    await storage.change(adding(lambda stores: stores.identity.add_tenant(a_tenant())))
    storage.close()
    sql("DELETE FROM data_keys")
    with pytest.raises(SealBroken, match="keyring is gone"):
        SqliteStorage.open(place, CUSTODIAN)
    assert sql("SELECT count(*) FROM data_keys") == [(0,)]


async def test_what_was_purged_is_not_in_the_file_any_more(storage, place):
    canary = b"canary of a sealed value" * 20
    version = replace(a_version(), sealed=canary, expires=NOON + timedelta(days=1))
    await storage.change(adding(lambda stores: stores.secrets.add_version(a_state(), version)))
    await storage.change(adding(lambda stores: stores.secrets.purge("vault-1", "secret")))
    storage.close()
    assert not [path.name for path in place.iterdir() if canary[:24] in path.read_bytes()]
