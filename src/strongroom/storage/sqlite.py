"""The embedded storage: two SQLite files in one data directory, shared by every process that opens it.

Reads run inline on a connection that stays open. Changes run on one writer thread, many in a transaction, each in a
savepoint, and their records commit with them in the outbox. From there, and from requests that change nothing, records
go their way into the audit file: a thread's (`keeper.py`) in a command, the recorder's (`recorder.py`) in a server.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import structlog

from strongroom.audit.event import Record
from strongroom.audit.log import Chain, Link, Mark, keyed_link
from strongroom.clock import real_now
from strongroom.custody.sealing import Custodian
from strongroom.errors import StorageUnavailable
from strongroom.meters import CommitMeter, Meters
from strongroom.storage.commit import GroupCommit, Outcome, drive, raisable, undone
from strongroom.storage.connection import AUDIT_FILE, MAIN_FILE, PROBE, Reader, Writer
from strongroom.storage.connections import SqlConnections
from strongroom.storage.failures import unavailable
from strongroom.storage.grants import SqlAssignments, SqlRoles
from strongroom.storage.identity import SqlIdentity
from strongroom.storage.keeper import Keeper, OwnRecording, Recording, forget
from strongroom.storage.keyring import SqlKeyring
from strongroom.storage.keys import SqlKeys
from strongroom.storage.locks import SqlLocks
from strongroom.storage.marks import KEYED, Anchor, get_mark
from strongroom.storage.master import find_handover
from strongroom.storage.networks import SqlNetworks
from strongroom.storage.notes import encode_notes
from strongroom.storage.outbox import put_in_outbox
from strongroom.storage.records import SqlRecords
from strongroom.storage.resources import SqlFacts, SqlResources
from strongroom.storage.rows import RowSeal
from strongroom.storage.secrets import sql_secrets
from strongroom.storage.serverkeys import server_keys
from strongroom.storage.session import Session
from strongroom.storage.vaults import SqlVaults

T = TypeVar("T")

FRESH_SECONDS = 1.0
"""For how long at most rows that decide access are remembered: who writes the file himself may set the epoch back."""

LATE_SECONDS, MANY_LATE = 0.05, 200
"""For how long, and how many, records of changes are held before they go to the log by themselves."""

log = structlog.get_logger(__name__)


def open_keeper(data_dir: Path, custodian: Custodian) -> Keeper:
    """Return what keeps the records of a data directory; raises as `SqliteStorage.open` does."""
    try:
        keys = server_keys(data_dir, custodian, real_now())
        link = keyed_link(custodian.authenticator(keys.records))
        return Keeper(data_dir, link, RowSeal(custodian.authenticator(keys.rows)))
    except (sqlite3.Error, OSError) as error:
        raise unavailable(error) from error


class SqlStores:
    """Every store, through one session. Implements `planes.stores.Stores`.

    records: the log, to be looked through; None where a change runs, since another thread reads it.
    """

    def __init__(self, session: Session, records: SqlRecords | None = None) -> None:
        self._records = records
        self.unchanged = session.unchanged
        self.assignments = SqlAssignments(session)
        self.roles = SqlRoles(session)
        self.locks = SqlLocks(session)
        self.networks = SqlNetworks(session)
        self.connections = SqlConnections(session)
        self.facts = SqlFacts(session)
        self.identity = SqlIdentity(session)
        self.keyring = SqlKeyring(session)
        self.keys = SqlKeys(session)
        self.resources = SqlResources(session)
        self.secrets = sql_secrets(session)
        self.vaults = SqlVaults(session)

    @property
    def records(self) -> SqlRecords:
        """Return the log to look through; TypeError inside a change."""
        if self._records is None:
            raise TypeError("records are not read inside a change")
        return self._records


Work = Callable[[SqlStores], Awaitable[tuple[Any, *tuple[Record, ...]]]]


class SqliteStorage:
    """Implements `planes.stores.Storage`. Open it after a fork, never before; close it in the end.

    records: the log, to be read. All is used from one event loop, the first and the last call perhaps from outside.
    """

    def __init__(
        self,
        data_dir: Path,
        seal: RowSeal,
        link: Link,
        meters: Meters,
        recording: Callable[[RowSeal], Recording] | None = None,
    ) -> None:
        self._seal = seal
        self._link = link
        self._reader = Reader(data_dir / MAIN_FILE)
        self._cache: dict[Any, Any] = {}
        self._session = Session(self._reader, seal, self._cache)
        self.records = SqlRecords(data_dir, seal)
        self._stores = SqlStores(self._session, self.records)
        self._epoch: int | None = None
        self._stale_at = 0.0
        self._writer = Writer(data_dir / MAIN_FILE)
        self._anchor = Anchor(data_dir / AUDIT_FILE, seal)
        self._keeper = Keeper(data_dir, link, seal)
        self._carried: deque[bytes] = deque()
        self._late: list[Record] = []  # of changes, on their way to the log when others go or their time has come
        self._leaving: asyncio.TimerHandle | None = None
        _require_known(self.records)
        behind = not self._keeper.carry_if_possible()
        made, own = CommitMeter(meters, "changes"), CommitMeter(meters, "records")
        self._changes = GroupCommit[Work | None]("changes", self._commit, made, self._writer.turn)
        self._recording = recording(seal) if recording else OwnRecording(self._keeper, behind=behind, meter=own)

    @classmethod
    def open(
        cls,
        data_dir: Path,
        custodian: Custodian,
        now: datetime | None = None,
        *,
        meters: Meters | None = None,
        recording: Callable[[RowSeal], Recording] | None = None,
    ) -> "SqliteStorage":
        """Open a prepared data directory; its keyring is made when it is new, at `now` or the real time.

        recording: makes the way of records into the log; a thread of this process when None, which keeps them itself.
        Records that a crash left behind are carried on. MasterKeyWrong when the keyring is under another master key,
        SealBroken when it is gone, StorageUnavailable when the files cannot be opened.
        """
        custodian.follow(partial(find_handover, data_dir / MAIN_FILE))
        try:
            keys = server_keys(data_dir, custodian, now or real_now())
            seal = RowSeal(custodian.authenticator(keys.rows))
            link = keyed_link(custodian.authenticator(keys.records))
            return cls(data_dir, seal, link, meters or Meters({}), recording)
        except (sqlite3.Error, OSError) as error:
            raise unavailable(error) from error

    def close(self) -> None:
        """Finish what is under way, carry the outbox on, and close every file."""
        if self._leaving is not None:
            self._leaving.cancel()  # what is held goes with the outbox
        self._changes.close()
        self._recording.close()
        self._keeper.carry_if_possible()
        self._anchor_last()
        for part in (self._reader, self._writer, self._keeper, self._anchor, self.records):
            part.close()

    def _anchor_last(self) -> None:
        """Mark the newest record, unless that cannot be now."""
        try:
            with self._writer.transaction():
                self._anchor.advance(self._writer)
        except (sqlite3.Error, OSError) as error:
            log.warning("the newest record could not be marked", reason=str(error))

    def read(self) -> SqlStores:
        """Return stores to read from; what was remembered before the last change of the epoch is forgotten."""
        if self._reader.has_changed() or time.monotonic() >= self._stale_at:
            self._look_anew()
        return self._stores

    async def change(self, work: Callable[[SqlStores], Awaitable[tuple[T, *tuple[Record, ...]]]]) -> T:
        """Run `work` in a transaction that commits with its records; what it raises rolls it back."""
        committed = self._changes.submit(work)
        committed.add_done_callback(self._hold)
        result: T
        result, *_ = await asyncio.shield(committed)  # a caller that gives up does not keep the record from its log
        return result

    def record(self, record: Record) -> "asyncio.Future[None]":
        """Make a record durable; those of changes that were answered before go first."""
        if self._late:
            self._hand_on()
        return self._recording.submit(record)

    def chain(self) -> Chain:
        """Return how the records are linked; SealBroken when the mark that says so was edited."""
        return Chain(self._link, self.mark(KEYED).sequence)

    def mark(self, name: str) -> Mark:
        """Return a mark in the chain (`storage/marks.py`); SealBroken when it was edited or is gone."""
        return get_mark(self._reader, self._seal, name)

    async def anchor(self) -> None:
        """Mark the newest record; StorageUnavailable when that cannot be done."""
        await self._changes.submit(None)

    async def is_writable(self) -> bool:
        """Answer whether changes and records can be made durable now."""
        try:
            await asyncio.gather(self._changes.submit(None), self._recording.submit(None))
        except StorageUnavailable:
            return False
        return True

    def _look_anew(self) -> None:
        """Forget what may not be so any more. Nothing is believed for long on the word of a number in the file."""
        now = time.monotonic()
        if now >= self._stale_at:
            self._cache.clear()
            self._stale_at = now + FRESH_SECONDS
        self._session.unchanged.forget()
        rows = self._reader.rows("SELECT value FROM epoch")
        epoch = rows[0][0] if rows else None
        if epoch != self._epoch or epoch is None:
            self._cache.clear()
        self._epoch = epoch

    def _hold(self, committed: "asyncio.Future[Any]") -> None:
        """Hold the records of a committed change for a moment: they are durable, and go cheaper with others."""
        if committed.cancelled() or committed.exception() is not None:
            return
        _, *records = committed.result()
        self._late += records
        if len(self._late) >= MANY_LATE:
            self._hand_on()
        elif self._leaving is None:
            self._leaving = asyncio.get_running_loop().call_later(LATE_SECONDS, self._hand_on)

    def _hand_on(self) -> None:
        """Hand the records of changes on to the log; should that fail, they are still in the outbox."""
        late, self._late = self._late, []
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        for record in late:
            try:
                handed = self._recording.submit(record)
            except StorageUnavailable:  # closing: the outbox is carried on then
                return
            handed.add_done_callback(partial(self._note_carried, record))

    def _note_carried(self, record: Record, handed: "asyncio.Future[Any]") -> None:
        if handed.exception() is None:
            self._carried.append(record.record_id)
        else:
            self._recording.behind = True

    def _commit(self, batch: Sequence[Work | None]) -> list[Outcome]:
        """Commit a batch of changes; None only asks whether that can be done. Runs on the changes thread."""
        carried = [self._carried.popleft() for _ in range(len(self._carried))]
        try:
            with self._writer.transaction() as connection:
                forget(connection, carried)
                return self._run(connection, batch)
        except BaseException as error:
            self._carried.extend(carried)  # to leave another time; should they have left, that is no harm
            if isinstance(error, (sqlite3.Error, OSError)):
                return undone(batch, error)
            raise

    def _run(self, connection: sqlite3.Connection, batch: Sequence[Work | None]) -> list[Outcome]:
        session = Session(self._writer, self._seal, {}, transaction=True)
        stores = SqlStores(session)
        outcomes = [_run_unit(connection, session, stores, work, self._seal) for work in batch]
        if session.touched:
            connection.execute("UPDATE epoch SET value = value + 1")
        self._anchor.advance(self._writer)
        return outcomes


def _require_known(records: SqlRecords) -> None:
    """Tell an alarm where the records know of changes that the data do not; nothing where they cannot be read."""
    try:
        change = records.unknown_change()
    except StorageUnavailable:
        return
    if change is not None:
        log.error("alarm", error="OlderData", reason=f"the data are older than their records: change {change} and any "
                  "later are in the records and not in the data; run: strongroom doctor")  # fmt: skip


def _run_unit(
    connection: sqlite3.Connection, session: Session, stores: SqlStores, work: Work | None, seal: RowSeal
) -> Outcome:
    """Run one unit in a savepoint of its own: what it raises undoes it alone."""
    if work is None:
        connection.execute(PROBE)
        return Outcome()
    connection.execute("SAVEPOINT unit")
    session.notes.clear()
    try:
        result, record, *further = drive(work(stores))
        kept = [put_in_outbox(connection, record, encode_notes(session.notes), seal)]
        kept += [put_in_outbox(connection, each, encode_notes(()), seal) for each in further]
        outcome = Outcome((result, *kept))
    except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the one who asked for the change
        # On a full disk SQLite may have ended the whole transaction: then this raises, and the whole batch is undone.
        connection.execute("ROLLBACK TO unit")
        session.cache.clear()  # what was read of what is undone
        outcome = Outcome(error=unavailable(error) if isinstance(error, sqlite3.Error) else raisable(error))
    connection.execute("RELEASE unit")
    return outcome
