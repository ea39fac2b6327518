"""Virtual networks in SQL. Implements `resources.networks.store.NetworkStore`."""

from strongroom.errors import NotFound
from strongroom.resources.networks.model import VirtualNetwork
from strongroom.storage.session import Documents, Session

NETWORKS = Documents("virtual_networks", VirtualNetwork, "subscription_id", "resource_group", "name", keys=3)
KEY = "name || '/' || resource_group"


class SqlNetworks:
    """Virtual networks, through one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def find(self, subscription_id: str, group: str, name: str) -> VirtualNetwork | None:
        """Return a virtual network."""
        key = subscription_id.lower(), group.lower(), name.lower()

        def load() -> VirtualNetwork | None:
            where = "WHERE subscription_id = ? AND resource_group = ? AND name = ?"
            return next(iter(NETWORKS.read(self._session, where, key)), None)

        return self._session.remember(("network", *key), load)

    async def list_in(
        self, subscription_id: str, group: str | None = None, *, after: str = "", limit: int | None = None
    ) -> tuple[VirtualNetwork, ...]:
        """Return the networks of a subscription or of one resource group, by name and group."""
        inside = "" if group is None else "AND resource_group = ? "
        where = f"WHERE subscription_id = ? {inside}AND {KEY} > ? ORDER BY {KEY} LIMIT ?"
        place = (subscription_id.lower(),) if group is None else (subscription_id.lower(), group.lower())
        return NETWORKS.read(self._session, where, (*place, after.lower(), -1 if limit is None else limit))

    async def count(self, subscription_id: str) -> int:
        """Return how many networks a subscription has."""
        statement = "SELECT count(*) FROM virtual_networks WHERE subscription_id = ?"
        return int(self._session.connection.rows(statement, (subscription_id.lower(),))[0][0])

    async def put(self, network: VirtualNetwork) -> None:
        """Add a network, or replace the one of that group and name."""
        NETWORKS.put(self._session, _key(network), network)

    async def remove(self, network: VirtualNetwork) -> None:
        """Remove a network with its subnets; NotFound (ResourceNotFound) when there is none."""
        if not NETWORKS.delete(self._session, _key(network)):
            raise NotFound(f"There is no virtual network '{network.name}'.", code="ResourceNotFound")

    async def remove_group(self, subscription_id: str, group: str) -> None:
        """Remove every network of a resource group: the group is gone."""
        where = "subscription_id = ? AND resource_group = ?"
        NETWORKS.delete_where(self._session, where, (subscription_id.lower(), group.lower()))


def _key(network: VirtualNetwork) -> tuple[str, str, str]:
    return network.subscription_id.lower(), network.resource_group.lower(), network.name.lower()
