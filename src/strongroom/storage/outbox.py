"""The outbox: records of changes, kept with the change itself until the chain has them.

Each has the number of its change. That and its body are authenticated, so that none that was put in is carried on.
"""

import sqlite3
from typing import Any, NamedTuple

from strongroom.audit.event import Record
from strongroom.custody.sealing import SealBroken
from strongroom.storage.packing import record_of
from strongroom.storage.rows import Column, RowSeal

OUTBOX = "outbox"
LATE_COLUMNS = ("id", "time", "body", "change", "rows", "mac")
SELECT_OUTBOX = f"SELECT {', '.join(LATE_COLUMNS)} FROM outbox"  # noqa: S608 - the names above
INSERT_OUTBOX = "INSERT INTO outbox (id, time, body, change, rows, mac) VALUES (?, ?, ?, ?, ?, ?)"
FREE_CHANGE = (
    "SELECT 1 + MAX((SELECT COALESCE(MAX(CAST(seq AS INTEGER)), 0) FROM sqlite_sequence WHERE name = 'outbox'),"
    " (SELECT COALESCE(MAX(change), 0) FROM outbox))"
)
LAST_CHANGE = "SELECT COALESCE(MIN(CAST(seq AS INTEGER)), 0) FROM sqlite_sequence WHERE name = 'outbox'"
"""The number that the newest change has, 0 for none, whether its record is still here or not."""


class Late(NamedTuple):
    """A row of the outbox. record: None where the row is not as it was written."""

    change: int
    record: Record | None


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


def read_late(seal: RowSeal, row: tuple[Any, ...]) -> Late:
    """Return a row of the outbox, its LATE_COLUMNS, whether it is as it was written or not."""
    change = row[LATE_COLUMNS.index("change")]
    try:
        return Late(change, open_late(seal, row))
    except SealBroken:
        return Late(change, None)


def _late_columns(record: Record) -> tuple[Column, ...]:
    """Return what is authenticated of a record in the outbox beside its body and its notes, and where they part."""
    return record.record_id.hex(), record.began, record.change, len(record.body)
