"""Listeners of which trusted proxies speak first, in a PROXY header, before TLS begins.

A connection of a trusted proxy has to begin with a header. One of anybody else is direct and may have none: there it is
no TLS and ends so.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import structlog

from strongroom.access.network.origin import Proxies
from strongroom.addresses import normal_address
from strongroom.hosting.accepting import Acceptor, peek
from strongroom.hosting.arrival import DIRECT, Arrival
from strongroom.hosting.limits import Limits
from strongroom.hosting.proxyheader import MOST_2, Malformed, ProxyHeader, parse_header
from strongroom.meters import Meters

REFUSED = ("proxy-headers",)

Adopt = Callable[[socket.socket, Arrival], Awaitable[None]]

log = structlog.get_logger(__name__)


class Front:
    """What of one worker accepts behind proxies that speak the PROXY protocol.

    adopt: takes a connection over, its TLS handshake yet to come. has_room: answers whether there may be one connection
    more than so many that are opening. is_next: as `Acceptor` takes it.
    """

    def __init__(
        self,
        *,
        proxies: Proxies,
        adopt: Adopt,
        limits: Limits,
        meters: Meters,
        has_room: Callable[[int], bool],
        is_next: Callable[[], bool],
    ) -> None:
        self._proxies = proxies
        self._adopt = adopt
        self._limits = limits
        self._meters = meters
        self.acceptor = Acceptor(self._take, lambda: has_room(len(self.acceptor.opening)), is_next)

    async def _take(self, connection: socket.socket) -> None:
        peer = normal_address(connection.getpeername()[0])
        if not self._proxies.hold(peer):
            await self._adopt(connection, DIRECT)
            return
        try:
            async with asyncio.timeout(self._limits.head_seconds):
                header = await read_header(connection)
        except (Malformed, TimeoutError) as error:
            self._meters.add(REFUSED)
            log.info("a proxy's connection is ended: no PROXY header", proxy=peer, reason=str(error) or "too slow")
            connection.close()
            return
        # Of whom a proxy says nothing, nobody vouches for what the connection's headers say either.
        own = header.origin is None
        await self._adopt(connection, DIRECT if own else Arrival(origin=header.origin, proxies=self._proxies))


async def read_header(connection: socket.socket) -> ProxyHeader:
    """Return the header that a connection begins with, and take no byte beyond it.

    Raises Malformed when there is none, IncompleteReadError when the connection ends before it does.
    """
    taken = b""
    while True:
        seen = await peek(connection, MOST_2 - len(taken))
        header = parse_header(taken + seen)
        taken += connection.recv(len(seen) if header is None else header.size - len(taken))
        if header is not None:
            return header
