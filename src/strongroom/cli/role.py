"""`strongroom role`: who has which role where. Works on the data directory, beside a server that runs."""

from typing import TYPE_CHECKING, Any

import click

from strongroom.cli.options import PLACE, settings_from, settings_options
from strongroom.cli.places import object_named, scope_named
from strongroom.cli.shown import format_option, show_one, show_rows

if TYPE_CHECKING:
    from strongroom.access.authorization.model import RoleAssignment
    from strongroom.audit.event import Record
    from strongroom.cli.data import Data
    from strongroom.planes.stores import Stores

ROLE_HELP = (
    "PRINCIPAL is an application, a user or a group: its object id, application id, user principal name or display "
    "name. ROLE is a name or an id, such as 'Key Vault Secrets User'; `strongroom role definitions` lists them."
)


@click.group(name="role")
def command() -> None:
    """Give roles to applications, users and groups, list them, take them away.

    A role counts at its scope and below: a subscription, a resource group, a vault, an object in it. Roles on the
    objects of a vault count in vaults with RBAC; the others follow their access policies.

    \b
    strongroom role assign payments 'Key Vault Secrets User' --vault pay
    strongroom role assign payments 'Key Vault Secrets User' --vault pay --secret db-password
    strongroom role assign payments Reader --group production
    strongroom role assign payments-team 'Key Vault Secrets Officer' --vault pay
    strongroom role list payments
    """


@command.command(name="assign", epilog=ROLE_HELP)
@click.argument("principal", metavar="PRINCIPAL")
@click.argument("role")
@click.option("--scope", metavar="ID", help="Where: a resource id. [default: the subscription]")
@click.option("--group", metavar="NAME", help="Where: a resource group.")
@click.option("--vault", metavar="NAME", help="Where: a vault.")
@click.option("--secret", metavar="NAME", help="Where: one secret of --vault.")
@click.option("--key", metavar="NAME", help="Where: one key of --vault.")
@click.option("--condition", metavar="TEXT", help="What must hold beside, as Azure writes conditions (version 2.0).")
@format_option
@settings_options(*PLACE)
def assign(
    principal: str,
    role: str,
    *,
    scope: str | None,
    group: str | None,
    vault: str | None,
    secret: str | None,
    key: str | None,
    condition: str | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Give PRINCIPAL a role. It is given at the subscription unless told otherwise."""
    from strongroom.access.authorization.assignments import AssignmentRequest, assign_role
    from strongroom.access.identity.directory import Directory
    from strongroom.cli.data import on_data
    from strongroom.clock import real_now

    async def work(data: "Data") -> dict[str, Any]:
        within = object_named(vault, secret=secret, key=key)
        place = await scope_named(data, scope=scope, group=group, vault=vault) + within

        async def unit(stores: "Stores") -> tuple["RoleAssignment", "Record"]:
            found = await Directory(stores.identity).get_principal(principal)
            asked = AssignmentRequest(
                principal_id=found.object_id,
                principal_type=found.type,
                role=role,
                scope=place,
                condition=condition,
            )
            assignment = await assign_role(stores, asked, now=real_now())
            return assignment, _record("write", assignment)

        return (await _rows(data, (await data.storage.change(unit),)))[0]

    show_one(on_data(settings_from(flags), work), as_json=as_json)


@command.command(name="list")
@click.argument("principal", metavar="[PRINCIPAL]", required=False)
@click.option("--scope", metavar="ID", help="Only those at this resource id and below.")
@format_option
@settings_options(*PLACE)
def list_(principal: str | None, *, scope: str | None, as_json: bool, **flags: Any) -> None:
    """List role assignments, oldest first. They are those of PRINCIPAL when it is given."""
    from strongroom.access.authorization.assignments import list_assignments
    from strongroom.access.identity.directory import Directory
    from strongroom.cli.data import on_data

    async def work(data: "Data") -> list[dict[str, Any]]:
        stores = data.storage.read()
        holder = await Directory(stores.identity).get_principal(principal) if principal is not None else None
        found = await list_assignments(
            stores.assignments, principal_id=holder.object_id if holder else None, scope=scope
        )
        return await _rows(data, found)

    show_rows(on_data(settings_from(flags), work), as_json=as_json)


@command.command(name="remove")
@click.argument("assignment", metavar="ID")
@settings_options(*PLACE)
def remove(assignment: str, **flags: Any) -> None:
    """Take a role away again. ID is the assignment's, as `strongroom role list` shows it."""
    from strongroom.access.authorization.assignments import remove_assignment
    from strongroom.cli.data import on_data

    wanted = assignment.rstrip("/").rpartition("/")[2].lower()

    async def work(data: "Data") -> None:
        async def unit(stores: "Stores") -> tuple[None, "Record"]:
            found = [each for each in await stores.assignments.list_all() if each.assignment_id == wanted]
            await remove_assignment(stores.assignments, wanted)
            return None, _record("delete", found[0])

        await data.storage.change(unit)

    on_data(settings_from(flags), work)
    click.echo(f"removed: {wanted}")


@command.command(name="definitions")
@format_option
def definitions(*, as_json: bool) -> None:
    """List the built-in roles. With `az role definition list --custom-role-only` you list your own."""
    from strongroom.access.authorization.roles import BUILT_IN

    show_rows(
        [{"role": each.name, "id": each.role_id, "description": each.description} for each in BUILT_IN],
        as_json=as_json,
    )


async def _rows(data: "Data", assignments: tuple["RoleAssignment", ...]) -> list[dict[str, Any]]:
    from strongroom.access.identity.directory import Directory

    stores = data.storage.read()
    directory, roles = Directory(stores.identity), await stores.roles.roles()
    rows = []
    for each in assignments:
        role, principal = roles.find(each.role_id), await directory.find_principal(each.principal_id)
        rows.append(
            {
                "role": role.name if role else each.role_id,
                "principal": principal.display_name if principal else each.principal_id,
                "scope": each.scope,
                "id": each.assignment_id,
            }
        )
    return rows


def _record(verb: str, assignment: "RoleAssignment") -> "Record":
    from strongroom.audit.local import local_record
    from strongroom.clock import real_now

    return local_record(
        f"Microsoft.Authorization/roleAssignments/{verb}",
        now=real_now(),
        properties={
            "assignmentId": assignment.assignment_id,
            "principalId": assignment.principal_id,
            "roleId": assignment.role_id,
        },
        resource_id=assignment.scope,
    )
