"""Private endpoints: whether their addresses are some that a server on this machine is reached at."""

import errno
import ipaddress
import socket
import sqlite3

from strongroom.cli.checks.finding import Finding, Findings, ok, problem, warning
from strongroom.cli.failure import CommandFailed
from strongroom.cli.running import find_server
from strongroom.custody.sealing import Custodian
from strongroom.errors import StrongroomError
from strongroom.settings import Settings
from strongroom.storage.commit import drive
from strongroom.storage.inspection import stores_of
from strongroom.storage.snapshot import Snapshot
from strongroom.values import split_place
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
    places = _listening(settings)
    lost = [each for each in found if not any(_is_reached(each, *place) for place in places)]
    yield from [_told(each) for each in lost]
    if not lost:
        yield ok(CHECK, f"{len(found)}, each at an address that the server listens on" if found else "none")


def _listening(settings: Settings) -> frozenset[tuple[str, int]]:
    """Return where the server that runs listens, else where one would: addresses and ports, 0 for one not yet known."""
    try:
        server = find_server(settings.data_dir)
    except (CommandFailed, OSError):
        return frozenset(split_place(place, settings.port) for place in settings.listen)
    own = {split_place(place, server.port) for place in settings.listen}
    return frozenset({(address, server.port) for address in server.addresses} | own)


def _is_reached(endpoint: PrivateEndpointConnection, address: str, port: int) -> bool:
    """Answer whether who listens at an address and port is reached at an endpoint."""
    if port and endpoint.port not in {ANY_PORT, port}:
        return False
    if address == ANYWHERE[ipaddress.ip_address(endpoint.address).version]:
        return _is_here(endpoint.address)
    return address == endpoint.address


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
