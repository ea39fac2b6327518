"""The data directory: made, brought to this version's schema, and known for what it is before anything is changed.

Alembic is loaded only when a migration is due: a usual start compares two words.
"""

import os
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import structlog

from strongroom.durability import sync
from strongroom.errors import StorageUnavailable, StrongroomError
from strongroom.storage.connection import AUDIT_FILE, MAIN_FILE, WRITER_PATIENCE, WriteLock, connect

HEADS = {AUDIT_FILE: "0004", MAIN_FILE: "0011"}  # in the order in which they are made: no data without its records
UNFINISHED = "restore.unfinished"
"""A file that lies in a data directory from the first step of a restore into it to the last."""
INCREMENTAL = 2
"""SQLite's number of the mode in which pages are given back when they are asked for."""

BRANCHES = {MAIN_FILE: "main", AUDIT_FILE: "audit"}

log = structlog.get_logger(__name__)


class DataDirectoryNewer(StrongroomError):
    """The data directory was written by a newer version of Strongroom; this one leaves it as it is."""


class RecordsMissing(StrongroomError):
    """There is data, and the file of its records is gone; a new one would hide that."""


class RestoreUnfinished(StrongroomError):
    """A restore into the data directory was broken off, or is under way: what is there is not whole."""


def schema_version(data_dir: Path) -> str | None:
    """Return the schema version of the data in `data_dir`, None when there is no data.

    RestoreUnfinished when it is not whole, DataDirectoryNewer when this program does not know it, RecordsMissing when
    its records are gone, StorageUnavailable when it cannot be read; changes nothing.
    """
    if (data_dir / UNFINISHED).exists():
        raise RestoreUnfinished(
            f"a restore into {data_dir} has not finished, so that what is there is not whole; run it again: "
            f"strongroom restore FILE --data-dir {shlex.quote(str(data_dir))}"
        )
    return _known_version(data_dir)


def _known_version(data_dir: Path) -> str | None:
    versions = {name: _version(data_dir / name) for name in HEADS}
    for name, version in versions.items():
        if version is not None and version > HEADS[name]:
            raise DataDirectoryNewer(
                f"the data in {data_dir} is of schema {version}, newer than this version of Strongroom knows "
                f"({HEADS[name]}); start it with the version that wrote it, or a newer one"
            )
    if versions[MAIN_FILE] is not None and versions[AUDIT_FILE] is None:
        raise RecordsMissing(
            f"the records of the data in {data_dir} are missing: {AUDIT_FILE} is not there or empty; put it back from "
            "a backup (none is begun anew beside data that was recorded)"
        )
    return versions[MAIN_FILE]


def is_older(data_dir: Path) -> bool:
    """Answer whether a file of the data is of an older schema than this version's."""
    return any(_version(data_dir / name) != head for name, head in HEADS.items())


def prepare(data_dir: Path) -> None:
    """Make the files of a data directory, mode 0600, or bring them to this schema; nothing happens when they are.

    DataDirectoryNewer, before anything is changed; StorageUnavailable when it cannot be written, and each file is then
    as it was.
    """
    schema_version(data_dir)
    upgrade(data_dir)


def upgrade(data_dir: Path) -> None:
    """Do what `prepare` does, in a directory that is just being restored as well."""
    _known_version(data_dir)
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        due = [name for name, head in HEADS.items() if _version(data_dir / name) != head]
        if due:
            log.info("preparing the data directory", schema=HEADS[MAIN_FILE])
        for name in due:
            _migrate(data_dir / name)
    except OSError as error:
        raise _unusable(data_dir, error) from error


def _version(path: Path) -> str | None:
    version = peek(path, "alembic_version", "SELECT version_num FROM alembic_version")
    return None if version is None else str(version)


def peek(path: Path, table: str, statement: str, parameters: tuple[Any, ...] = ()) -> Any:
    """Return the first value that a statement finds in a database, None where there is no such file, table or row.

    Nothing happens to the file; what is read is not authenticated. StorageUnavailable when it cannot be read.
    """
    try:
        if not path.exists() or path.stat().st_size == 0:
            return None
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?{way_to_read(path)}", uri=True)) as connection:
            if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchone() is None:
                return None
            row = connection.execute(statement, parameters).fetchone()
    except (sqlite3.Error, OSError) as error:
        raise _unusable(path, error) from error
    return None if row is None else row[0]


def way_to_read(path: Path) -> str:
    """Return how to open a file whose version is asked, so that no more than that happens to it."""
    if path.with_name(f"{path.name}-journal").exists():
        return "mode=rw"  # a migration is under way, or a crash cut it short: SQLite undoes it before it can be read
    if path.with_name(f"{path.name}-wal").exists():
        return "mode=ro"
    return "immutable=1"  # nobody is at it: even the files that a reader makes beside it are left out


def _migrate(path: Path) -> None:
    from alembic import command  # noqa: PLC0415 - a third of a second that a usual start does not pay
    from alembic.util import CommandError  # noqa: PLC0415
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    from strongroom.storage.migrations.configuration import configuration  # noqa: PLC0415

    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    lock = WriteLock(path)
    try:
        with lock.held():
            command.upgrade(configuration(path, BRANCHES[path.name]), "head")
            # The journal's mode is kept in the file: no two that open it later race to set it.
            with closing(connect(path, WRITER_PATIENCE)) as connection:
                _make_shrinkable(connection)
    except (sqlite3.Error, SQLAlchemyError, CommandError) as error:
        raise _unusable(path, error) from error
    finally:
        lock.close()
    sync(path.parent)


def _make_shrinkable(connection: sqlite3.Connection) -> None:
    """Let a file give back the pages that it does not need any more: records leave it in batches."""
    if connection.execute("PRAGMA auto_vacuum").fetchone() != (INCREMENTAL,):
        connection.execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")
        connection.execute("VACUUM")


def _unusable(path: Path, error: Exception) -> StorageUnavailable:
    return StorageUnavailable(f"the data in {path} cannot be used: {error}")
