"""The audit file: records in one hash chain, written in batches, read by `strongroom logs`.

Sequence and link are given when a record enters, under the file's lock. A record that is there already is left as it
is: what the outbox carries over may come twice.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from strongroom.audit.event import Record
from strongroom.audit.log import FIRST_LINK, Entry, link_of
from strongroom.storage.commit import Outcome
from strongroom.storage.connection import AUDIT_FILE, Reader, WriteLock, connect, unavailable

MICROSECONDS = 1_000_000
INSERT = "INSERT INTO records (seq, id, time, body, link) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"


def microseconds(moment: datetime) -> int:
    """Return a time as microseconds since 1970."""
    return int(moment.timestamp() * MICROSECONDS)


class RecordWriter:
    """Appends batches of records; used by one thread at a time."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / AUDIT_FILE
        self._lock = WriteLock(self._path)
        self._connection: sqlite3.Connection | None = None

    def commit(self, batch: Sequence[Record]) -> list[Outcome]:
        """Make a batch durable; all of it or none."""
        try:
            with self._lock.held():
                self._append(batch)
        except (sqlite3.Error, OSError) as error:
            self._forget()
            return [Outcome(error=unavailable(error))] * len(batch)
        return [Outcome()] * len(batch)

    def close(self) -> None:
        """Close the file."""
        self._forget()
        self._lock.close()

    def _append(self, batch: Iterable[Record]) -> None:
        if self._connection is None:
            self._connection = connect(self._path)
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        last = connection.execute("SELECT seq, link FROM records ORDER BY seq DESC LIMIT 1").fetchone()
        sequence, link = last or (0, FIRST_LINK)
        for record in batch:
            moment = microseconds(record.time)
            following = link_of(link, record.record_id, moment, record.body)
            row = (sequence + 1, record.record_id, moment, record.body, following)
            if connection.execute(INSERT, row).rowcount == 1:
                sequence, link = sequence + 1, following
        connection.execute("COMMIT")

    def _forget(self) -> None:
        """Close the connection, which rolls back what it had begun."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class SqlRecords:
    """Reads records: those of the audit file in their order, then those of changes that are still on their way there."""

    def __init__(self, audit: Reader, main: Reader) -> None:
        self._audit = audit
        self._main = main

    def after(self, sequence: int, limit: int) -> tuple[Entry, ...]:
        """Return up to `limit` records past a sequence number, oldest first."""
        rows = self._audit.rows(
            "SELECT seq, id, time, body, link FROM records WHERE seq > ? ORDER BY seq LIMIT ?", (sequence, limit)
        )
        return tuple([_entry(row) for row in rows])

    def last_sequence(self) -> int:
        """Return the newest sequence number, 0 when there is no record."""
        rows = self._audit.rows("SELECT seq FROM records ORDER BY seq DESC LIMIT 1")
        return int(rows[0][0]) if rows else 0

    def before(self, sequence: int, limit: int) -> tuple[Entry, ...]:
        """Return up to `limit` records before a sequence number, newest first."""
        rows = self._audit.rows(
            "SELECT seq, id, time, body, link FROM records WHERE seq < ? ORDER BY seq DESC LIMIT ?", (sequence, limit)
        )
        return tuple([_entry(row) for row in rows])

    def pending(self) -> tuple[Record, ...]:
        """Return the records of committed changes that are not in the audit file yet, oldest first."""
        rows = self._main.rows("SELECT id, time, body FROM outbox ORDER BY rowid")
        fresh = [row for row in rows if not self._audit.rows("SELECT 1 FROM records WHERE id = ?", (row[0],))]
        return tuple([_record(row) for row in fresh])


def _entry(row: tuple[Any, ...]) -> Entry:
    sequence, record_id, moment, body, link = row
    return Entry(sequence, _record((record_id, moment, body)), link)


def _record(row: tuple[Any, ...]) -> Record:
    record_id, moment, body = row
    return Record(record_id, datetime.fromtimestamp(moment / MICROSECONDS, UTC), body)
