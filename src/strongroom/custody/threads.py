"""Threads for what would keep an event loop waiting; `cryptography` holds no lock of Python's while it computes."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class Threads:
    """A few threads, made when they are first needed and again after a fork: threads do not live on in a child."""

    def __init__(self, name: str, count: int) -> None:
        self._name = name
        self._count = count
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
            self._pool = ThreadPoolExecutor(self._count, self._name)
            self._process = os.getpid()
        return self._pool
