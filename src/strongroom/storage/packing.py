"""Records that became durable together lie in one row of the audit file: the newest as ever, those before it packed.

A row of its own for each costs twice as much as all else that is done to record a request (docs/decisions, 21). Only
records that tell of no change and note no rows are packed: those of changes are found by their columns. Packed or not,
each record has its number and its link.
"""

from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from strongroom.audit.event import Record
from strongroom.audit.log import Entry, Link
from strongroom.clock import from_microseconds

COLUMNS = ("seq", "link", "id", "time", "body", "change", "rows", "packed")
INSERT = "INSERT INTO records (seq, link, id, time, body, change, rows, packed) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
LATER: Mapping[str, Any] = {"change": None, "rows": b"", "packed": b""}
"""What rows had not of before changes were noted, and before records shared rows."""
MOST = 256
"""Records in one row: who reads one of them reads all. A row that holds more is none of ours, and is not unpacked."""
ID_BYTES = 16

NO_RECORD = Record(b"", 0, b"")
"""What is read where no record of ours stands."""
NOTHING = b""

Packed = tuple[bytes, int, bytes, bytes]
"""A record in a pack: its id, when it began, in microseconds, its body, its link."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Packed]).decode
_began = attrgetter("began")


def rows_of(records: Sequence[Record], sequence: int, link: bytes, link_of: Link) -> Iterator[tuple[Any, ...]]:
    """Return the rows, their COLUMNS, of records that follow the record of that number and link.

    Of those that lie in one row the one that began last is the newest, so that none in it is younger than its row.
    """
    for run in _runs(records):
        packed: list[Packed] = []
        for record in run:
            sequence, link = sequence + 1, link_of(link, record)
            packed.append((record.record_id, record.began, record.body, link))
        record_id, moment, body, _ = packed.pop()
        kept = _encode(packed) if packed else NOTHING
        yield sequence, link, record_id, moment, body, run[-1].change, run[-1].rows, kept


def _runs(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """Part records into those that may lie in one row; those of one commit have no order among themselves."""
    alone = [record for record in records if record.change is not None or record.rows]
    yield from ([record] for record in alone)
    plain = [record for record in records if record.change is None and not record.rows] if alone else records
    ordered = sorted(plain, key=_began)
    yield from (ordered[start : start + MOST] for start in range(0, len(ordered), MOST))


def row_of(columns: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a row, its COLUMNS, of what may be of an older schema."""
    return tuple([columns.get(name, LATER.get(name)) for name in COLUMNS])


def entries_of(row: tuple[Any, ...], before: int | None = None) -> list[Entry]:
    """Return the entries of a row, its COLUMNS, oldest first.

    before: the number of the record that the row follows, where that is known. Packed records that cannot be read, or
    that would stand at or before it, are one entry without a record, which links to nothing.
    """
    sequence, link, *parts, packed = row
    newest = Entry(sequence, record_of(*parts), link)
    if isinstance(packed, bytes) and not packed:
        return [newest]
    return [*_unpack(packed, sequence, before), newest]


def _unpack(packed: Any, sequence: int, before: int | None) -> list[Entry]:
    broken = [Entry(sequence - 1 if before is None else before + 1, NO_RECORD, b"")]
    found = _read(packed)
    first = sequence - len(found)
    if not found or first <= (before or 0):
        return broken
    return [
        Entry(number, record_of(record_id, moment, body, None, NOTHING), link)
        for number, (record_id, moment, body, link) in enumerate(found, first)
    ]


def _read(packed: Any) -> list[Packed]:
    """Return what is packed; nothing where that cannot be read, or is more than we pack: it would fill the memory."""
    try:  # SQLite lets any type stand in any column
        return _decode(packed) if _count(packed) < MOST else []
    except (msgspec.MsgspecError, TypeError, IndexError):
        return []


def _count(packed: bytes) -> int:
    """Return how many a pack says it holds. Source: MessagePack, array format family."""
    match packed[0]:
        case 0xDC:
            return int.from_bytes(packed[1:3], "big")
        case 0xDD:
            return int.from_bytes(packed[1:5], "big")
        case kind:
            return kind & 0x0F


def record_of(record_id: Any, moment: Any, body: Any, change: Any, rows: Any) -> Record:
    """Return the record of these columns; NO_RECORD, which does not link, where they are not such as ours are.

    An id of another length would link as another record does: a byte of it could pass for one of the time.
    """
    are_bytes = all(isinstance(part, bytes) for part in (record_id, body, rows))
    is_number = isinstance(moment, int) and isinstance(change, int | None) and (change or 0) >= 0
    if not are_bytes or not is_number or len(record_id) != ID_BYTES:
        return NO_RECORD
    try:
        from_microseconds(moment)
    except OverflowError:
        return NO_RECORD
    return Record(record_id, moment, body, change, rows)
