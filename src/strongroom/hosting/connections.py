"""What the connections of a worker have in common, and what stands in for a transport that is no more."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from strongroom.meters import Meters


class _Gone(asyncio.Transport):
    """A transport of nothing: closed, and with nothing left to send."""

    def is_closing(self) -> bool:
        return True

    def close(self) -> None:
        """Nothing is left to close."""

    def abort(self) -> None:
        """Nothing is left to end."""

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Nobody is left to read."""

    def resume_reading(self) -> None:
        """Nothing is left to read."""

    def pause_reading(self) -> None:
        """Nothing is left to read."""


GONE = _Gone()
ACCEPTING, COUNT = ("accepting",), ("connections",)
MORE = 1
"""So many more than the fewest a worker may have and take one more: connections come and go meanwhile."""


class Connections(ServerState):
    """What a worker's connections have in common. opening: those whose TLS handshake is under way, since when.

    leaving: the worker was told to leave. stopping: it stops, and whoever comes now comes too late. meters: where they
    count.
    """

    def __init__(self, meters: Meters) -> None:
        super().__init__()
        self.meters = meters
        self.opening: dict[HttpToolsProtocol, float] = {}
        self.leaving = False
        self.stopping = False

    @property
    def count(self) -> int:
        """How many there are, those included whose TLS handshake is under way."""
        return len(self.connections) + len(self.opening)

    def tell(self) -> None:
        """Let others know how many there are, and whether more are taken."""
        self.meters.set(ACCEPTING, int(not self.leaving and not self.stopping))
        self.meters.set(COUNT, self.count)

    def is_next(self) -> bool:
        """Answer whether this worker is the one to take a connection: no other has fewer, or hardly."""
        others = zip(self.meters.each(ACCEPTING), self.meters.each(COUNT), strict=True)
        return self.count <= MORE + min([count for accepting, count in others if accepting], default=0)

    def forget_failed(self, since: float) -> None:
        """Forget handshakes that began before `since`: they have failed, of which their connections are not told."""
        for failed in [connection for connection, began in self.opening.items() if began < since]:
            failed.parser = None  # type: ignore[assignment]  # it refers back to its connection
            del self.opening[failed]
