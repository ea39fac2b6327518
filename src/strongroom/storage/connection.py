"""Connections to the two SQLite files, and the lock that lets one writer in at a time."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

from strongroom.errors import StorageUnavailable

MAIN_FILE = "strongroom.db"
AUDIT_FILE = "audit.db"
UNAVAILABLE = "The storage is not available now; nothing was changed. Try again; its operator's log has the reason."

log = structlog.get_logger(__name__)


def unavailable(error: Exception) -> StorageUnavailable:
    """Return what a client is told of a failing disk; the reason goes to the operator's log."""
    log.error("the storage failed", reason=str(error), kind=type(error).__name__)
    return StorageUnavailable(UNAVAILABLE)


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection in autocommit; every commit is on the disk when it returns.

    SQLite's own waiting is for readers that meet a checkpoint; writers wait on `WriteLock`, which wakes them at once.
    """
    connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False, cached_statements=256)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


class WriteLock:
    """A lock file beside a database: one writer at a time, of all processes and threads that opened it."""

    def __init__(self, database: Path) -> None:
        self._handle = os.open(f"{database}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock; wait for it as long as it takes."""
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._handle, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the lock file back."""
        os.close(self._handle)


class Reader:
    """A connection whose failures are told as StorageUnavailable."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = connect(path)

    def rows(self, statement: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
        """Return the rows of a statement; StorageUnavailable when the file cannot be read."""
        try:
            if self._connection is None:
                self._connection = connect(self._path)
            return self._connection.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            self.close()
            raise unavailable(error) from error

    def run(self, statement: str, parameters: tuple[Any, ...] = ()) -> int:
        """Refuse: what reads does not write."""
        raise TypeError("this connection only reads")

    def close(self) -> None:
        """Close the connection; the next statement opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Writer:
    """The connection inside a transaction. Its failures stay SQLite's own: the transaction's owner tells them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, statement: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
        """Return the rows of a statement."""
        return self._connection.execute(statement, parameters).fetchall()

    def run(self, statement: str, parameters: tuple[Any, ...] = ()) -> int:
        """Run a statement and return how many rows it touched."""
        return self._connection.execute(statement, parameters).rowcount
