from dataclasses import replace

import pytest

from storage_doubles import a_network
from strongroom.errors import NotFound


@pytest.fixture
def put(change):
    async def run(*networks):
        for network in networks:
            await change(lambda stores, one=network: stores.networks.put(one))

    return run


async def test_a_network_is_found_by_its_names_in_any_case(storage, put):
    await put(a_network(1), a_network(1, "other"))
    assert await storage.read().networks.find("S1", "OTHER", "NET-1") == a_network(1, "other")
    assert await storage.read().networks.find("s1", "rg", "net-2") is None


async def test_networks_are_listed_by_name_and_group_within_their_subscription(storage, put):
    rows = a_network(2), a_network(1, "Rg2"), a_network(1), a_network(1, subscription_id="s2")
    await put(*rows)
    networks = storage.read().networks
    assert await networks.list_in("S1") == (rows[2], rows[1], rows[0])
    assert await networks.list_in("s1", "RG2") == (rows[1],)
    assert await networks.list_in("s1", after="Net-1/rg", limit=1) == (rows[1],)
    assert await networks.list_in("s3") == ()
    assert [await networks.count(each) for each in ("S1", "s2", "s3")] == [3, 1, 0]


async def test_putting_a_network_of_the_same_names_replaces_it(storage, put):
    await put(a_network(1))
    other = replace(a_network(1), name="NET-1", subnets=(), etag="other")
    await put(other)
    assert await storage.read().networks.list_in("s1") == (other,)


async def test_a_removed_network_is_gone(storage, change, put):
    await put(a_network(1), a_network(2), a_network(1, "other"))
    await change(lambda stores: stores.networks.remove(a_network(1)))
    assert await storage.read().networks.list_in("s1") == (a_network(1, "other"), a_network(2))
    with pytest.raises(NotFound) as refused:
        await change(lambda stores: stores.networks.remove(a_network(1)))
    assert refused.value.code == "ResourceNotFound"


async def test_networks_end_with_their_group(storage, change, put):
    await put(a_network(1), a_network(2), a_network(1, "other"), a_network(1, subscription_id="s2"))
    await change(lambda stores: stores.networks.remove_group("S1", "RG"))
    assert await storage.read().networks.list_in("s1") == (a_network(1, "other"),)
    assert await storage.read().networks.list_in("s2") == (a_network(1, subscription_id="s2"),)
