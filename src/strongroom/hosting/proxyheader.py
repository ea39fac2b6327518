"""The PROXY protocol's header, versions 1 and 2: what a balancer says of a connection before its first byte.

Source: haproxy.org, doc/proxy-protocol.txt. Only what is read in one way is taken. Sockets of the Unix kind and
datagrams are refused, since a caller without an address cannot be judged by it.
"""

import re
import socket
import struct
from dataclasses import dataclass

from strongroom.access.network.origin import Origin
from strongroom.addresses import parse_address

SIGNATURE_2 = b"\r\n\r\n\x00\r\nQUIT\n"
SIGNATURE_1 = b"PROXY "
FIXED_2 = struct.Struct("!12sBBH")
MOST_1 = 107
"""Bytes of the longest line of version 1, with its end."""
MOST_2 = 2048
"""Bytes of the longest header of version 2 that is taken: its addresses take 52, the rest is not asked here."""
UNKNOWN_1 = re.compile(rb"PROXY UNKNOWN(?: [\x20-\x7e]*)?\r\n")
LINE_1 = re.compile(rb"PROXY TCP([46]) ([0-9A-Fa-f:.]{2,39}) ([0-9A-Fa-f:.]{2,39}) ([0-9]{1,5}) ([0-9]{1,5})\r\n")
MOST_PORT = 65535
LOCAL, PROXY = 0x20, 0x21
UNSPECIFIED, TCP_4, TCP_6 = 0x00, 0x11, 0x21
ADDRESSES = {TCP_4: struct.Struct("!4s4sHH"), TCP_6: struct.Struct("!16s16sHH")}
FAMILIES = {TCP_4: socket.AF_INET, TCP_6: socket.AF_INET6}


class Malformed(ValueError):
    """A connection does not begin with a PROXY header that is taken here."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """A header. size: its bytes. origin: the caller and where it arrived; None where the proxy speaks for itself."""

    size: int
    origin: Origin | None


def parse_header(seen: bytes) -> ProxyHeader | None:
    """Return the header that a connection begins with, None when more must be seen; Malformed when there is none.

    seen: the connection's first bytes; what follows the header may be among them.
    """
    if seen.startswith(SIGNATURE_2):
        return _parse_2(seen)
    if seen.startswith(SIGNATURE_1):
        return _parse_1(seen)
    if not (SIGNATURE_2.startswith(seen) or SIGNATURE_1.startswith(seen)):
        raise Malformed("a PROXY header was due")
    return None


def _parse_1(seen: bytes) -> ProxyHeader | None:
    end = seen.find(b"\r\n", 0, MOST_1) + 2
    if end < 2:
        if len(seen) >= MOST_1:
            raise Malformed("the line is too long")
        return None
    line = seen[:end]
    if UNKNOWN_1.fullmatch(line):
        return ProxyHeader(end, None)
    match = LINE_1.fullmatch(line)
    if match is None:
        raise Malformed("the line is of another form")
    family, source, target, _, port = (part.decode() for part in match.groups())
    if {":" in source, ":" in target} != {family == "6"}:
        raise Malformed("an address is of another family than the line says")
    return ProxyHeader(end, _origin(source, target, int(port)))


def _parse_2(seen: bytes) -> ProxyHeader | None:
    if len(seen) < FIXED_2.size:
        return None
    _, command, family, length = FIXED_2.unpack_from(seen)
    size = FIXED_2.size + length
    if size > MOST_2:
        raise Malformed("the header is too long")
    if command not in {LOCAL, PROXY}:
        raise Malformed("the version or the command is unknown")
    if command == PROXY and family not in {UNSPECIFIED, TCP_4, TCP_6}:
        raise Malformed("the caller has no address")
    if len(seen) < size:
        return None
    if command == LOCAL or family == UNSPECIFIED:
        return ProxyHeader(size, None)
    return ProxyHeader(size, _addresses_2(family, seen[FIXED_2.size : size]))


def _addresses_2(family: int, block: bytes) -> Origin:
    """Return what a block says at its beginning; what follows, the TLVs, says nothing that is asked here."""
    form = ADDRESSES[family]
    if len(block) < form.size:
        raise Malformed("the header is too short for its addresses")
    source, target, _, port = form.unpack_from(block)
    return _origin(socket.inet_ntop(FAMILIES[family], source), socket.inet_ntop(FAMILIES[family], target), port)


def _origin(source: str, target: str, port: int) -> Origin:
    if port > MOST_PORT:
        raise Malformed("a port is none")
    try:
        return Origin(str(parse_address(source)), str(parse_address(target)), port)
    except ValueError:
        raise Malformed("an address is none") from None
