"""The courier: takes the records of a worker to the recorder, and tells each when it is durable.

What a turn of the event loop submits goes together, in one frame. If the connection ends, what was not answered is sent
again over a new one, with the number that was the newest before it: the recorder looks for it past that one, so that it
enters the chain once. What is not durable in time fails.
"""

import asyncio
import socket
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import cast

import structlog

from strongroom.audit.event import Record
from strongroom.errors import StorageUnavailable
from strongroom.storage.failures import UNAVAILABLE
from strongroom.storage.frames import Answers, dial, encode_frame

PATIENCE_SECONDS = 5.0
"""How long records wait, at least, for a recorder that answers nothing."""
REDIAL_SECONDS = 0.05

log = structlog.get_logger(__name__)

Waiting = tuple[Record | None, "asyncio.Future[None]"]


class Courier(asyncio.Protocol):
    """The records of one worker on their way, from one event loop. behind: records may be left in the outbox."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._transport: asyncio.Transport | None = None
        self._answers = Answers()
        self._is_greeted = False
        self._newest = 0  # what is not answered is not in the log up to this number
        self._is_again = False  # what is not answered was sent over another connection before
        self._socket: socket.socket | None = None
        self._waiting: list[Waiting] = []
        self._sent: deque[list[Waiting]] = deque()
        self._due = False
        self._dialling: asyncio.Task[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._progress = 0.0  # when something was answered, or began to wait, on the loop's clock
        self._closed = False
        self.behind = False

    def submit(self, record: Record | None) -> "asyncio.Future[None]":
        """Return a future that ends when the record is durable; None only asks whether that can be.

        StorageUnavailable where it cannot, or could not in time.
        """
        if self._closed:
            raise StorageUnavailable("The server is stopping; nothing was changed.")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.append((record, future))
        if self._alarm is None:
            self._progress = loop.time()
            self._alarm = loop.call_later(PATIENCE_SECONDS, self._watch)
        if not self._due:
            self._due = True
            loop.call_soon(self._send)
        return future

    def close(self) -> None:
        """End the connection; what is under way may or may not become durable."""
        self._closed = True
        if self._alarm is not None:
            self._alarm.cancel()
        if self._transport is not None and self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)  # at once: the loop may not run any more
            self._transport.abort()

    def _send(self) -> None:
        self._due = False
        if not self._waiting or self._closed:
            return
        if self._transport is None:
            self._dial()
            return
        if not self._is_greeted or self._transport.is_closing():
            return
        batch, self._waiting = self._waiting, []
        self._sent.append(batch)
        since = self._newest if self._is_again else None
        self._transport.write(encode_frame([record for record, _ in batch], behind=self.behind, since=since))
        self.behind = False

    def _dial(self) -> None:
        if self._dialling is None:
            self._dialling = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        try:
            self._socket = dial(self._data_dir)
            await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=self._socket)
        except OSError as error:
            log.warning("the recorder cannot be reached", reason=error.strerror)
            await asyncio.sleep(REDIAL_SECONDS)
        self._dialling = None
        self._send()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to hand over."""
        self._transport = cast("asyncio.Transport", transport)  # a connection of bytes
        self._answers, self._is_greeted = Answers(), False

    def data_received(self, data: bytes) -> None:
        """Take the answers to the frames that were sent, in their order."""
        self._progress = asyncio.get_running_loop().time()
        for answer in self._answers.take(data):
            for _ in range(answer.frames):
                _settle(self._sent.popleft(), durable=answer.durable)
            self._is_again &= answer.frames == 0
            if not self._is_again:
                self._newest = answer.newest
        if not self._is_greeted:
            self._is_greeted = True
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """Send again what was not answered, over a new connection."""
        del exc
        self._transport = None
        self._waiting[:0] = [each for batch in self._sent for each in batch]
        self._is_again |= any(self._sent)
        self._sent.clear()
        self.behind = True
        if not self._closed:
            self._due = True
            asyncio.get_running_loop().call_later(REDIAL_SECONDS, self._send)

    def _watch(self) -> None:
        """Give up on a recorder that answers nothing, and look again later while something waits."""
        loop = asyncio.get_running_loop()
        self._alarm = None
        if loop.time() - self._progress >= PATIENCE_SECONDS:
            self._give_up()
        if self._waiting or any(self._sent):
            self._alarm = loop.call_later(PATIENCE_SECONDS, self._watch)

    def _give_up(self) -> None:
        """Fail what waits: whoever asked must hear something. It may be recorded all the same, if it was sent.

        The connection ends too, so that nothing piles up for a recorder that stands still. Nothing is sent again, so
        that nothing is looked for: that may be what took so long.
        """
        if not self._waiting and not any(self._sent):
            return
        log.error("the recorder does not answer; requests fail")
        batch, self._waiting = self._waiting, []
        _settle([*(each for sent in self._sent for each in sent), *batch], durable=False)
        self._sent = deque([] for _ in self._sent)
        self._is_again = False
        if self._transport is not None:
            self._transport.abort()


def _settle(batch: list[Waiting], *, durable: bool) -> None:
    for _, future in batch:
        if future.done():
            continue  # its request was given up
        if durable:
            future.set_result(None)
        else:
            future.set_exception(StorageUnavailable(UNAVAILABLE))
