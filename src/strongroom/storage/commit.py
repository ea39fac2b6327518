"""Group commit: what many requests ask for at once becomes durable at once.

Units are collected while a commit is under way. After it reports back the thread is called again, once the loop has run
what was ready: the thread and the loop share one interpreter lock, and a batch that begins with what is already there
costs less than two. It takes what there is when its turn has come to write, so that what comes while it waits for other
processes is in the batch too. There is no timer: a lone unit goes at once, under load batches fill by themselves.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from strongroom.errors import StorageUnavailable
from strongroom.meters import CommitMeter
from strongroom.storage.failures import unavailable

Unit = TypeVar("Unit")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a unit: its result, or the error that undid it."""

    result: Any = None
    error: BaseException | None = None


Commit = Callable[[Sequence[Unit]], list[Outcome]]
Waiting = tuple[Unit, "asyncio.Future[Any]"]


class GroupCommit(Generic[Unit]):
    """A thread that commits batches. commit: makes a batch durable; an outcome for each unit, in order.

    turn: what is held while a batch is taken and committed. All but the thread itself is used from one event loop.
    """

    def __init__(
        self,
        name: str,
        commit: Commit[Unit],
        meter: CommitMeter | None = None,
        turn: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._commit = commit
        self._meter = meter
        self._turn = turn
        self._waiting: deque[Waiting[Unit]] = deque()
        self._busy = False
        self._due: asyncio.AbstractEventLoop | None = None  # where the thread is about to be called
        self._calls: SimpleQueue[bool] = SimpleQueue()  # True for each batch to take, False to end
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, unit: Unit) -> "asyncio.Future[Any]":
        """Return a future that ends when the unit is durable; StorageUnavailable where no thread works any more.

        A unit is committed whether or not somebody still waits for it.
        """
        if not self._thread.is_alive():  # it was closed, or this is the child of a fork, where no thread came along
            raise StorageUnavailable("The server is stopping; nothing was changed.")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((unit, future))
        if not self._busy or self._due not in (None, loop):  # a loop that ended first does not hand over any more
            self._call_soon(loop)
        return future

    def close(self) -> None:
        """Commit what was submitted and end the thread."""
        if self._waiting:
            self._call()
        self._calls.put(False)
        self._thread.join()

    def _call_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        self._busy, self._due = True, loop
        loop.call_soon(self._call)

    def _call(self) -> None:
        self._busy, self._due = bool(self._waiting), None
        if self._busy:
            self._calls.put(True)

    def _work(self) -> None:
        while self._calls.get():
            batch: list[Waiting[Unit]] = []
            outcomes = self._measured(batch)
            if not batch:  # a call before this one took what it was for
                continue
            loop = batch[-1][1].get_loop()
            try:
                loop.call_soon_threadsafe(self._report, batch, outcomes)
            except RuntimeError:  # the loop has ended: nobody waits for the answer, and the units are durable or undone
                self._busy = False

    def _measured(self, batch: list[Waiting[Unit]]) -> list[Outcome]:
        """Take a batch into the list that is given, and commit it."""
        began = time.perf_counter()
        try:
            with self._turn():
                self._take(batch)
                outcomes = self._commit([unit for unit, _ in batch]) if batch else []
        except BaseException as error:  # noqa: BLE001 - the thread lives on, and the error goes to those who wait
            if not batch:  # a turn could not be had
                self._take(batch)
            outcomes = [Outcome(error=raisable(error))] * len(batch)
            if isinstance(error, OSError):
                outcomes = undone(batch, error)
        if self._meter is not None and batch:
            failed = sum(isinstance(outcome.error, StorageUnavailable) for outcome in outcomes)
            self._meter.count(len(batch) - failed, failed, time.perf_counter() - began)
        return outcomes

    def _take(self, batch: list[Waiting[Unit]]) -> None:
        """Take what waits, while the loop may add to it: a deque may be used from two threads."""
        with suppress(IndexError):
            while True:
                batch.append(self._waiting.popleft())

    def _report(self, batch: list[Waiting[Unit]], outcomes: list[Outcome]) -> None:
        loop = asyncio.get_running_loop()
        self._busy = False
        if self._waiting:
            self._call_soon(loop)
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.done() or future.get_loop() is not loop:
                continue  # its request was given up, or its loop has ended; the outcome stands all the same
            if outcome.error is not None:
                future.set_exception(outcome.error)
            else:
                future.set_result(outcome.result)


def undone(batch: Sequence[Any], error: Exception) -> list[Outcome]:
    """Return the outcome of a batch that the storage could not make durable: an error for each unit."""
    told = unavailable(error)
    return [Outcome(error=StorageUnavailable(told.message)) for _ in batch]


def raisable(error: BaseException) -> Exception:
    """Return an error that a future can carry to who waits: what would end a task or a thread is no answer to them."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    told = RuntimeError(f"the work was broken off by {type(error).__name__}")
    told.__cause__ = error
    return told


def drive(coroutine: Awaitable[Any]) -> Any:
    """Run a coroutine to its end on this thread and return its result; RuntimeError when it awaits the event loop."""
    steps = coroutine.__await__()
    try:
        steps.send(None)
    except StopIteration as end:
        return end.value
    steps.close()
    raise RuntimeError("a change awaited something else than its stores")
