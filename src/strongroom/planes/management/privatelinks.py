"""Private links of vaults: what there is to link to, and the connections of private endpoints that lead to a vault.

Endpoints are made by the operator (`strongroom network endpoint`); here their connections are approved, rejected and
removed. Source: REST Private Endpoint Connections and Private Link Resources; Azure "Manage private endpoints".
"""

from functools import partial

from strongroom.planes.call import Call
from strongroom.planes.http import Response
from strongroom.planes.management import answers, linkwire
from strongroom.planes.management.permission import require_allowed
from strongroom.planes.management.places import VAULT, domain_with_port, scope_of
from strongroom.planes.management.vaultobjects import find_vault
from strongroom.planes.management.versions import LINKS_SINCE
from strongroom.planes.management.wire import render
from strongroom.planes.operation import Operation
from strongroom.vaults.connections import (
    NO_ACTIONS,
    PrivateEndpointConnection,
    Status,
    decided,
    disconnected,
    find_connection,
    get_connection,
    invalid_state,
    list_connections,
    require_status,
)
from strongroom.vaults.model import Vault, id_of_vault

CONNECTIONS = VAULT + "/privateEndpointConnections"
CONNECTION = CONNECTIONS + "/{connection}"
GROUP_ID, MEMBER = "vault", "default"
_ACTION = "Microsoft.KeyVault/vaults/privateEndpointConnections/"
RESOURCES_READ = "Microsoft.KeyVault/vaults/privateLinkResources/read"
APPROVAL = "Microsoft.KeyVault/vaults/PrivateEndpointConnectionsApproval/action"
"""What approving takes beside writing: what was approved comes from inside. Rejecting takes no more than writing."""


async def list_resources(call: Call) -> Response:
    """Tell what in a vault can be linked to: the vault."""
    vault = await find_vault(call)
    zone = f"privatelink.vaultcore.{domain_with_port(call).partition(':')[0]}"
    found = linkwire.PrivateLinkAnswer(
        id=f"{id_of_vault(vault)}/privateLinkResources/{GROUP_ID}",
        name=GROUP_ID,
        type=f"{answers.VAULT_TYPE}/privateLinkResources",
        properties=linkwire.PrivateLinkProperties(
            group_id=GROUP_ID, required_members=(MEMBER,), required_zone_names=(zone,)
        ),
    )
    return answers.render_list([found])


async def list_all(call: Call) -> Response:
    """List the private endpoint connections of a vault."""
    vault = await find_vault(call)
    found = await list_connections(call.stores, vault.vault_id)
    return answers.render_list([linkwire.connection(id_of_vault(vault), each) for each in found])


async def get(call: Call) -> Response:
    """Return a private endpoint connection."""
    vault = await find_vault(call)
    return _shown(vault, await get_connection(call.stores, vault, call.parameters["connection"]))


async def put(call: Call) -> Response:
    """Approve or reject a private endpoint connection."""
    vault, asked = await find_vault(call), call.body.properties.private_link_service_connection_state
    before = await get_connection(call.stores, vault, call.parameters["connection"])
    if (asked.actions_required or NO_ACTIONS).lower() != NO_ACTIONS.lower():
        raise invalid_state("actionsRequired")
    connection = decided(before, require_status(asked.status), asked.description)
    if connection.status is Status.APPROVED:
        await require_allowed(call, APPROVAL, scope_of(call.parameters))
    await _keep(call, before, connection)
    return _shown(vault, connection)


async def delete(call: Call) -> Response:
    """Remove a private endpoint connection; 204 when there is none. Its endpoint is left, and leads nowhere."""
    vault = await find_vault(call)
    before = await find_connection(call.stores, vault.vault_id, call.parameters["connection"])
    if before is None:
        return Response(204)
    connection = disconnected(before)
    await _keep(call, before, connection)
    return _shown(vault, connection)


async def _keep(call: Call, before: PrivateEndpointConnection, connection: PrivateEndpointConnection) -> None:
    """Keep what a connection has become, and note it in the record."""
    if connection != before:
        await call.stores.connections.put(connection)
    call.notes["privateEndpointId"] = connection.endpoint_id
    call.notes["connectionStatus"] = connection.status.value
    call.notes["connectionStatusBefore"] = before.status.value


def _shown(vault: Vault, connection: PrivateEndpointConnection) -> Response:
    return render(linkwire.connection(id_of_vault(vault), connection))


ROW = partial(Operation, since=LINKS_SINCE)
ONE = partial(ROW, path=CONNECTION)

OPERATIONS = (
    ROW(
        method="GET",
        path=VAULT + "/privateLinkResources",
        handler=list_resources,
        needs=RESOURCES_READ,
        log=RESOURCES_READ,
        gives=answers.Page[linkwire.PrivateLinkAnswer],
        name="list_private_link_resources",
    ),
    ROW(
        method="GET",
        path=CONNECTIONS,
        handler=list_all,
        needs=_ACTION + "read",
        log=_ACTION + "read",
        gives=answers.Page[linkwire.ConnectionAnswer],
        name="list_private_endpoint_connections",
    ),
    ONE(
        method="GET",
        handler=get,
        needs=_ACTION + "read",
        log=_ACTION + "read",
        gives=linkwire.ConnectionAnswer,
        name="get_private_endpoint_connection",
    ),
    ONE(
        method="PUT",
        handler=put,
        needs=_ACTION + "write",
        log=_ACTION + "write",
        takes=linkwire.ConnectionBody,
        gives=linkwire.ConnectionAnswer,
        changes=True,
        name="put_private_endpoint_connection",
    ),
    ONE(
        method="DELETE",
        handler=delete,
        needs=_ACTION + "delete",
        log=_ACTION + "delete",
        gives=linkwire.ConnectionAnswer,
        changes=True,
        success=(200, 204),
        name="delete_private_endpoint_connection",
    ),
)
