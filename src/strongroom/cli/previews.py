"""`strongroom access preview`: what a change would change. Reads the data directory, beside a server that runs."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import click

from strongroom.cli.failure import CommandFailed
from strongroom.cli.options import PLACE, settings_from, settings_options
from strongroom.cli.shown import format_option, show_rows
from strongroom.cli.worlds import read_atlas, show_table, vault_named

if TYPE_CHECKING:
    from strongroom.access.authorization.preview import Difference
    from strongroom.access.authorization.world import World
    from strongroom.cli.data import Data


@click.group(name="preview")
def preview() -> None:
    """Say who would gain and lose what by a change, before it is made. Nothing is written.

    \b
    strongroom access preview assign payments 'Key Vault Secrets User' --vault pay
    strongroom access preview remove ASSIGNMENT-ID
    strongroom access preview policy add payments --vault pay --secrets get,list
    strongroom access preview member add payments-team payments
    strongroom access preview model roles --vault pay
    """


@preview.command(name="assign")
@click.argument("principal")
@click.argument("role")
@click.option("--scope", metavar="ID", help="Where: a resource id. [default: the subscription]")
@click.option("--group", metavar="NAME", help="Where: a resource group.")
@click.option("--vault", metavar="NAME", help="Where: a vault.")
@click.option("--condition", metavar="TEXT", help="What must hold beside, as Azure writes conditions (version 2.0).")
@format_option
@settings_options(*PLACE)
def preview_assign(
    principal: str,
    role: str,
    *,
    scope: str | None,
    group: str | None,
    vault: str | None,
    condition: str | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Say what it would change to give PRINCIPAL a role."""
    from strongroom.access.authorization.assignments import AssignmentRequest, make_assignment
    from strongroom.access.authorization.preview import with_assignment
    from strongroom.access.identity.directory import Directory
    from strongroom.cli.places import scope_named

    async def change(data: "Data", world: "World") -> "World":
        stores = data.storage.read()
        place = await scope_named(data, scope=scope, group=group, vault=vault)
        found = await Directory(stores.identity).get_principal(principal)
        asked = AssignmentRequest(
            principal_id=found.object_id, principal_type=found.type, role=role, scope=place, condition=condition
        )
        return with_assignment(world, await make_assignment(stores, asked, now=world.now))

    _preview(flags, change, as_json=as_json)


@preview.command(name="remove")
@click.argument("assignment", metavar="ID")
@format_option
@settings_options(*PLACE)
def preview_remove(assignment: str, *, as_json: bool, **flags: Any) -> None:
    """Say what it would change to take a role away. ID is the assignment's, as `strongroom role list` shows it."""
    from strongroom.access.authorization.preview import without_assignment

    wanted = assignment.rstrip("/").rpartition("/")[2].lower()

    async def change(_: "Data", world: "World") -> "World":
        found = next((each for each in world.assignments if each.assignment_id == wanted), None)
        if found is None:
            raise CommandFailed(f"there is no role assignment '{assignment}'; strongroom role list shows them")
        return without_assignment(world, found)

    _preview(flags, change, as_json=as_json)


@preview.command(name="policy")
@click.argument("change", metavar="add|replace|remove", type=click.Choice(["add", "replace", "remove"]))
@click.argument("principal")
@click.option("--vault", metavar="NAME", required=True, help="The vault.")
@click.option("--secrets", metavar="NAMES", default="", help="Permissions on secrets: get,list …")
@click.option("--keys", metavar="NAMES", default="", help="Permissions on keys: get,sign …")
@format_option
@settings_options(*PLACE)
def preview_policy(
    change: str, principal: str, *, vault: str, secrets: str, keys: str, as_json: bool, **flags: Any
) -> None:
    """Say what another access policy of PRINCIPAL would change. One of a vault is added, replaced or removed."""
    from strongroom.access.authorization.preview import with_policies
    from strongroom.access.identity.directory import Directory
    from strongroom.vaults.model import AccessPolicy
    from strongroom.vaults.policies import PolicyChange, permission_names

    async def changed(data: "Data", world: "World") -> "World":
        found = vault_named(world, vault)
        who = await Directory(data.storage.read().identity).get_principal(principal)
        policy = AccessPolicy(
            tenant_id=found.tenant_id,
            object_id=who.object_id,
            secrets=permission_names("secrets", _split(secrets)),
            keys=permission_names("keys", _split(keys)),
        )
        return with_policies(world, found, PolicyChange(change), policy)

    _preview(flags, changed, as_json=as_json)


@preview.command(name="member")
@click.argument("change", metavar="add|remove", type=click.Choice(["add", "remove"]))
@click.argument("group")
@click.argument("principal")
@format_option
@settings_options(*PLACE)
def preview_member(change: str, group: str, principal: str, *, as_json: bool, **flags: Any) -> None:
    """Say what one member of GROUP more, or less, would change. PRINCIPAL is put into it, or taken out."""
    from strongroom.access.authorization.preview import with_membership, without_membership
    from strongroom.access.identity.directory import Directory
    from strongroom.access.identity.membership import make_membership
    from strongroom.access.identity.model import Relation

    async def changed(data: "Data", world: "World") -> "World":
        directory = Directory(data.storage.read().identity)
        joined, who = await directory.get_group(group), await directory.get_principal(principal)
        membership = make_membership(joined, Relation.MEMBER, who, world.now)
        if change == "remove":
            return without_membership(world, joined.object_id, who.object_id)
        return with_membership(world, membership)

    _preview(flags, changed, as_json=as_json)


@preview.command(name="model")
@click.argument("model", metavar="roles|policies", type=click.Choice(["roles", "policies"]))
@click.option("--vault", metavar="NAME", required=True, help="The vault.")
@format_option
@settings_options(*PLACE)
def preview_model(model: str, *, vault: str, as_json: bool, **flags: Any) -> None:
    """Say what another permission model of a vault would change. Roles decide there, or access policies."""
    from strongroom.access.authorization.preview import with_model

    async def change(_: "Data", world: "World") -> "World":
        return with_model(world, vault_named(world, vault), rbac=model == "roles")

    _preview(flags, change, as_json=as_json)


def _preview(flags: dict[str, Any], change: "Callable[[Data, World], Awaitable[World]]", *, as_json: bool) -> None:
    from strongroom.access.authorization.preview import compare
    from strongroom.cli.data import on_data
    from strongroom.planes.management.accesswire import short

    async def work(data: "Data") -> tuple["Difference", ...]:
        world = (await read_atlas(data)).world
        return compare(world, await change(data, world))

    found = on_data(settings_from(flags), work)
    if as_json:
        rows = [
            {
                "principalId": each.subject.object_id,
                "displayName": each.subject.display_name,
                "place": each.place,
                "gains": list(each.gains),
                "loses": list(each.loses),
            }
            for each in found
        ]
        show_rows(rows, as_json=True)
        return
    if not found:
        click.echo("nobody would gain or lose anything")
        return
    shown = [
        [each.subject.display_name, short(each.place)[4:], ", ".join(each.gains), ", ".join(each.loses)]
        for each in found
    ]
    show_table(["who", "where", "gains", "loses"], shown)


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]
