"""How far the log has taken each journal: rows of the audit file, written with the records that were taken.

The row of a journal that was removed stays as long as records do: a copy of its file, put back, holds nothing new.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from strongroom.audit.event import Record
from strongroom.custody.sealing import SealBroken
from strongroom.storage.journal import START, Position
from strongroom.storage.rows import RowSeal

POSITIONS = "journals"
COLUMNS = ("frame", "ending", "newest", "mac")
SELECT = "SELECT frame, ending, newest, mac FROM journals WHERE name = ?"
PUT = (
    "INSERT INTO journals (name, frame, ending, newest, mac) VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET"
    " frame = excluded.frame, ending = excluded.ending, newest = excluded.newest, mac = excluded.mac"
)


def open_position(row: Sequence[Any], seal: RowSeal, name: str) -> Position:
    """Return what a row says, its COLUMNS; SealBroken when it was edited."""
    *numbers, mac = row
    if not all(isinstance(number, int) for number in numbers):
        raise SealBroken(f"the row of journal {name} is not as it was written")
    seal.require(POSITIONS, (name, *numbers), b"", mac)
    return Position(*numbers[:2])


def position_in(rows: Sequence[Sequence[Any]], seal: RowSeal, name: str) -> Position:
    """Return how far a journal was taken, by what SELECT found; SealBroken when that was edited."""
    return open_position(rows[0], seal, name) if rows else START


def get_position(connection: sqlite3.Connection, seal: RowSeal, name: str) -> Position:
    """Return how far a journal was taken; SealBroken when that was edited."""
    return position_in(connection.execute(SELECT, (name,)).fetchall(), seal, name)


def put_position(
    connection: sqlite3.Connection, seal: RowSeal, name: str, position: Position, records: Iterable[Record]
) -> None:
    """Note how far a journal was taken, with these records as the last."""
    numbers = (*position, max((record.began for record in records), default=0))
    connection.execute(PUT, (name, *numbers, seal.mac(POSITIONS, (name, *numbers), b"")))


def forget_positions(connection: sqlite3.Connection, until: int, kept: Iterable[str]) -> None:
    """Forget journals whose last record began before a time, in microseconds since 1970, but for some."""
    old = {name for (name,) in connection.execute("SELECT name FROM journals WHERE newest < ?", (until,))}
    connection.executemany("DELETE FROM journals WHERE name = ?", [(name,) for name in old - {*kept}])
