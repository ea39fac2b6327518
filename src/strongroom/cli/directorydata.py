"""What the commands of `strongroom directory` share: how they read and change it, its records, and what they show."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import click

from strongroom.cli.failure import CommandFailed
from strongroom.cli.options import settings_from

if TYPE_CHECKING:
    from strongroom.access.identity.directory import Directory
    from strongroom.access.identity.model import Group, Principal, User
    from strongroom.audit.event import Record
    from strongroom.cli.data import Data
    from strongroom.planes.stores import Stores

Change = Callable[["Directory", "Stores"], Awaitable[Any]]


def _on_data(flags: dict[str, Any], work: Callable[["Data"], Awaitable[Any]]) -> Any:
    from strongroom.cli.data import on_data

    return on_data(settings_from(flags), work)


def read_directory(flags: dict[str, Any], read: Change) -> Any:
    """Return what is read of the directory."""
    from strongroom.access.identity.directory import Directory

    async def work(data: "Data") -> Any:
        stores = data.storage.read()
        return await read(Directory(stores.identity), stores)

    return _on_data(flags, work)


def make_in_directory(flags: dict[str, Any], operation: str, make: Callable[["Directory", str], Awaitable[Any]]) -> Any:
    """Make a user or a group, with its record, and return it."""
    from strongroom.access.identity.directory import Directory

    async def work(data: "Data") -> Any:
        tenant_id = (await data.installation()).tenant_id

        async def unit(stores: "Stores") -> tuple[Any, "Record"]:
            found = await make(Directory(stores.identity), tenant_id)
            return found, directory_record(operation, said_of(found))

        return await data.storage.change(unit)

    return _on_data(flags, work)


def change_directory(flags: dict[str, Any], operation: str, change: Change) -> None:
    """Change a user or a group, with its record, and print its name."""
    found = changed_in_directory(flags, change, lambda found: directory_record(operation, said_of(found)))
    click.echo(f"{operation.rpartition('/')[2]}: {found.display_name} ({found.object_id})")


def changed_in_directory(flags: dict[str, Any], change: Change, recorded: Callable[[Any], "Record"]) -> Any:
    """Change the directory, with its record, and return what the change does."""
    from strongroom.access.identity.directory import Directory

    async def work(data: "Data") -> Any:
        async def unit(stores: "Stores") -> tuple[Any, "Record"]:
            found = await change(Directory(stores.identity), stores)
            return found, recorded(found)

        return await data.storage.change(unit)

    return _on_data(flags, work)


def require_any(**said: str | None) -> None:
    """Raise CommandFailed when none of a command's options is given."""
    if all(value is None for value in said.values()):
        names = ", ".join(f"--{name.replace('_', '-')}" for name in said)
        raise CommandFailed(f"nothing to change; give one of {names}")


def directory_record(operation: str, properties: dict[str, Any]) -> "Record":
    """Return the record of a change to the directory."""
    from strongroom.audit.local import local_record
    from strongroom.clock import real_now

    return local_record(f"Microsoft.Directory/{operation}", now=real_now(), properties=properties)


def said_of(found: Any) -> dict[str, Any]:
    """Return what a record says of a user or a group."""
    said = {"objectId": found.object_id, "displayName": found.display_name}
    name = getattr(found, "user_principal_name", None)
    return said if name is None else said | {"userPrincipalName": name}


def user_row(found: "User") -> dict[str, Any]:
    """Return what is shown of a user."""
    return {
        "userPrincipalName": found.user_principal_name,
        "displayName": found.display_name,
        "objectId": found.object_id,
        "enabled": found.enabled,
        "mail": found.mail or "",
    }


def group_row(found: "Group") -> dict[str, Any]:
    """Return what is shown of a group."""
    return {"displayName": found.display_name, "objectId": found.object_id, "description": found.description}


def principal_row(found: "Principal") -> dict[str, Any]:
    """Return what is shown of somebody, of whichever kind."""
    return {
        "displayName": found.display_name,
        "type": found.type.value,
        "objectId": found.object_id,
        "name": found.name,
    }
