"""`strongroom run`: runs a command in the environment that its Azure clients need."""

import os
import signal
import subprocess
from collections.abc import Mapping
from ipaddress import ip_address
from types import FrameType
from typing import Any, NoReturn

import click

from strongroom.cli.environment import EnvironmentChange, client_environment, names_resolve, tell_notes
from strongroom.cli.failure import CommandFailed
from strongroom.cli.identity import Credentials
from strongroom.cli.known import known_credentials
from strongroom.cli.options import PLACE, settings_from, settings_options
from strongroom.cli.running import Running, find_server


class CommandNotFound(CommandFailed):
    """There is no such command; the exit code is that of a shell."""

    exit_code = 127


class CommandNotRunnable(CommandFailed):
    """The command cannot be started; the exit code is that of a shell."""

    exit_code = 126


@click.command(name="run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@settings_options(*PLACE)
@click.option(
    "--pass-through",
    is_flag=True,
    help="Send HTTPS to hosts that are not the server's on as this environment would have, by a proxy of its own.",
)
@click.argument("arguments", metavar="-- COMMAND…", nargs=-1, required=True, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...], *, pass_through: bool, **flags: Any) -> int:
    """Run COMMAND so that its Azure clients find, trust and sign in to the running server.

    Where names under the server's domain resolve, no proxy is set. Where they do not, the server's own proxy is, and it
    refuses HTTPS to any other host unless --pass-through is given. The exit code is the command's.

    Clients sign in as bootstrap, unless AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (or AZURE_CLIENT_CERTIFICATE_PATH) name
    another application of this server.

    \b
    strongroom run -- python app.py
    strongroom run --pass-through -- az login --service-principal …
    strongroom run -- sh -c 'curl $VAULT_URL'
    """
    settings = settings_from(flags)
    server = find_server(settings.data_dir)
    credentials = known_credentials(server, settings)
    resolve = names_resolve(server.domain)
    if pass_through and not resolve:
        return _run_passing_through(arguments, server, credentials)
    if not resolve and server.proxy_url is None:
        raise CommandFailed(
            f"names under {server.domain} do not resolve here and the server runs without its proxy; "
            "start it with one, or use --pass-through"
        )
    change = client_environment(server, credentials, os.environ, names_resolve=resolve, proxy_url=server.proxy_url)
    tell_notes(change)
    return _become(arguments, change.applied_to(os.environ))


def _become(arguments: tuple[str, ...], environ: Mapping[str, str]) -> NoReturn:
    """Replace this process by the command: signals, terminal and exit code are then its own."""
    try:
        os.execvpe(arguments[0], arguments, environ)  # noqa: S606 - running what the user asks for is the purpose
    except OSError as error:
        raise _not_started(arguments[0], error) from None


def _run_passing_through(arguments: tuple[str, ...], server: Running, credentials: Credentials) -> int:
    """Run the command beside a proxy that ends with it; return its exit code."""
    from strongroom.hosting.passthrough import pass_through, read_route

    route = read_route(os.environ, domain=server.domain, server=(reachable_address(server.addresses), server.port))
    with pass_through(route) as proxy_url:
        change = client_environment(server, credentials, os.environ, names_resolve=False, proxy_url=proxy_url)
        tell_notes(change)
        return _run_child(arguments, change)


def _run_child(arguments: tuple[str, ...], change: EnvironmentChange) -> int:
    """Run the command as a child. Ctrl-C reaches it by itself; what else would end us is handed on to it."""
    children: list[subprocess.Popen[bytes]] = []

    def hand_on(number: int, _frame: FrameType | None) -> None:
        for child in children:
            child.send_signal(number)

    # Handlers, not SIG_IGN: a handler is reset in the child, what is ignored would stay so.
    handlers = {signal.SIGINT: _wait_on, signal.SIGTERM: hand_on, signal.SIGHUP: hand_on}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        child = subprocess.Popen(arguments, env=change.applied_to(os.environ))  # noqa: S603 - what the user asks for
        children.append(child)
        code = child.wait()
    except OSError as error:
        raise _not_started(arguments[0], error) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def _wait_on(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the terminal has interrupted the child too, and its end is waited for."""


def reachable_address(addresses: tuple[str, ...]) -> str:
    """Return an address that this machine reaches the server at."""
    first = addresses[0]
    if not ip_address(first).is_unspecified:
        return first
    return "127.0.0.1" if ip_address(first).version == 4 else "::1"


def _not_started(name: str, error: OSError) -> CommandFailed:
    kind = CommandNotFound if isinstance(error, FileNotFoundError) else CommandNotRunnable
    return kind(f"cannot run {name}: {error.strerror}")
