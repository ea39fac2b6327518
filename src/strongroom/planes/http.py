"""A request and a response as the planes see them: plain data, no framework."""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import parse_qsl

import msgspec

from strongroom.errors import BadRequest, MethodNotAllowed, StrongroomError

JSON = (b"content-type", b"application/json; charset=utf-8")

Headers = tuple[tuple[bytes, bytes], ...]

REMEMBERED_LENGTH = 256


def parse_query(raw: bytes) -> Mapping[str, str]:
    """Return the query's parameters, names in lower case; BadRequest when one stands twice.

    Short ones are remembered, long ones not: what strangers send must not fill the memory.
    """
    return _remembered(raw) if len(raw) <= REMEMBERED_LENGTH else _parse_query(raw)


def _parse_query(raw: bytes) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=64)
    except ValueError:
        raise BadRequest("The query has too many parameters.") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name.lower() in found:
            raise BadRequest(f"The query parameter '{name}' is given more than once.")
        found[name.lower()] = value
    return MappingProxyType(found)


_remembered = lru_cache(maxsize=1024)(_parse_query)


def headers_of(error: StrongroomError) -> Headers:
    """Return the headers that a refusal must carry whatever the plane."""
    if isinstance(error, MethodNotAllowed):
        return ((b"allow", ", ".join(error.allowed).encode()),)
    return ()


class Request(msgspec.Struct):
    """One HTTP request, its body read apart.

    host: the Host header as sent, lower case, with its port if it had one. path: raw, percent-encoded.
    headers: names in lower case; a name given twice holds its first value and stands in `repeated`.
    client: the caller's own address. arrived, arrived_port: the address and port of this server at which it arrived, ""
    and 0 when unknown; addresses are written as `access.network.origin` writes them.
    tls: the protocol version as records name it, such as TLS1_3.
    """

    method: str
    host: str
    path: str
    raw_query: bytes
    headers: Mapping[bytes, bytes]
    client: str
    tls: str = ""
    repeated: frozenset[bytes] = frozenset()
    body: bytes = b""
    arrived: str = ""
    arrived_port: int = 0

    def header(self, name: bytes) -> str:
        """Return a header as text, "" when absent."""
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def query(self) -> Mapping[str, str]:
        """The query's parameters, names in lower case; BadRequest when one stands twice."""
        return parse_query(self.raw_query)

    @property
    def api_version(self) -> str:
        """The api-version as sent, "" when absent or when the query is broken."""
        try:
            return self.query.get("api-version", "")
        except BadRequest:
            return ""

    @property
    def correlation_id(self) -> str:
        """The id that the client gave the request, "" when it gave none; at most 128 characters."""
        return self.header(b"x-ms-client-request-id")[:128]

    @property
    def base(self) -> str:
        """The URL of this host as the client wrote it, without a path."""
        return f"https://{self.host}"

    @property
    def url(self) -> str:
        """The whole URL as the client wrote it."""
        query = f"?{self.raw_query.decode('latin-1')}" if self.raw_query else ""
        return f"https://{self.host}{self.path}{query}"


class Response(msgspec.Struct, frozen=True):
    """An answer: status, body and headers. always: further headers, which stand in many answers alike.

    A struct, since every request makes some: it costs a sixth of a frozen dataclass.
    """

    status: int
    body: bytes = b""
    headers: Headers = ()
    always: Headers = ()
