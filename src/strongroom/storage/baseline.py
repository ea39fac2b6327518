"""The first notes of data that is older than notes are: every row as it is found, in records of the upgrade."""

import sqlite3
from collections.abc import Iterator
from datetime import datetime

import structlog

from strongroom.audit.local import local_record
from strongroom.storage.keyring import KEYS
from strongroom.storage.notes import Note, Shape, encode_notes, note_of
from strongroom.storage.objects import OBJECTS, VERSIONS
from strongroom.storage.outbox import put_in_outbox
from strongroom.storage.rows import RowSeal
from strongroom.storage.tables import DOCUMENTS

NOTED: tuple[Shape, ...] = (
    KEYS,
    *(kind.shape for kind in DOCUMENTS),
    OBJECTS,
    VERSIONS,
)
"""Every table whose rows are noted."""

ROWS_OF_A_RECORD = 1000

log = structlog.get_logger(__name__)


def select_of(shape: Shape) -> str:
    """Return the statement that reads every row of a table, in the order of its shape."""
    return f"SELECT {', '.join(shape.columns)} FROM {shape.table}"  # noqa: S608 - names of our own


def note_what_is_there(connection: sqlite3.Connection, seal: RowSeal, now: datetime) -> None:
    """Put records into the outbox that note every row as it is, inside a transaction of `connection`."""
    count = 0
    for notes in _pages(connection):
        count += len(notes)
        record = local_record("Strongroom.Records/begin", now=now, properties={"rows": len(notes)}, actor="server")
        put_in_outbox(connection, record, encode_notes(notes), seal)
        log.info("noting the data as it is", rows=count)


def _pages(connection: sqlite3.Connection) -> Iterator[list[Note]]:
    for shape in NOTED:
        rows = connection.execute(select_of(shape))
        while page := rows.fetchmany(ROWS_OF_A_RECORD):
            yield [note_of(shape, row) for row in page]
