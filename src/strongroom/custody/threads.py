"""Threads for what would keep an event loop waiting; `cryptography` holds no lock of Python's while it computes."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

LAST = 19
"""The lowest priority that there is."""

Settled = tuple["asyncio.Future[Any]", "Future[Any]"]
"""Who waits, and what has ended."""


class Threads:
    """A few threads, made when they are first needed and again after a fork: threads do not live on in a child.

    niceness: by how much others come first. together: how many results are handed over at a time at most. To hand over
    wakes the loop, which costs a busy machine half a millisecond with all that follows, so results are kept while twice
    as much work is unfinished. That goes by count and not by time: it is for work that takes milliseconds.
    """

    def __init__(self, name: str, count: int, niceness: int = 0, together: int = 1) -> None:
        self._name = name
        self._count = count
        self._niceness = niceness
        self._together = together
        self._line: _Line | None = None
        self._process = 0

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Return what a function returns, or raise what it raises, called in a thread.

        CancelledError where that had not begun when the threads were closed.
        """
        result: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        work = self._alive().begin(result, function, *arguments)
        try:
            return await result
        finally:
            work.cancel()  # who waited may have been cancelled before it began
            del work, result  # an error holds this frame, and would hold what it was given: private keys too

    def close(self) -> None:
        """Begin nothing more: what waits is cancelled, what runs ends by itself."""
        if self._line is not None and self._process == os.getpid():
            self._line.close()
        self._line = None

    def _alive(self) -> "_Line":
        if self._line is None or self._process != os.getpid():
            pool = ThreadPoolExecutor(self._count, self._name, self._lower_priority)
            self._line = _Line(pool, self._together)
            self._process = os.getpid()
        return self._line

    def _lower_priority(self) -> None:
        """Let others come first; where that is not to be had, the work is done all the same."""
        if self._niceness and sys.platform == "linux":  # elsewhere it would be that of the whole process
            with suppress(OSError):
                thread = threading.get_native_id()
                wanted = os.getpriority(os.PRIO_PROCESS, thread) + self._niceness
                os.setpriority(os.PRIO_PROCESS, thread, min(wanted, LAST))


class _Line:
    """The work of a pool of threads, and what has ended and is not handed over yet."""

    def __init__(self, pool: ThreadPoolExecutor, together: int) -> None:
        self._pool = pool
        self._together = together
        self._lock = threading.RLock()  # where a coroutine is collected meanwhile, its work ends in this very thread
        self._unfinished = 0
        self._ended: list[Settled] = []

    def begin(self, result: "asyncio.Future[T]", function: Callable[..., T], *arguments: Any) -> "Future[T]":
        """Let a thread call a function, and its result be handed to the loop of who waits for it."""
        work = self._pool.submit(function, *arguments)
        work.add_done_callback(partial(self._end, result))
        with self._lock:  # last: broken off before, it counts one too few, which keeps nothing back
            self._unfinished += 1
        return work

    def close(self) -> None:
        """Begin nothing more; who waits for what did not begin is told that it was cancelled."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _end(self, result: "asyncio.Future[Any]", work: "Future[Any]") -> None:
        with self._lock:
            self._unfinished -= 1
            self._ended.append((result, work))
            if len(self._ended) < min(self._together, self._unfinished // 2):
                return  # the next to end takes it along, and threads have enough to do until answers bring more work
            ended, self._ended = self._ended, []
        _hand_over(ended)


def _hand_over(ended: list[Settled]) -> None:
    for loop in {result.get_loop() for result, _ in ended}:
        with suppress(RuntimeError):  # a loop that was closed: nobody waits there
            loop.call_soon_threadsafe(_settle, [each for each in ended if each[0].get_loop() is loop])


def _settle(ended: list[Settled]) -> None:
    for result, work in ended:
        if result.done():
            continue
        if work.cancelled():
            result.cancel()
        elif (error := work.exception()) is not None:
            result.set_exception(error if not isinstance(error, StopIteration) else _told_apart(error))
        else:
            result.set_result(work.result())


def _told_apart(error: StopIteration) -> RuntimeError:
    """Return an error that a future can carry: this one would end the coroutine that waits, as if it were done."""
    told = RuntimeError("the work was broken off by StopIteration")
    told.__cause__ = error
    return told
