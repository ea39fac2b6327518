"""Threads for what would keep an event loop waiting; `cryptography` holds no lock of Python's while it computes."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

LAST = 19
"""The lowest priority that there is."""


class Threads:
    """A few threads, made when they are first needed and again after a fork: threads do not live on in a child.

    niceness: by how much others come first.
    """

    def __init__(self, name: str, count: int, niceness: int = 0) -> None:
        self._name = name
        self._count = count
        self._niceness = niceness
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Return what a function returns, called in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._alive(), function, *arguments)

    def close(self) -> None:
        """Begin nothing more: what waits is cancelled, what runs ends by itself."""
        if self._pool is not None and self._process == os.getpid():
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = None

    def _alive(self) -> ThreadPoolExecutor:
        if self._pool is None or self._process != os.getpid():
            self._pool = ThreadPoolExecutor(self._count, self._name, self._lower_priority)
            self._process = os.getpid()
        return self._pool

    def _lower_priority(self) -> None:
        """Let others come first; where that is not to be had, the work is done all the same."""
        if self._niceness and sys.platform == "linux":  # elsewhere it would be that of the whole process
            with suppress(OSError):
                thread = threading.get_native_id()
                wanted = os.getpriority(os.PRIO_PROCESS, thread) + self._niceness
                os.setpriority(os.PRIO_PROCESS, thread, min(wanted, LAST))
