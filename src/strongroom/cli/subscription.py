"""`strongroom subscription`: the subscriptions of a server. Works on the data directory, beside one that runs."""

from typing import TYPE_CHECKING, Any

import click

from strongroom.cli.options import PLACE, settings_from, settings_options
from strongroom.cli.shown import format_option, show_one, show_rows

if TYPE_CHECKING:
    from strongroom.audit.event import Record
    from strongroom.cli.data import Data
    from strongroom.planes.stores import Stores
    from strongroom.resources.model import Subscription

NAME_HELP = "SUBSCRIPTION is a subscription's id or its name."


@click.group(name="subscription")
def command() -> None:
    """Add subscriptions, list them, rename them.

    A subscription holds resource groups, and they hold vaults; a role that is given at one counts in no other. Names of
    vaults are unique among all of them. What was backed up in one is restored in no other.

    \b
    strongroom subscription add staging --owner payments
    strongroom subscription list
    strongroom subscription rename staging test
    """


@command.command(name="add")
@click.argument("name")
@click.option("--id", "subscription_id", metavar="GUID", help="Its id. [default: a new one]")
@click.option("--owner", metavar="PRINCIPAL", help="Who is its Owner: an id or a name.")
@format_option
@settings_options(*PLACE)
def add(name: str, *, subscription_id: str | None, owner: str | None, as_json: bool, **flags: Any) -> None:
    """Add a subscription. Without --owner nobody may do anything in it until `strongroom role assign` says so."""
    from strongroom.cli.data import on_data

    async def work(data: "Data") -> dict[str, Any]:
        tenant = (await data.installation()).tenant_id

        async def unit(stores: "Stores") -> tuple["Subscription", "Record"]:
            made = await _create(data, stores, tenant, name, subscription_id)
            held = await _own(stores, made, owner) if owner is not None else {}
            return made, _record("Strongroom.Subscription/create", made, **held)

        return _row(await data.storage.change(unit))

    show_one(on_data(settings_from(flags), work), as_json=as_json)


async def _create(data: "Data", stores: "Stores", tenant: str, name: str, wanted: str | None) -> "Subscription":
    from strongroom.clock import real_now
    from strongroom.ids import new_guid
    from strongroom.resources.subscriptions import create_subscription

    return await create_subscription(
        stores.resources,
        stores.keyring,
        data.custodian,
        subscription_id=wanted or new_guid(),
        tenant_id=tenant,
        name=name,
        now=real_now(),
    )


async def _own(stores: "Stores", subscription: "Subscription", owner: str) -> dict[str, str]:
    """Make a principal the Owner of a subscription; return what the record says of that."""
    from strongroom.access.authorization.assignments import AssignmentRequest, assign_role
    from strongroom.access.authorization.roles import OWNER
    from strongroom.access.identity.directory import Directory
    from strongroom.clock import real_now
    from strongroom.ids import subscription_scope

    principal = await Directory(stores.identity).get_principal(owner)
    asked = AssignmentRequest(
        principal_id=principal.object_id,
        principal_type=principal.type,
        role=OWNER.role_id,
        scope=subscription_scope(subscription.subscription_id),
    )
    assignment = await assign_role(stores, asked, now=real_now())
    return {
        "assignmentId": assignment.assignment_id,
        "principalId": assignment.principal_id,
        "roleId": assignment.role_id,
    }


@command.command(name="list")
@format_option
@settings_options(*PLACE)
def list_(*, as_json: bool, **flags: Any) -> None:
    """List the subscriptions, oldest first."""
    from strongroom.cli.data import on_data

    async def work(data: "Data") -> list[dict[str, Any]]:
        return [_row(each) for each in await data.storage.read().resources.list_subscriptions()]

    show_rows(on_data(settings_from(flags), work), as_json=as_json)


@command.command(name="show", epilog=NAME_HELP)
@click.argument("subscription")
@format_option
@settings_options(*PLACE)
def show(subscription: str, *, as_json: bool, **flags: Any) -> None:
    """Show a subscription, and how many groups and vaults it holds."""
    from strongroom.cli.data import on_data
    from strongroom.resources.subscriptions import get_named

    async def work(data: "Data") -> dict[str, Any]:
        stores = data.storage.read()
        found = await get_named(stores.resources, subscription)
        return _row(found) | {
            "tags": dict(found.tags),
            "resourceGroups": len(await stores.resources.list_groups(found.subscription_id)),
            "vaults": len(await stores.vaults.list_living(found.subscription_id)),
            "deletedVaults": len(await stores.vaults.list_deleted(found.subscription_id)),
        }

    show_one(on_data(settings_from(flags), work), as_json=as_json)


@command.command(name="rename", epilog=NAME_HELP)
@click.argument("subscription")
@click.argument("name")
@format_option
@settings_options(*PLACE)
def rename(subscription: str, name: str, *, as_json: bool, **flags: Any) -> None:
    """Give a subscription another name; its id stays."""
    from strongroom.cli.data import on_data
    from strongroom.resources.subscriptions import get_named, rename_subscription

    async def work(data: "Data") -> dict[str, Any]:
        async def unit(stores: "Stores") -> tuple["Subscription", "Record"]:
            before = await get_named(stores.resources, subscription)
            renamed = await rename_subscription(stores.resources, before, name)
            return renamed, _record("Strongroom.Subscription/rename", renamed)

        return _row(await data.storage.change(unit))

    show_one(on_data(settings_from(flags), work), as_json=as_json)


def _row(subscription: "Subscription") -> dict[str, Any]:
    return {
        "name": subscription.display_name,
        "id": subscription.subscription_id,
        "created": subscription.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _record(operation: str, subscription: "Subscription", **held: str) -> "Record":
    from strongroom.audit.local import local_record
    from strongroom.clock import real_now
    from strongroom.ids import subscription_scope

    properties = {"displayName": subscription.display_name, **held}
    scope = subscription_scope(subscription.subscription_id)
    return local_record(operation, now=real_now(), resource_id=scope, properties=properties)
