"""The process that answers Prometheus: `GET /metrics` over plain HTTP, on sockets of its own.

It is a process of its own so that whoever scrapes, however often or slowly, takes nothing from those that serve: it
runs at a lower priority, renders at most once a second, and holds few connections for a few seconds. It opens neither
the data nor a key; what it shows is counted in memory that it shares with the others.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final

import structlog

from strongroom.hosting.children import Post
from strongroom.hosting.exposition import CONTENT_TYPE

PATH: Final = "/metrics"
HEAD_BYTES: Final = 8 * 1024
CONNECTIONS: Final = 16
SECONDS: Final = 5.0
"""All that one connection may take, answer included."""
FRESH_SECONDS: Final = 1.0
NICENESS: Final = 5

log = structlog.get_logger(__name__)


def run_metrics(render: Callable[[], bytes], listeners: Sequence[socket.socket], post: Post) -> int:
    """Answer until ended by a signal or until the parent is gone; return the exit code."""
    with contextlib.suppress(PermissionError):  # a service manager may have taken that away
        os.nice(NICENESS)
    asyncio.run(_serve(_Exporter(render), listeners, post))
    return 0


async def _serve(exporter: "_Exporter", listeners: Sequence[socket.socket], post: Post) -> None:
    orphaned = asyncio.Event()
    asyncio.get_running_loop().add_reader(post.lifeline, orphaned.set)
    servers = [await asyncio.start_server(exporter.answer, sock=each, limit=HEAD_BYTES) for each in listeners]
    post.tell_ready()
    await orphaned.wait()
    for server in servers:
        server.close()


class _Exporter:
    """Answers one request of each connection. render: makes what is shown."""

    def __init__(self, render: Callable[[], bytes]) -> None:
        self._render = render
        self._open = 0
        self._shown = b""
        self._rendered = -FRESH_SECONDS

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer, or end the connection without a word when there are too many or its time is up."""
        self._open += 1
        try:
            if self._open <= CONNECTIONS:
                async with asyncio.timeout(SECONDS):
                    writer.write(self._respond(await reader.readuntil(b"\r\n\r\n")))
                    await writer.drain()
                    writer.close()
                    await writer.wait_closed()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a scraper that is slow, gone or talks too much hears nothing
        finally:
            writer.transport.abort()
            self._open -= 1

    def _respond(self, head: bytes) -> bytes:
        method, _, rest = head.split(b"\r\n", 1)[0].decode("latin-1").partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        if path != PATH:
            return _encode(HTTPStatus.NOT_FOUND, f"Metrics are at {PATH}.\n".encode())
        if method not in {"GET", "HEAD"}:
            return _encode(HTTPStatus.METHOD_NOT_ALLOWED, b"Metrics are read with GET.\n")
        answer = _encode(HTTPStatus.OK, self._fresh())
        return answer if method == "GET" else answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"

    def _fresh(self) -> bytes:
        now = time.monotonic()
        if now - self._rendered >= FRESH_SECONDS:
            self._shown, self._rendered = self._render(), now
        return self._shown


def _encode(status: HTTPStatus, body: bytes) -> bytes:
    kind = CONTENT_TYPE if status is HTTPStatus.OK else "text/plain; charset=utf-8"
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body
