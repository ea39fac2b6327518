"""How much of what: counts in memory that all processes of a server share.

Each process counts in a row of its own, so that none waits for another and nothing is counted twice; a process that is
killed leaves what it had counted, and the one that gets its row counts on from there. Whoever wants to know adds the
rows up. Cells are whole numbers of 8 bytes, which are written in one piece.
"""

import mmap
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Final

Key = tuple[str, ...]
"""What a cell counts: the kind of count, then its labels."""

UNKNOWN: Final = "Unknown"
BOUNDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Seconds at which the buckets of a latency end."""
CLASSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")
REFUSALS: Final[Mapping[int, str]] = {401: "unauthenticated", 403: "forbidden", 429: "throttled"}
MALFORMED: Final = ("400", "408", "413", "414", "429", "431", "501", "505")
"""Statuses of requests that go no further than their connection."""
COMMITS: Final = ("changes", "records")
MICROSECONDS: Final = 1_000_000
CELL_BYTES: Final = 8
SUPERVISOR: Final = 0
"""The row of the process that starts the others."""
GAUGES: Final = frozenset({"accepting", "connections", "certificate"})
"""What says how things are, not how often they were: it ends with its process."""


class Meters:
    """The counts of all processes. Made before they are forked; `sit` is called in each of them.

    operations: the names of the operations of each plane. kinds: of child processes. rows: of processes at a time.
    """

    def __init__(
        self, operations: Mapping[str, Iterable[str]], *, kinds: Iterable[str] = ("worker",), rows: int = 1
    ) -> None:
        self.cells: Final[Mapping[Key, int]] = {
            key: index for index, key in enumerate(dict.fromkeys(_keys(operations, tuple(kinds))))
        }
        self.rows: Final = rows
        self._memory = memoryview(mmap.mmap(-1, rows * len(self.cells) * CELL_BYTES)).cast("Q")
        self.own = self._row(SUPERVISOR)

    def sit(self, row: int) -> None:
        """Count in this row from now on."""
        self.own = self._row(row)

    def add(self, key: Key, count: int = 1) -> None:
        """Count in this process's row."""
        self.own[self.cells[key]] += count

    def set(self, key: Key, value: int) -> None:
        """Say how something is in this process."""
        self.own[self.cells[key]] = value

    def end(self, row: int) -> None:
        """Take note that the process of a row has ended: its counts stay, how it was does not."""
        cells = self._row(row)
        for key, index in self.cells.items():
            if key[0] in GAUGES:
                cells[index] = 0

    def of(self, row: int, key: Key) -> int:
        """Return the count of one row."""
        return self._memory[row * len(self.cells) + self.cells[key]]

    def total(self, key: Key) -> int:
        """Return the count of all processes, those included that have ended."""
        return sum(self.each(key))

    def each(self, key: Key) -> list[int]:
        """Return the count of each row."""
        return self._memory[self.cells[key] :: len(self.cells)].tolist()

    def _row(self, row: int) -> "memoryview[int]":
        start = row * len(self.cells)
        return self._memory[start : start + len(self.cells)]


class RequestMeter:
    """Counts the requests of one plane in this process's row."""

    def __init__(self, meters: Meters, plane: str) -> None:
        self._cells = meters.own
        keys = meters.cells
        # The cells of an operation's classes lie side by side, 1xx first, and so do a plane's buckets.
        self._operations = {
            key[2]: index - 1 for key, index in keys.items() if key[:2] == ("requests", plane) and key[3] == CLASSES[0]
        }
        self._unknown = self._operations[UNKNOWN]
        self._buckets = keys["bucket", plane, "0"]
        self._sum = keys["microseconds", plane]
        self._refusals = {status: keys["refusals", plane, reason] for status, reason in REFUSALS.items()}

    def count(self, operation: str, status: int, seconds: float) -> None:
        """Count one request that was answered."""
        cells = self._cells
        cells[self._operations.get(operation, self._unknown) + status // 100] += 1
        cells[self._buckets + bisect_left(BOUNDS, seconds)] += 1
        cells[self._sum] += int(seconds * MICROSECONDS)
        if status in self._refusals:
            cells[self._refusals[status]] += 1


class CommitMeter:
    """Counts the commits of one kind in this process's row; used by the one thread that commits."""

    def __init__(self, meters: Meters, kind: str) -> None:
        self._cells = meters.own
        self._commits, self._units, self._failures, self._time = (
            meters.cells[what, kind] for what in ("commits", "committed", "failures", "commit-microseconds")
        )

    def count(self, units: int, failed: int, seconds: float) -> None:
        """Count a batch: how many units were made durable and how many were not, and how long that took."""
        cells = self._cells
        cells[self._commits] += 1
        cells[self._units] += units
        cells[self._failures] += failed
        cells[self._time] += int(seconds * MICROSECONDS)


def _keys(operations: Mapping[str, Iterable[str]], kinds: Iterable[str]) -> Iterable[Key]:
    for plane, names in operations.items():
        for name in dict.fromkeys((*names, UNKNOWN)):
            yield from (("requests", plane, name, each) for each in CLASSES)
        yield from (("bucket", plane, str(index)) for index in range(len(BOUNDS) + 1))
        yield "microseconds", plane
        yield from (("refusals", plane, reason) for reason in REFUSALS.values())
    for kind in COMMITS:
        yield from ((what, kind) for what in ("commits", "committed", "failures", "commit-microseconds"))
    for kind in kinds:
        yield from ((what, kind) for what in ("serving", "children-started", "children-died", "turns"))
    yield from (("reloads",), ("started",), ("accepting",), ("connections",))
    yield from (("connections-accepted",), ("proxy-headers",))
    yield from (("malformed", status) for status in MALFORMED)
    yield from (("certificate", which) for which in ("own", "operator"))
