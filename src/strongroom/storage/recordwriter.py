"""Writes the audit file: records enter one keyed chain in batches, those that journals hold among them.

Sequence and link are given when a record enters, under the file's lock. Records that enter together share a row
(`packing`). One of a change that is there already is left as it is: outbox and journal may both bring it.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import structlog

from strongroom.audit.event import Record
from strongroom.audit.log import FIRST_LINK, Link
from strongroom.custody.sealing import SealBroken
from strongroom.storage.connection import AUDIT_FILE, PROBE, Writer
from strongroom.storage.journal import START, Page, read_journal
from strongroom.storage.packing import INSERT, rows_of
from strongroom.storage.positions import get_position, put_position
from strongroom.storage.records import GREATEST, HAS, LAST
from strongroom.storage.rows import RowSeal

log = structlog.get_logger(__name__)


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
