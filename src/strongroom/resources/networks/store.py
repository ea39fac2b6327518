"""What virtual networks need of a storage."""

from typing import Protocol

from strongroom.resources.networks.model import VirtualNetwork


class NetworkStore(Protocol):
    """Virtual networks with their subnets; names compare without regard to case."""

    async def find(self, subscription_id: str, group: str, name: str) -> VirtualNetwork | None:
        """Return a virtual network."""

    async def list_in(
        self, subscription_id: str, group: str | None = None, *, after: str = "", limit: int | None = None
    ) -> tuple[VirtualNetwork, ...]:
        """Return the networks of a subscription or of one resource group, in the order of `key_of_network`.

        after, limit: only those past this key, and only so many of them.
        """

    async def count(self, subscription_id: str) -> int:
        """Return how many networks a subscription has."""

    async def put(self, network: VirtualNetwork) -> None:
        """Add a network, or replace the one of that group and name."""

    async def remove(self, network: VirtualNetwork) -> None:
        """Remove a network with its subnets; NotFound (ResourceNotFound) when there is none."""

    async def remove_group(self, subscription_id: str, group: str) -> None:
        """Remove every network of a resource group: the group is gone."""


def key_of_network(network: VirtualNetwork) -> str:
    """Return what lists are ordered by: the name, then the group, in lower case; names repeat in other groups."""
    return f"{network.name}/{network.resource_group}".lower()
