"""The recorder: one process that makes the records of all workers durable, as many at a time as have come.

A worker that committed records itself would wait for its own threads, since its loop and its commits share one
interpreter lock. So it writes its records to a socket and hears when they are durable (`frames.py`), and there is one
writer of the chain. A recorder that dies is replaced; what was not answered is sent again, and is recorded once.
"""

import os
import selectors
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import structlog

from strongroom.meters import CommitMeter
from strongroom.storage.failures import unavailable
from strongroom.storage.frames import READ_BYTES, Answer, Frame, Incoming, encode_answer
from strongroom.storage.keeper import FAILURES, Keeper

TURN_SECONDS = 1.0
"""How long the loop waits at most: one that stands still is told from one that has nothing to do."""

TOLD_RECORDS = 10_000
"""After how many records a worker that sent none hears of the newest: it is past what it was told that what it sends
again is looked for."""

log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Peer:
    """A worker's connection, and what came of it. told: the number of the newest record, as it was told last."""

    socket: socket.socket
    incoming: Incoming = field(default_factory=Incoming)
    told: int = 0


class Recorder:
    """Serves the workers until it is told to end and they are gone: none of them loses a record that it was given.

    listener: from `frames.listen`; it stays open in the parent, so that workers can connect while there is no recorder.
    lifeline: a pipe that ends with the parent. turn: called in each turn of the loop, about once a second at least.
    """

    def __init__(
        self, listener: socket.socket, keeper: Keeper, lifeline: int, meter: CommitMeter, turn: Callable[[], None]
    ) -> None:
        self._keeper = keeper
        self._meter = meter
        self._turn = turn
        self._behind = True  # whoever recorded before may have left something
        self._newest = _newest_of(keeper)
        self._ending = False
        self._peers: set[_Peer] = set()
        self._frames: list[tuple[_Peer, Frame]] = []
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
            if self._frames:
                os.sched_yield()  # workers that are about to hand over do so now: one commit for all
                self._hear(0)
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
        peer = _Peer(connection)
        self._peers.add(peer)
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._read(peer))
        self._answer(peer, Answer(durable=True, frames=0, newest=self._newest))

    def _read(self, peer: _Peer) -> None:
        try:
            data = peer.socket.recv(READ_BYTES)
            self._frames += [(peer, frame) for frame in peer.incoming.take(data)]
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("a worker's records cannot be read", reason=str(error))
            data = b""
        if not data:
            self._drop(peer)

    def _drop(self, peer: _Peer) -> None:
        if peer in self._peers:
            self._peers.remove(peer)
            self._selector.unregister(peer.socket)
            peer.socket.close()

    def _commit(self) -> None:
        frames, self._frames = self._frames, []
        batch = [record for _, frame in frames for record in frame.records]
        behind = self._behind or any(frame.behind for _, frame in frames)
        since = min((frame.since for _, frame in frames if frame.since is not None), default=None)
        began = time.perf_counter()
        try:
            self._newest = self._keeper.keep(batch, behind=behind, since=since)
        except FAILURES as error:
            unavailable(error)  # told once, here; each worker tells its own clients
            self._behind = True
        except Exception:  # a recorder that died of a record would get it again from its worker, and die again
            log.exception("records could not be kept")
            self._behind = True
        else:
            self._behind = False
        failed = len(batch) if self._behind else 0
        self._meter.count(len(batch) - failed, failed, time.perf_counter() - began)
        for peer, count in Counter(peer for peer, _ in frames).items():
            self._answer(peer, Answer(durable=not self._behind, frames=count, newest=self._newest))
        for peer in [each for each in self._peers if self._newest - each.told >= TOLD_RECORDS]:
            self._answer(peer, Answer(durable=True, frames=0, newest=self._newest))

    def _answer(self, peer: _Peer, answer: Answer) -> None:
        """Answer frames of a worker, all at once: it is woken once. For no frames nobody waits, neither here."""
        peer.told = answer.newest
        try:
            peer.socket.sendall(encode_answer(answer), 0 if answer.frames else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return  # a worker that is stopped, and has heard enough
        except OSError:  # the worker has gone: who waited there is gone too
            self._drop(peer)


def _newest_of(keeper: Keeper) -> int:
    """Return the number of the newest record, 0 where it cannot be read: to look too far back for a record is safe."""
    try:
        return keeper.last_sequence()
    except FAILURES as error:
        unavailable(error)
        return 0
