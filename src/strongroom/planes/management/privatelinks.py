"""Private links of vaults: what there would be to link to, and that nothing is linked.

Nothing is kept here: private endpoints are not there yet, so there is no connection to approve, to refuse or to remove,
and whoever tries is told so. Source: REST Private Endpoint Connections and Private Link Resources.
"""

from functools import partial
from typing import Any

from strongroom.errors import NotFound
from strongroom.planes.call import Call
from strongroom.planes.http import Response
from strongroom.planes.management import answers
from strongroom.planes.management.places import VAULT, domain_with_port
from strongroom.planes.management.vaultobjects import find_vault
from strongroom.planes.management.versions import LINKS_SINCE
from strongroom.planes.management.wire import Wire, render
from strongroom.planes.operation import Operation

CONNECTIONS = VAULT + "/privateEndpointConnections"
CONNECTION = CONNECTIONS + "/{connection}"
GROUP_ID, MEMBER = "vault", "default"
_ACTION = "Microsoft.KeyVault/vaults/privateEndpointConnections/"
RESOURCES_READ = "Microsoft.KeyVault/vaults/privateLinkResources/read"


class PrivateLinkProperties(Wire, kw_only=True):
    """What a private endpoint would name: the group, its members, and the zones for its names."""

    group_id: str
    required_members: tuple[str, ...]
    required_zone_names: tuple[str, ...]


class PrivateLinkAnswer(Wire, kw_only=True):
    """What in a vault can be linked to."""

    id: str
    name: str
    type: str
    properties: PrivateLinkProperties


class ConnectionBody(Wire, kw_only=True):
    """What a connection is asked to become; there is none, so nothing of it is looked at."""

    properties: dict[str, Any] | None = None


async def list_resources(call: Call) -> Response:
    """Tell what in a vault can be linked to: the vault."""
    vault = await find_vault(call)
    zone = f"privatelink.vaultcore.{domain_with_port(call).partition(':')[0]}"
    found = PrivateLinkAnswer(
        id=f"{answers.vault_id(vault)}/privateLinkResources/{GROUP_ID}",
        name=GROUP_ID,
        type=f"{answers.VAULT_TYPE}/privateLinkResources",
        properties=PrivateLinkProperties(group_id=GROUP_ID, required_members=(MEMBER,), required_zone_names=(zone,)),
    )
    return answers.render_list([found])


async def list_connections(call: Call) -> Response:
    """List the private endpoint connections of a vault: there are none."""
    await find_vault(call)
    return render(answers.EmptyPage())


async def get_connection(call: Call) -> Response:
    """Find no private endpoint connection."""
    await find_vault(call)
    raise _no_connection(call)


async def put_connection(call: Call) -> Response:
    """Find no private endpoint connection that could be approved or rejected; nothing is kept."""
    await find_vault(call)
    raise _no_connection(call)


async def delete_connection(call: Call) -> Response:
    """Remove a private endpoint connection: there is none already."""
    await find_vault(call)
    return Response(204)


def _no_connection(call: Call) -> NotFound:
    named, vault = call.parameters["connection"], call.parameters["vault"]
    return NotFound(
        f"The private endpoint connection '{named}' of the vault '{vault}' was not found. A connection comes to be by "
        "a private endpoint, and this version has none.",
        code="ResourceNotFound",
    )


ROW = partial(Operation, since=LINKS_SINCE)
ONE = partial(ROW, path=CONNECTION)

OPERATIONS = (
    ROW(
        method="GET",
        path=VAULT + "/privateLinkResources",
        handler=list_resources,
        needs=RESOURCES_READ,
        log=RESOURCES_READ,
        gives=answers.Page[PrivateLinkAnswer],
        name="list_private_link_resources",
    ),
    ROW(
        method="GET",
        path=CONNECTIONS,
        handler=list_connections,
        needs=_ACTION + "read",
        log=_ACTION + "read",
        gives=answers.EmptyPage,
        name="list_private_endpoint_connections",
    ),
    ONE(
        method="GET",
        handler=get_connection,
        needs=_ACTION + "read",
        log=_ACTION + "read",
        gives=None,
        success=(),
        name="get_private_endpoint_connection",
    ),
    ONE(
        method="PUT",
        handler=put_connection,
        needs=_ACTION + "write",
        log=_ACTION + "write",
        takes=ConnectionBody,
        gives=None,
        success=(),
        name="put_private_endpoint_connection",
    ),
    ONE(
        method="DELETE",
        handler=delete_connection,
        needs=_ACTION + "delete",
        log=_ACTION + "delete",
        gives=None,
        success=(204,),
        name="delete_private_endpoint_connection",
    ),
)
