"""Private endpoints: whether their addresses are some that a server on this machine is reached at."""

import errno
import ipaddress
import socket
import sqlite3
from collections.abc import Sequence

from strongroom.cli.checks.finding import Finding, Findings, ok, problem, warning
from strongroom.cli.failure import CommandFailed
from strongroom.cli.running import find_server
from strongroom.custody.sealing import Custodian
from strongroom.errors import StrongroomError
from strongroom.settings import Settings
from strongroom.storage.commit import drive
from strongroom.storage.inspection import stores_of
from strongroom.storage.snapshot import Snapshot
from strongroom.vaults.connections import ANY_PORT, PrivateEndpointConnection, place_of

CHECK = "private endpoints"
ANYWHERE = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - where a server listens that listens everywhere
ADVICE = (
    "start it with --listen for that address, give it to the machine, or: strongroom network endpoint remove; behind a "
    "proxy that tells addresses it may be the proxy's"
)


def check_endpoints(snapshot: Snapshot, custodian: Custodian, settings: Settings) -> Findings:
    """Look whether each private endpoint's address is one that the server listens on, or would."""
    try:
        found = drive(stores_of(snapshot, custodian).connections.list_all())
    except (StrongroomError, sqlite3.Error) as error:
        yield problem(CHECK, f"cannot be read: {error}", "restore a backup; find out who changed the data")
        return
    addresses, port = _listening(settings)
    lost = [each for each in found if not _is_reached(each, addresses, port)]
    yield from [_told(each) for each in lost]
    if not lost:
        yield ok(CHECK, f"{len(found)}, each at an address that the server listens on" if found else "none")


def _listening(settings: Settings) -> tuple[Sequence[str], int]:
    """Return where the server listens that runs, else where one would, at port 0 for one that is not known."""
    try:
        server = find_server(settings.data_dir)
    except (CommandFailed, OSError):
        return settings.listen, settings.port
    return server.addresses, server.port


def _is_reached(endpoint: PrivateEndpointConnection, addresses: Sequence[str], port: int) -> bool:
    if port and endpoint.port not in {ANY_PORT, port}:
        return False
    everywhere = ANYWHERE[ipaddress.ip_address(endpoint.address).version]
    return endpoint.address in addresses or (everywhere in addresses and _is_here(endpoint.address))


def _is_here(address: str) -> bool:
    """Answer whether an address is one of this machine's."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError as error:
        return error.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
    return True


def _told(endpoint: PrivateEndpointConnection) -> Finding:
    told = f"'{endpoint.name}' leads nowhere: the server does not listen on {place_of(endpoint)}"
    return warning(CHECK, told, ADVICE)
