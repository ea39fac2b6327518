from dataclasses import replace

import pytest

from storage_doubles import CUSTODIAN, NOON
from strongroom.custody.sealing import Custodian
from strongroom.custody.store import Purpose
from strongroom.errors import Conflict, NotFound
from strongroom.sensitive import Sensitive


def a_key(version=1, scope="vault-1", purpose=Purpose.VAULT):
    return CUSTODIAN.new_key(purpose, scope, version, NOON)


@pytest.fixture
def add(change):
    async def run(*keys):
        for key in keys:
            await change(lambda stores, one=key: stores.keyring.add(one))

    return run


@pytest.mark.parametrize("purpose", [Purpose.ROWS, Purpose.SERVER, Purpose.CLIENT_SECRETS, Purpose.PAGING])
async def test_a_new_storage_has_the_keys_of_the_server(storage, purpose):
    key = await storage.read().keyring.newest(purpose)
    assert (key.purpose, key.scope, key.version) == (purpose, "", 1)
    assert CUSTODIAN.mac(key, b"opens") == CUSTODIAN.mac(key, b"opens")


async def test_the_newest_key_is_the_highest_version_of_its_purpose_and_scope(storage, add):
    old, new = a_key(1), a_key(2)
    await add(new, old, a_key(3, scope="vault-2"), a_key(4, purpose=Purpose.BACKUP))
    assert await storage.read().keyring.newest(Purpose.VAULT, "vault-1") == new
    assert await storage.read().keyring.newest(Purpose.VAULT, "Vault-1") is None


async def test_old_keys_are_found_by_their_ids(storage, add):
    old, new = a_key(1), a_key(2)
    await add(old, new)
    assert await storage.read().keyring.find(old.key_id) == old
    assert await storage.read().keyring.find("0" * 32) is None
    assert {old, new} <= set(await storage.read().keyring.list_all())


async def test_neither_an_id_nor_a_version_is_taken_twice(add):
    key = a_key()
    await add(key)
    for other in (replace(a_key(2), key_id=key.key_id), a_key(1)):
        with pytest.raises(Conflict):
            await add(other)


async def test_with_a_scope_go_its_keys_and_no_others(storage, change, add):
    gone, kept, other = a_key(1), a_key(1, scope="vault-2"), a_key(1, purpose=Purpose.BACKUP)
    await add(gone, kept, other)
    await change(lambda stores: stores.keyring.remove_scope(Purpose.VAULT, "vault-1"))
    keyring = storage.read().keyring
    assert await keyring.newest(Purpose.VAULT, "vault-1") is None
    assert await keyring.find(gone.key_id) is None
    assert await keyring.find(kept.key_id) == kept
    assert await keyring.find(other.key_id) == other


async def test_versions_are_listed_newest_first_and_of_one_scope(storage, add):
    old, new = a_key(1), a_key(2)
    await add(old, new, a_key(1, scope="vault-2"))
    assert await storage.read().keyring.list_versions(Purpose.VAULT, "vault-1") == (new, old)
    assert await storage.read().keyring.list_versions(Purpose.VAULT, "none") == ()


async def test_a_key_is_replaced_under_another_master_key_and_seen_so_at_once(storage, change, add):
    key = a_key()
    await add(key)
    assert await storage.read().keyring.find(key.key_id) == key
    wrapped = CUSTODIAN.rewrap(key, Sensitive(bytes(32)))
    await change(lambda stores: stores.keyring.replace(wrapped))
    assert await storage.read().keyring.find(key.key_id) == wrapped
    assert await storage.read().keyring.newest(Purpose.VAULT, "vault-1") == wrapped


async def test_a_key_is_removed_alone(storage, change, add):
    old, new = a_key(1), a_key(2)
    await add(old, new)
    await change(lambda stores: stores.keyring.remove(old))
    assert await storage.read().keyring.find(old.key_id) is None
    assert await storage.read().keyring.newest(Purpose.VAULT, "vault-1") == new


async def test_a_key_that_is_not_there_is_neither_replaced_nor_removed(change):
    for attempt in (lambda stores: stores.keyring.replace(a_key()), lambda stores: stores.keyring.remove(a_key())):
        with pytest.raises(NotFound):
            await change(attempt)


async def test_no_key_is_added_under_another_master_key_than_the_keyring_s(storage, change):
    stranger = Custodian(Sensitive(bytes(32))).new_key(Purpose.VAULT, "vault-1", 1, NOON)
    with pytest.raises(Conflict):
        await change(lambda stores: stores.keyring.add(stranger))
    assert await storage.read().keyring.newest(Purpose.VAULT, "vault-1") is None
