"""Group commit: what many requests ask for at once becomes durable at once.

Units are collected while a commit is under way and handed to the thread as one batch when it reports back. There is no
timer: a lone unit goes at once, and under load batches fill by themselves.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

Unit = TypeVar("Unit")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a unit: its result, or the error that undid it."""

    result: Any = None
    error: BaseException | None = None


Commit = Callable[[Sequence[Unit]], list[Outcome]]
Waiting = tuple[Unit, "asyncio.Future[Any]"]


class GroupCommit(Generic[Unit]):
    """A thread that commits batches. commit: makes a batch durable; an outcome for each unit, in order; never raises."""

    def __init__(self, name: str, commit: Commit[Unit]) -> None:
        self._commit = commit
        self._waiting: list[Waiting[Unit]] = []
        self._busy = False
        self._batches: SimpleQueue[tuple[asyncio.AbstractEventLoop, list[Waiting[Unit]]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, unit: Unit) -> "asyncio.Future[Any]":
        """Return a future that ends when the unit is durable; called on the event loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((unit, future))
        if not self._busy:
            self._hand_over(loop)
        return future

    def close(self) -> None:
        """End the thread when what it was handed is done."""
        self._batches.put(None)
        self._thread.join()

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        batch, self._waiting = self._waiting, []
        self._busy = True
        self._batches.put((loop, batch))

    def _work(self) -> None:
        while (handed := self._batches.get()) is not None:
            loop, batch = handed
            outcomes = self._commit([unit for unit, _ in batch])
            try:
                loop.call_soon_threadsafe(self._report, loop, batch, outcomes)
            except RuntimeError:  # the loop has ended: nobody waits for the answer, and the unit is durable or undone
                self._busy = False

    def _report(self, loop: asyncio.AbstractEventLoop, batch: list[Waiting[Unit]], outcomes: list[Outcome]) -> None:
        self._busy = False
        if self._waiting:
            self._hand_over(loop)
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.done():  # its request was given up; the outcome stands all the same
                continue
            if outcome.error is not None:
                future.set_exception(outcome.error)
            else:
                future.set_result(outcome.result)


def drive(coroutine: Awaitable[Any]) -> Any:
    """Run a coroutine to its end on this thread and return its result; RuntimeError when it awaits the event loop."""
    steps = coroutine.__await__()
    try:
        steps.send(None)  # type: ignore[attr-defined]
    except StopIteration as end:
        return end.value
    steps.close()  # type: ignore[attr-defined]
    raise RuntimeError("a change awaited something else than its stores")
