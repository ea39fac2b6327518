"""What every storage promises of private endpoints and their connections."""

from dataclasses import replace

import pytest

from storage_doubles import a_connection
from strongroom.errors import Conflict, NotFound
from strongroom.vaults.connections import Status
from vault_doubles import a_vault


@pytest.fixture
def put(change):
    async def run(*connections):
        for connection in connections:
            await change(lambda stores, one=connection: stores.connections.put(one))

    return run


async def test_connections_are_listed_by_vault_and_name(storage, put):
    rows = a_connection(1), a_connection(2, "id-of-kv0"), a_connection(3)
    await put(*rows)
    assert await storage.read().connections.list_all() == (rows[1], rows[0], rows[2])


async def test_putting_one_of_a_vault_and_name_replaces_it(storage, put):
    await put(a_connection(1))
    other = replace(a_connection(1), name="END-1", status=Status.REJECTED, revision=2)
    await put(other)
    assert await storage.read().connections.list_all() == (other,)


async def test_one_is_found_by_its_own_port_and_else_by_any(storage, put):
    own, whole = a_connection(1), a_connection(2, port=0)
    await put(own, whole)
    find = storage.read().connections.find_at
    assert await find(own.address, own.port) == own
    assert await find(own.address, own.port + 1) is None
    assert await find(whole.address, 1) == await find(whole.address, 65535) == whole
    assert await find("127.0.0.9", 1) is None
    assert await find("", 0) is None


async def test_two_do_not_have_one_place(storage, put):
    await put(a_connection(1))
    with pytest.raises(Conflict):
        await put(a_connection(2, address=a_connection(1).address, port=a_connection(1).port))
    assert await storage.read().connections.list_all() == (a_connection(1),)


async def test_a_removed_one_is_gone(storage, change, put):
    await put(a_connection(1), a_connection(2))
    await change(lambda stores: stores.connections.remove(replace(a_connection(1), name="END-1")))
    assert await storage.read().connections.list_all() == (a_connection(2),)
    assert await storage.read().connections.find_at(a_connection(1).address, a_connection(1).port) is None
    with pytest.raises(NotFound):
        await change(lambda stores: stores.connections.remove(a_connection(1)))


async def test_they_end_with_the_purge_of_their_vault(storage, change, put):
    await change(lambda stores: stores.vaults.add(a_vault("kv1")))
    await put(a_connection(1), a_connection(2, "id-of-kv2"))
    await change(lambda stores: stores.vaults.purge(a_vault("kv1")))
    assert await storage.read().connections.list_all() == (a_connection(2, "id-of-kv2"),)
