"""Both files made anew from what an archive holds, in a data directory that nobody takes for whole meanwhile."""

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from strongroom.custody.sealing import Custodian
from strongroom.durability import sync
from strongroom.errors import StrongroomError
from strongroom.storage.archive import End, Item, Manifest, Progress, Rows, Schema, Table, counted
from strongroom.storage.connection import WRITER_PATIENCE, connect
from strongroom.storage.directory import HEADS, UNFINISHED, DataDirectoryNewer
from strongroom.storage.inspection import inspect
from strongroom.storage.snapshot import FILES, SEQUENCES, quoted, take_snapshot

LEFT_BY_OTHERS = frozenset({"lost+found", "server.lock"})
"""What may lie in a directory that counts as empty."""
COMPANIONS = ("", "-journal", "-wal", "-shm", ".lock")
SETTINGS = (
    "PRAGMA auto_vacuum = INCREMENTAL",
    "PRAGMA journal_mode = OFF",
    "PRAGMA synchronous = OFF",
    "PRAGMA cache_size = -64000",
)
"""For a file that is thrown away should anything go wrong: no journal, and one wait for the disk at its end.

It gives pages back when asked to, as the files of a new data directory do.
"""


class DirectoryNotEmpty(StrongroomError):
    """There is something in the directory that a restore would have to overwrite."""


def require_empty(data_dir: Path) -> None:
    """Raise DirectoryNotEmpty unless nothing is in the way, or only what a restore that was broken off has left."""
    found = {path.name for path in data_dir.iterdir()} if data_dir.is_dir() else set()
    left = _own_files() if UNFINISHED in found else set()
    foreign = sorted(found - LEFT_BY_OTHERS - left)
    if foreign:
        shown = ", ".join(foreign[:3]) + (", …" if len(foreign) > 3 else "")
        raise DirectoryNotEmpty(f"{data_dir} is not empty ({shown}); restore into a new or an empty directory")


def require_known(manifest: Manifest) -> None:
    """Raise DataDirectoryNewer unless this version knows the schema of what is in an archive."""
    for name, head in HEADS.items():
        found = manifest.schema.get(name, "")
        if found > head:
            raise DataDirectoryNewer(
                f"the archive holds data of schema {found}, newer than this version of Strongroom knows ({head}); "
                "restore it with the version that wrote it, or a newer one"
            )


def begin(data_dir: Path) -> None:
    """Mark the directory, which exists, as not whole, and clear away what an earlier attempt has left in it."""
    marker = data_dir / UNFINISHED
    os.close(os.open(marker, os.O_WRONLY | os.O_CREAT, 0o600))
    sync(data_dir)
    _clear(data_dir)


def build(data_dir: Path, items: Iterable[Item], progress: Progress) -> None:
    """Make the files of what an archive holds. progress: told how many rows were written so far.

    sqlite3.Error or OSError when the disk fails.
    """
    builder = _Builder(data_dir)
    try:
        for item in counted(items, progress):
            builder.take(item)
    finally:
        builder.close()
    for name in FILES:
        connect(data_dir / name, WRITER_PATIENCE).close()  # the journal's mode is kept in the file
        sync(data_dir / name)


def verify(data_dir: Path, manifest: Manifest, custodian: Custodian, progress: Progress) -> tuple[str, ...]:
    """Return what is wrong with the files that were made, in words: read back, counted, every row checked."""
    with take_snapshot(data_dir, touching=True) as snapshot:
        found = [f"{name}: {told}" for name in FILES for told in snapshot.damage(name)]
        counts = snapshot.counts()
        found += [
            f"{table} has {counts[file].get(table)} rows instead of {count}"
            for file, tables in manifest.counts.items()
            for table, count in tables.items()
            if counts[file].get(table) != count
        ]
        return (*found, *inspect(snapshot.items(), custodian, progress))


def finish(data_dir: Path) -> None:
    """Call the directory whole, once all that is in it is on the disk."""
    for name in FILES:
        sync(data_dir / name)
    sync(data_dir)
    (data_dir / UNFINISHED).unlink()
    sync(data_dir)


def abandon(data_dir: Path) -> None:
    """Remove what was made, the mark last."""
    _clear(data_dir)
    (data_dir / UNFINISHED).unlink(missing_ok=True)


class _Builder:
    """Makes one file after the other."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._connection: sqlite3.Connection | None = None
        self._indexes: tuple[str, ...] = ()
        self._insert = ""

    def take(self, item: Item) -> None:
        if isinstance(item, Schema):
            self._end_file()
            self._begin_file(item)
        elif isinstance(item, Table):
            self._begin_table(item)
        elif isinstance(item, Rows):
            self._open.executemany(self._insert, item.rows)
        elif isinstance(item, End):
            self._end_file()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    @property
    def _open(self) -> sqlite3.Connection:
        assert self._connection is not None  # rows come after the schema of their file
        return self._connection

    def _begin_file(self, schema: Schema) -> None:
        assert schema.file in FILES  # an archive is opened only when it is ours to the byte
        path = self._data_dir / schema.file
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._indexes = schema.indexes
        for statement in (*SETTINGS, "BEGIN", *schema.tables):
            self._connection.execute(statement)

    def _begin_table(self, table: Table) -> None:
        names, marks = ", ".join(map(quoted, table.columns)), ", ".join("?" * len(table.columns))
        self._insert = f"INSERT INTO {quoted(table.name)} ({names}) VALUES ({marks})"  # noqa: S608 - SQLite's own names, quoted
        if table.name == SEQUENCES:
            self._open.execute(f"DELETE FROM {SEQUENCES}")  # noqa: S608 - a constant

    def _end_file(self) -> None:
        if self._connection is None:
            return
        for statement in (*self._indexes, "COMMIT"):
            self._connection.execute(statement)
        self._connection.close()
        self._connection = None


def _own_files() -> set[str]:
    return {UNFINISHED, *(f"{name}{suffix}" for name in FILES for suffix in COMPANIONS)}


def _clear(data_dir: Path) -> None:
    for name in _own_files() - {UNFINISHED}:
        (data_dir / name).unlink(missing_ok=True)
