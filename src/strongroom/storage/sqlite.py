"""The embedded storage: two SQLite files in one data directory, shared by every process that opens it.

Reads run inline on a connection that stays open. Changes run on one writer thread, many in a transaction, each in a
savepoint, and their records commit with them in the outbox; a second thread writes records into the audit file.
"""

import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from strongroom.audit.event import Record
from strongroom.clock import real_now
from strongroom.custody.sealing import Custodian, MasterKeyWrong
from strongroom.custody.store import DataKey, Purpose
from strongroom.planes.stores import Stores
from strongroom.storage.commit import GroupCommit, Outcome, drive
from strongroom.storage.connection import AUDIT_FILE, MAIN_FILE, Reader, WriteLock, Writer, connect, unavailable
from strongroom.storage.identity import SqlIdentity
from strongroom.storage.keyring import SqlKeyring
from strongroom.storage.records import RecordWriter, SqlRecords, microseconds
from strongroom.storage.resources import SqlFacts, SqlResources
from strongroom.storage.rows import RowSeal
from strongroom.storage.secrets import SqlSecrets
from strongroom.storage.session import Session
from strongroom.storage.vaults import SqlAssignments, SqlVaults

T = TypeVar("T")
Work = Callable[[Stores], Awaitable[tuple[Any, Record]]]

SERVER_KEYS = (Purpose.ROWS, Purpose.SERVER, Purpose.CLIENT_SECRETS, Purpose.PAGING)
CARRY_BATCH = 1000


class SqlStores:
    """Every store, through one session. Implements `planes.stores.Stores`."""

    def __init__(self, session: Session) -> None:
        self.assignments = SqlAssignments(session)
        self.facts = SqlFacts(session)
        self.identity = SqlIdentity(session)
        self.keyring = SqlKeyring(session)
        self.resources = SqlResources(session)
        self.secrets = SqlSecrets(session)
        self.vaults = SqlVaults(session)


class SqliteStorage:
    """Implements `planes.stores.Storage`. Open it after a fork, never before; close it in the end."""

    def __init__(self, data_dir: Path, seal: RowSeal) -> None:
        self._seal = seal
        self._main_path = data_dir / MAIN_FILE
        self._reader = Reader(self._main_path)
        self._cache: dict[Any, Any] = {}
        self._stores = SqlStores(Session(self._reader, seal, self._cache))
        self._data_version = -1
        self._epoch = -1
        self._lock = WriteLock(self._main_path)
        self._writing: sqlite3.Connection | None = None
        self._carried: deque[bytes] = deque()
        self._record_writer = RecordWriter(data_dir)
        self._changes = GroupCommit[Work]("changes", self._commit)
        self._records = GroupCommit[Record]("records", self._record_writer.commit)
        self.records = SqlRecords(Reader(data_dir / AUDIT_FILE), self._reader)

    @classmethod
    def open(cls, data_dir: Path, custodian: Custodian) -> "SqliteStorage":
        """Open a prepared data directory; its keyring is made when there is none yet.

        MasterKeyWrong when the keyring is under another master key. Records that a crash left behind are carried on.
        """
        seal = RowSeal(custodian.authenticator(_row_key(data_dir / MAIN_FILE, custodian)))
        storage = cls(data_dir, seal)
        storage.carry_outbox()
        return storage

    def close(self) -> None:
        """Finish what is under way, carry the outbox on, and close every file."""
        self._changes.close()
        self._records.close()
        self.carry_outbox()
        self._forget_writer()
        self._reader.close()
        self._record_writer.close()
        self._lock.close()

    def read(self) -> SqlStores:
        """Return stores to read from; what was remembered before the last change of the epoch is forgotten."""
        version = self._reader.rows("PRAGMA data_version")[0][0]
        if version != self._data_version:
            epoch = self._reader.rows("SELECT value FROM epoch")[0][0]
            if epoch != self._epoch:
                self._cache.clear()
            self._data_version, self._epoch = version, epoch
        return self._stores

    async def change(self, work: Callable[[Stores], Awaitable[tuple[T, Record]]]) -> T:
        """Run `work` in a transaction that commits with its record; what it raises rolls it back."""
        result, record = await self._changes.submit(work)
        self._records.submit(record).add_done_callback(lambda done: self._note_carried(record, done.exception()))
        returned: T = result
        return returned

    async def record(self, record: Record) -> None:
        """Make a record durable."""
        await self._records.submit(record)

    async def is_writable(self) -> bool:
        """Answer whether a transaction can be committed now."""
        try:
            with self._lock.held():
                connection = connect(self._main_path)
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("UPDATE epoch SET value = value")
                connection.execute("COMMIT")
                connection.close()
        except (sqlite3.Error, OSError):
            return False
        return True

    def carry_outbox(self) -> None:
        """Carry every record in the outbox into the audit file; what cannot be carried now stays for the next time."""
        while pending := self.records.pending()[:CARRY_BATCH]:
            if any(outcome.error for outcome in self._record_writer.commit(pending)):
                return
        self._commit([])

    def _note_carried(self, record: Record, error: BaseException | None) -> None:
        if error is None:
            self._carried.append(record.record_id)

    def _commit(self, batch: Sequence[Work]) -> list[Outcome]:
        """Commit a batch of changes; runs on the writer thread."""
        try:
            with self._lock.held():
                return self._transact(batch)
        except (sqlite3.Error, OSError) as error:
            self._forget_writer()
            return [Outcome(error=unavailable(error))] * len(batch)

    def _transact(self, batch: Sequence[Work]) -> list[Outcome]:
        if self._writing is None:
            self._writing = connect(self._main_path)
        connection = self._writing
        session = Session(Writer(connection), self._seal, None)
        connection.execute("BEGIN IMMEDIATE")
        carried = [self._carried.popleft() for _ in range(len(self._carried))]
        connection.executemany("DELETE FROM outbox WHERE id = ?", [(record_id,) for record_id in carried])
        outcomes = [self._run(connection, session, work) for work in batch]
        if session.touched:
            connection.execute("UPDATE epoch SET value = value + 1")
        connection.execute("COMMIT")
        return outcomes

    def _run(self, connection: sqlite3.Connection, session: Session, work: Work) -> Outcome:
        """Run one unit in a savepoint of its own; a failure of the disk ends the whole batch."""
        connection.execute("SAVEPOINT unit")
        try:
            result, record = drive(work(SqlStores(session)))
            row = (record.record_id, microseconds(record.time), record.body)
            connection.execute("INSERT INTO outbox (id, time, body) VALUES (?, ?, ?)", row)
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to the one who asked for the change
            connection.execute("ROLLBACK TO unit")
            connection.execute("RELEASE unit")
            return Outcome(error=error)
        connection.execute("RELEASE unit")
        return Outcome((result, record))

    def _forget_writer(self) -> None:
        """Close the writing connection, which rolls back what it had begun; the next batch opens another."""
        if self._writing is not None:
            self._writing.close()
            self._writing = None


def _row_key(main: Path, custodian: Custodian) -> DataKey:
    """Return the key that authenticates rows; a keyring that has none is a new one, and its keys are made."""
    lock = WriteLock(main)
    connection = connect(main)
    try:
        with lock.held():
            connection.execute("BEGIN IMMEDIATE")
            keyring = SqlKeyring(Session(Writer(connection), RowSeal(lambda _: b""), None))
            key: DataKey = drive(_find_or_make(keyring, custodian))
            connection.execute("COMMIT")
        return key
    except sqlite3.Error as error:
        raise unavailable(error) from error
    finally:
        connection.close()
        lock.close()


async def _find_or_make(keyring: SqlKeyring, custodian: Custodian) -> DataKey:
    keys = await keyring.list_all()
    if not keys:
        for purpose in SERVER_KEYS:
            await keyring.add(custodian.new_key(purpose, "", 1, real_now()))
    found = await keyring.newest(Purpose.ROWS)
    if found is None:
        raise MasterKeyWrong("the keyring has no key for its rows")
    return found
