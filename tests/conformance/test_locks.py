from dataclasses import replace

import pytest

from storage_doubles import a_lock
from strongroom.errors import NotFound
from strongroom.resources.locks import Level

GROUP = "/subscriptions/s1/resourceGroups/G"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv1"


@pytest.fixture
def put(change):
    async def run(*locks):
        for lock in locks:
            await change(lambda stores, one=lock: stores.locks.put(one))

    return run


async def test_locks_are_listed_by_scope_and_name_within_their_subscription(storage, put):
    rows = a_lock(2, GROUP), a_lock(1, GROUP), a_lock(3), a_lock(1, "/subscriptions/s2", subscription_id="s2")
    await put(*rows)
    assert await storage.read().locks.list_in("S1") == (rows[2], rows[1], rows[0])
    assert await storage.read().locks.list_in("s3") == ()


async def test_putting_a_lock_of_a_scope_and_name_replaces_it(storage, put):
    await put(a_lock(1, GROUP))
    other = replace(a_lock(1, GROUP.upper()), name="LOCK-1", level=Level.READ_ONLY, notes=None, owners=())
    await put(other)
    assert await storage.read().locks.list_in("s1") == (other,)


async def test_a_removed_lock_is_gone(storage, change, put):
    await put(a_lock(1, GROUP), a_lock(1), a_lock(2, GROUP))
    await change(lambda stores: stores.locks.remove(GROUP.upper(), "LOCK-1"))
    assert await storage.read().locks.list_in("s1") == (a_lock(1), a_lock(2, GROUP))
    with pytest.raises(NotFound) as refused:
        await change(lambda stores: stores.locks.remove(GROUP, "Lock-1"))
    assert refused.value.code == "LockNotFound"


async def test_locks_end_with_their_scope_and_with_what_is_above_it(storage, change, put):
    kept = a_lock(1), a_lock(2, f"{GROUP}2")
    await put(*kept, a_lock(3, GROUP), a_lock(4, VAULT))
    await change(lambda stores: stores.locks.remove_within(GROUP.lower()))
    assert await storage.read().locks.list_in("s1") == kept
