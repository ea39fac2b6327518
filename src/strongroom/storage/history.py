"""Whether every row is as the last record that wrote it noted it: none set back, taken away or put in behind our back.

The chain of records must be verified first (`strongroom logs verify`): notes are believed here. All is read from one
moment of the data, while the server runs or not; what is remembered lies in a scratch file, so that memory does not
grow with the data.
"""

import heapq
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from strongroom.custody.sealing import SealBroken
from strongroom.storage.archive import Progress
from strongroom.storage.baseline import NOTED, select_of
from strongroom.storage.connection import AUDIT_FILE, MAIN_FILE, READER_PATIENCE, connect
from strongroom.storage.keyring import KEYS
from strongroom.storage.notes import Note, Shape, decode_notes, digest_of
from strongroom.storage.outbox import LAST_CHANGE, SELECT_OUTBOX, open_late
from strongroom.storage.records import NEXT_CHANGE
from strongroom.storage.rows import RowSeal
from strongroom.storage.serverkeys import SERVER_KEYS

PROGRESS_ROWS = 10_000
LOST_LIMIT = 1000
"""How many changes in a row are told as lost, when the first is."""

END, AFTER_END = b"\0", b"\1"
FIRST_KEYS = frozenset((purpose.value, "", 1) for purpose in SERVER_KEYS)
SCRATCH = "CREATE TABLE last (key BLOB PRIMARY KEY NOT NULL, digest BLOB, change INTEGER) WITHOUT ROWID"
PUT = (
    "INSERT INTO last (key, digest, change) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET"
    " digest = excluded.digest, change = excluded.change WHERE excluded.change >= change"
)
IS_LAST = "SELECT 1 FROM last WHERE key = ? AND change = ?"
NOTING = "SELECT change, rows FROM records WHERE seq <= ? AND rows <> x'' ORDER BY seq"
TAKE = "DELETE FROM last WHERE key = ? RETURNING digest, change"
CARRIED = "SELECT rows FROM records WHERE change IS NULL AND rows <> x'' ORDER BY seq"
CHANGES = "SELECT change, rows FROM records WHERE change IS NOT NULL AND change <= ? ORDER BY change"
PENDING = f"{SELECT_OUTBOX} ORDER BY change"
TWICE = (
    "SELECT change FROM records WHERE change IS NOT NULL GROUP BY change HAVING COUNT(*) > 1 ORDER BY change LIMIT ?"
)


class Difference(StrEnum):
    """How a row differs from what is noted of it."""

    OTHER = "is not as the last change that wrote it left it: it was edited, or set back to an older state of itself"
    GONE = "was taken away: no change removed it"
    LOST = "left no record: what it did is not known"
    AHEAD = "and any later are in the records and not in the data: the data are older than their records"
    TWICE = "is in the records twice: the count of changes was set back"
    UNKNOWN = "was put in or put back: no change left it there"


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A row that is not as it is noted; or a change, by its number.

    change: the number of the change that noted it last, None where none did. Its record has the same number.
    """

    table: str
    key: tuple[str, ...]
    difference: Difference
    change: int | None


def find_discrepancies(
    main: sqlite3.Connection, audit: sqlite3.Connection, seal: RowSeal, progress: Progress
) -> Iterator[Discrepancy]:
    """Return every row that is not as the records note it, of both files as two connections hold them.

    progress: told now and again how many rows are compared. SealBroken when notes cannot be read; sqlite3.Error when a
    file cannot be.
    """
    with _scratch() as scratch:
        yield from LastNotes(main, audit, scratch, seal).compare(progress)


@contextmanager
def last_notes(data_dir: Path, seal: RowSeal) -> Iterator["LastNotes"]:
    """Give the last note of each row, as of one moment. sqlite3.Error when a file fails."""
    with ExitStack() as stack:
        main = stack.enter_context(_moment_of(data_dir / MAIN_FILE))
        audit = stack.enter_context(_moment_of(data_dir / AUDIT_FILE))
        yield LastNotes(main, audit, stack.enter_context(_scratch()), seal)


@contextmanager
def _scratch() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect("", isolation_level=None)) as scratch:
        scratch.execute(SCRATCH)
        scratch.execute("BEGIN")
        yield scratch


@contextmanager
def _moment_of(path: Path) -> Iterator[sqlite3.Connection]:
    """Hold a file as it is now. Text that is none was written by others: it is taken as it stands."""
    with closing(connect(path, READER_PATIENCE)) as connection:
        connection.text_factory = lambda text: text.decode("utf-8", "replace")
        connection.execute("PRAGMA query_only = ON")
        connection.execute("BEGIN")
        connection.execute("SELECT 1 FROM alembic_version").fetchone()  # the moment is that of the first read
        yield connection


class LastNotes:
    """The last note of each row, in a scratch file, with the rows and the records of the same moment.

    seal: of rows; records on their way that are not as they were written are not believed.
    """

    def __init__(
        self, main: sqlite3.Connection, audit: sqlite3.Connection, scratch: sqlite3.Connection, seal: RowSeal
    ) -> None:
        self._seal = seal
        self._main = main
        self._audit = audit
        self._scratch = scratch
        self._horizon = main.execute(LAST_CHANGE).fetchone()[0]
        self._lost: list[int] = []
        self._replay()

    def compare(self, progress: Progress) -> Iterator[Discrepancy]:
        """Return every row that is not as it is noted, and every change that is lost, unknown to the data, or double.

        Records that were written after the moment of the data are taken for changes that these do not know.
        """
        yield from self._changes()
        count = 0
        for shape in NOTED:
            for row in self._main.execute(select_of(shape)):
                count += 1
                if count % PROGRESS_ROWS == 0:
                    progress(count)
                difference, left_by = self._difference(shape, row)
                if difference:
                    yield Discrepancy(shape.table, tuple(map(str, row[: shape.keys])), difference, left_by)
        progress(count)
        for key, change in self._scratch.execute("SELECT key, change FROM last ORDER BY key"):
            table, *parts = key[: -len(END)].decode().split(END.decode())
            yield Discrepancy(table, tuple(parts), Difference.GONE, change)

    def of_records(self, last: int) -> Iterator[Note]:
        """Return the notes in the records up to a number that no later change overtook, each with its change."""
        for change, kept in self._audit.execute(NOTING, (last,)):
            for note in decode_notes(kept):
                key, number = _key(note.table, note.key), note.change or change
                if note.digest is not None and self._scratch.execute(IS_LAST, (key, number)).fetchone():
                    yield Note(note.table, note.key, note.digest, number)

    def _changes(self) -> Iterator[Discrepancy]:
        ahead = self._audit.execute(NEXT_CHANGE, (self._horizon,)).fetchall()
        twice = self._audit.execute(TWICE, (LOST_LIMIT,)).fetchall()
        found = ((Difference.AHEAD, ahead), (Difference.TWICE, twice), (Difference.LOST, zip(self._lost, strict=True)))
        for difference, rows in found:
            for (change,) in rows:
                yield Discrepancy("change", (str(change),), difference, change)

    def _replay(self) -> None:
        """Remember the last note of each row, in the order of the changes, which is not quite that of their records."""
        for (kept,) in self._audit.execute(CARRIED):
            for note in decode_notes(kept):
                self._take(note, note.change or 0)
        changes = heapq.merge(self._audit.execute(CHANGES, (self._horizon,)), self._pending(), key=lambda row: row[0])
        previous = None
        for change, kept in changes:
            self._lost += range(previous + 1, change)[:LOST_LIMIT] if previous is not None else ()
            previous = change
            for note in decode_notes(kept):
                self._take(note, change)

    def _pending(self) -> Iterator[tuple[Any, bytes]]:
        for row in self._main.execute(PENDING):
            with suppress(SealBroken):
                record = open_late(self._seal, row)
                yield record.change, record.rows

    def _take(self, note: Note, change: int) -> None:
        key = _key(note.table, note.key)
        if note.digest is None:
            self._scratch.execute("DELETE FROM last WHERE key >= ? AND key < ?", (key, key[: -len(END)] + AFTER_END))
        else:
            self._scratch.execute(PUT, (key, note.digest, change))

    def _difference(self, shape: Shape, row: tuple[Any, ...]) -> tuple[Difference | None, int | None]:
        found = self._scratch.execute(TAKE, (_key(shape.table, row[: shape.keys]),)).fetchall()
        if not found:
            return None if _is_first_key(shape, row) else Difference.UNKNOWN, None
        digest, change = found[0]
        return None if digest == digest_of(row) else Difference.OTHER, change


def _is_first_key(shape: Shape, row: tuple[Any, ...]) -> bool:
    """Answer whether a row is a key that was made with the data directory itself, before there was any record."""
    return shape is KEYS and row[:3] in FIRST_KEYS


def _key(table: str, key: tuple[Any, ...]) -> bytes:
    """Return the key of a row so that a part of it is where all keys begin that begin so."""
    return b"".join([str(part).encode("utf-8", "replace") + END for part in (table, *key)])
