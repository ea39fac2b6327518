"""`strongroom network endpoint`: the private endpoints of vaults."""

from typing import TYPE_CHECKING, Any

import click

from strongroom.cli.options import PLACE, settings_from, settings_options
from strongroom.cli.places import get_vault
from strongroom.cli.shown import format_option, show_one, show_rows

if TYPE_CHECKING:
    from strongroom.audit.event import Record
    from strongroom.cli.data import Data
    from strongroom.planes.stores import Stores
    from strongroom.vaults.connections import PrivateEndpointConnection
    from strongroom.vaults.model import Vault

VAULT_OPTION = click.option("--vault", required=True, metavar="NAME", help="The vault that the endpoint leads to.")


@click.group(name="endpoint")
def endpoint() -> None:
    """Make private endpoints, which lead to one vault each. They are addresses of this server.

    Its connection is approved or rejected by who may do so at the vault (az keyvault private-endpoint-connection), or
    here with --approve. Requests that arrive at the address are private for that vault once it is approved; those for
    any other vault are refused there.

    \b
    strongroom network endpoint add pay-pe --vault pay --address 10.0.0.7
    strongroom network endpoint list
    strongroom network endpoint remove pay-pe --vault pay
    """


@endpoint.command(name="add")
@click.argument("name")
@VAULT_OPTION
@click.option(
    "--address",
    required=True,
    metavar="ADDR[:PORT]",
    help="An address of this server, [ADDR]:PORT for IPv6; without a port, all of them.",
)
@click.option("--approve", is_flag=True, help="Approve the connection at once; else it waits for its vault's owner.")
@click.option("--subscription", metavar="SUBSCRIPTION", help="Of the endpoint, by id or name. [default: the vault's]")
@click.option("--group", metavar="GROUP", help="The endpoint's resource group. [default: the vault's]")
@format_option
@settings_options(*PLACE)
def add(
    name: str,
    *,
    vault: str,
    address: str,
    approve: bool,
    subscription: str | None,
    group: str | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Make the private endpoint NAME of a vault, with its connection."""
    from strongroom.cli.data import on_data
    from strongroom.vaults.connections import add_endpoint

    async def work(data: "Data") -> dict[str, Any]:
        async def unit(stores: "Stores") -> tuple[dict[str, Any], "Record"]:
            found = await get_vault(stores, vault)
            fresh = await _fresh(stores, found, name, address, subscription=subscription, group=group, approve=approve)
            await add_endpoint(stores, fresh)
            return _row(fresh, found.name), _record("Strongroom.PrivateEndpoint/create", fresh, found)

        return await data.storage.change(unit)

    made = on_data(settings_from(flags), work)
    show_one(made, as_json=as_json)
    if not as_json:
        click.echo(f"\nAt {made['address']} all other vaults are refused from now on.")


async def _fresh(
    stores: "Stores",
    vault: "Vault",
    name: str,
    address: str,
    *,
    subscription: str | None,
    group: str | None,
    approve: bool,
) -> "PrivateEndpointConnection":
    from strongroom.ids import new_guid
    from strongroom.resources.subscriptions import get_named
    from strongroom.vaults.connections import PrivateEndpointConnection, Status, endpoint_id, parse_place

    host, port = parse_place(address)
    place = vault.subscription_id
    if subscription is not None:
        place = (await get_named(stores.resources, subscription)).subscription_id
    return PrivateEndpointConnection(
        connection_id=new_guid(),
        vault_id=vault.vault_id,
        name=name,
        endpoint_id=endpoint_id(place, group or vault.resource_group, name),
        address=host,
        port=port,
        status=Status.APPROVED if approve else Status.PENDING,
        description="approved by the operator" if approve else "",
    )


@endpoint.command(name="list")
@format_option
@settings_options(*PLACE)
def list_(*, as_json: bool, **flags: Any) -> None:
    """List the private endpoints of all vaults, disconnected ones too."""
    from strongroom.cli.data import on_data

    async def work(data: "Data") -> list[dict[str, Any]]:
        stores = data.storage.read()
        names = await _names(stores)
        rows = [_row(each, names.get(each.vault_id, "")) for each in await stores.connections.list_all()]
        return sorted(rows, key=lambda row: (row["vault"], row["name"].lower()))

    show_rows(on_data(settings_from(flags), work), as_json=as_json)


async def _names(stores: "Stores") -> dict[str, str]:
    """Return the names of all vaults, living and deleted, by their ids."""
    from strongroom.vaults.census import list_all

    return {vault.vault_id: vault.name for vault in await list_all(stores)}


@endpoint.command(name="remove")
@click.argument("name")
@VAULT_OPTION
@settings_options(*PLACE)
def remove(name: str, *, vault: str, **flags: Any) -> None:
    """Remove the private endpoint NAME of a vault. Its connection goes, and its address leads to all vaults again."""
    from strongroom.cli.data import on_data
    from strongroom.cli.failure import CommandFailed
    from strongroom.vaults.connections import find_endpoint

    async def work(data: "Data") -> "PrivateEndpointConnection":
        async def unit(stores: "Stores") -> tuple["PrivateEndpointConnection", "Record"]:
            found = await stores.vaults.find(vault)
            gone = None if found is None else await find_endpoint(stores, found.vault_id, name)
            if found is None or gone is None:
                raise CommandFailed(f"there is no private endpoint '{name}' of a vault '{vault}'")
            await stores.connections.remove(gone)
            return gone, _record("Strongroom.PrivateEndpoint/delete", gone, found)

        return await data.storage.change(unit)

    gone = on_data(settings_from(flags), work)
    click.echo(f"remove: {gone.name}, private endpoint of {vault}")


def _row(connection: "PrivateEndpointConnection", vault: str) -> dict[str, Any]:
    from strongroom.vaults.connections import place_of

    return {
        "name": connection.name,
        "vault": vault,
        "address": place_of(connection),
        "status": connection.status.value,
        "id": connection.endpoint_id,
    }


def _record(operation: str, connection: "PrivateEndpointConnection", vault: "Vault") -> "Record":
    from strongroom.audit.local import local_record
    from strongroom.clock import real_now
    from strongroom.vaults.connections import place_of
    from strongroom.vaults.model import id_of_vault

    properties = {
        "privateEndpointId": connection.endpoint_id,
        "endpointAddress": place_of(connection),
        "connectionStatus": connection.status.value,
    }
    scope = id_of_vault(vault)
    return local_record(operation, now=real_now(), resource_id=scope, properties=properties)
