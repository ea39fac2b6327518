"""The sockets that a server listens on: bound once, before the workers are forked, and shared by all of them."""

import errno
import socket
from collections.abc import Sequence

import structlog

from strongroom.addresses import join_place
from strongroom.errors import StrongroomError
from strongroom.values import split_place

BACKLOG = 2048
ATTEMPTS = 20
LOOPBACK_6 = "::1"
NO_SUCH_ADDRESS = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})

log = structlog.get_logger(__name__)


class BindFailed(StrongroomError):
    """An address or port cannot be listened on; the message is one line for the operator."""


class PortBusy(BindFailed):
    """Another process listens on the port."""


def bind(addresses: Sequence[str], port: int, option: str = "--port") -> list[socket.socket]:
    """Return a listening socket for each address, on one port; port 0 picks one that is free on all of them.

    addresses: IP addresses, or such with a port of their own (`values.place`); those without come first.
    option: what names the port on the command line.

    A machine without IPv6 has no ::1: that address is then left out, unless it is the only one. Raises PortBusy or
    another BindFailed; then nothing stays bound.
    """
    places = sorted({split_place(address, 0): None for address in addresses}, key=lambda place: place[1] > 0)
    for attempt in range(ATTEMPTS):
        try:
            return _bind_all(places, port, option)
        except PortBusy:
            if port != 0 or attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


def port_of(listener: socket.socket) -> int:
    """Return the port that a socket listens on."""
    port: int = listener.getsockname()[1]
    return port


def _bind_all(places: Sequence[tuple[str, int]], port: int, option: str) -> list[socket.socket]:
    listeners: list[socket.socket] = []
    try:
        for address, own in places:
            try:
                listeners.append(_bind_one(address, own or port))
            except OSError as error:
                if error.errno in NO_SUCH_ADDRESS and address == LOOPBACK_6 and len(places) > 1:
                    log.info("this machine has no IPv6 loopback; not listening there", address=address)
                    continue
                raise _explain(error, address, own or port, option) from None
            port = port_of(listeners[-1]) if own == 0 else port
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def _bind_one(address: str, port: int) -> socket.socket:
    """Bind and listen. The protocol is named, since asyncio switches off Nagle's algorithm only then.

    SO_REUSEADDR takes over from connections that linger; SO_REUSEPORT would let a second server answer for this one.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _explain(error: OSError, address: str, port: int, option: str) -> BindFailed:
    place = join_place(address, port)
    if error.errno == errno.EADDRINUSE:
        return PortBusy(f"{place} is busy: another process listens there; stop it or choose another {option}")
    if error.errno == errno.EACCES:
        return BindFailed(f"{place} may not be bound: ports below 1024 need a privilege (CAP_NET_BIND_SERVICE)")
    if error.errno in NO_SUCH_ADDRESS or isinstance(error, socket.gaierror):
        return BindFailed(f"{place} cannot be bound: {address} is no address of this machine")
    return BindFailed(f"{place} cannot be bound: {error.strerror}")
