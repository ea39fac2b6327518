"""`strongroom env`: prints the environment that clients of the running server need."""

import json
import os
import shlex
from collections.abc import Callable
from typing import Any

import click

from strongroom.cli.environment import EnvironmentChange, client_environment, names_resolve, tell_notes
from strongroom.cli.known import known_credentials
from strongroom.cli.options import PLACE, settings_from, settings_options
from strongroom.cli.running import find_server


def as_shell(change: EnvironmentChange) -> str:
    """Return the change as commands of a POSIX shell."""
    lines = [f"unset {name}" for name in change.unset]
    return "\n".join(lines + [f"export {name}={shlex.quote(value)}" for name, value in change.set.items()])


def as_powershell(change: EnvironmentChange) -> str:
    """Return the change as PowerShell commands."""
    lines = [f"Remove-Item -ErrorAction Ignore Env:{name}" for name in change.unset]
    quoted = {name: value.replace("'", "''") for name, value in change.set.items()}
    return "\n".join(lines + [f"$Env:{name} = '{value}'" for name, value in quoted.items()])


def as_json(change: EnvironmentChange) -> str:
    """Return the change as a JSON object; null stands for a variable that must not be set."""
    return json.dumps(dict.fromkeys(change.unset) | dict(change.set), indent=2)


FORMATS: dict[str, Callable[[EnvironmentChange], str]] = {"sh": as_shell, "json": as_json, "powershell": as_powershell}


@click.command(name="env")
@settings_options(*PLACE)
@click.option("--format", "form", type=click.Choice(list(FORMATS)), default="sh", show_default=True, help="For whom.")
def command(form: str, **flags: Any) -> None:
    """Print the environment in which Azure clients find and trust the running server.

    It holds the bootstrap application's secret where that is known: with --dev, or from the connection file. If
    AZURE_CLIENT_ID and AZURE_CLIENT_SECRET name another application of this server, they stay and are not printed.

    \b
    eval "$(strongroom env)"                        # this shell, from now on
    strongroom env --format json | jq -r .VAULT_URL # one of them, for a program
    """
    settings = settings_from(flags)
    server = find_server(settings.data_dir)
    resolve = names_resolve(server.domain)
    credentials = known_credentials(server, settings)
    change = client_environment(server, credentials, os.environ, names_resolve=resolve, proxy_url=server.proxy_url)
    if not resolve and server.proxy_url is None:
        click.echo(
            f"note: names under {server.domain} do not resolve here and the server runs without its proxy", err=True
        )
    tell_notes(change)
    click.echo(FORMATS[form](change))
