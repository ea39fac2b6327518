"""Whose connection it is and whose request: of the socket, of a PROXY header, of the headers of a trusted proxy."""

from collections.abc import Iterable
from dataclasses import dataclass

from strongroom.access.network.forwarded import Ambiguous, find_caller
from strongroom.access.network.origin import NOBODY, Origin, Proxies
from strongroom.addresses import normal_address
from strongroom.hosting.refusal import UNCLEAR_CALLER

Socket = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """How a connection came.

    origin: the caller and where it arrived, where a proxy said so of the connection; None: the socket says it.
    proxies: whose headers are believed about callers.
    """

    origin: Origin | None = None
    proxies: Proxies = NOBODY

    def settle(self, client: Socket | None, server: tuple[str, int | None] | None) -> tuple[Socket, Socket]:
        """Return whose connection it is and where it arrived, from what the socket says of both."""
        address, port = client or ("", 0)
        here, here_port = server or ("", 0)
        origin = self.origin or Origin(normal_address(address), normal_address(here), here_port or 0)
        return (origin.address, port), (origin.local, origin.local_port)

    def find_caller(self, headers: Iterable[tuple[bytes, bytes]], proxy: Socket) -> Socket:
        """Return whose request a trusted proxy passes on, its own where it says nothing; Refusal when unclear."""
        try:
            caller = find_caller(headers, self.proxies)
        except Ambiguous:
            raise UNCLEAR_CALLER from None
        return proxy if caller is None else (caller, 0)


DIRECT = Arrival()
"""The socket says it, and nobody's headers are believed."""
