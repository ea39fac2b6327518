"""A worker's line to the recorder: notices of its journal go there, answers come back. It is dialled when it is cut."""

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import cast

import structlog

from strongroom.storage.notices import Answer, Answers, Notice, dial

REDIAL_SECONDS = 0.05

log = structlog.get_logger(__name__)

Probe = asyncio.Future[None]
"""Of somebody who asks whether the log can be written now."""
Heard = Callable[[Answer, list[Probe]], None]
"""Is told an answer, and who had asked with its notice."""


class Line(asyncio.Protocol):
    """The line of one worker, for one event loop.

    heard: is told of answers. again: called when a notice can be sent or tried again: once there is a connection, and a
    moment after one ended or could not be had.
    probes: who asks with the next notice. behind: the outbox may hold records that the log has not got.
    """

    def __init__(self, data_dir: Path, heard: Heard, again: Callable[[], None]) -> None:
        self._data_dir = data_dir
        self._heard = heard
        self._again = again
        self._transport: asyncio.Transport | None = None
        self._socket: socket.socket | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._answers = Answers()
        self._is_cut = False  # and that was told
        self._asked: deque[list[Probe]] = deque()  # with each notice that was not answered
        self.probes: list[Probe] = []
        self.behind = False
        self.closed = False

    @property
    def is_busy(self) -> bool:
        """Whether a notice was not answered yet."""
        return bool(self._asked)

    @property
    def is_asked(self) -> bool:
        """Whether somebody waits for an answer."""
        return bool(self.probes) or any(self._asked)

    def tell(self, journal: str, frame: int, *, probe: bool) -> None:
        """Send a notice; where there is no connection one is made first, and `again` called for the notice to be sent.

        probe: whether to ask whether the log can be written, though nobody else does.
        """
        if self._transport is None:
            self._dial()
        elif not self._transport.is_closing():
            probes, self.probes = self.probes, []
            self._asked.append(probes)
            notice = Notice(journal, frame, behind=self.behind, probe=probe or bool(probes))
            self._transport.write(notice.encode())
            self.behind = False

    def give_up(self) -> list[Probe]:
        """Let nobody wait any longer; return who did."""
        waiting = [*(probe for probes in self._asked for probe in probes), *self.probes]
        self.probes = []
        self._asked = deque([] for _ in self._asked)
        return waiting

    def hang_up(self) -> None:
        """End the connection; another one is made when there is something to tell."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End the connection for good, at once: the loop may not run any more."""
        self.closed = True
        if self._socket is not None:  # though its connection may not be made yet
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self.hang_up()

    def _dial(self) -> None:
        if self._dialling is None and not self.closed:
            self._dialling = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        try:
            self._socket = dial(self._data_dir)
            await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=self._socket)
        except OSError as error:
            if not self._is_cut:
                log.warning("the recorder cannot be reached", reason=str(error))
            self._is_cut = True
            await asyncio.sleep(REDIAL_SECONDS)
        finally:
            self._dialling = None  # whatever ended it: else none would ever be made again
        self._again()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with no part of an answer."""
        self._transport = cast("asyncio.Transport", transport)  # a connection of bytes
        self._answers, self._is_cut = Answers(), False
        if self.closed:
            self.hang_up()

    def data_received(self, data: bytes) -> None:
        """Hand on the answers to notices, which come in their order."""
        for answer in self._answers.read(data):
            self._heard(answer, self._asked.popleft())

    def connection_lost(self, exc: Exception | None) -> None:
        """Let who asked ask again. What was left in the outbox the recorder may not have heard of."""
        del exc
        self._transport = None
        self.probes[:0] = [probe for probes in self._asked for probe in probes]
        self._asked.clear()
        self.behind = True
        if not self.closed:
            asyncio.get_running_loop().call_later(REDIAL_SECONDS, self._again)
