"""What the life of networks is refused for that no request of a test reaches."""

import pytest

from doubles import MemoryStores
from storage_doubles import NOON, a_group, a_network
from strongroom.errors import Conflict
from strongroom.resources.locations import Locations
from strongroom.resources.networks.request import MAX_NETWORKS, NetworkRequest
from strongroom.resources.networks.service import Change, find_subnet, put_network
from strongroom.resources.service import Author


async def test_a_subscription_has_so_many_networks_and_changes_each_of_them():
    stores, change = MemoryStores(), Change(author=Author("a", "User"), now=NOON)
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
    assert await find_subnet(stores.networks, whole) == (a_network(1), a_network(1).subnets[0])
    assert await find_subnet(stores.networks, whole.lower()) is not None
    wrong = (
        whole.replace("Network/", "Other/"), whole[:-1], f"{whole}/x", whole.replace("subnets", "peerings"), "",
        whole.replace("S1", "s2"), "/" * 9,
    )  # fmt: skip
    assert [await find_subnet(stores.networks, each) for each in wrong] == [None] * len(wrong)
