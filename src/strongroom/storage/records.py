"""The audit file: records in one keyed chain, written in batches, read by `strongroom logs`.

Sequence and link are given when a record enters, under the file's lock. A record that is there already is left as it
is: what the outbox carries over may come twice.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from strongroom.audit.event import Record
from strongroom.audit.log import FIRST_LINK, LONGEST_REQUEST, Entry, Link, from_microseconds, microseconds
from strongroom.custody.sealing import SealBroken
from strongroom.storage.connection import AUDIT_FILE, MAIN_FILE, PROBE, Reader, Writer
from strongroom.storage.rows import Column, RowSeal

INSERT = "INSERT INTO records (seq, id, time, body, link, change, rows) VALUES (?, ?, ?, ?, ?, ?, ?)"
OUTBOX = "outbox"
LATE_COLUMNS = ("id", "time", "body", "change", "rows", "mac")
SELECT_OUTBOX = f"SELECT {', '.join(LATE_COLUMNS)} FROM outbox"  # noqa: S608 - the names above
INSERT_OUTBOX = "INSERT INTO outbox (id, time, body, change, rows, mac) VALUES (?, ?, ?, ?, ?, ?)"
FREE_CHANGE = (
    "SELECT 1 + MAX((SELECT COALESCE(MAX(CAST(seq AS INTEGER)), 0) FROM sqlite_sequence WHERE name = 'outbox'),"
    " (SELECT COALESCE(MAX(change), 0) FROM outbox))"
)
BEFORE_ALL = -(2**63)
HAS = "SELECT 1 FROM records WHERE id = ?"
LAST = "SELECT seq, link FROM records ORDER BY seq DESC LIMIT 1"
LAST_CHANGE = "SELECT COALESCE(MIN(CAST(seq AS INTEGER)), 0) FROM sqlite_sequence WHERE name = 'outbox'"
NEWEST_CHANGE = "SELECT COALESCE(CAST(MAX(change) AS INTEGER), 0) FROM records WHERE change IS NOT NULL"
NEXT_CHANGE = "SELECT change FROM records WHERE change > ? ORDER BY change LIMIT 1"
COLUMNS = ("seq", "link", "id", "time", "body", "change", "rows")
SELECT = f"SELECT {', '.join(COLUMNS)} FROM records"  # noqa: S608 - the names above


def put_in_outbox(connection: sqlite3.Connection, record: Record, rows: bytes, seal: RowSeal) -> Record:
    """Put the record of a change into the outbox, with the next number of a change; return it as it is kept."""
    number = connection.execute(FREE_CHANGE).fetchone()[0]
    kept = Record(record.record_id, record.time, record.body, number, rows)
    mac = seal.mac(OUTBOX, _late_columns(kept), kept.body + rows)
    connection.execute(INSERT_OUTBOX, (kept.record_id, microseconds(kept.time), kept.body, number, rows, mac))
    return kept


def seal_outbox(connection: sqlite3.Connection, seal: RowSeal) -> None:
    """Authenticate what lies in the outbox as it is: only for data in which nothing was linked with a key before."""
    for row in connection.execute(SELECT_OUTBOX).fetchall():
        record = _record(*row[:-1])
        mac = seal.mac(OUTBOX, _late_columns(record), record.body + record.rows)
        connection.execute("UPDATE outbox SET mac = ? WHERE change = ?", (mac, record.change))


def open_late(seal: RowSeal, row: tuple[Any, ...]) -> Record:
    """Return the record of a row of the outbox, its LATE_COLUMNS; SealBroken unless it is as it was written."""
    *parts, mac = row
    record = _record(*parts)
    seal.require(OUTBOX, _late_columns(record), record.body + record.rows, mac)
    return record


def _late_columns(record: Record) -> tuple[Column, ...]:
    """Return what is authenticated of a record in the outbox beside its body and its notes, and where they part."""
    return record.record_id.hex(), microseconds(record.time), record.change, len(record.body)


class Late(NamedTuple):
    """A row of the outbox. record: None where the row is not as it was written."""

    change: int
    record: Record | None


NO_RECORD = Record(b"", from_microseconds(0), b"")
"""What a row is read as that holds no record."""


class RecordWriter:
    """Appends batches of records, each linked to the one before; used by one thread at a time."""

    def __init__(self, data_dir: Path, link: Link) -> None:
        self._writer = Writer(data_dir / AUDIT_FILE)
        self._link = link

    def append(self, batch: Sequence[Record | None]) -> None:
        """Make a batch durable, all of it or none; None only asks whether that can be done."""
        records = [record for record in batch if record is not None]
        try:
            self._write(records, probe=len(records) < len(batch))
        except sqlite3.IntegrityError:  # one of them is in the chain already
            self._write(records, probe=False, seen=True)

    def close(self) -> None:
        """Close the file."""
        self._writer.close()

    def _write(self, records: Sequence[Record], *, probe: bool, seen: bool = False) -> None:
        """seen: leave out those whose ids are in the chain."""
        with self._writer.transaction() as connection:
            if probe:
                connection.execute(PROBE)
            if seen:
                fresh = {record.record_id: record for record in records}
                records = [
                    record for record in fresh.values() if not connection.execute(HAS, (record.record_id,)).fetchone()
                ]
            last, link = connection.execute(LAST).fetchone() or (0, FIRST_LINK)
            if not isinstance(link, bytes):  # it was tampered with; what comes now is recorded all the same
                link = FIRST_LINK
            kept = connection.executemany(INSERT, self._chained(records, last, link)).rowcount
            if records and kept != len(records):
                raise sqlite3.DatabaseError(f"{kept} of {len(records)} records were kept")

    def _chained(self, records: Iterable[Record], sequence: int, link: bytes) -> Iterator[tuple[Any, ...]]:
        """Return the rows of records that follow the record of that number and link."""
        for each in records:
            sequence, link = sequence + 1, self._link(link, each)
            yield sequence, each.record_id, microseconds(each.time), each.body, link, each.change, each.rows


class SqlRecords:
    """Reads records. Implements `audit.log.AuditLog`; every method raises StorageUnavailable when it cannot read."""

    def __init__(self, data_dir: Path, seal: RowSeal) -> None:
        self._seal = seal
        self._audit = Reader(data_dir / AUDIT_FILE)
        self._main = Reader(data_dir / MAIN_FILE)

    def after(self, sequence: int, limit: int) -> tuple[Entry, ...]:
        """Return up to `limit` records past a sequence number, oldest first."""
        rows = self._audit.rows(f"{SELECT} WHERE seq > ? ORDER BY seq LIMIT ?", (sequence, limit))
        return tuple(map(entry_of, rows))

    def before(self, sequence: int, limit: int) -> tuple[Entry, ...]:
        """Return up to `limit` records before a sequence number, newest first."""
        rows = self._audit.rows(f"{SELECT} WHERE seq < ? ORDER BY seq DESC LIMIT ?", (sequence, limit))
        return tuple(map(entry_of, rows))

    def position_after(self, moment: datetime) -> int:
        """Return a sequence number at and past which every record began after `moment`, as low as is easily found."""
        low, high = 0, self.last_sequence() + 1
        while low < high:
            middle = (low + high) // 2
            found = self._audit.rows("SELECT time FROM records WHERE seq >= ? ORDER BY seq LIMIT 1", (middle,))
            if found and _time_of(found[0][0]) - LONGEST_REQUEST <= moment:
                low = middle + 1
            else:
                high = middle
        return high

    def containing(self, before: int, span: int, needles: tuple[bytes, ...]) -> tuple[Entry, ...]:
        """Return those of the `span` records before a number whose bodies contain all needles, newest first."""
        wanted = " AND instr(body, ?)" * len(needles)
        where = f"WHERE seq < ? AND seq >= ?{wanted} ORDER BY seq DESC"
        return tuple(map(entry_of, self._audit.rows(f"{SELECT} {where}", (before, before - span, *needles))))

    def time_before(self, sequence: int) -> datetime | None:
        """Return when the record before a sequence number began, None when there is none."""
        found = self._audit.rows("SELECT time FROM records WHERE seq < ? ORDER BY seq DESC LIMIT 1", (sequence,))
        return _time_of(found[0][0]) if found else None

    def last_sequence(self) -> int:
        """Return the newest sequence number, 0 when there is no record."""
        rows = self._audit.rows(LAST)
        return int(rows[0][0]) if rows else 0

    def newest(self) -> Entry | None:
        """Return the newest record, None when there is none."""
        return next(iter(self.before(self.last_sequence() + 1, 1)), None)

    def unknown_change(self) -> int | None:
        """Return the first change in the chain that the data do not know, None when they know all: they are older."""
        newest = self._audit.rows(NEWEST_CHANGE)[0][0]
        known = self._main.rows(LAST_CHANGE)[0][0]  # read later: the data are ahead of their records
        ahead = self._audit.rows(NEXT_CHANGE, (known,)) if newest > known else ()
        return ahead[0][0] if ahead else None

    def pending(self) -> tuple[Record, ...]:
        """Return the records of committed changes that are not in the chain yet, oldest first."""
        return tuple([late.record for late in self.outbox() if late.record and not self._is_in_chain(late.record)])

    def outbox(self, after: int = BEFORE_ALL, limit: int = -1) -> tuple[Late, ...]:
        """Return up to `limit` rows of the outbox past a change, those included that were carried into the chain."""
        rows = self._main.rows(f"{SELECT_OUTBOX} WHERE change > ? ORDER BY change LIMIT ?", (after, limit))
        return tuple([self._late(row) for row in rows])

    def close(self) -> None:
        """Close both files."""
        self._audit.close()
        self._main.close()

    def _late(self, row: tuple[Any, ...]) -> Late:
        change = row[LATE_COLUMNS.index("change")]
        try:
            return Late(change, open_late(self._seal, row))
        except SealBroken:
            return Late(change, None)

    def _is_in_chain(self, record: Record) -> bool:
        return bool(self._audit.rows(HAS, (record.record_id,)))


def _time_of(column: Any) -> datetime:
    """Return the time of a row, the latest of all where it is none: what was tampered with ends no reading."""
    try:
        return from_microseconds(column)
    except (TypeError, OverflowError):
        return datetime.max.replace(tzinfo=UTC)


def entry_of(row: tuple[Any, ...]) -> Entry:
    """Return the entry of a row, its COLUMNS."""
    sequence, link, *record = row
    return Entry(sequence, _record(*record), link)


def _record(record_id: bytes, moment: int, body: bytes, change: int | None, rows: bytes) -> Record:
    """Return the record of a row. SQLite lets any type stand in any column: what none of ours is does not link."""
    try:
        is_ours = all(isinstance(part, bytes) for part in (record_id, body, rows)) and (change or 0) >= 0
        return Record(record_id, from_microseconds(moment), body, change, rows) if is_ours else NO_RECORD
    except (TypeError, OverflowError):
        return NO_RECORD
