"""`strongroom app`: the applications that sign in. Works on the data directory, beside a server that runs."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from strongroom.cli.options import PLACE, settings_from, settings_options
from strongroom.cli.running import find_server, running_pid, write_private_json
from strongroom.cli.shown import format_option, show_one, show_rows
from strongroom.settings import Settings

if TYPE_CHECKING:
    from strongroom.access.identity.model import Application
    from strongroom.audit.event import Record
    from strongroom.cli.data import Data
    from strongroom.planes.stores import Stores

APPLICATION_HELP = "APP is an application id, an object id or a display name."
DEFAULT_DAYS = 730


@click.group(name="app", epilog=APPLICATION_HELP)
def command() -> None:
    """Make, list, disable and delete the applications that sign in.

    A change counts at once: the next request of a disabled or deleted application is refused, whatever token it holds.

    \b
    strongroom app create payments
    strongroom app disable payments
    strongroom app reset-secret bootstrap
    """


def _lifetime(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--days", type=click.IntRange(1, 36500), default=DEFAULT_DAYS, show_default=True, help="Lifetime of the secret."
    )(function)


@command.command(name="create")
@click.argument("name")
@_lifetime
@format_option
@settings_options(*PLACE)
def create(name: str, *, days: int, as_json: bool, **flags: Any) -> None:
    """Make the application NAME and print its client secret. Nothing shows that again.

    No two have one name. It may do nothing yet: give it a role (strongroom role assign) or an access policy of a vault.
    """
    from strongroom.clock import real_now

    async def work(data: "Data") -> tuple["Application", str]:
        tenant_id = (await data.installation()).tenant_id

        async def make(stores: "Stores") -> tuple[tuple["Application", str], "Record"]:
            applications = data.applications(stores)
            await applications.require_new_name(name)
            application, secret = await applications.create(
                name, tenant_id=tenant_id, now=real_now(), lifetime=timedelta(days=days)
            )
            return (application, secret.reveal()), _record("applications/create", application)

        return await data.storage.change(make)

    application, secret = _on_data(flags, work)
    show_one(_identity(application) | {"clientSecret": secret}, as_json=as_json)


@command.command(name="list")
@format_option
@settings_options(*PLACE)
def list_(*, as_json: bool, **flags: Any) -> None:
    """List the applications, oldest first."""

    async def work(data: "Data") -> tuple["Application", ...]:
        return await data.applications(data.storage.read()).list()

    show_rows([_row(application) for application in _on_data(flags, work)], as_json=as_json)


@command.command(name="show", epilog=APPLICATION_HELP)
@click.argument("application", metavar="APP")
@format_option
@settings_options(*PLACE)
def show(application: str, *, as_json: bool, **flags: Any) -> None:
    """Show the ids and the state of APP. It says whether APP is enabled, how many credentials it has and until when."""

    async def work(data: "Data") -> "Application":
        return await data.applications(data.storage.read()).get(application)

    show_one(_row(_on_data(flags, work)), as_json=as_json)


@command.command(name="disable", epilog=APPLICATION_HELP)
@click.argument("application", metavar="APP")
@settings_options(*PLACE)
def disable(application: str, **flags: Any) -> None:
    """Refuse APP everywhere from now on, whatever token it has."""
    _change(flags, "servicePrincipals/disable", lambda data, stores: data.applications(stores).disable(application))


@command.command(name="enable", epilog=APPLICATION_HELP)
@click.argument("application", metavar="APP")
@settings_options(*PLACE)
def enable(application: str, **flags: Any) -> None:
    """Let APP sign in and act again."""
    _change(flags, "servicePrincipals/enable", lambda data, stores: data.applications(stores).enable(application))


@command.command(name="delete", epilog=APPLICATION_HELP)
@click.argument("application", metavar="APP")
@settings_options(*PLACE)
def delete(application: str, **flags: Any) -> None:
    """Remove APP with its secrets and its roles, for good."""
    _change(
        flags,
        "applications/delete",
        lambda data, stores: data.applications(stores).delete(application, stores.assignments),
    )


@command.command(name="add-certificate", epilog=APPLICATION_HELP)
@click.argument("application", metavar="APP")
@click.argument("certificate", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@settings_options(*PLACE)
def add_certificate(application: str, certificate: Path, **flags: Any) -> None:
    """Let APP sign in with the key of the certificate in FILE. It is in PEM, and the key is RSA."""
    from strongroom.clock import real_now

    pem = certificate.read_bytes()
    _change(
        flags,
        "applications/credentials/update",
        lambda data, stores: data.applications(stores).add_certificate(application, pem, now=real_now()),
    )


@command.command(name="reset-secret", epilog=APPLICATION_HELP)
@click.argument("application", metavar="APP")
@_lifetime
@format_option
@settings_options(*PLACE)
def reset_secret(application: str, *, days: int, as_json: bool, **flags: Any) -> None:
    """Replace all client secrets of APP by one that is printed. Nothing shows it again."""
    from strongroom.bootstrap import keep_secret
    from strongroom.clock import real_now

    async def work(data: "Data") -> tuple["Application", str]:
        async def reset(stores: "Stores") -> tuple[tuple["Application", str], "Record"]:
            changed, secret = await data.applications(stores).reset_secret(
                application, now=real_now(), lifetime=timedelta(days=days)
            )
            await keep_secret(stores, data.custodian, changed, secret)
            return (changed, secret.reveal()), _record("applications/credentials/update", changed)

        return await data.storage.change(reset)

    settings = settings_from(flags)
    changed, secret = _on_data(flags, work)
    _renew_connection_file(settings, changed.app_id, secret)
    show_one(_identity(changed) | {"clientSecret": secret}, as_json=as_json)


def _on_data(flags: dict[str, Any], work: Callable[["Data"], Awaitable[Any]]) -> Any:
    from strongroom.cli.data import on_data

    return on_data(settings_from(flags), work)


def _change(
    flags: dict[str, Any], operation: str, change: Callable[["Data", "Stores"], Awaitable["Application"]]
) -> None:
    """Change one application, with its record, and print its name."""

    async def work(data: "Data") -> "Application":
        async def unit(stores: "Stores") -> tuple["Application", "Record"]:
            application = await change(data, stores)
            return application, _record(operation, application)

        return await data.storage.change(unit)

    application = _on_data(flags, work)
    click.echo(f"{operation.rpartition('/')[2]}: {application.display_name} ({application.app_id})")


def _record(operation: str, application: "Application") -> "Record":
    from strongroom.audit.local import local_record
    from strongroom.clock import real_now

    properties = {
        "appId": application.app_id,
        "objectId": application.object_id,
        "displayName": application.display_name,
        "keyIds": [key.key_id for key in application.secrets] + [key.key_id for key in application.certificates],
    }
    return local_record(f"Microsoft.Directory/{operation}", now=real_now(), properties=properties)


def _identity(application: "Application") -> dict[str, str]:
    return {
        "displayName": application.display_name,
        "clientId": application.app_id,
        "objectId": application.object_id,
        "tenantId": application.tenant_id,
    }


def _row(application: "Application") -> dict[str, Any]:
    expiries = [key.expires for key in application.secrets] + [key.expires for key in application.certificates]
    return {
        "displayName": application.display_name,
        "clientId": application.app_id,
        "objectId": application.object_id,
        "enabled": application.enabled,
        "credentials": len(expiries),
        "validUntil": f"{max(expiries):%Y-%m-%d}" if expiries else "",
    }


def _renew_connection_file(settings: Settings, app_id: str, secret: str) -> None:
    """Put a new secret of the bootstrap application where the running server wrote the old one."""
    if running_pid(settings.data_dir) is None:
        return
    server = find_server(settings.data_dir)
    if server.connection_file is None or server.client_id != app_id:
        return
    path = Path(server.connection_file)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if document.get("pid") == server.pid:
        write_private_json(path, document | {"clientSecret": secret})
