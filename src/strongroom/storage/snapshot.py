"""Both files as they were at one moment, while the server goes on: what a backup copies and a check looks at.

A read transaction of SQLite shows a file as it was when it began. Both begin while the locks of both files are held, so
that no change is in one of them and its record in neither; writers wait for that moment only.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from strongroom.errors import StorageUnavailable
from strongroom.storage.archive import End, Item, Rows, Schema, Table
from strongroom.storage.connection import AUDIT_FILE, MAIN_FILE, READER_PATIENCE, connect, lenient
from strongroom.storage.directory import way_to_read
from strongroom.storage.packing import entries_of, row_of

FILES = (MAIN_FILE, AUDIT_FILE)
KEYRING = "data_keys"
BATCH_BYTES, BATCH_ROWS = 256 * 1024, 500
SEQUENCES = "sqlite_sequence"
"""SQLite's own table of the numbers that AUTOINCREMENT gave: it makes it by itself, its rows are data."""


class Snapshot:
    """Both files at one moment. What cannot be read raises sqlite3.Error."""

    def __init__(self, connections: Mapping[str, sqlite3.Connection]) -> None:
        self.connections = connections

    def versions(self) -> dict[str, str]:
        """Return the schema version of each file."""
        statement = "SELECT version_num FROM alembic_version"
        return {file: str(connection.execute(statement).fetchone()[0]) for file, connection in self.connections.items()}

    def tables(self, file: str) -> tuple[Table, ...]:
        """Return the tables of a file, the keyring first: what the others hold is checked with it."""
        names = [row[0] for row in self._schema(file, "table")]
        names.sort(key=lambda name: (name != KEYRING, name == SEQUENCES))
        return tuple([self._table(file, name) for name in names])

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many rows each table of each file has."""
        return {file: {table.name: self._count(table) for table in self.tables(file)} for file in self.connections}

    def count_records(self) -> int:
        """Return how many records there are: a row holds several."""
        cursor = self.connections[AUDIT_FILE].execute("SELECT * FROM records ORDER BY seq LIMIT 1")
        names, first = [column[0] for column in cursor.description], cursor.fetchone()
        if first is None:
            return 0
        newest = self.connections[AUDIT_FILE].execute("SELECT MAX(seq) FROM records").fetchone()[0]
        return int(newest) - entries_of(row_of(dict(zip(names, first, strict=True))))[0].sequence + 1

    def rows(self, table: Table) -> Iterator[Rows]:
        """Return the rows of a table in batches that fit into memory."""
        columns = ", ".join(map(quoted, table.columns))
        cursor = self.connections[table.file].execute(f"SELECT {columns} FROM {quoted(table.name)}")  # noqa: S608 - SQLite's own names, quoted
        batch: list[tuple[Any, ...]] = []
        size = 0
        for row in cursor:
            batch.append(row)
            size += sum([len(value) for value in row if isinstance(value, bytes | str)])
            if size >= BATCH_BYTES or len(batch) >= BATCH_ROWS:
                yield Rows(batch)
                batch, size = [], 0
        if batch:
            yield Rows(batch)

    def items(self) -> Iterator[Item]:
        """Return everything, as an archive holds it after its manifest."""
        for file in self.connections:
            tables = tuple([sql for name, sql in self._schema(file, "table") if sql and name != SEQUENCES])
            indexes = tuple([sql for _, sql in self._schema(file, "index") if sql])
            yield Schema(file=file, tables=tables, indexes=indexes)
            for table in self.tables(file):
                yield table
                yield from self.rows(table)
        yield End()

    def damage(self, file: str) -> tuple[str, ...]:
        """Return what SQLite finds wrong with a file, in its own words; empty when it is whole."""
        try:
            found = [str(row[0]) for row in self.connections[file].execute("PRAGMA integrity_check(10)")]
        except sqlite3.DatabaseError as error:
            return (str(error),)
        return () if found == ["ok"] else tuple(found)

    def _schema(self, file: str, kind: str) -> list[tuple[str, str | None]]:
        statement = "SELECT name, sql FROM sqlite_schema WHERE type = ? AND name NOT LIKE 'sqlite_stat%' ORDER BY rowid"
        return self.connections[file].execute(statement, (kind,)).fetchall()

    def _table(self, file: str, name: str) -> Table:
        described = self.connections[file].execute(f"PRAGMA table_info({quoted(name)})").fetchall()
        columns = tuple([row[1] for row in described])
        without = self.connections[file].execute("SELECT wr FROM pragma_table_list WHERE name = ?", (name,)).fetchone()
        keys = [row[2].upper() for row in described if row[5]]
        told = without[0] or keys == ["INTEGER"]  # by a key of its own, or by a column that is the row id
        return Table(file=file, name=name, columns=columns if told else ("rowid", *columns))

    def _count(self, table: Table) -> int:
        statement = f"SELECT COUNT(*) FROM {quoted(table.name)}"  # noqa: S608 - SQLite's own name, quoted
        return int(self.connections[table.file].execute(statement).fetchone()[0])


@contextmanager
def take_snapshot(data_dir: Path, *, touching: bool) -> Iterator[Snapshot]:
    """Hold a snapshot of a data directory; StorageUnavailable when a file is no database that can be opened.

    touching: whether SQLite may make and remove its own files beside the two, as every reader does. Without, a server
    that starts meanwhile spoils what is seen.
    """
    open_file = _open_as_reader if touching else _open_without_touching
    with ExitStack() as stack:
        try:
            connections = {name: stack.enter_context(closing(open_file(data_dir / name))) for name in FILES}
            _begin_together(data_dir, connections)
        except (sqlite3.Error, OSError) as error:
            raise StorageUnavailable(f"the data in {data_dir} cannot be used: {error}") from error
        yield Snapshot(connections)


def _begin_together(data_dir: Path, connections: Mapping[str, sqlite3.Connection]) -> None:
    with ExitStack() as locks:
        for name in connections:
            locks.enter_context(_held(data_dir / f"{name}.lock"))
        for connection in connections.values():
            connection.execute("BEGIN")
            connection.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()  # the snapshot begins with a first read


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Hold a write lock. Where there is no lock file nobody writes."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _open_as_reader(path: Path) -> sqlite3.Connection:
    connection = connect(path, READER_PATIENCE)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _open_without_touching(path: Path) -> sqlite3.Connection:
    address = f"{path.resolve().as_uri()}?{way_to_read(path)}"
    connection = sqlite3.connect(address, uri=True, timeout=READER_PATIENCE, isolation_level=None)
    connection.text_factory = lenient
    connection.execute("PRAGMA query_only = ON")
    return connection


def quoted(name: str) -> str:
    """Return a name of a table or column as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'
