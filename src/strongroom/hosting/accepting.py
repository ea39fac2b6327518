"""Accepting connections by ourselves: one at a time, so that no worker takes all that wait while others have none.

The loop would take whatever waits at a shared socket at once. Where something comes before TLS, a CONNECT request or a
PROXY header, sockets are read without a byte too much: what follows is the handshake.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

RETRY_SECONDS: Final = 0.1
DEFERRED_SECONDS: Final = 0.002
"""For how long a connection is left to the others; one of them may hang."""

log = structlog.get_logger(__name__)


class Acceptor:
    """Accepts clients of listeners that are shared with other workers, a task for each.

    take: brings a client to its protocol, and closes it where that fails. has_room: answers whether one more may come;
    who comes when there is none is let go. is_next: answers whether to take the next one, or to leave it to another
    worker for a moment. opening: clients that were accepted and are not with their protocol yet.
    """

    def __init__(
        self,
        take: Callable[[socket.socket], Awaitable[None]],
        has_room: Callable[[], bool],
        is_next: Callable[[], bool] = lambda: True,
    ) -> None:
        self.opening: set[asyncio.Task[None]] = set()
        self._take = take
        self._has_room = has_room
        self._is_next = is_next
        self._loop = asyncio.get_running_loop()
        self._listeners: set[socket.socket] = set()

    def listen(self, listener: socket.socket) -> None:
        """Accept clients of a listener."""
        self._listeners.add(listener)
        self._loop.add_reader(listener, self._offer, listener)

    def stop_accepting(self) -> None:
        """Accept no more; who was accepted is brought to its protocol. None is lost between the two."""
        for listener in self._listeners:
            self._loop.remove_reader(listener)
        self._listeners.clear()

    def close(self) -> None:
        """Accept no more and give up on those that are opening."""
        self.stop_accepting()
        for task in tuple(self.opening):
            task.cancel()

    def _offer(self, listener: socket.socket) -> None:
        if self._is_next():
            self._accept(listener)
        else:
            self._loop.remove_reader(listener)
            self._loop.call_later(DEFERRED_SECONDS, self._accept_again, listener)

    def _accept_again(self, listener: socket.socket) -> None:
        if listener in self._listeners:
            self._loop.add_reader(listener, self._offer, listener)
            self._accept(listener)

    def _accept(self, listener: socket.socket) -> None:
        """Take the next client, if no other worker was faster; without a descriptor left for it, try again later."""
        try:
            connection, _ = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            log.warning("a connection could not be accepted", reason=error.strerror)
            self._loop.remove_reader(listener)
            self._loop.call_later(RETRY_SECONDS, self._accept_again, listener)
            return
        if not self._has_room():
            connection.close()
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self._loop.create_task(self._open(connection))
        self.opening.add(task)
        task.add_done_callback(self.opening.discard)

    async def _open(self, connection: socket.socket) -> None:
        try:
            await self._take(connection)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            connection.close()  # a client that goes away or says nothing hears nothing
        except BaseException:
            connection.close()
            raise


async def peek(connection: socket.socket, size: int) -> bytes:
    """Return what has come, up to `size` bytes, and leave it there; IncompleteReadError when the client has ended."""
    while True:
        await _readable(connection)
        try:
            seen = connection.recv(size, socket.MSG_PEEK)
        except BlockingIOError:
            continue
        if not seen:
            raise asyncio.IncompleteReadError(b"", None)
        return seen


async def _readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    waiting: asyncio.Future[None] = loop.create_future()
    loop.add_reader(connection, _wake, waiting)
    try:
        await waiting
    finally:
        loop.remove_reader(connection)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
