"""What the life of networks is refused for that no request of a test reaches."""

import pytest

from doubles import MemoryStores
from storage_doubles import NOON, a_group, a_network
from strongroom.errors import Conflict
from strongroom.resources.locations import Locations
from strongroom.resources.networks.request import MAX_NETWORKS, NetworkRequest
from strongroom.resources.networks.service import NetworkChange, find_subnets, put_network
from strongroom.resources.service import Author


async def test_a_subscription_has_so_many_networks_and_changes_each_of_them():
    stores, change = MemoryStores(), NetworkChange(author=Author("a", "User"), now=NOON)
    await stores.resources.put_group(a_group("rg"))
    for number in range(MAX_NETWORKS):
        await stores.networks.put(a_network(number))
    asked = NetworkRequest(location="westeurope", prefixes=("10.0.0.0/16",), tags={}, others={})

    async def put(name):
        return await put_network(
            stores, Locations("local"), subscription_id="s1", group="rg", name=name, request=asked, change=change
        )

    with pytest.raises(Conflict) as refused:
        await put("one-more")
    assert refused.value.code == "NetworkCountLimitReached"
    assert (await put("net-0"))[1] == a_network(0)


async def test_a_subnet_is_found_by_its_whole_id_only():
    stores = MemoryStores()
    await stores.networks.put(a_network(1))
    whole = "/subscriptions/S1/resourceGroups/RG/providers/Microsoft.Network/virtualNetworks/NET-1/subnets/WEB"
    there = a_network(1), a_network(1).subnets[0]
    both = (whole, whole.lower())
    assert await find_subnets(stores.networks, both) == dict.fromkeys(both, there)
    wrong = (
        whole.replace("Network/", "Other/"), whole[:-1], f"{whole}/x", whole.replace("subnets", "peerings"), "",
        whole.replace("S1", "s2"), "/" * 9,
    )  # fmt: skip
    assert await find_subnets(stores.networks, wrong) == {}


async def test_a_network_is_looked_for_once_however_many_of_its_subnets_are():
    networks, ids = MemoryStores().networks, [a_subnet_id(1, name) for name in ("web", "db", "none")]
    await networks.put(a_network(1))
    await networks.put(a_network(2))
    looked_for, find = [], networks.find

    async def counted(*place):
        looked_for.append(place)
        return await find(*place)

    networks.find = counted
    found = await find_subnets(networks, [*ids, a_subnet_id(2, "WEB"), "no id"])
    assert {each: subnet.name.lower() for each, (_, subnet) in found.items()} == {
        ids[0]: "web", ids[1]: "db", a_subnet_id(2, "WEB"): "web"
    }  # fmt: skip
    assert [place[2] for place in looked_for] == ["net-1", "net-2"]
    assert [network.name for network, _ in found.values()] == ["Net-1", "Net-1", "Net-2"]


def a_subnet_id(number, name):
    place = "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks"
    return f"{place}/net-{number}/subnets/{name}"
