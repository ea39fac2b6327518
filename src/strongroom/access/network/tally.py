"""Counts of requests by address, in memory that all workers share: those of this minute, and those without a record.

The memory is mapped before the workers are forked, so that a worker that dies takes no count with it. Unlike the counts
of throttling (`planes/data/throttling.py`) these are exact, since records and counts must add up: whoever counts holds
a lock, for some microseconds. It is the kernel's own, which lets go of it when its holder is killed.

Memory is bounded: an address without a cell of its own counts together with all others of its kind, as one.
"""

import fcntl
import ipaddress
import mmap
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache

from strongroom.addresses import parse_address

WINDOW_SECONDS = 60
SLOTS = 16_384
PROBES = 16
CELL = 3  # its address, a window with the count in it, how many left no record
COUNT_BITS = 32
COUNT_MASK = (1 << COUNT_BITS) - 1
IPV4 = 0xFFFF << 32  # as in ::ffff:0:0/96, where nobody of the Internet lives
HERE, NOWHERE = 1, 2  # ::/64, to which ::1 belongs; a peer without an address
OTHERS = "others"
SPREAD = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio: neighbouring addresses lie apart


class Tally:
    """The counts. Make it before the fork; each worker uses its own copy of this object on the same memory."""

    def __init__(self) -> None:
        # First the cells; then the one of all who found none, and how many have left no record since the start.
        self._others = SLOTS * CELL
        self._total = self._others + CELL
        self._words = memoryview(mmap.mmap(-1, (self._total + 1) * 8)).cast("Q")
        self._lock = _lock_file()

    def count(self, address: str, seconds: float, limit: int | None) -> bool:
        """Count a request of this minute and return True, for its record; past the limit False, counted as without one.

        seconds: of a clock that is the same in every worker and never goes back. limit: a minute; None has no end.
        """
        window = int(seconds) // WINDOW_SECONDS + 1  # no window is 0: that is a cell never used
        words = self._words
        with self._held():
            cell = self._cell(_key(address), window)
            found = words[cell + 1]
            count = found & COUNT_MASK if found >> COUNT_BITS == window else 0
            if limit is not None and count >= limit:
                words[cell + 2] += 1
                words[self._total] += 1
                return False
            words[cell + 1] = window << COUNT_BITS | count + 1
        return True

    def take(self) -> dict[str, int]:
        """Return how many requests of each address have left no record since this was last asked.

        An IPv6 address stands for its network of 64 bits; `others` are those who found no cell.
        """
        words, end = self._words, self._total
        with self._held():
            counts = words[2:end:CELL].tolist()
            places = [place for place, count in enumerate(counts) if count]
            taken = {self._name(place): counts[place] for place in places}
            for place in places:
                words[place * CELL + 2] = 0
        return taken

    def put_back(self, taken: Mapping[str, int]) -> None:
        """Count again what was taken and could not be told."""
        with self._held():
            for name, count in taken.items():
                cell = self._others if name == OTHERS else self._cell(_key(name.removesuffix("/64")), 0)
                self._words[cell + 2] += count

    @property
    def total(self) -> int:
        """How many requests have left no record of their own since the server started."""
        return self._words[self._total]

    def _cell(self, key: int, window: int) -> int:
        """Return the cell of an address: its own, else the first one nearby that holds nothing any more."""
        words, free = self._words, None
        first = (key * SPREAD >> 40) % SLOTS
        for probe in range(PROBES):
            cell = (first + probe) % SLOTS * CELL
            if words[cell] == key:
                return cell
            if free is None and words[cell + 1] >> COUNT_BITS < max(window, 1) and not words[cell + 2]:
                free = cell
        if free is None:
            return self._others
        words[free] = key
        words[free + 1] = 0
        return free

    def _name(self, place: int) -> str:
        key = self._words[place * CELL]
        return OTHERS if place == SLOTS else _address(key)

    @contextmanager
    def _held(self) -> Iterator[None]:
        fcntl.lockf(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._lock, fcntl.LOCK_UN)


def _lock_file() -> int:
    """Return a file that nobody else can open: such a lock belongs to a process, not to who inherited the file."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("tally")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


@lru_cache(maxsize=4096)
def _key(text: str) -> int:
    """Return the 64 bits by which an address is counted; never 0, which marks a free cell."""
    try:
        address = parse_address(text)
    except ValueError:
        return NOWHERE
    return IPV4 | int(address) if address.version == 4 else (int(address) >> 64) or HERE


def _address(key: int) -> str:
    if key == NOWHERE:
        return ""
    if key >> 32 == IPV4 >> 32:
        return str(ipaddress.IPv4Address(key & COUNT_MASK))
    return f"{ipaddress.IPv6Address(0 if key == HERE else key << 64)}/64"
