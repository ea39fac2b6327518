"""The audit file: records in one keyed chain, written in batches, read by `strongroom logs`.

Sequence and link are given when a record enters, under the file's lock. Records that enter together share a row
(`packing.py`). One of a change that is there already is left as it is: outbox and journal may both bring it.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from strongroom.audit.event import Record
from strongroom.audit.log import FIRST_LINK, LONGEST_REQUEST, Entry, Link
from strongroom.clock import from_microseconds
from strongroom.custody.sealing import SealBroken
from strongroom.storage.connection import AUDIT_FILE, MAIN_FILE, PROBE, Reader, Writer
from strongroom.storage.failures import unavailable
from strongroom.storage.journal import START, Page, Position, journals_in, read_journal
from strongroom.storage.packing import COLUMNS, INSERT, NO_RECORD, entries_of, record_of, rows_of
from strongroom.storage.positions import SELECT as SELECT_POSITION
from strongroom.storage.positions import get_position, position_in, put_position
from strongroom.storage.rows import Column, RowSeal

log = structlog.get_logger(__name__)

OUTBOX = "outbox"
LATE_COLUMNS = ("id", "time", "body", "change", "rows", "mac")
SELECT_OUTBOX = f"SELECT {', '.join(LATE_COLUMNS)} FROM outbox"  # noqa: S608 - the names above
INSERT_OUTBOX = "INSERT INTO outbox (id, time, body, change, rows, mac) VALUES (?, ?, ?, ?, ?, ?)"
FREE_CHANGE = (
    "SELECT 1 + MAX((SELECT COALESCE(MAX(CAST(seq AS INTEGER)), 0) FROM sqlite_sequence WHERE name = 'outbox'),"
    " (SELECT COALESCE(MAX(change), 0) FROM outbox))"
)
BEFORE_ALL, GREATEST = -(2**63), 2**63 - 1
HAS = "SELECT 1 FROM records WHERE id = ?"
LAST = "SELECT seq, link FROM records ORDER BY seq DESC LIMIT 1"
LAST_CHANGE = "SELECT COALESCE(MIN(CAST(seq AS INTEGER)), 0) FROM sqlite_sequence WHERE name = 'outbox'"
NEWEST_CHANGE = "SELECT COALESCE(CAST(MAX(change) AS INTEGER), 0) FROM records WHERE change IS NOT NULL"
NEXT_CHANGE = "SELECT change FROM records WHERE change > ? ORDER BY change LIMIT 1"
SELECT = f"SELECT {', '.join(COLUMNS)} FROM records"  # noqa: S608 - names of this program's own
LAST_ROW = "SELECT COALESCE(MAX(seq), 0) FROM records WHERE seq <= ?"
"""The number of the last row that ends at a number or before it, 0 for none."""
ROW_BEFORE = "SELECT MAX(seq) FROM records WHERE seq < ?"
"""The number of the row before another. One that was put in may have any number, 0 and less too."""
HOLDS = "SELECT COALESCE((SELECT MIN(seq) FROM records WHERE seq >= ?1), ?1)"
"""The number of the row in which a number lies, which is that of the newest record in it."""
LATEST = datetime.max.replace(tzinfo=UTC)
ROWS_AT_ONCE = 100
"""Rows that are read together; each may hold many records."""


def put_in_outbox(connection: sqlite3.Connection, record: Record, rows: bytes, seal: RowSeal) -> Record:
    """Put the record of a change into the outbox, with the next number of a change; return it as it is kept."""
    number = connection.execute(FREE_CHANGE).fetchone()[0]
    kept = Record(record.record_id, record.began, record.body, number, rows)
    mac = seal.mac(OUTBOX, _late_columns(kept), kept.body + rows)
    connection.execute(INSERT_OUTBOX, (kept.record_id, kept.began, kept.body, number, rows, mac))
    return kept


def seal_outbox(connection: sqlite3.Connection, seal: RowSeal) -> None:
    """Authenticate what lies in the outbox as it is: only for data in which nothing was linked with a key before."""
    for row in connection.execute(SELECT_OUTBOX).fetchall():
        record = record_of(*row[:-1])
        mac = seal.mac(OUTBOX, _late_columns(record), record.body + record.rows)
        connection.execute("UPDATE outbox SET mac = ? WHERE change = ?", (mac, record.change))


def open_late(seal: RowSeal, row: tuple[Any, ...]) -> Record:
    """Return the record of a row of the outbox, its LATE_COLUMNS; SealBroken unless it is as it was written."""
    *parts, mac = row
    record = record_of(*parts)
    seal.require(OUTBOX, _late_columns(record), record.body + record.rows, mac)
    return record


def _late_columns(record: Record) -> tuple[Column, ...]:
    """Return what is authenticated of a record in the outbox beside its body and its notes, and where they part."""
    return record.record_id.hex(), record.began, record.change, len(record.body)


class Late(NamedTuple):
    """A row of the outbox. record: None where the row is not as it was written."""

    change: int
    record: Record | None


class Taken(NamedTuple):
    """How many records were taken of journals. broken: those that do not hold what they should."""

    records: int
    broken: frozenset[str]


Gather = Callable[[sqlite3.Connection], list[Record]]


class RecordWriter:
    """Appends batches of records, each linked to the one before; used by one thread at a time."""

    def __init__(self, data_dir: Path, link: Link, seal: RowSeal) -> None:
        self._writer = Writer(data_dir / AUDIT_FILE)
        self._link = link
        self._seal = seal

    def append(self, batch: Sequence[Record | None]) -> None:
        """Make a batch durable, all of it or none; None only asks whether that can be done."""
        records = [record for record in batch if record is not None]
        self._append(lambda _: records, probe=len(records) < len(batch))

    def take(self, journals: Mapping[Path, int | None], *, probe: bool = False) -> Taken:
        """Take what journals hold, up to a frame of each, or all.

        probe: whether to try to write even where there is nothing.
        """
        broken: set[str] = set()

        def gather(connection: sqlite3.Connection) -> list[Record]:
            pages = {path: _take(connection, self._seal, path, until) for path, until in journals.items()}
            broken.update(path.name for path, page in pages.items() if page.is_broken)
            return [record for page in pages.values() for record in page.records]

        return Taken(self._append(gather, probe=probe), frozenset(broken))

    def close(self) -> None:
        """Close the file."""
        self._writer.close()

    def _append(self, gather: Gather, *, probe: bool) -> int:
        try:
            return self._write(gather, probe=probe)
        except sqlite3.IntegrityError:  # one of a change is in the chain already
            return self._write(lambda connection: _new_of(connection, gather(connection)), probe=probe)

    def _write(self, gather: Gather, *, probe: bool) -> int:
        with self._writer.transaction() as connection:
            if probe:
                connection.execute(PROBE)
            records = gather(connection)
            last, link = _last(connection)
            if last > GREATEST - len(records):
                raise sqlite3.DataError(f"there is no number past {last}: the records were tampered with")
            rows = list(rows_of(records, last, link, self._link))
            kept = connection.executemany(INSERT, rows).rowcount
            if rows and kept != len(rows):
                raise sqlite3.DatabaseError(f"{kept} of {len(rows)} rows of records were kept")
        return len(records)


def _take(connection: sqlite3.Connection, seal: RowSeal, path: Path, until: int | None) -> Page:
    """Return what a journal holds that was not taken, which it is then, up to a frame or to its end."""
    try:
        position = get_position(connection, seal, path.name)
        page = read_journal(path, seal, position, until)
    except SealBroken as error:
        log.error("alarm", error=SealBroken.__name__, reason=error.message)  # noqa: TRY400  # one line says all
        return Page(START, [], is_broken=True)
    except FileNotFoundError:
        return Page(START, [], is_broken=until is not None)  # an orphan was taken to its end by another process
    except OSError as error:
        if until is None:
            raise  # an orphan: it may be read another time
        log.error("a journal cannot be read", journal=path.name, reason=str(error))  # noqa: TRY400  # one line says all
        return Page(START, [], is_broken=True)
    if page.position != position:
        put_position(connection, seal, path.name, page.position, page.records)
    return page


def _last(connection: sqlite3.Connection) -> tuple[int, bytes]:
    """Return the number and the link of the newest record."""
    last, link = connection.execute(LAST).fetchone() or (0, FIRST_LINK)
    # Where it was tampered with what comes now is recorded all the same.
    return last, link if isinstance(link, bytes) else FIRST_LINK


def _new_of(connection: sqlite3.Connection, records: list[Record]) -> list[Record]:
    """Return the records that are not in the chain, each once. Only one of a change can come a second time."""
    fresh = {record.record_id: record for record in records}
    return [record for record in fresh.values() if not connection.execute(HAS, (record.record_id,)).fetchone()]


class SqlRecords:
    """Reads records. Implements `audit.log.AuditLog`; every method raises StorageUnavailable when it cannot read."""

    def __init__(self, data_dir: Path, seal: RowSeal) -> None:
        self._data_dir = data_dir
        self._seal = seal
        self._audit = Reader(data_dir / AUDIT_FILE)
        self._main = Reader(data_dir / MAIN_FILE)

    def after(self, sequence: int, limit: int) -> tuple[Entry, ...]:
        """Return up to `limit` records past a sequence number, oldest first."""
        return tuple(islice(self._forwards(sequence), limit))

    def before(self, sequence: int, limit: int) -> tuple[Entry, ...]:
        """Return up to `limit` records before a sequence number, newest first."""
        return tuple(islice(self._backwards(sequence), limit))

    def across(self, sequence: int) -> Entry | None:
        """Return the record of a number or a smaller one that lies in one row with what is past it, None for none."""
        rows = self._audit.rows(f"{SELECT} WHERE seq > ? ORDER BY seq LIMIT 1", (sequence,))
        first = entries_of(rows[0])[0] if rows else None
        return first if first is not None and first.sequence <= sequence else None

    def _forwards(self, sequence: int) -> Iterator[Entry]:
        position = self._audit.rows(LAST_ROW, (sequence,))[0][0]
        while rows := self._audit.rows(f"{SELECT} WHERE seq > ? ORDER BY seq LIMIT ?", (position, ROWS_AT_ONCE)):
            for row in rows:
                yield from (entry for entry in entries_of(row, position) if entry.sequence > sequence)
                position = row[0]

    def _backwards(self, sequence: int) -> Iterator[Entry]:
        position = self._audit.rows(HOLDS, (max(sequence - 1, BEFORE_ALL),))[0][0]
        page = f"{SELECT} WHERE seq <= ? ORDER BY seq DESC LIMIT ?"
        while position is not None and (rows := self._audit.rows(page, (position, ROWS_AT_ONCE))):
            position = self._audit.rows(ROW_BEFORE, (rows[-1][0],))[0][0]
            for row, before in zip(rows, [*(row[0] for row in rows[1:]), position or 0], strict=True):
                entries = reversed(entries_of(row, before))
                yield from (entry for entry in entries if entry.sequence < sequence)

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
        wanted = " OR ".join(
            " AND ".join(["TRUE", *[f"instr({column}, ?)"] * len(needles)]) for column in ("body", "packed")
        )
        where = f"WHERE seq <= ? AND seq >= ? AND ({wanted}) ORDER BY seq DESC"
        end = self._audit.rows(HOLDS, (before - 1,))[0][0]
        rows = self._audit.rows(f"{SELECT} {where}", (end, before - span, *needles, *needles))
        found = (entry for row in rows for entry in reversed(entries_of(row)))
        return tuple([each for each in found if before - span <= each.sequence < before and _has(each, needles)])

    def time_before(self, sequence: int) -> datetime | None:
        """Return when the record before a sequence number began, None when there is none."""
        found = next(self._backwards(sequence), None)
        # What was tampered with ends no reading.
        return None if found is None else LATEST if found.record is NO_RECORD else found.record.time

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
        """Return the records that are durable and not in the chain yet: of committed changes, and in journals."""
        late = [late.record for late in self.outbox() if late.record]
        kept = [record for path in journals_in(self._data_dir) for record in self._kept_in(path)]
        found = {record.record_id: record for record in (*late, *kept)}
        # That of a change may have come by the other way.
        new = [each for each in found.values() if each.change is None or not self._is_in_chain(each)]
        return tuple(sorted(new, key=attrgetter("began")))

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

    def _kept_in(self, path: Path) -> list[Record]:
        position = None
        try:
            while True:
                before, position = position, self._position(path.name)
                page = read_journal(path, self._seal, position)
                if not page.is_broken or position == before:
                    return page.records  # else what was taken meanwhile may lie no more where it lay
        except (SealBroken, FileNotFoundError):  # SealBroken is told by whoever takes the journal
            return []
        except OSError as error:
            raise unavailable(error) from error

    def _position(self, name: str) -> Position:
        return position_in(self._audit.rows(SELECT_POSITION, (name,)), self._seal, name)

    def _is_in_chain(self, record: Record) -> bool:
        return bool(self._audit.rows(HAS, (record.record_id,)))


def _time_of(column: Any) -> datetime:
    """Return the time of a row, the latest of all where it is none: what was tampered with ends no reading."""
    try:
        return from_microseconds(column)
    except (TypeError, OverflowError):
        return LATEST


def _has(entry: Entry, needles: tuple[bytes, ...]) -> bool:
    return all(needle in entry.record.body for needle in needles)
