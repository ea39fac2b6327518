"""What the management plane reads and writes of private links, field by field.

Source: REST Private Endpoint Connections and Private Link Resources.
"""

from collections.abc import Iterable
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from strongroom.planes.management.wire import Wire
from strongroom.vaults.connections import MAX_DESCRIPTION, NO_ACTIONS, PrivateEndpointConnection, Status

CONNECTION_TYPE = "Microsoft.KeyVault/vaults/privateEndpointConnections"
DECISIONS = tuple(status.value for status in Status if status is not Status.DISCONNECTED)
StatusName = Annotated[str, Meta(extra_json_schema={"enum": list(DECISIONS)})]
Description = Annotated[str, Meta(extra_json_schema={"maxLength": MAX_DESCRIPTION})]
Actions = Annotated[str, Meta(extra_json_schema={"enum": [NO_ACTIONS]})]


class PrivateLinkProperties(Wire, kw_only=True):
    """What a private endpoint names: the group, its members, and the zones for its names."""

    group_id: str
    required_members: tuple[str, ...]
    required_zone_names: tuple[str, ...]


class PrivateLinkAnswer(Wire, kw_only=True):
    """What in a vault can be linked to."""

    id: str
    name: str
    type: str
    properties: PrivateLinkProperties


class StateBody(Wire, kw_only=True):
    """What a connection is asked to become."""

    status: StatusName
    description: Description | None = None
    actions_required: Actions | None = None


class ConnectionProperties(Wire, kw_only=True):
    """What is decided on a connection."""

    private_link_service_connection_state: StateBody


class ConnectionBody(Wire, kw_only=True):
    """The body of a connection's PUT; what else clients send back of it is the server's to say."""

    properties: ConnectionProperties


class PrivateEndpointAnswer(Wire, kw_only=True):
    """The private endpoint of a connection."""

    id: str


class StateAnswer(Wire, kw_only=True):
    """How far a connection has come, and why."""

    status: str
    description: str
    actions_required: str = NO_ACTIONS


class ConnectionAnswerProperties(Wire, kw_only=True):
    """What a connection is."""

    private_endpoint: PrivateEndpointAnswer
    private_link_service_connection_state: StateAnswer
    provisioning_state: str = "Succeeded"


class ConnectionAnswer(Wire, kw_only=True):
    """A private endpoint connection."""

    id: str
    name: str
    type: str = CONNECTION_TYPE
    etag: str
    properties: ConnectionAnswerProperties


class ConnectionItem(Wire, kw_only=True):
    """A private endpoint connection as its vault tells it."""

    id: str
    etag: str
    properties: ConnectionAnswerProperties


def connection(vault_id: str, value: PrivateEndpointConnection) -> ConnectionAnswer:
    """Return a connection of the vault whose resource id is `vault_id`."""
    return ConnectionAnswer(
        id=_connection_id(vault_id, value), name=value.name, etag=value.etag, properties=_properties(value)
    )


def items(vault_id: str, values: Iterable[PrivateEndpointConnection]) -> list[ConnectionItem] | UnsetType:
    """Return the connections of a vault as it tells them, nothing when it has none."""
    return [
        ConnectionItem(id=_connection_id(vault_id, value), etag=value.etag, properties=_properties(value))
        for value in values
    ] or UNSET


def _connection_id(vault_id: str, value: PrivateEndpointConnection) -> str:
    return f"{vault_id}/privateEndpointConnections/{value.name}"


def _properties(value: PrivateEndpointConnection) -> ConnectionAnswerProperties:
    return ConnectionAnswerProperties(
        private_endpoint=PrivateEndpointAnswer(id=value.endpoint_id),
        private_link_service_connection_state=StateAnswer(status=value.status.value, description=value.description),
    )
