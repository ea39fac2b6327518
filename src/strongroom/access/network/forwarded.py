"""`X-Forwarded-For` and `Forwarded` (RFC 7239), read as one may read what strangers can begin.

A proxy adds whom it heard at the right end. So they are read from there: each address that is a trusted proxy's vouches
for the one to its left, and the first that is not is the caller. What stands further left is the caller's own word and
is not looked at. Where the address that decides cannot be read (`unknown`, `_hidden`, nothing, garbage), nobody knows
the caller: Ambiguous, never a guess, and never the proxy's own address, which may be allowed more.
"""

import re
from collections.abc import Iterable

from strongroom.access.network.origin import Proxies
from strongroom.addresses import parse_address

X_FORWARDED_FOR = b"x-forwarded-for"
FORWARDED = b"forwarded"
SPEAKING = frozenset({X_FORWARDED_FOR, FORWARDED})

# An address with a port, or in brackets. A bare IPv6 address has no port: the two cannot be told apart.
NODE = re.compile(
    r"(?:(?P<four>[0-9.]+)|\[(?P<six>[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(?:%[0-9A-Za-z._-]+)?)\])(?::(?:[0-9]{1,5}|_[0-9A-Za-z._-]+))?",
    re.ASCII,
)
WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# A value without quotes may hold what RFC 7239 wants quoted, since proxies write it so; no quote, blank or backslash.
PAIR = re.compile(rf'[ \t]*(?P<name>{WORD})=(?:"(?P<quoted>[^"\\]*)"|(?P<bare>[^"\\ \t]+))[ \t]*', re.ASCII)


class Ambiguous(ValueError):
    """The headers do not say clearly who the caller is."""


def find_caller(headers: Iterable[tuple[bytes, bytes]], proxies: Proxies) -> str | None:
    """Return the caller that a trusted proxy names, None where it names none; Ambiguous where that is not clear.

    headers: of one request, names in lower case. Whoever asks has made sure that a trusted proxy sent them.
    """
    said: dict[bytes, list[str]] = {}
    for name, value in headers:
        if name in SPEAKING:
            said.setdefault(name, []).append(value.decode("latin-1"))
    if not said:
        return None
    # A proxy adds to the one that it knows and passes the other on, whoever wrote it: both count only where they agree.
    callers = {_first_stranger(_nodes(name, ",".join(values)), proxies) for name, values in said.items()}
    if len(callers) > 1:
        raise Ambiguous("Forwarded and X-Forwarded-For name two callers")
    return callers.pop()


def _first_stranger(nodes: Iterable[str], proxies: Proxies) -> str:
    """Return the first address that is no trusted proxy's; the last where all are: then a proxy itself calls."""
    address = None
    for node in nodes:
        try:
            address = parse_address(_address_in(node))
        except ValueError:
            raise Ambiguous("whom a proxy heard is no address") from None
        if not proxies.hold_parsed(address):
            break
    return str(address)


def _nodes(name: bytes, value: str) -> Iterable[str]:
    """Return whom each proxy heard, the last one first."""
    parts = value.split(",")
    if name == X_FORWARDED_FOR:
        return (part.strip(" \t") for part in reversed(parts))
    # RFC 7239 lets commas stand between quotes. A stranger who opens a quote could then swallow what a proxy adds, or
    # have it add more elements than one; no proxy needs that, so each element must be whole by itself.
    if any(part.count('"') % 2 for part in parts):
        raise Ambiguous("a quote in Forwarded does not end in its element")
    return (_for_of(part) for part in reversed(parts))


def _for_of(element: str) -> str:
    """Return what an element of Forwarded says after its one `for=`."""
    pairs = [PAIR.fullmatch(pair) for pair in element.split(";")]
    found = [pair["quoted"] or pair["bare"] for pair in pairs if pair is not None and pair["name"].lower() == "for"]
    if None in pairs or len(found) != 1 or found[0] is None:
        raise Ambiguous("an element of Forwarded cannot be read")
    return found[0]


def _address_in(node: str) -> str:
    """Return the address in `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`."""
    match = NODE.fullmatch(node)
    return node if match is None else match["four"] or match["six"]
