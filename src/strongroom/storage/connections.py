"""Private endpoints and their connections in SQL. Implements `vaults.connections.ConnectionStore`."""

from collections.abc import Mapping

from strongroom.errors import Conflict, NotFound
from strongroom.storage.session import Documents, Session
from strongroom.vaults.connections import ANY_PORT, PrivateEndpointConnection

CONNECTIONS = Documents(
    "private_endpoint_connections", PrivateEndpointConnection, "vault_id", "name", "address", "port", keys=2
)


class SqlConnections:
    """Private endpoint connections, through one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list_all(self) -> tuple[PrivateEndpointConnection, ...]:
        """Return all of them, by vault and name."""
        return self._list()

    async def find_at(self, address: str, port: int) -> PrivateEndpointConnection | None:
        """Return the one at which a request has arrived, by its own port or by ANY_PORT."""
        places = self._session.remember(("connections by place",), self._by_place)
        return places.get((address, port)) or places.get((address, ANY_PORT)) if places else None

    async def put(self, connection: PrivateEndpointConnection) -> None:
        """Add one, or replace that of its vault and name; Conflict when its address and port are another's."""
        columns = (connection.vault_id, connection.name.lower(), connection.address, connection.port)
        if any(_is_in_the_way(other, connection) for other in self._list()):
            raise Conflict(f"The address of the private endpoint '{connection.name}' belongs to another one.")
        CONNECTIONS.put(self._session, columns, connection)

    async def remove(self, connection: PrivateEndpointConnection) -> None:
        """Remove one; NotFound when it is not there."""
        if not CONNECTIONS.delete(self._session, (connection.vault_id, connection.name.lower())):
            raise NotFound(f"There is no private endpoint '{connection.name}'.", code="ResourceNotFound")

    def _list(self) -> tuple[PrivateEndpointConnection, ...]:
        return self._session.remember(
            ("connections",), lambda: CONNECTIONS.read(self._session, "ORDER BY vault_id, name")
        )

    def _by_place(self) -> Mapping[tuple[str, int], PrivateEndpointConnection]:
        return {(each.address, each.port): each for each in self._list()}


def _is_in_the_way(other: PrivateEndpointConnection, fresh: PrivateEndpointConnection) -> bool:
    """Answer whether another endpoint has the very place of this one: two rows must not say two things of it."""
    same = (other.vault_id, other.name.lower()) == (fresh.vault_id, fresh.name.lower())
    return not same and (other.address, other.port) == (fresh.address, fresh.port)
