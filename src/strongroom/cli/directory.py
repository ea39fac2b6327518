"""`strongroom directory`: users, groups, service principals. Works on the data directory, beside a server that runs."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from strongroom.cli import app
from strongroom.cli.options import PLACE, settings_from, settings_options
from strongroom.cli.shown import format_option, show_one, show_rows

if TYPE_CHECKING:
    from strongroom.access.identity.directory import Directory
    from strongroom.access.identity.model import Group, Principal, Relation, User
    from strongroom.audit.event import Record
    from strongroom.cli.data import Data
    from strongroom.planes.stores import Stores

USER_HELP = "USER is a user principal name, an object id or a display name."
GROUP_HELP = "GROUP is a display name or an object id."
MEMBER_HELP = (
    f"{GROUP_HELP} MEMBER is a user, a group or an application: its object id, user principal name, application id or "
    "display name."
)

F = TypeVar("F", bound=Callable[..., Any])
Change = Callable[["Directory", "Stores"], Awaitable[Any]]


@click.group(name="directory")
def command() -> None:
    """Keep the directory: users, groups and service principals, as az and Microsoft Graph read it.

    What is granted to a group counts for its members, and for those of groups in it. A change counts at the next
    request. Users have no way to sign in here yet.

    \b
    strongroom directory user create anna@example.com
    strongroom directory group create payments-team
    strongroom directory group member add payments-team anna@example.com
    strongroom role assign payments-team 'Key Vault Secrets User' --vault pay
    """


# --- users


@command.group(name="user", epilog=USER_HELP)
def user() -> None:
    """Make, list, disable and delete users.

    \b
    strongroom directory user create anna@example.com --display-name 'Anna Ames'
    strongroom directory user show anna@example.com
    """


@user.command(name="create")
@click.argument("name")
@click.option("--display-name", metavar="TEXT", help="What people call it. [default: what stands before the @]")
@click.option("--mail", metavar="ADDRESS", help="An address of mail, which only informs.")
@format_option
@settings_options(*PLACE)
def create_user(name: str, *, display_name: str | None, mail: str | None, as_json: bool, **flags: Any) -> None:
    """Make a user whose principal name is NAME, such as anna@example.com."""
    shown = display_name if display_name is not None else name.partition("@")[0]

    async def make(directory: "Directory", tenant_id: str) -> "User":
        from strongroom.clock import real_now

        return await directory.create_user(name, shown, tenant_id=tenant_id, now=real_now(), mail=mail)

    show_one(_user_row(_made(flags, "users/create", make)), as_json=as_json)


@user.command(name="list")
@format_option
@settings_options(*PLACE)
def list_users(*, as_json: bool, **flags: Any) -> None:
    """List the users, oldest first."""
    rows = [_user_row(each) for each in _read(flags, lambda _, stores: stores.identity.list_users())]
    show_rows(rows, as_json=as_json)


@user.command(name="show", epilog=USER_HELP)
@click.argument("user", metavar="USER")
@format_option
@settings_options(*PLACE)
def show_user(user: str, *, as_json: bool, **flags: Any) -> None:
    """Show a user."""
    show_one(_user_row(_read(flags, lambda directory, _: directory.get_user(user))), as_json=as_json)


@user.command(name="disable", epilog=USER_HELP)
@click.argument("user", metavar="USER")
@settings_options(*PLACE)
def disable_user(user: str, **flags: Any) -> None:
    """Mark USER as one that is refused everywhere."""
    _change(flags, "users/disable", lambda directory, _: directory.set_user_enabled(user, enabled=False))


@user.command(name="enable", epilog=USER_HELP)
@click.argument("user", metavar="USER")
@settings_options(*PLACE)
def enable_user(user: str, **flags: Any) -> None:
    """Take that back."""
    _change(flags, "users/enable", lambda directory, _: directory.set_user_enabled(user, enabled=True))


@user.command(name="delete", epilog=USER_HELP)
@click.argument("user", metavar="USER")
@settings_options(*PLACE)
def delete_user(user: str, **flags: Any) -> None:
    """Remove USER with its memberships and its roles, for good. Access policies that name it stay."""
    _change(flags, "users/delete", lambda directory, stores: directory.delete_user(user, stores.assignments))


# --- groups


@command.group(name="group", epilog=GROUP_HELP)
def group() -> None:
    """Make, list and delete groups, and say who belongs to them.

    \b
    strongroom directory group create payments-team --description 'Who runs the payments'
    strongroom directory group member add payments-team anna@example.com
    strongroom directory group member list payments-team --transitive
    """


@group.command(name="create")
@click.argument("name")
@click.option("--description", metavar="TEXT", default="", help="What it is for.")
@format_option
@settings_options(*PLACE)
def create_group(name: str, *, description: str, as_json: bool, **flags: Any) -> None:
    """Make a security group called NAME; no two have one name."""

    async def make(directory: "Directory", tenant_id: str) -> "Group":
        from strongroom.clock import real_now

        await directory.require_new_group_name(name)
        return await directory.create_group(name, tenant_id=tenant_id, now=real_now(), description=description)

    show_one(_group_row(_made(flags, "groups/create", make)), as_json=as_json)


@group.command(name="list")
@format_option
@settings_options(*PLACE)
def list_groups(*, as_json: bool, **flags: Any) -> None:
    """List the groups, oldest first."""
    rows = [_group_row(each) for each in _read(flags, lambda _, stores: stores.identity.list_groups())]
    show_rows(rows, as_json=as_json)


@group.command(name="show", epilog=GROUP_HELP)
@click.argument("group", metavar="GROUP")
@format_option
@settings_options(*PLACE)
def show_group(group: str, *, as_json: bool, **flags: Any) -> None:
    """Show a group."""
    show_one(_group_row(_read(flags, lambda directory, _: directory.get_group(group))), as_json=as_json)


@group.command(name="delete", epilog=GROUP_HELP)
@click.argument("group", metavar="GROUP")
@settings_options(*PLACE)
def delete_group(group: str, **flags: Any) -> None:
    """Remove GROUP with its roles, for good; its members stay. Access policies that name it stay too."""
    _change(flags, "groups/delete", lambda directory, stores: directory.delete_group(group, stores.assignments))


# --- who belongs to which group


def _relation_commands(relation: str, text: str, *, nested: bool) -> click.Group:
    """Return the commands that add, remove and list the members or owners of a group."""
    listed = click.option("--transitive", is_flag=True, help="Those of groups in it too, to their end.")

    @click.group(name=relation, help=text, epilog=MEMBER_HELP)
    def relations() -> None:
        pass

    @relations.command(name="add", help=f"Make MEMBER {_a(relation)} of GROUP.", epilog=MEMBER_HELP)
    @click.argument("group", metavar="GROUP")
    @click.argument("member", metavar="MEMBER")
    @settings_options(*PLACE)
    def add(group: str, member: str, **flags: Any) -> None:
        _belong(flags, relation, "add", group, member)

    @relations.command(name="remove", help=f"MEMBER is {_a(relation)} of GROUP no more.", epilog=MEMBER_HELP)
    @click.argument("group", metavar="GROUP")
    @click.argument("member", metavar="MEMBER")
    @settings_options(*PLACE)
    def remove(group: str, member: str, **flags: Any) -> None:
        _belong(flags, relation, "remove", group, member)

    @relations.command(name="list", help=f"List the {relation}s of GROUP.", epilog=GROUP_HELP)
    @click.argument("group", metavar="GROUP")
    @(listed if nested else _nothing)
    @format_option
    @settings_options(*PLACE)
    def list_(group: str, *, as_json: bool, transitive: bool = False, **flags: Any) -> None:
        async def read(directory: "Directory", _: "Stores") -> tuple["Principal", ...]:
            found = await directory.get_group(group)
            if transitive:
                return await directory.list_all_members(found.object_id)
            return await directory.list_in(found.object_id, _relation(relation))

        show_rows([_principal_row(each) for each in _read(flags, read)], as_json=as_json)

    return relations


def _nothing(function: F) -> F:
    return function


def _a(relation: str) -> str:
    return "an owner" if relation == "owner" else "a member"


group.add_command(
    _relation_commands(
        "member", "Say who is in a group: users, applications, and groups with all that are in them.", nested=True
    )
)
group.add_command(
    _relation_commands("owner", "Say whose a group is: users and applications. It gives them nothing.", nested=False)
)


@command.command(name="member-of", epilog=MEMBER_HELP.removeprefix(f"{GROUP_HELP} "))
@click.argument("member", metavar="MEMBER")
@click.option("--transitive", is_flag=True, help="The groups that these are in too, to their end.")
@format_option
@settings_options(*PLACE)
def member_of(member: str, *, transitive: bool, as_json: bool, **flags: Any) -> None:
    """List the groups that MEMBER is in."""

    async def read(directory: "Directory", _: "Stores") -> tuple["Group", ...]:
        found = await directory.get_principal(member)
        listed = directory.list_all_groups_of if transitive else directory.list_groups_of
        return await listed(found.object_id)

    show_rows([_group_row(each) for each in _read(flags, read)], as_json=as_json)


# --- service principals


@command.group(name="sp", epilog=app.APPLICATION_HELP)
def service_principal() -> None:
    """Make, list, disable and delete service principals: they are the applications of `strongroom app`.

    \b
    strongroom directory sp create payments
    strongroom directory sp show payments
    """


for each in (app.create, app.list_, app.show, app.disable, app.enable, app.delete):
    service_principal.add_command(each)


# --- what commands share


def _on_data(flags: dict[str, Any], work: Callable[["Data"], Awaitable[Any]]) -> Any:
    from strongroom.cli.data import on_data

    return on_data(settings_from(flags), work)


def _read(flags: dict[str, Any], read: Change) -> Any:
    from strongroom.access.identity.directory import Directory

    async def work(data: "Data") -> Any:
        stores = data.storage.read()
        return await read(Directory(stores.identity), stores)

    return _on_data(flags, work)


def _made(flags: dict[str, Any], operation: str, make: Callable[["Directory", str], Awaitable[Any]]) -> Any:
    """Make a user or a group, with its record, and return it."""
    from strongroom.access.identity.directory import Directory

    async def work(data: "Data") -> Any:
        tenant_id = (await data.installation()).tenant_id

        async def unit(stores: "Stores") -> tuple[Any, "Record"]:
            found = await make(Directory(stores.identity), tenant_id)
            return found, _record(operation, _said(found))

        return await data.storage.change(unit)

    return _on_data(flags, work)


def _change(flags: dict[str, Any], operation: str, change: Change) -> None:
    """Change a user or a group, with its record, and print its name."""
    found = _changed(flags, change, lambda found: _record(operation, _said(found)))
    click.echo(f"{operation.rpartition('/')[2]}: {found.display_name} ({found.object_id})")


def _changed(flags: dict[str, Any], change: Change, recorded: Callable[[Any], "Record"]) -> Any:
    from strongroom.access.identity.directory import Directory

    async def work(data: "Data") -> Any:
        async def unit(stores: "Stores") -> tuple[Any, "Record"]:
            found = await change(Directory(stores.identity), stores)
            return found, recorded(found)

        return await data.storage.change(unit)

    return _on_data(flags, work)


BELONGING = {
    ("member", "add"): "groups/members/add",
    ("member", "remove"): "groups/members/remove",
    ("owner", "add"): "groups/owners/add",
    ("owner", "remove"): "groups/owners/remove",
}


def _belong(flags: dict[str, Any], relation: str, verb: str, group: str, member: str) -> None:
    """Add a principal to a group or take it out, with its record, and print both names."""

    async def change(directory: "Directory", _: "Stores") -> Any:
        from strongroom.clock import real_now

        if verb == "add":
            return await directory.add_to_group(group, _relation(relation), member, now=real_now())
        return await directory.remove_from_group(group, _relation(relation), member)

    def recorded(found: tuple["Group", "Principal"]) -> "Record":
        changed, principal = found
        said = {"memberId": principal.object_id, "memberType": principal.type.value, "memberName": principal.name}
        return _record(BELONGING[relation, verb], _said(changed) | said)

    changed, principal = _changed(flags, change, recorded)
    click.echo(f"{verb}: {principal.display_name} ({principal.object_id}), {relation} of {changed.display_name}")


def _relation(name: str) -> "Relation":
    from strongroom.access.identity.model import Relation

    return Relation(name)


def _record(operation: str, properties: dict[str, Any]) -> "Record":
    from strongroom.audit.local import local_record
    from strongroom.clock import real_now

    return local_record(f"Microsoft.Directory/{operation}", now=real_now(), properties=properties)


def _said(found: Any) -> dict[str, Any]:
    """Return what a record says of a user or a group."""
    said = {"objectId": found.object_id, "displayName": found.display_name}
    name = getattr(found, "user_principal_name", None)
    return said if name is None else said | {"userPrincipalName": name}


def _user_row(found: "User") -> dict[str, Any]:
    return {
        "userPrincipalName": found.user_principal_name,
        "displayName": found.display_name,
        "objectId": found.object_id,
        "enabled": found.enabled,
        "mail": found.mail or "",
    }


def _group_row(found: "Group") -> dict[str, Any]:
    return {"displayName": found.display_name, "objectId": found.object_id, "description": found.description}


def _principal_row(found: "Principal") -> dict[str, Any]:
    return {
        "displayName": found.display_name,
        "type": found.type.value,
        "objectId": found.object_id,
        "name": found.name,
    }
