"""The recorder: one process that takes what the journals of all workers hold into the log, as much at a time as it can.

A worker that wrote the log itself would wait for its own threads, since its loop and its commits share one interpreter
lock, and for the others. So it keeps a journal and gives notice of it (`notices.py`), and there is one writer of the
chain. A recorder that dies is replaced, and goes on where the log ends. What a worker leaves that dies is taken from
its journal.
"""

import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from strongroom.meters import CommitMeter
from strongroom.storage.failures import unavailable
from strongroom.storage.keeper import FAILURES, Keeper
from strongroom.storage.notices import READ_BYTES, Answer, Notice, Notices
from strongroom.storage.recordwriter import Taken

TURN_SECONDS = 1.0
"""How long the loop waits at most: one that stands still is told from one that has nothing to do."""

NOTHING = Taken(0, frozenset())

log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Peer:
    """A worker's connection, and what came of it."""

    socket: socket.socket
    notices: Notices = field(default_factory=Notices)
    journal: str = ""


class Recorder:
    """Serves the workers until it is told to end and they are gone: what they kept is then in the log.

    listener: from `notices.listen`; it stays open in the parent, so that workers connect while there is no recorder.
    lifeline: a pipe that ends with the parent. turn: called in each turn of the loop, about once a second at least.
    """

    def __init__(
        self, listener: socket.socket, keeper: Keeper, lifeline: int, meter: CommitMeter, turn: Callable[[], None]
    ) -> None:
        self._keeper = keeper
        self._meter = meter
        self._turn = turn
        self._behind = True  # whoever recorded before may have left something
        self._left: set[str] = set()  # journals of workers whose connection has ended, and that were not removed yet
        self._ending = False
        self._peers: set[_Peer] = set()
        self._notices: list[tuple[_Peer, Notice]] = []
        self._selector = selectors.DefaultSelector()
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, lambda: self._accept(listener))
        self._selector.register(lifeline, selectors.EVENT_READ, lambda: self._end(lifeline))
        self._told, told = os.pipe()
        os.set_blocking(told, False)
        signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, lambda *_: None)
        self._selector.register(self._told, selectors.EVENT_READ, lambda: self._end(self._told))

    def run(self) -> None:
        """Serve to the end."""
        while self._peers or not self._ending:
            self._turn()
            self._hear(TURN_SECONDS)
            if self._notices or self._behind:
                self._commit()
        if self._behind:
            self._commit()

    def _hear(self, timeout: float) -> None:
        for key, _ in self._selector.select(timeout):
            key.data()

    def _end(self, source: int) -> None:
        self._selector.unregister(source)
        self._ending = True

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except OSError:
            return  # who called has gone again
        connection.setblocking(False)  # who reads no answers is dropped: nobody waits for that
        peer = _Peer(connection)
        self._peers.add(peer)
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._read(peer))

    def _read(self, peer: _Peer) -> None:
        try:
            data = peer.socket.recv(READ_BYTES)
            for notice in peer.notices.read(data):
                peer.journal = notice.journal
                self._left.discard(notice.journal)
                self._notices.append((peer, notice))
        except (OSError, ValueError) as error:
            log.warning("a worker's notices cannot be read", reason=str(error))
            data = b""
        if not data:
            self._drop(peer)

    def _drop(self, peer: _Peer) -> None:
        if peer in self._peers:
            self._peers.remove(peer)
            self._selector.unregister(peer.socket)
            peer.socket.close()
            self._left |= {peer.journal} - {""}
            self._behind = True

    def _commit(self) -> None:
        """Take what there is. What cannot be taken now is tried again with the next notice, or in the next turn."""
        notices, self._notices = self._notices, []
        behind = self._behind or any(notice.behind for _, notice in notices)
        reached = {notice.journal: notice.frame for _, notice in notices}  # the newest of each is the last
        began, carried, taken = time.perf_counter(), 0, NOTHING
        try:
            if behind:
                carried = self._keeper.carry()
            taken = self._keeper.take(reached, probe=any(notice.probe for _, notice in notices))
        except FAILURES as error:
            unavailable(error)  # told once, here; each worker tells its own clients
            durable = False
        except Exception:  # a recorder that died of a record would find it again, and die again
            log.exception("records could not be kept")
            durable = False
        else:
            durable = True
        self._left = {name for name in self._left if self._keeper.has_journal(name)}
        self._behind = behind and (not durable or bool(self._left))
        if (count := carried + taken.records) or not durable:
            self._meter.count(count, 0 if durable else 1, time.perf_counter() - began)
        for peer, notice in notices:
            is_whole = durable and notice.journal not in taken.broken
            self._answer(peer, Answer(is_whole, notice.frame if is_whole else 0, notice.journal in taken.broken))

    def _answer(self, peer: _Peer, answer: Answer) -> None:
        try:
            peer.socket.sendall(answer.encode())
        except OSError:  # the worker has gone, and who waited there too; or it reads no answers
            self._drop(peer)
