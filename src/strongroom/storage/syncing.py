"""How a file becomes durable while the event loop goes on: by the kernel, or by a thread where the kernel cannot.

Asking the kernel costs no thread, which would have to wait for the interpreter's lock before it could tell.
"""

import asyncio
import errno
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Protocol, TypeVar

import structlog
from caio import linux_aio

Told = Callable[[OSError | None], None]
"""Is told that the file is durable, or why it is not."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Syncing(Protocol):
    """Makes one open file durable, once at a time, for one event loop."""

    def sync(self, told: Told) -> None:
        """Make what was written durable, and tell."""

    def close(self) -> None:
        """Let go of the loop; nothing is told any more."""


def syncing(handle: int, loop: asyncio.AbstractEventLoop) -> Syncing:
    """Return what makes an open file durable for an event loop."""
    try:
        return KernelSyncing(handle, loop)
    except OSError as error:  # a sandbox that forbids it; a system that has none
        log.info("the kernel offers no asynchronous syncs here: a thread makes records durable", reason=str(error))
        return ThreadSyncing(handle, loop)


class KernelSyncing:
    """By the kernel's asynchronous I/O (Linux 4.18 and later); OSError where it is not to be had."""

    def __init__(self, handle: int, loop: asyncio.AbstractEventLoop) -> None:
        self._handle = handle
        self._loop = loop
        if linux_aio is None:  # as it is where it could not even be tried
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        self._context = _asked(lambda: linux_aio.Context(max_requests=2))
        self._under_way = 0  # syncs that the kernel has not told the end of
        self._is_open = True
        self._told: Told | None = None
        self._submit(lambda _: None)  # tried once: there are file systems that have none
        loop.add_reader(self._context.fileno, self._take)

    def sync(self, told: Told) -> None:
        """Make what was written durable, and tell."""
        self._told = told
        try:
            self._submit(self._end)
        except OSError as error:
            self._told = None
            self._loop.call_soon(told, error)

    def close(self) -> None:
        """Let go of the loop, once the kernel has ended what is under way; nothing is told any more."""
        self._told = None
        self._is_open = False
        self._let_go_if_idle()

    def _let_go_if_idle(self) -> None:
        """Let go, unless the kernel has not told of all: what nobody takes from it the library keeps for ever."""
        if not self._is_open and not self._under_way:
            self._loop.remove_reader(self._context.fileno)

    def _submit(self, end: Callable[[int], None]) -> None:
        operation = linux_aio.Operation.fdsync(self._handle)
        operation.set_callback(end)
        _asked(lambda: self._context.submit(operation))  # which keeps it until it has ended
        self._under_way += 1

    def _take(self) -> None:
        with suppress(BlockingIOError):
            self._context.poll()
        self._under_way -= self._context.process_events()
        self._let_go_if_idle()

    def _end(self, result: int) -> None:
        told, self._told = self._told, None
        if told is not None:
            number = -result % 2**64  # an error comes negated, and is read as a number without sign
            told(OSError(number, os.strerror(number)) if number else None)


def _asked(ask: Callable[[], T]) -> T:
    """Return what the kernel was asked for; OSError where it refuses, which the library tells as it likes."""
    try:
        return ask()
    except (ValueError, OverflowError, SystemError) as error:
        raise OSError(*error.args) from None


class ThreadSyncing:
    """By a thread."""

    def __init__(self, handle: int, loop: asyncio.AbstractEventLoop) -> None:
        self._handle = handle
        self._loop = loop
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sync")
        self._is_open = True

    def sync(self, told: Told) -> None:
        """Make what was written durable, and tell."""

        def tell(done: "Future[None]") -> None:
            error = done.exception()
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._end, told, error)

        try:
            self._thread.submit(os.fdatasync, self._handle).add_done_callback(tell)
        except RuntimeError as error:  # the system lets nobody begin a thread now
            self._loop.call_soon(self._end, told, error)

    def close(self) -> None:
        """Let go of the loop; nothing is told any more."""
        self._is_open = False
        self._thread.shutdown(wait=False)

    def _end(self, told: Told, error: BaseException | None) -> None:
        if self._is_open:
            told(error if error is None or isinstance(error, OSError) else OSError(str(error)))
