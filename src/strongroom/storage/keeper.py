"""Puts records into the log: those first that a failure or a crash left in the outbox or in a journal."""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import structlog

from strongroom.audit.event import Record
from strongroom.audit.log import Link
from strongroom.custody.sealing import SealBroken
from strongroom.errors import StorageUnavailable
from strongroom.meters import CommitMeter
from strongroom.storage.commit import GroupCommit, Outcome, undone
from strongroom.storage.connection import MAIN_FILE, Writer
from strongroom.storage.journal import FOLDER, held_orphan, journals_in, remove
from strongroom.storage.outbox import Late
from strongroom.storage.records import BEFORE_ALL, SqlRecords
from strongroom.storage.recordwriter import RecordWriter, Taken
from strongroom.storage.rows import RowSeal

CARRY_BATCH = 1000
FAILURES = (sqlite3.Error, OSError, StorageUnavailable)

log = structlog.get_logger(__name__)


class Keeper:
    """Makes records durable; used by one thread at a time. seal: of rows, without which none leaves the outbox."""

    def __init__(self, data_dir: Path, link: Link, seal: RowSeal) -> None:
        self._data_dir = data_dir
        self._writer = RecordWriter(data_dir, link, seal)
        self._main = Writer(data_dir / MAIN_FILE)
        self._outbox = SqlRecords(data_dir, seal)
        self._told = False

    def keep(self, batch: Sequence[Record | None], *, behind: bool) -> None:
        """Make a batch durable, all of it or none; None only asks whether that can be done. One of FAILURES otherwise.

        behind: the outbox may hold records that the log has not got: they go first.
        """
        if behind:
            self.carry()
        self._writer.append(batch)

    def take(self, reached: Mapping[str, int], *, probe: bool) -> Taken:
        """Take what journals hold up to a frame of each into the log. One of FAILURES.

        probe: whether to try to write even where there is nothing.
        """
        journals: dict[Path, int | None] = {self._data_dir / FOLDER / name: frame for name, frame in reached.items()}
        return self._take_apart(journals, probe=probe)

    def carry(self) -> int:
        """Carry what orphaned journals and the outbox hold into the log; return how many records. One of FAILURES.

        What is not as it was written stays, as evidence: it would be linked as if it were ours.
        """
        count = sum([self._adopt_if_possible(path) for path in journals_in(self._data_dir)])
        position, more = BEFORE_ALL, True
        while more:  # what others put there meanwhile they carry themselves
            page = self._outbox.outbox(position, CARRY_BATCH)
            more = len(page) == CARRY_BATCH
            if page:
                position = page[-1].change
                count += self._carry_page(page)
        return count

    def has_journal(self, name: str) -> bool:
        """Answer whether a journal is there."""
        return (self._data_dir / FOLDER / name).exists()

    def _adopt_if_possible(self, path: Path) -> int:
        try:
            return self._adopt(path)
        except OSError as error:  # it stays where it is, and keeps nobody from recording
            log.warning("a journal cannot be taken into the log yet", journal=path.name, reason=str(error))
            return 0

    def _adopt(self, path: Path) -> int:
        with held_orphan(path) as is_held:
            if not is_held:
                return 0
            count, broken = self._take_apart({path: None})
            if broken:
                log.warning("a journal is kept as damaged; run: strongroom doctor", journal=path.name)
            remove(path, damaged=bool(broken))
        return count

    def _take_apart(self, journals: Mapping[Path, int | None], *, probe: bool = False) -> Taken:
        """Take what journals hold; what cannot be linked breaks its own journal alone, and no other.

        It would be found again and again, and nothing could be recorded any more.
        """
        try:
            return self._writer.take(journals, probe=probe)
        except FAILURES:
            raise
        except Exception:  # whatever a record of ours cannot be linked for: FAILURES, of the disk, are raised above
            if len(journals) > 1:
                parts = [self._take_apart({path: until}, probe=probe) for path, until in journals.items()]
                return Taken(sum(part.records for part in parts), frozenset().union(*(part.broken for part in parts)))
            log.exception("a journal cannot be taken into the log", journals=[path.name for path in journals])
            return Taken(0, frozenset(path.name for path in journals))

    def _carry_page(self, page: Sequence[Late]) -> int:
        genuine = [late.record for late in page if late.record is not None]
        if len(genuine) < len(page):
            self._alarm(next(late.change for late in page if late.record is None))
        if genuine:
            self._writer.append(genuine)
            with self._main.transaction() as connection:
                forget(connection, [record.record_id for record in genuine])
        return len(genuine)

    def _alarm(self, change: int) -> None:
        if not self._told:
            reason = f"row {change} of outbox is not as it was written: it is not carried into the log"
            log.error("alarm", error=SealBroken.__name__, reason=f"{reason}; run: strongroom doctor")
            self._told = True

    def carry_if_possible(self) -> bool:
        """Carry what waits; answer whether that was possible: what is left is carried later."""
        try:
            self.carry()
        except FAILURES as error:
            log.warning("what waits could not be carried into the log yet", reason=str(error))
            return False
        return True

    def close(self) -> None:
        """Close the files."""
        for part in (self._writer, self._main, self._outbox):
            part.close()


def forget(connection: sqlite3.Connection, carried: Sequence[bytes]) -> None:
    """Take out of the outbox what is in the log."""
    connection.executemany("DELETE FROM outbox WHERE id = ?", [(record_id,) for record_id in carried])


class Recording(Protocol):
    """The way of records into the log. behind: the outbox may hold records that the log has not got."""

    behind: bool

    def submit(self, record: Record | None, /) -> "asyncio.Future[None]":
        """Return a future that ends when the record is durable; StorageUnavailable where it cannot be.

        None only asks whether one could be.
        """

    def close(self) -> None:
        """End; what was not answered may or may not be durable."""


class OwnRecording:
    """Implements `Recording` on a thread of this process: for commands, which live for a moment."""

    def __init__(self, keeper: Keeper, *, behind: bool, meter: CommitMeter) -> None:
        self.behind = behind
        self._keeper = keeper
        self._batches = GroupCommit[Record | None]("records", self._keep, meter)
        self.submit = self._batches.submit
        self.close = self._batches.close

    def _keep(self, batch: Sequence[Record | None]) -> list[Outcome]:
        behind, self.behind = self.behind, False
        try:
            self._keeper.keep(batch, behind=behind)
        except FAILURES as error:
            self.behind = True
            return undone(batch, error)
        return [Outcome()] * len(batch)
