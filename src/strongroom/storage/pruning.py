"""Records that are old enough leave the log, and what remains still verifies.

What is about to leave is verified first: a broken chain is evidence, and is kept. Then, in this order, so that a crash
at any moment leaves what the next run completes: the notes that no later change overtook are written again, in records
of the pruning itself; the mark of the last record pruned is moved; the records are deleted, a batch at a time, and
their pages given back.
"""

import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from strongroom.audit.event import Record
from strongroom.audit.local import local_record
from strongroom.audit.log import Chain, Mark, keyed_link
from strongroom.clock import microseconds
from strongroom.custody.sealing import Custodian, SealBroken
from strongroom.storage.connection import AUDIT_FILE, MAIN_FILE, Reader, Writer
from strongroom.storage.failures import unavailable
from strongroom.storage.history import LastNotes, last_notes
from strongroom.storage.journal import journals_in
from strongroom.storage.marks import KEYED, NEWEST, PRUNED, get_mark, put_mark
from strongroom.storage.notes import Note, encode_notes
from strongroom.storage.positions import forget_positions
from strongroom.storage.records import LAST_ROW, SqlRecords
from strongroom.storage.recordwriter import RecordWriter
from strongroom.storage.rows import RowSeal
from strongroom.storage.serverkeys import server_keys

SLACK = timedelta(days=1)
"""How much older than need be a record grows before any is pruned: what a run costs grows with all that is kept."""

BATCH = 1000
"""Records that are verified at once."""
ROWS = 100
"""Rows that are deleted in one transaction, each of up to `packing.MOST` records; other writers wait for as long."""

NOTES_OF_A_RECORD = 1000
FIRST_KEPT = "SELECT seq FROM records WHERE seq > ? AND time >= ? ORDER BY seq LIMIT 1"
FIRST_TIME = "SELECT time FROM records WHERE seq > ? ORDER BY seq LIMIT 1"
FIRST_CHANGE_KEPT = "SELECT MIN(change) FROM records WHERE change IS NOT NULL AND seq > ?"
FIRST_LATER_CHANGE = "SELECT MIN(seq) FROM records WHERE change > ? AND seq <= ?"
DELETE = "DELETE FROM records WHERE seq IN (SELECT seq FROM records WHERE seq <= ? ORDER BY seq LIMIT ?)"

log = structlog.get_logger(__name__)


class Pruning:
    """Prunes the records of one data directory; run by one process at a time, on any thread.

    days: for how long records are kept, None for ever.
    """

    def __init__(self, data_dir: Path, custodian: Custodian, days: int | None, now: datetime) -> None:
        keys = server_keys(data_dir, custodian, now)
        self._data_dir = data_dir
        self._age = None if days is None else timedelta(days=days)
        self._seal = RowSeal(custodian.authenticator(keys.rows))
        self._link = keyed_link(custodian.authenticator(keys.records))
        self._told = False

    def run(self, now: datetime) -> int:
        """Prune what is old enough at `now`; return how many records left.

        StorageUnavailable when that cannot be done; what was done before stays done.
        """
        if self._age is None:
            return 0
        try:
            return self._run(now - self._age, now)
        except SealBroken as error:
            self._alarm(error)
            return 0
        except (sqlite3.Error, OSError) as error:
            raise unavailable(error) from error

    def _run(self, until: datetime, now: datetime) -> int:
        log_of_records, main = SqlRecords(self._data_dir, self._seal), Reader(self._data_dir / MAIN_FILE)
        try:
            pruned = get_mark(main, self._seal, PRUNED)
            last = self._last_due(main, pruned, until)
            if last > pruned.sequence:
                chain = Chain(self._link, get_mark(main, self._seal, KEYED).sequence)
                mark = _verified(chain, log_of_records, pruned, last)
                self._carry(pruned, mark, until, now)
                self._mark(mark)
                pruned = mark
            oldest = next(iter(log_of_records.after(0, 1)), None)
        finally:
            log_of_records.close()
            main.close()
        if oldest is None or oldest.sequence > pruned.sequence:
            return 0
        self._delete(pruned.sequence)
        self._forget_journals(until)
        count = pruned.sequence - oldest.sequence + 1
        log.info("records were pruned", count=count, last=pruned.sequence)
        return count

    def _last_due(self, main: Reader, pruned: Mark, until: datetime) -> int:
        """Return the number of the last record to prune, `pruned`'s when none is due.

        Of changes an unbroken first part leaves, and the record that is marked as the newest stays.
        """
        audit = Reader(self._data_dir / AUDIT_FILE)
        try:
            first = audit.rows(FIRST_TIME, (pruned.sequence,))
            if not first or first[0][0] >= microseconds(until - SLACK):
                return pruned.sequence
            newest = get_mark(main, self._seal, NEWEST).sequence
            kept = audit.rows(FIRST_KEPT, (pruned.sequence, microseconds(until)))
            last: int = audit.rows(LAST_ROW, (min(newest, kept[0][0] if kept else newest) - 1,))[0][0]
            first_kept = audit.rows(FIRST_CHANGE_KEPT, (last,))[0][0]
            straggler = None if first_kept is None else audit.rows(FIRST_LATER_CHANGE, (first_kept, last))[0][0]
            return last if straggler is None else straggler - 1
        finally:
            audit.close()

    def _carry(self, pruned: Mark, mark: Mark, until: datetime, now: datetime) -> None:
        """Record the pruning, with what the records that leave noted last."""
        writer = RecordWriter(self._data_dir, self._link, self._seal)
        try:
            with last_notes(self._data_dir, self._seal) as notes:
                record = local_record(
                    "Strongroom.Records/prune",
                    now=now,
                    properties={
                        "first": pruned.sequence + 1,
                        "last": mark.sequence,
                        "until": f"{until:%Y-%m-%dT%H:%M:%SZ}",
                    },
                    actor="server",
                )
                writer.append([record])
                for page in _pages(notes, mark.sequence):
                    writer.append([_carrying(page, now)])
        finally:
            writer.close()

    def _mark(self, mark: Mark) -> None:
        writer = Writer(self._data_dir / MAIN_FILE)
        try:
            with writer.transaction():
                put_mark(writer, self._seal, PRUNED, mark)
        finally:
            writer.close()

    def _delete(self, last: int) -> None:
        """Delete the records up to a number, the last one of its row, and give their pages back."""
        writer, more = Writer(self._data_dir / AUDIT_FILE), True
        try:
            while more:
                with writer.transaction() as connection:
                    more = connection.execute(DELETE, (last, ROWS)).rowcount == ROWS
                    _give_back_pages(connection)
        finally:
            writer.close()

    def _forget_journals(self, until: datetime) -> None:
        """Forget how far journals were taken whose records have all left, and that are not there any more."""
        writer = Writer(self._data_dir / AUDIT_FILE)
        try:
            with writer.transaction() as connection:
                kept = [path.name for path in journals_in(self._data_dir)]
                forget_positions(connection, microseconds(until), kept)
        finally:
            writer.close()

    def _alarm(self, error: SealBroken) -> None:
        if not self._told:
            log.error("alarm", error=type(error).__name__, reason=error.message)
            self._told = True


def _give_back_pages(connection: sqlite3.Connection) -> None:
    """Give the pages back that a deletion freed. The driver takes one step of a statement without columns: a page."""
    for _ in range(connection.execute("PRAGMA freelist_count").fetchone()[0]):
        connection.execute("PRAGMA incremental_vacuum")


def _verified(chain: Chain, records: SqlRecords, pruned: Mark, last: int) -> Mark:
    """Return the mark of the record `last`; SealBroken when the chain does not hold up to it."""
    before = pruned
    while before.sequence < last:
        for entry in records.after(before.sequence, min(BATCH, last - before.sequence)):
            if not chain.follows(entry, before):
                place = before.sequence + 1
                raise SealBroken(
                    f"nothing is pruned: the chain of records breaks at {place}; run: strongroom logs verify"
                )
            before = Mark(entry.sequence, entry.link)
    return before


def _pages(notes: LastNotes, last: int) -> Iterator[list[Note]]:
    """Return the notes to keep of the records up to a number."""
    page: list[Note] = []
    for note in notes.of_records(last):
        page.append(note)
        if len(page) == NOTES_OF_A_RECORD:
            yield page
            page = []
    if page:
        yield page


def _carrying(notes: list[Note], now: datetime) -> Record:
    record = local_record("Strongroom.Records/carry", now=now, properties={"rows": len(notes)}, actor="server")
    return Record(record.record_id, record.began, record.body, None, encode_notes(notes))
