"""`strongroom directory`: users, groups, service principals. Works on the data directory, beside a server that runs."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from strongroom.cli import app
from strongroom.cli.directorydata import (
    change_directory,
    changed_in_directory,
    directory_record,
    group_row,
    make_in_directory,
    principal_row,
    read_directory,
    require_any,
    said_of,
    user_row,
)
from strongroom.cli.options import PLACE, settings_options
from strongroom.cli.shown import format_option, show_one, show_rows

if TYPE_CHECKING:
    from strongroom.access.identity.directory import Directory
    from strongroom.access.identity.model import Group, Principal, Relation, User
    from strongroom.audit.event import Record
    from strongroom.planes.stores import Stores

USER_HELP = "USER is a user principal name, an object id or a display name."
GROUP_HELP = "GROUP is a display name or an object id."
MEMBER_HELP = (
    f"{GROUP_HELP} MEMBER is a user, a group or an application: its object id, user principal name, application id or "
    "display name."
)

F = TypeVar("F", bound=Callable[..., Any])


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
    """Make, list, rename, disable and delete users.

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
    """Make a user whose principal name is NAME. It reads like anna@example.com."""
    shown = display_name if display_name is not None else name.partition("@")[0]

    async def make(directory: "Directory", tenant_id: str) -> "User":
        from strongroom.clock import real_now

        return await directory.create_user(name, shown, tenant_id=tenant_id, now=real_now(), mail=mail)

    show_one(user_row(make_in_directory(flags, "users/create", make)), as_json=as_json)


@user.command(name="list")
@format_option
@settings_options(*PLACE)
def list_users(*, as_json: bool, **flags: Any) -> None:
    """List the users, oldest first."""
    rows = [user_row(each) for each in read_directory(flags, lambda _, stores: stores.identity.list_users())]
    show_rows(rows, as_json=as_json)


@user.command(name="show", epilog=USER_HELP)
@click.argument("user", metavar="USER")
@format_option
@settings_options(*PLACE)
def show_user(user: str, *, as_json: bool, **flags: Any) -> None:
    """Show a user."""
    show_one(user_row(read_directory(flags, lambda directory, _: directory.get_user(user))), as_json=as_json)


@user.command(name="update", epilog=USER_HELP)
@click.argument("user", metavar="USER")
@click.option("--name", metavar="NAME", help="Its new principal name, such as anna.b@example.com.")
@click.option("--display-name", metavar="TEXT", help="What people call it.")
@click.option("--mail", metavar="ADDRESS", help="An address of mail; '' for none.")
@format_option
@settings_options(*PLACE)
def update_user(
    user: str, *, name: str | None, display_name: str | None, mail: str | None, as_json: bool, **flags: Any
) -> None:
    """Give USER other names. Its id stays, and what it was granted with it."""
    require_any(name=name, display_name=display_name, mail=mail)

    async def change(directory: "Directory", _: "Stores") -> "User":
        return await directory.update_user(user, principal_name=name, display_name=display_name, mail=mail)

    found = changed_in_directory(flags, change, lambda found: directory_record("users/update", said_of(found)))
    show_one(user_row(found), as_json=as_json)


@user.command(name="disable", epilog=USER_HELP)
@click.argument("user", metavar="USER")
@settings_options(*PLACE)
def disable_user(user: str, **flags: Any) -> None:
    """Mark USER as one that is refused everywhere."""
    change_directory(flags, "users/disable", lambda directory, _: directory.set_user_enabled(user, enabled=False))


@user.command(name="enable", epilog=USER_HELP)
@click.argument("user", metavar="USER")
@settings_options(*PLACE)
def enable_user(user: str, **flags: Any) -> None:
    """Take that back."""
    change_directory(flags, "users/enable", lambda directory, _: directory.set_user_enabled(user, enabled=True))


@user.command(name="delete", epilog=USER_HELP)
@click.argument("user", metavar="USER")
@settings_options(*PLACE)
def delete_user(user: str, **flags: Any) -> None:
    """Remove USER with its memberships and its roles, for good. Access policies that name it stay."""
    change_directory(flags, "users/delete", lambda directory, stores: directory.delete_user(user, stores.assignments))


# --- groups


@command.group(name="group", epilog=GROUP_HELP)
def group() -> None:
    """Make, list, rename and delete groups, and say who is in them.

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

    show_one(group_row(make_in_directory(flags, "groups/create", make)), as_json=as_json)


@group.command(name="list")
@format_option
@settings_options(*PLACE)
def list_groups(*, as_json: bool, **flags: Any) -> None:
    """List the groups, oldest first."""
    rows = [group_row(each) for each in read_directory(flags, lambda _, stores: stores.identity.list_groups())]
    show_rows(rows, as_json=as_json)


@group.command(name="show", epilog=GROUP_HELP)
@click.argument("group", metavar="GROUP")
@format_option
@settings_options(*PLACE)
def show_group(group: str, *, as_json: bool, **flags: Any) -> None:
    """Show a group."""
    show_one(group_row(read_directory(flags, lambda directory, _: directory.get_group(group))), as_json=as_json)


@group.command(name="update", epilog=GROUP_HELP)
@click.argument("group", metavar="GROUP")
@click.option("--name", metavar="NAME", help="Its new name; no two groups have one name.")
@click.option("--description", metavar="TEXT", help="What it is for; '' for nothing.")
@format_option
@settings_options(*PLACE)
def update_group(group: str, *, name: str | None, description: str | None, as_json: bool, **flags: Any) -> None:
    """Give GROUP another name or description. Its id stays, and what it was granted with it."""
    require_any(name=name, description=description)

    async def change(directory: "Directory", _: "Stores") -> "Group":
        return await directory.update_group(group, display_name=name, description=description)

    found = changed_in_directory(flags, change, lambda found: directory_record("groups/update", said_of(found)))
    show_one(group_row(found), as_json=as_json)


@group.command(name="delete", epilog=GROUP_HELP)
@click.argument("group", metavar="GROUP")
@settings_options(*PLACE)
def delete_group(group: str, **flags: Any) -> None:
    """Remove GROUP with its roles, for good; its members stay. Access policies that name it stay too."""
    change_directory(
        flags, "groups/delete", lambda directory, stores: directory.delete_group(group, stores.assignments)
    )


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

        show_rows([principal_row(each) for each in read_directory(flags, read)], as_json=as_json)

    return relations


def _nothing(function: F) -> F:
    return function


def _a(relation: str) -> str:
    return "an owner" if relation == "owner" else "a member"


group.add_command(
    _relation_commands(
        "member",
        "Say who is in a group. Its members are users, applications, and groups with all that are in them.",
        nested=True,
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

    show_rows([group_row(each) for each in read_directory(flags, read)], as_json=as_json)


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
        return directory_record(BELONGING[relation, verb], said_of(changed) | said)

    changed, principal = changed_in_directory(flags, change, recorded)
    click.echo(f"{verb}: {principal.display_name} ({principal.object_id}), {relation} of {changed.display_name}")


def _relation(name: str) -> "Relation":
    from strongroom.access.identity.model import Relation

    return Relation(name)


# --- service principals


@command.group(name="sp", epilog=app.APPLICATION_HELP)
def service_principal() -> None:
    """Make, list, disable and delete service principals. They are the applications of `strongroom app`.

    \b
    strongroom directory sp create payments
    strongroom directory sp show payments
    """


for each in (app.create, app.list_, app.show, app.disable, app.enable, app.delete):
    service_principal.add_command(each)
