"""The store of virtual networks, in memory."""

from memory.store import MemoryStore
from strongroom.errors import NotFound
from strongroom.resources.networks.store import key_of_network


class MemoryNetworks(MemoryStore):
    held = ("rows",)

    def __init__(self):
        self.rows = {}

    async def find(self, subscription_id, group, name):
        return self.rows.get((subscription_id.lower(), group.lower(), name.lower()))

    async def list_in(self, subscription_id, group=None, *, after="", limit=None):
        found = [
            row
            for key, row in self.rows.items()
            if key[0] == subscription_id.lower() and (group is None or key[1] == group.lower())
        ]
        past = [row for row in found if key_of_network(row) > after.lower()]
        return tuple(sorted(past, key=key_of_network)[:limit])

    async def count(self, subscription_id):
        return len(await self.list_in(subscription_id))

    async def put(self, network):
        self.rows[_key_of(network)] = network

    async def remove(self, network):
        if self.rows.pop(_key_of(network), None) is None:
            raise NotFound("There is no such network.", code="ResourceNotFound")

    async def remove_group(self, subscription_id, group):
        gone = (subscription_id.lower(), group.lower())
        self.rows = {key: row for key, row in self.rows.items() if key[:2] != gone}


def _key_of(network):
    return network.subscription_id.lower(), network.resource_group.lower(), network.name.lower()
