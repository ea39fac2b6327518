"""Private endpoints and their connections to vaults: an address of this server that leads to one vault, and no other.

The operator makes an endpoint; whoever owns the vault approves or rejects its connection, or removes it. A request that
arrives at the address of an endpoint whose connection is approved is private for its vault.
Source: Azure "Manage private endpoint connections"; REST Private Endpoint Connections (PrivateEndpointConnection).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from strongroom.addresses import join_place, parse_address, split_place
from strongroom.errors import BadRequest, Conflict, ForbiddenByConnection, NotFound
from strongroom.ids import group_scope
from strongroom.vaults.model import Vault

MAX_CONNECTIONS = 64
"""Connections of one vault."""
MAX_DESCRIPTION = 512
ANY_PORT = 0
MAX_PORT = 65535
NO_ACTIONS = "None"
"""The only thing that `actionsRequired` may say. Source: REST, ActionsRequired."""
ENDPOINT_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_])\Z", re.ASCII)
"""Source: Azure "Naming rules and restrictions", Microsoft.Network/privateEndpoints."""


class Status(StrEnum):
    """How far a connection has come. Disconnected: the vault's owner removed it, or the vault was deleted."""

    PENDING = "Pending"
    APPROVED = "Approved"
    REJECTED = "Rejected"
    DISCONNECTED = "Disconnected"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateEndpointConnection:
    """A private endpoint with its connection to a vault; both have one name, in any case unique in the vault.

    connection_id: its unique id, never reused. endpoint_id: the resource id of the endpoint. address, port: of this
    server, where requests arrive; the address in its normal form, the port ANY_PORT for any.
    revision: grows with each change.
    """

    connection_id: str
    vault_id: str
    name: str
    endpoint_id: str
    address: str
    port: int = ANY_PORT
    status: Status = Status.PENDING
    description: str = ""
    revision: int = 1

    @property
    def etag(self) -> str:
        """What changes whenever the state of the connection does."""
        return f"{self.connection_id}-{self.revision}"

    @property
    def is_connected(self) -> bool:
        """Whether the vault has this connection, in whatever state; else only its endpoint is left."""
        return self.status is not Status.DISCONNECTED


class ConnectionStore(Protocol):
    """Private endpoints and their connections; names compare without regard to case."""

    async def list_all(self) -> tuple[PrivateEndpointConnection, ...]:
        """Return all of them, by vault and name."""

    async def find_at(self, address: str, port: int) -> PrivateEndpointConnection | None:
        """Return the one at which a request has arrived, by its own port or by ANY_PORT."""

    async def put(self, connection: PrivateEndpointConnection) -> None:
        """Add one, or replace that of its vault and name; Conflict when its address and port are another's."""

    async def remove(self, connection: PrivateEndpointConnection) -> None:
        """Remove one; NotFound when it is not there."""


class Places(Protocol):
    """The stores that connections are looked up in."""

    @property
    def connections(self) -> ConnectionStore: ...


def parse_place(text: str) -> tuple[str, int]:
    """Return the address and port that `ADDR`, `ADDR:PORT` or `[ADDR]:PORT` names, ANY_PORT where it names none.

    BadRequest for what is none, and for what is not the address of one interface.
    """
    try:
        host, port = split_place(text)
    except ValueError as error:
        raise BadRequest(f"'{text}' is no address with a port; {error}.") from None
    return _interface_at(host), ANY_PORT if port is None else _port_of(port)


def _interface_at(text: str) -> str:
    try:
        address = parse_address(text)
    except ValueError:
        raise BadRequest(f"'{text}' is no IP address.") from None
    if address.is_unspecified or address.is_multicast or "%" in text:
        raise BadRequest(f"'{text}' is not the address of one interface of a server; name the one that clients reach.")
    return str(address)


def _port_of(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= MAX_PORT):
        raise BadRequest(f"'{text}' is no port: a number from 1 to {MAX_PORT}, or 0 for any.")
    return int(text)


def endpoint_id(subscription_id: str, group: str, name: str) -> str:
    """Return the resource id of a private endpoint; BadRequest for a name that none can have."""
    if not ENDPOINT_NAME.match(name):
        raise BadRequest(
            f"The name '{name}' is invalid: a private endpoint's has 2 to 64 letters, digits, '_', '.' and '-', begins "
            "with a letter or a digit and ends with one of them or '_'."
        )
    return f"{group_scope(subscription_id, group)}/providers/Microsoft.Network/privateEndpoints/{name}"


def invalid_state(name: str) -> BadRequest:
    """Return the refusal of a state that a connection cannot have; name: the part of it that is wrong."""
    return BadRequest(
        f"An invalid value was provided for 'privateLinkServiceConnectionState.{name}'.", code="BadRequest"
    )


def require_status(text: str) -> Status:
    """Return the status that a request asks for; BadRequest for one that is none."""
    found = next((status for status in Status if status.value.lower() == text.lower()), None)
    if found is None:
        raise invalid_state("status")
    return found


def decided(
    connection: PrivateEndpointConnection, status: Status, description: str | None
) -> PrivateEndpointConnection:
    """Return a connection as its vault's owner decides on it; description: what it was when None.

    Approving and rejecting may be taken back, as the service lets it; nothing becomes pending again. BadRequest for
    what is no decision, and for one that is removed.
    """
    if status is Status.DISCONNECTED or not connection.is_connected:
        raise BadRequest(
            f"The private endpoint connection '{connection.name}' cannot become or cease to be 'Disconnected' by "
            "changing its status; delete it, or make its private endpoint anew.",
            code="BadRequest",
        )
    if status is Status.PENDING and connection.status is not Status.PENDING:
        raise BadRequest(
            f"The status of the private endpoint connection '{connection.name}' cannot be changed from "
            f"'{connection.status}' to 'Pending'.",
            code="BadRequest",
        )
    said = connection.description if description is None else description
    if len(said) > MAX_DESCRIPTION:
        raise invalid_state("description")
    changed = replace(connection, status=status, description=said)
    return connection if changed == connection else replace(changed, revision=connection.revision + 1)


def disconnected(connection: PrivateEndpointConnection) -> PrivateEndpointConnection:
    """Return a connection that the vault has not any more: its endpoint is left, and leads nowhere."""
    if not connection.is_connected:
        return connection
    return replace(connection, status=Status.DISCONNECTED, description="", revision=connection.revision + 1)


def require_free(others: Iterable[PrivateEndpointConnection], fresh: PrivateEndpointConnection) -> None:
    """Raise Conflict when the name of a new endpoint is taken in its vault, or its address and port are."""
    others = tuple(others)
    for other in others:
        if (other.vault_id, other.name.lower()) == (fresh.vault_id, fresh.name.lower()):
            raise Conflict(f"The vault has a private endpoint '{other.name}' already; remove it first.")
        if other.address == fresh.address and (other.port == fresh.port or ANY_PORT in {other.port, fresh.port}):
            raise Conflict(
                f"The address {place_of(other)} belongs to the private endpoint '{other.name}' already; an address and "
                "port lead to one vault alone."
            )
    if sum(other.vault_id == fresh.vault_id for other in others) >= MAX_CONNECTIONS:
        raise Conflict(f"The vault has {MAX_CONNECTIONS} private endpoints; it has at most so many.")


def place_of(connection: PrivateEndpointConnection) -> str:
    """Return the address and port of an endpoint as people write them."""
    if connection.port == ANY_PORT:
        return connection.address
    return join_place(connection.address, connection.port)


async def add_endpoint(stores: Places, fresh: PrivateEndpointConnection) -> None:
    """Add a private endpoint, with its connection; Conflict when its name or its place is taken."""
    require_free(await stores.connections.list_all(), fresh)
    await stores.connections.put(fresh)


async def find_endpoint(stores: Places, vault_id: str, name: str) -> PrivateEndpointConnection | None:
    """Return the private endpoint of that name, whether it is connected or not."""
    return next(
        (
            each
            for each in await stores.connections.list_all()
            if (each.vault_id, each.name.lower()) == (vault_id, name.lower())
        ),
        None,
    )


async def list_connections(stores: Places, vault_id: str) -> tuple[PrivateEndpointConnection, ...]:
    """Return the connections that a vault has, by name."""
    return tuple(
        [each for each in await stores.connections.list_all() if each.vault_id == vault_id and each.is_connected]
    )


async def connections_by_vault(stores: Places) -> dict[str, list[PrivateEndpointConnection]]:
    """Return the connections of every vault that has some, by name."""
    found: dict[str, list[PrivateEndpointConnection]] = {}
    for each in await stores.connections.list_all():
        if each.is_connected:
            found.setdefault(each.vault_id, []).append(each)
    return found


async def find_connection(stores: Places, vault_id: str, name: str) -> PrivateEndpointConnection | None:
    """Return the connection of that name, if the vault has it."""
    found = await find_endpoint(stores, vault_id, name)
    return found if found is not None and found.is_connected else None


async def get_connection(stores: Places, vault: Vault, name: str) -> PrivateEndpointConnection:
    """Return the connection of that name; NotFound (ResourceNotFound) when the vault has none."""
    found = await find_connection(stores, vault.vault_id, name)
    if found is None:
        raise NotFound(
            f"The private endpoint connection '{name}' of the vault '{vault.name}' was not found.",
            code="ResourceNotFound",
        )
    return found


async def disconnect_vault(stores: Places, vault_id: str) -> None:
    """Disconnect every endpoint of a vault that is deleted: when it is recovered, they are to be made anew."""
    for connection in await list_connections(stores, vault_id):
        await stores.connections.put(disconnected(connection))


async def find_private_endpoint(
    stores: Places, vault: Vault, arrived: str, arrived_port: int
) -> PrivateEndpointConnection | None:
    """Return the approved connection by which a request to `vault` has come, None when it did not come privately.

    arrived, arrived_port: the address of this server at which it arrived, in its normal form, "" when not known.
    ForbiddenByConnection when that is an endpoint of another vault: a private endpoint leads to its own vault only.
    """
    found = await stores.connections.find_at(arrived, arrived_port)
    if found is None:
        return None
    if found.vault_id != vault.vault_id:
        raise ForbiddenByConnection(
            "The request came by a private endpoint of another vault; a private endpoint leads to its own vault only."
            f"\r\nVault: {vault.name};location={vault.location}"
        )
    return found if found.status is Status.APPROVED else None
