"""The built-in CONNECT proxy: for machines on which names under the base domain do not resolve.

It listens on loopback only and serves one kind of tunnel: to a name of this server, on its own port or 443. It never
resolves a name and never opens a connection: once the client has its 200, its connection is handed in this process to
the TLS and HTTP side of the server, and so keeps the client's own address. Everything else is refused in words.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from strongroom.hosting.accepting import Acceptor, peek
from strongroom.hosting.limits import KIB, Limits

HEAD_BYTES = 8 * KIB
HEAD_END = b"\r\n\r\n"
OPENING = 512
"""Clients of one worker that may be between their connection and their tunnel at a time."""
CONNECT_LINE = re.compile(rb"CONNECT ([^\s:]+|\[[0-9a-fA-F:.]+\]):([0-9]{1,5}) HTTP/1\.[01]\r\n")
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
HTTPS_PORT = 443
LINGERING_READS = 64

Adopt = Callable[[socket.socket], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Target:
    """What a client asks a tunnel to: a host, lower case and without brackets, and a port."""

    host: str
    port: int


class Refused(Exception):
    """The proxy does not do what it was asked: a status and a text for a person.

    reason: stands in the status line, for clients that show nothing else of a proxy's answer (Python's do).
    """

    def __init__(self, status: HTTPStatus, text: str, *, reason: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.reason = reason or status.phrase

    def encode(self, *headers: bytes) -> bytes:
        """Return the whole response, with `headers` beside the usual ones."""
        body = self.text.encode() + b"\n"
        line = f"HTTP/1.1 {self.status.value} {self.reason}".encode()
        usual = (b"Content-Type: text/plain; charset=utf-8", b"Content-Length: %d" % len(body), b"Connection: close")
        return b"\r\n".join((line, *headers, *usual, b"", body))


def parse_connect(head: bytes) -> Target:
    """Return what the head of a CONNECT request asks for; Refused when it is another request or none at all."""
    match = CONNECT_LINE.match(head)
    if match is None:
        raise Refused(
            HTTPStatus.METHOD_NOT_ALLOWED if b" HTTP/1." in head.split(b"\r\n", 1)[0] else HTTPStatus.BAD_REQUEST,
            "This is a proxy for HTTPS: it takes CONNECT host:port and nothing else.",
        )
    return Target(match[1].decode("latin-1").strip("[]").lower(), int(match[2]))


def is_under(domain: str, host: str) -> bool:
    """Answer whether a host name is the base domain or lies below it."""
    return host == domain or host.endswith(f".{domain}")


class ConnectProxy:
    """The proxy of one worker. adopt: takes a connection over, its TLS handshake yet to come.

    domain: the base domain. port: the one that this server's TLS listens on. acceptor: accepts its clients.
    """

    def __init__(self, *, domain: str, port: int, adopt: Adopt, limits: Limits) -> None:
        self.acceptor = Acceptor(self._open, lambda: len(self.acceptor.opening) < OPENING)
        self._domain = domain
        self._port = port
        self._adopt = adopt
        self._limits = limits

    async def _open(self, connection: socket.socket) -> None:
        """Bring one client from its CONNECT to its tunnel, or tell it why not."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._limits.head_seconds):
            try:
                self._require_served(parse_connect(await read_head(connection)))
            except Refused as refused:
                await loop.sock_sendall(connection, refused.encode())
                await _linger(connection)
                connection.close()
                return
            await loop.sock_sendall(connection, ESTABLISHED)
        await self._adopt(connection)

    def _require_served(self, target: Target) -> None:
        if not is_under(self._domain, target.host) or target.port not in {self._port, HTTPS_PORT}:
            raise Refused(
                HTTPStatus.FORBIDDEN,
                f"{target.host}:{target.port} is refused. This proxy is Strongroom's own and leads to {self._domain}"
                f" and the names below it, on port {self._port} or {HTTPS_PORT}, and nowhere else. To reach other hosts"
                " from the same command, start it with: strongroom run --pass-through -- COMMAND",
                reason=f"{target.host}:{target.port} is not a host of Strongroom (see strongroom run --pass-through)",
            )


async def read_head(connection: socket.socket) -> bytes:
    """Return a request's head and take no byte beyond it: what follows is the client's TLS handshake already.

    Raises Refused when it is too long, IncompleteReadError when the client ends before it does.
    """
    head = b""
    while True:
        seen = await peek(connection, HEAD_BYTES)
        end = (head + seen).find(HEAD_END)
        wanted = len(seen) if end < 0 else end + len(HEAD_END) - len(head)
        head += connection.recv(wanted)
        if end >= 0:
            return head
        if len(head) > HEAD_BYTES:
            raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The request to the proxy is too long.")


async def _linger(connection: socket.socket) -> None:
    """Take what still comes for a while: a close over unread bytes resets the connection, and the answer is lost."""
    connection.shutdown(socket.SHUT_WR)
    loop = asyncio.get_running_loop()
    for _ in range(LINGERING_READS):
        if not await loop.sock_recv(connection, HEAD_BYTES):
            return
