"""`strongroom network trust`: which applications count as trusted services."""

from typing import TYPE_CHECKING, Any

import click

from strongroom.cli.app import APPLICATION_HELP
from strongroom.cli.options import PLACE, settings_from, settings_options
from strongroom.cli.shown import format_option, printable, show_rows

if TYPE_CHECKING:
    from strongroom.access.identity.model import Application
    from strongroom.audit.event import Record
    from strongroom.cli.data import Data
    from strongroom.planes.stores import Stores


@click.group(name="trust", epilog=APPLICATION_HELP)
def trust() -> None:
    """Name the applications that are trusted services. They are what `bypass: AzureServices` of a vault means here.

    They reach vaults that let trusted services in from wherever they call; what they may do there, policies and roles
    say as ever. Name only what runs under your own hands.

    \b
    strongroom network trust add backup-job
    strongroom network trust list
    strongroom network trust remove backup-job
    """


@trust.command(name="add", epilog=APPLICATION_HELP)
@click.argument("application", metavar="APP")
@settings_options(*PLACE)
def add(application: str, **flags: Any) -> None:
    """Let APP count as a trusted service."""
    _change(flags, application, trusted=True)


@trust.command(name="remove", epilog=APPLICATION_HELP)
@click.argument("application", metavar="APP")
@settings_options(*PLACE)
def remove(application: str, **flags: Any) -> None:
    """Let APP count as a trusted service no longer."""
    _change(flags, application, trusted=False)


@trust.command(name="list")
@format_option
@settings_options(*PLACE)
def list_(*, as_json: bool, **flags: Any) -> None:
    """List the trusted services; one that is disabled is let in nowhere."""
    from strongroom.cli.data import on_data

    async def work(data: "Data") -> list[dict[str, Any]]:
        found = await data.applications(data.storage.read()).list()
        return [
            {"displayName": each.display_name, "clientId": each.app_id, "enabled": each.enabled}
            for each in found
            if each.trusted
        ]

    show_rows(on_data(settings_from(flags), work), as_json=as_json)


def _change(flags: dict[str, Any], named: str, *, trusted: bool) -> None:
    """Let an application be trusted or not, with a record if that is a change, and print what became of it."""
    from strongroom.cli.data import on_data

    async def work(data: "Data") -> tuple["Application", bool]:
        async def unit(stores: "Stores") -> tuple["Application", "Record"]:
            found = await data.applications(stores).trust(named, trusted=trusted)
            return found, _record(found)

        found = await data.applications(data.storage.read()).get(named)
        if found.trusted is trusted:
            return found, False
        return await data.storage.change(unit), True

    found, is_changed = on_data(settings_from(flags), work)
    if is_changed:
        told = "trust" if trusted else "no longer trust"
    else:
        told = "already trusted" if trusted else "was not trusted"
    click.echo(f"{told}: {printable(found.display_name)} ({found.app_id})")


def _record(application: "Application") -> "Record":
    """Return the record of a change: of an application that has come to be trusted, or is so no longer."""
    from strongroom.audit.local import local_record
    from strongroom.clock import real_now

    properties = {
        "appId": application.app_id,
        "objectId": application.object_id,
        "displayName": application.display_name,
    }
    operation = "Strongroom.TrustedService/add" if application.trusted else "Strongroom.TrustedService/remove"
    return local_record(operation, now=real_now(), properties=properties)
