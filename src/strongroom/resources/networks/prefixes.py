"""CIDR blocks: read, and compared as ranges of numbers. Pure.

Blocks of one address family are compared among themselves; an IPv4 block never lies in an IPv6 one. Texts: as the
network provider writes them, see `docs/errors.md`.
"""

import ipaddress
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from strongroom.addresses import MAPPED, Network
from strongroom.errors import BadRequest

CIDR = re.compile(r"[0-9A-Fa-f.:]{2,45}/\d{1,3}\Z", re.ASCII)
SHORTEST = {4: 2, 6: 16}
"""The widest blocks that there may be, by the length of their prefix. Source for IPv4: Azure Virtual Network FAQ."""


@dataclass(frozen=True, slots=True, order=True)
class Range:
    """The addresses of a block as numbers, its ends included; version: 4 or 6. Ordered by family, then by start."""

    version: int
    first: int
    last: int


def require_block(text: str, resource_id: str) -> str:
    """Return a block in its normal form. BadRequest (InvalidAddressPrefixFormat, InvalidCIDRNotation) for none.

    resource_id: of what it is said of, for the refusal.
    """
    block = _parse(text)
    if block is None:
        raise BadRequest(
            f"Address prefix {text[:64]} of resource {resource_id} is not formatted correctly. It should follow CIDR "
            "notation, for example 10.0.0.0/24.",
            code="InvalidAddressPrefixFormat",
        )
    address = ipaddress.ip_address(text.partition("/")[0])
    if address != block.network_address:
        raise BadRequest(
            f"The address prefix {text} in resource {resource_id} has an invalid CIDR notation. For the given prefix "
            f"length, the address prefix should be {block}.",
            code="InvalidCIDRNotation",
        )
    if block.prefixlen < SHORTEST[block.version] or (block.version == MAPPED.version and _is_mapped(block)):
        raise BadRequest(
            f"Address prefix {text} of resource {resource_id} is not supported: an IPv4 prefix has a length of "
            f"{SHORTEST[4]} to 32, an IPv6 one of {SHORTEST[6]} to 128, and IPv4 addresses are not written as IPv6.",
            code="InvalidAddressPrefix",
        )
    return str(block)


def range_of(block: str) -> Range:
    """Return the addresses of a block in its normal form."""
    parsed = ipaddress.ip_network(block)
    return Range(parsed.version, int(parsed.network_address), int(parsed.broadcast_address))


def find_overlap(blocks: Sequence[str]) -> tuple[int, int] | None:
    """Return the places of two blocks that have an address in common, None when no two have."""
    ranges = sorted((range_of(block), place) for place, block in enumerate(blocks))
    for (left, one), (right, other) in pairwise(ranges):
        if left.version == right.version and right.first <= left.last:
            return one, other
    return None


def find_outside(blocks: Iterable[str], space: Iterable[str]) -> int | None:
    """Return the place of a block that does not lie in one block of an address space, None when all do.

    The blocks of the space have no address in common.
    """
    held = sorted(range_of(block) for block in space)
    for place, block in enumerate(blocks):
        inner = range_of(block)
        found = bisect_right(held, (inner.version, inner.first), key=lambda each: (each.version, each.first)) - 1
        if found < 0 or not _is_in(inner, held[found]):
            return place
    return None


def _is_in(inner: Range, outer: Range) -> bool:
    return inner.version == outer.version and outer.first <= inner.first and inner.last <= outer.last


def _parse(text: str) -> Network | None:
    if not CIDR.match(text):
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _is_mapped(block: Network) -> bool:
    return block.overlaps(MAPPED) and block.prefixlen >= MAPPED.prefixlen
