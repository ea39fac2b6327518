"""A snapshot is both files at one moment, whatever is written meanwhile; looking at it changes nothing."""

import sqlite3
import threading
from contextlib import closing

import pytest

from storage_doubles import CUSTODIAN, a_record, adding
from strongroom.errors import StorageUnavailable
from strongroom.storage.archive import End, Rows, Schema, Table
from strongroom.storage.connection import AUDIT_FILE, MAIN_FILE, WriteLock
from strongroom.storage.snapshot import take_snapshot
from strongroom.storage.sqlite import SqliteStorage
from whole_doubles import a_whole_directory, fill


async def test_what_is_written_later_is_not_in_it(storage, place):
    await fill(storage)
    with take_snapshot(place, touching=True) as snapshot:
        before = snapshot.counts()
        await storage.change(adding(lambda stores: stores.facts.put("later", b"")))
        await storage.record(a_record())
        assert snapshot.counts() == before
    with take_snapshot(place, touching=True) as snapshot:
        assert snapshot.counts() != before


async def test_its_items_are_all_rows_of_all_tables(storage, place):
    await fill(storage)
    with take_snapshot(place, touching=True) as snapshot:
        items, counts = list(snapshot.items()), snapshot.counts()
    seen, table = {}, None
    for item in items:
        if isinstance(item, Table):
            table = (item.file, item.name)
            seen[table] = 0
        if isinstance(item, Rows):
            seen[table] += len(item.rows)
    assert seen == {(file, table): count for file, tables in counts.items() for table, count in tables.items()}
    assert [type(items[0]), type(items[-1])] == [Schema, End]
    first = next(item for item in items if isinstance(item, Table))
    assert (first.name, first.columns[0]) == ("data_keys", "rowid")


def test_no_change_is_under_way_when_it_begins(place):
    """It waits for who writes one of the files, and takes both when it is done."""
    SqliteStorage.open(place, CUSTODIAN).close()
    lock = WriteLock(place / AUDIT_FILE)
    taken = threading.Event()

    def take():
        with take_snapshot(place, touching=True):
            taken.set()

    with lock.held(), closing(sqlite3.connect(place / MAIN_FILE, isolation_level=None)) as connection:
        thread = threading.Thread(target=take)
        thread.start()
        main = WriteLock(place / MAIN_FILE)
        while _is_free(main):  # until it has the one and waits for the other
            pass
        connection.execute("SELECT 1")
        assert not taken.is_set()
    thread.join()
    assert taken.is_set()
    for each in (lock, main):
        each.close()


def _is_free(lock):
    import fcntl

    try:
        fcntl.flock(lock._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(lock._handle, fcntl.LOCK_UN)
    return True


def test_looking_without_touching_leaves_everything_as_it_is(tmp_path):
    place = a_whole_directory(tmp_path / "whole")
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in place.iterdir()}
    with take_snapshot(place, touching=False) as snapshot:
        assert len(list(snapshot.items())) > 10
        assert snapshot.damage(MAIN_FILE) == ()
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in place.iterdir()} == before


def test_it_changes_nothing(place):
    with take_snapshot(place, touching=True) as snapshot, pytest.raises(sqlite3.OperationalError, match="readonly"):
        snapshot.connections[MAIN_FILE].execute("DELETE FROM epoch")


def test_damage_is_told_in_sqlite_s_words(place):
    with (place / MAIN_FILE).open("r+b") as file:
        file.seek(4096 * 5)
        file.write(bytes(4096))
    with take_snapshot(place, touching=False) as snapshot:
        assert snapshot.damage(MAIN_FILE)
        assert snapshot.damage(AUDIT_FILE) == ()


@pytest.mark.parametrize("touching", [True, False])
def test_what_is_no_database_is_told(place, touching):
    (place / MAIN_FILE).write_bytes(b"no database" * 1000)
    with pytest.raises(StorageUnavailable, match="cannot be used"), take_snapshot(place, touching=touching):
        pass
