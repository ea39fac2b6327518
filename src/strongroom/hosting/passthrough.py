"""The proxy that `strongroom run --pass-through` keeps for as long as its command runs.

It lives in the process of `run`, on a loopback port of its own and behind a password that only the command is told,
since it may go out under the credentials of an earlier proxy. Tunnels to names under the base domain lead to the
server; all others go where the environment before would have sent them: through the earlier HTTPS proxy, unless
NO_PROXY excepts the host, or straight to it.
"""

import asyncio
import base64
import contextlib
import ipaddress
import secrets
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from strongroom.errors import StrongroomError
from strongroom.hosting.proxy import (
    ESTABLISHED,
    HEAD_BYTES,
    HEAD_END,
    HTTPS_PORT,
    Refused,
    Target,
    is_under,
    parse_connect,
)
from strongroom.sensitive import Sensitive

LOOPBACK: Final = "127.0.0.1"
USER: Final = "strongroom"
CONNECT_SECONDS: Final = 30.0
HEAD_SECONDS: Final = 10.0
HALF_CLOSED_SECONDS: Final = 30.0
CLOSE_SECONDS: Final = 5.0
CHUNK_BYTES: Final = 64 * 1024
DEFAULT_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}
PROXY_VARIABLES: Final = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
EXCEPTION_VARIABLES: Final = ("no_proxy", "NO_PROXY")


class ProxyUnusable(StrongroomError):
    """The environment's earlier proxy is of a kind that cannot be gone through; the message names the variable."""


@dataclass(frozen=True, slots=True)
class EarlierProxy:
    """The HTTPS proxy that the environment named before. authorization: its Proxy-Authorization header, if any."""

    host: str
    port: int
    tls: bool
    authorization: Sensitive[bytes] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where tunnels lead.

    domain: the base domain; its names lead to `server`, on that port or 443. server: address and port of the server.
    earlier: the proxy for all other hosts but those of `exceptions` (entries of NO_PROXY), None to go straight to them.
    """

    domain: str
    server: tuple[str, int]
    earlier: EarlierProxy | None
    exceptions: tuple[str, ...]

    def is_own(self, target: Target) -> bool:
        """Answer whether a tunnel leads to the server."""
        return is_under(self.domain, target.host)

    def proxy_for(self, target: Target) -> EarlierProxy | None:
        """Return the proxy that a foreign host is reached through, None when it is reached directly."""
        return None if any(excepts(entry, target) for entry in self.exceptions) else self.earlier


def read_route(environment: Mapping[str, str], *, domain: str, server: tuple[str, int]) -> Route:
    """Return the routes of an environment as it was before `run`; ProxyUnusable when its proxy is no HTTP proxy."""
    variable = next((name for name in PROXY_VARIABLES if environment.get(name)), None)
    exceptions = next((environment[name] for name in EXCEPTION_VARIABLES if environment.get(name)), "")
    return Route(
        domain=domain,
        server=server,
        earlier=None if variable is None else _parse_proxy(variable, environment[variable]),
        exceptions=tuple(entry.strip().lower() for entry in exceptions.split(",") if entry.strip()),
    )


def _parse_proxy(variable: str, value: str) -> EarlierProxy:
    url = urlsplit(value if "://" in value else f"http://{value}")
    if url.scheme not in DEFAULT_PORTS or not url.hostname:
        raise ProxyUnusable(f"{variable} names a proxy that cannot be gone through: only http:// and https:// can")
    try:
        port = url.port or DEFAULT_PORTS[url.scheme]
    except ValueError:
        raise ProxyUnusable(f"{variable} names a proxy with an impossible port") from None
    return EarlierProxy(url.hostname, port, url.scheme == "https", _authorization(url))


def _authorization(url: SplitResult) -> Sensitive[bytes] | None:
    if url.username is None:
        return None
    return Sensitive(_basic(unquote(url.username), unquote(url.password or "")))


def _basic(user: str, password: str) -> bytes:
    return b"Basic " + base64.b64encode(f"{user}:{password}".encode())


def excepts(entry: str, target: Target) -> bool:
    """Answer whether an entry of NO_PROXY (`*`, a name and all below it, an address, a network) excepts a target."""
    if entry == "*":
        return True
    name, _, port = entry.rpartition(":")
    if name and port.isdecimal() and (":" not in name or name.endswith("]")):
        if int(port) != target.port:
            return False
        entry = name
    entry = entry.strip("[]").removeprefix("*").removeprefix(".")
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(target.host) in ipaddress.ip_network(entry, strict=False)
    return is_under(entry, target.host)


@contextlib.contextmanager
def pass_through(route: Route) -> Iterator[str]:
    """Run the proxy on a thread of its own for as long as the context lasts; yields its URL, password and all."""
    password = secrets.token_urlsafe(24)
    proxy = _PassThrough(route, _basic(USER, password))
    thread = threading.Thread(target=proxy.run, name="pass-through", daemon=True)
    thread.start()
    try:
        yield f"http://{USER}:{password}@{LOOPBACK}:{proxy.wait_for_port()}"
    finally:
        proxy.stop()
        thread.join()


class _PassThrough:
    """The proxy: one loop, one task a tunnel."""

    def __init__(self, route: Route, authorization: bytes) -> None:
        self._route = route
        self._authorization = authorization
        self._listening = threading.Event()
        self._port = 0
        self._tunnels: set[asyncio.Task[None]] = set()
        self._error: OSError | None = None

    def run(self) -> None:
        asyncio.run(self._serve())

    def wait_for_port(self) -> int:
        self._listening.wait()
        if self._error is not None:
            raise self._error
        return self._port

    def stop(self) -> None:
        if self._error is None:
            self._loop.call_soon_threadsafe(self._done.set)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._done = asyncio.Event()
        try:
            server = await asyncio.start_server(self._accept, LOOPBACK, 0, limit=HEAD_BYTES)
        except OSError as error:
            self._error = error
            return
        else:
            self._port = server.sockets[0].getsockname()[1]
        finally:
            self._listening.set()
        await self._done.wait()
        server.close()
        for tunnel in self._tunnels:
            tunnel.cancel()
        await asyncio.gather(*self._tunnels, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tunnel = asyncio.create_task(self._open(reader, writer))
        self._tunnels.add(tunnel)
        tunnel.add_done_callback(self._tunnels.discard)

    async def _open(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._tunnel(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # a client that leaves or says nothing hears nothing
        finally:
            await _close(writer)

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(HEAD_SECONDS):
                target = self._read_target(await _read_head(reader))
            there = await self._connect(target)
        except Refused as refused:
            challenge = (b'Proxy-Authenticate: Basic realm="strongroom"',) if refused.status == 407 else ()
            writer.write(refused.encode(*challenge))
            await writer.drain()
        else:
            writer.write(ESTABLISHED)
            await _join((reader, writer), there)

    def _read_target(self, head: bytes) -> Target:
        target = parse_connect(head)
        given = b""
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"proxy-authorization":
                given = value.strip()
        if not secrets.compare_digest(given, self._authorization):
            raise Refused(HTTPStatus.PROXY_AUTHENTICATION_REQUIRED, "This proxy serves the command it was started for.")
        return target

    async def _connect(self, target: Target) -> "_Stream":
        route = self._route
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                if route.is_own(target):
                    return await _connect_to_server(route, target)
                earlier = route.proxy_for(target)
                if earlier is None:
                    return await asyncio.open_connection(target.host, target.port)
                return await _connect_through(earlier, target)
        except (OSError, asyncio.IncompleteReadError) as error:  # TimeoutError is an OSError
            raise Refused(
                HTTPStatus.BAD_GATEWAY,
                f"{target.host}:{target.port} cannot be reached: {error}",
                reason=f"{target.host}:{target.port} cannot be reached",
            ) from None


_Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _read_head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(HEAD_END)
    except asyncio.LimitOverrunError:
        raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The request to the proxy is too long.") from None


async def _connect_to_server(route: Route, target: Target) -> _Stream:
    host, port = route.server
    if target.port not in {port, HTTPS_PORT}:
        raise Refused(
            HTTPStatus.FORBIDDEN,
            f"Strongroom listens on port {port}, not on {target.port}.",
            reason=f"Strongroom listens on port {port}",
        )
    return await asyncio.open_connection(host, port)


async def _connect_through(proxy: EarlierProxy, target: Target) -> _Stream:
    """Open a tunnel through the earlier proxy; its refusal becomes ours, in its words."""
    context = ssl.create_default_context() if proxy.tls else None
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port, ssl=context, limit=HEAD_BYTES)
    place = f"[{target.host}]" if ":" in target.host else target.host
    lines = [f"CONNECT {place}:{target.port} HTTP/1.1".encode(), f"Host: {place}:{target.port}".encode()]
    if proxy.authorization is not None:
        lines.append(b"Proxy-Authorization: " + proxy.authorization.reveal())
    writer.write(b"\r\n".join([*lines, b"", b""]))
    try:
        status_line = (await _read_head(reader)).split(b"\r\n", 1)[0].decode("latin-1")
        rest = status_line.partition(" ")[2]
        if rest[:1] != "2":
            raise Refused(
                HTTPStatus.BAD_GATEWAY,
                f"The proxy {proxy.host}:{proxy.port} refused {target.host}:{target.port}: {rest}",
                reason=f"The proxy {proxy.host} refused {target.host}: {rest}",
            )
    except BaseException:
        await _close(writer)
        raise
    return reader, writer


async def _join(one: _Stream, other: _Stream) -> None:
    """Carry bytes both ways until both ends are done; an end that breaks ends both."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_carry(one[0], other[1]))
            group.create_task(_carry(other[0], one[1]))
    except* OSError:
        pass
    finally:
        await _close(other[1])


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close, and when the other end does not play along or this is cut short, end."""
    writer.close()
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await writer.wait_closed()
    except OSError:  # a TimeoutError among them
        writer.transport.abort()
    except asyncio.CancelledError:
        writer.transport.abort()
        raise


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while chunk := await source.read(CHUNK_BYTES):
        sink.write(chunk)
        await sink.drain()
    if sink.can_write_eof():
        sink.write_eof()
    else:
        # TLS knows no half-closed connection: whoever is at its other end has so long to finish.
        asyncio.get_running_loop().call_later(HALF_CLOSED_SECONDS, sink.close)
