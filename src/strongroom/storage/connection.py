"""Connections to the two SQLite files, and the lock that lets one writer in at a time."""

import fcntl
import mmap
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from strongroom.storage.failures import unavailable

MAIN_FILE = "strongroom.db"
AUDIT_FILE = "audit.db"
PROBE = "UPDATE alembic_version SET version_num = version_num"
"""A write that changes nothing: whether a file can be written."""

INDEX_HEAD = 48
"""Bytes at the start of a WAL's index that change with every commit."""

FOREIGN = "SELECT name FROM sqlite_schema WHERE type IN ('trigger', 'view')"

READER_PATIENCE = 2.0
WRITER_PATIENCE = 10.0
"""Seconds that a connection waits for a foreign program that locked the file; a reader keeps every request waiting."""

SETTINGS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA cache_size = -16000",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA secure_delete = ON",  # what was purged does not stay in free pages
)


def connect(path: Path, patience: float) -> sqlite3.Connection:
    """Return a connection to a file that exists, in autocommit; every commit is on the disk when it returns.

    patience: for how many seconds SQLite itself waits for a lock, in its sleeps. That is for a recovery, and for
    programs that are not ours: our writers wait on `WriteLock`, which wakes them at once.
    """
    address = f"{path.resolve().as_uri()}?mode=rw"
    connection = sqlite3.connect(
        address, uri=True, timeout=patience, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    if path.name == AUDIT_FILE:  # who reads records tells what was done to them: text that is none ends no reading
        connection.text_factory = lenient
    try:
        for setting in SETTINGS:
            connection.execute(setting)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def lenient(text: bytes) -> str:
    """Return text as it stands: what is none was written by others."""
    return text.decode("utf-8", "replace")


def require_plain(connection: sqlite3.Connection, path: Path) -> None:
    """Raise sqlite3.DatabaseError where a file has triggers or views: none are ours, and they would act in it."""
    found = connection.execute(FOREIGN).fetchall()
    if found:
        names = ", ".join(str(name) for (name,) in found[:5])
        raise sqlite3.DatabaseError(f"{path.name} was tampered with: it has triggers or views ({names})")


class WriteLock:
    """A lock file beside a database: one writer at a time, of all processes that opened it.

    Each thread that writes has its own: one opened file holds a lock once, whichever thread asks.
    """

    def __init__(self, database: Path) -> None:
        self._handle = os.open(f"{database}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._is_held = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock; wait for it as long as it takes. Who holds it already goes on holding it."""
        if self._is_held:
            yield
            return
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
            fcntl.flock(self._handle, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the lock file back."""
        os.close(self._handle)


_mapped: dict[int, mmap.mmap] = {}
"""Indexes that this process has mapped, by open file. To close a file gives up every lock of the process on it, those
of SQLite's connections among them: other processes would take the index for abandoned. Hence one is closed only once
SQLite has removed it, with the last connection of all processes."""


def _map(index: Path) -> mmap.mmap:
    """Map the head of a WAL's index, or return it as it is mapped already."""
    place = index.stat()
    for handle, mapped in tuple(_mapped.items()):
        status = os.fstat(handle)
        if (status.st_dev, status.st_ino) == (place.st_dev, place.st_ino):
            return mapped
        if status.st_nlink == 0:
            del _mapped[handle]  # a reader that still holds it is the last to let it go
            os.close(handle)
    handle = os.open(index, os.O_RDONLY | os.O_CLOEXEC)
    _mapped[handle] = mmap.mmap(handle, INDEX_HEAD, prot=mmap.PROT_READ)
    return _mapped[handle]


class Place:
    """The file that is meant by a path: the one that was there first, for as long as this process lives.

    Another one in its place is never opened: SQLite would take the log beside it for its own and play it into it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._first: tuple[int, int] | None = None

    def require(self) -> None:
        """Raise OSError unless the file is in its place: what is written elsewhere would be lost."""
        status = self._path.stat()
        found = (status.st_dev, status.st_ino)
        if status.st_size == 0:
            raise OSError(f"{self._path.name} is empty")
        if found != (self._first or found):
            raise OSError(f"{self._path.name} was replaced while it was in use")
        self._first = found


class Reader:
    """A connection that only reads, opened when first asked. Its failures are told as StorageUnavailable."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = Place(path)
        self._connection: sqlite3.Connection | None = None
        self._index: mmap.mmap | None = None
        self._seen = b""

    def has_changed(self) -> bool:
        """Answer whether another connection has committed anything since this was last asked, or may have.

        It compares the head of the WAL's index, which every commit rewrites when it becomes visible and from which
        SQLite itself tells what a reader sees; `PRAGMA data_version` says the same fifty times as slowly.
        Source: SQLite, "WAL-mode File Format", section 2.2.
        """
        index = self._index
        if index is None:
            index = self._map_index()
        head = index[:INDEX_HEAD]
        if head == self._seen:
            return False
        self._seen = head
        return True

    def rows(self, statement: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
        """Return the rows of a statement; StorageUnavailable when the file cannot be read."""
        try:
            connection = self._connection or self._open()
            return connection.execute(statement, parameters).fetchall()
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise unavailable(error) from error

    def run(self, statement: str, parameters: tuple[Any, ...] = ()) -> int:
        """Refuse: what reads does not write."""
        del statement, parameters
        raise TypeError("this connection only reads")

    def close(self) -> None:
        """Close the connection; the next statement opens it again."""
        connection, self._connection = self._connection, None
        self._index, self._seen = None, b""
        if connection is not None:
            connection.close()

    def _map_index(self) -> mmap.mmap:
        """Map the WAL's index, which lives at least as long as a connection that has read is open."""
        self.rows("SELECT 1 FROM sqlite_schema")
        try:
            self._index = _map(self._path.with_name(f"{self._path.name}-shm"))
        except (OSError, ValueError) as error:
            self.close()
            raise unavailable(error) from error
        return self._index

    def _open(self) -> sqlite3.Connection:
        self._place.require()
        connection = connect(self._path, READER_PATIENCE)
        connection.execute("PRAGMA query_only = ON")
        self._connection = connection
        return connection


class Writer:
    """A connection that is opened when first asked and closed after a failure, which rolls back what it had begun.

    Its failures stay SQLite's own: the transaction's owner tells them. turn: holds the lock of the file, for who is
    to know before a transaction that it can begin.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = WriteLock(path)
        self.turn = self._lock.held
        self._place = Place(path)
        self._connection: sqlite3.Connection | None = None
        self._schema: int | None = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the lock of the file and run a transaction; what is raised inside undoes it."""
        with self._lock.held():
            try:
                self._place.require()
                if self._connection is None:
                    self._connection = connect(self._path, WRITER_PATIENCE)
                self._connection.execute("BEGIN IMMEDIATE")
                self._require_plain(self._connection)
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                self._forget()
                raise

    def _require_plain(self, connection: sqlite3.Connection) -> None:
        """Look at the schema when it is not the one that was looked at last."""
        (version,) = connection.execute("PRAGMA schema_version").fetchone()
        if version != self._schema:
            require_plain(connection, self._path)
            self._schema = version

    def rows(self, statement: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
        """Return the rows of a statement, inside a transaction."""
        return self._open.execute(statement, parameters).fetchall()

    def run(self, statement: str, parameters: tuple[Any, ...] = ()) -> int:
        """Run a statement, inside a transaction, and return how many rows it touched."""
        return self._open.execute(statement, parameters).rowcount

    def close(self) -> None:
        """Close the connection and give the lock back."""
        self._forget()
        self._lock.close()

    @property
    def _open(self) -> sqlite3.Connection:
        connection = self._connection
        if connection is None or not connection.in_transaction:
            # SQLite ends a transaction by itself when a disk is full: what is written after that would stand alone.
            raise sqlite3.OperationalError("there is no transaction to work in")
        return connection

    def _forget(self) -> None:
        connection, self._connection, self._schema = self._connection, None, None
        if connection is not None:
            connection.close()
