"""Requests that this server makes on a user's behalf: one GET of JSON, bounded in size and time, going nowhere else.

The operator names the hosts. A name that leads to this machine or this link is not followed there, unless it says so
itself: an address, or `localhost`. What was looked up is what is connected to, so that a name cannot change its mind in
between. Redirects and the environment's proxies are not followed; certificates are those that OpenSSL trusts here.
Sources: RFC 9112; RFC 6761, section 6.3.
"""

import asyncio
import ipaddress
import socket
import ssl
from urllib.parse import urlsplit

import httptools

SECONDS = 5.0
MOST_BYTES = 256 * 1024
MOST_ADDRESSES = 4


class Unreachable(Exception):
    """What was asked for was not answered as it must be; the message says why."""


class _Answer:
    """What a parser tells of a response."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.size = 0
        self.has_status = False
        self.is_complete = False

    def on_headers_complete(self) -> None:
        """Note that the status is known."""
        self.has_status = True

    def on_body(self, part: bytes) -> None:
        """Keep a part of the body."""
        self.body += part

    def on_message_complete(self) -> None:
        """Note that nothing is missing."""
        self.is_complete = True


async def get_json(url: str, *, seconds: float = SECONDS) -> bytes:
    """Return what stands at an http or https address; Unreachable unless that is one whole answer with status 200."""
    try:
        async with asyncio.timeout(seconds):
            return await _get(url)
    except TimeoutError:
        raise Unreachable(f"no answer within {seconds:g} seconds") from None
    except ssl.SSLError as error:
        raise Unreachable(f"no trust in its certificate: {error.reason or error.verify_message}") from None  # type: ignore[attr-defined]
    except (OSError, httptools.HttpParserError) as error:
        raise Unreachable(f"no HTTP answer: {str(error) or type(error).__name__}") from None


async def _get(url: str) -> bytes:
    parts = urlsplit(url)
    host, is_tls = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    reader, writer = await _connect(host, port, is_tls=is_tls)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = f"GET {target} HTTP/1.1", f"Host: {parts.netloc}", "Accept: application/json", "Connection: close"
        writer.write("\r\n".join((*lines, "", "")).encode())
        return await _read(reader)
    finally:
        writer.transport.abort()


async def _connect(host: str, port: int, *, is_tls: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    failure: OSError | None = None
    for address in await _addresses(host, port):
        try:
            return await asyncio.open_connection(
                address,
                port,
                ssl=ssl.create_default_context() if is_tls else None,
                server_hostname=host if is_tls else None,
            )
        except ssl.SSLError:
            raise
        except OSError as error:
            failure = error
    raise failure or Unreachable("its name leads to this machine or to this link alone, where it is not asked")


async def _addresses(host: str, port: int) -> list[str]:
    """Return where a host may be asked."""
    return [address for address in await resolve(host, port) if is_allowed(host, address)][:MOST_ADDRESSES]


async def resolve(host: str, port: int) -> tuple[str, ...]:
    """Return the addresses of a host, each once; OSError when it has none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))


def is_allowed(host: str, address: str) -> bool:
    """Answer whether an address that a host leads to may be connected to; the operator chose the host."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None) or found
    if mapped.is_unspecified or mapped.is_multicast:
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        is_own = host == "localhost" or host.endswith(".localhost")
        return (mapped.is_loopback and is_own) or not (mapped.is_loopback or mapped.is_link_local)
    return True


async def _read(reader: asyncio.StreamReader) -> bytes:
    answer = _Answer()
    parser = httptools.HttpResponseParser(answer)
    while not answer.is_complete:
        part = await reader.read(16 * 1024)
        answer.size += len(part)
        if answer.size > MOST_BYTES:
            raise Unreachable(f"an answer of more than {MOST_BYTES // 1024} KiB")
        if not part:
            break
        parser.feed_data(part)
        if answer.has_status and parser.get_status_code() != 200:
            raise Unreachable(f"an answer with status {parser.get_status_code()}, where only 200 is taken")
    if not answer.is_complete:
        raise Unreachable("an answer that ends before its time")
    return bytes(answer.body)
