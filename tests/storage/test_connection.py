"""Connections: what they notice, whom they wait for, and that nothing is written outside a transaction."""

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from storage_doubles import CUSTODIAN, a_record, adding, an_application
from storage_kinds import count_of, counting, is_whole
from strongroom.audit.log import whole_chain
from strongroom.errors import StorageUnavailable
from strongroom.storage.connection import AUDIT_FILE, MAIN_FILE, Reader, Writer
from strongroom.storage.sqlite import SqliteStorage

FILES = (MAIN_FILE, AUDIT_FILE)


@pytest.fixture
def reader(place):
    reader = Reader(place / MAIN_FILE)
    yield reader
    reader.close()


@pytest.fixture
def foreign(place):
    """Open a connection as another program does, with its own ways."""
    opened = []

    def connect(file=MAIN_FILE):
        opened.append(sqlite3.connect(place / file, isolation_level=None))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


def test_a_reader_notices_what_others_commit(reader, sql):
    assert reader.has_changed()
    assert not reader.has_changed()
    sql("UPDATE epoch SET value = value + 1")
    assert reader.has_changed()
    assert not reader.has_changed()


def test_a_connection_that_was_opened_anew_knows_nothing_of_the_time_before(reader):
    assert reader.has_changed()
    reader.close()
    assert reader.has_changed()


def test_a_foreign_program_changes_nothing_unnoticed(reader, foreign):
    assert reader.has_changed()
    other = foreign()
    assert not reader.has_changed()
    for _ in range(3):
        other.execute("UPDATE epoch SET value = value + 1")
        assert reader.has_changed()
        assert not reader.has_changed()
    other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    reader.has_changed()
    other.execute("UPDATE epoch SET value = value + 1")  # the first into an empty WAL
    assert reader.has_changed()


# What SQLite does with its index when it opens a file: whoever gets this byte may empty the index.
IS_ABANDONED = """
import fcntl, sys
with open(sys.argv[1], "r+b") as index:
    try:
        fcntl.lockf(index, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 128)
    except OSError:
        sys.exit(1)
"""


def test_no_other_program_takes_the_index_for_abandoned(place, storage):
    """Its memory is mapped by readers: were it emptied under them, they would be killed at the next request."""
    storage.read()
    other = Reader(place / MAIN_FILE)
    for _ in range(2):
        assert other.has_changed()
        other.close()
    index = place / f"{MAIN_FILE}-shm"
    asked = subprocess.run([sys.executable, "-c", IS_ABANDONED, index], check=False)
    assert asked.returncode == 1


def test_a_mapped_index_is_let_go_when_it_is_gone(place):
    count = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        reader = Reader(place / MAIN_FILE)
        assert reader.has_changed()
        reader.close()
    assert len(list(Path("/proc/self/fd").iterdir())) <= count + 2


async def test_what_was_changed_while_a_reader_was_broken_is_seen(place, storage):
    other = SqliteStorage.open(place, CUSTODIAN)
    await other.change(adding(lambda stores: stores.identity.add_application(an_application())))
    assert (await storage.read().identity.find_application("app-1")).enabled
    storage._reader._connection.close()
    off = an_application(enabled=False)
    await other.change(adding(lambda stores: stores.identity.replace_application(off)))
    with pytest.raises(StorageUnavailable):
        storage.read()
    assert not (await storage.read().identity.find_application("app-1")).enabled
    other.close()


@pytest.mark.parametrize(
    "act", [lambda writer: writer.rows("SELECT 1"), lambda writer: writer.run("DELETE FROM epoch")]
)
def test_a_writer_works_in_a_transaction_only(place, act):
    with closing(Writer(place / MAIN_FILE)) as writer:
        with pytest.raises(sqlite3.OperationalError, match="no transaction"):
            act(writer)
        with writer.transaction() as connection:
            act(writer)
            connection.execute("ROLLBACK")  # as SQLite does by itself when a disk is full
            with pytest.raises(sqlite3.OperationalError, match="no transaction"):
                act(writer)
            connection.execute("BEGIN")


@pytest.mark.parametrize("file", FILES)
async def test_a_program_that_locks_a_file_makes_writers_fail_and_no_readers(place, foreign, monkeypatch, file):
    monkeypatch.setattr("strongroom.storage.connection.WRITER_PATIENCE", 0.02)
    with closing(SqliteStorage.open(place, CUSTODIAN)) as storage:
        await storage.change(counting())
        await storage.record(a_record())
        intruder = foreign(file)
        intruder.execute("BEGIN IMMEDIATE")
        assert not await storage.is_writable()
        with pytest.raises(StorageUnavailable):
            await (storage.change(counting()) if file == MAIN_FILE else storage.record(a_record()))
        assert await count_of(storage) == 1
        intruder.execute("ROLLBACK")
        assert await storage.is_writable()
        assert await storage.change(counting()) == 2


def test_a_program_that_has_a_file_for_itself_is_not_waited_for_long(place, foreign, monkeypatch):
    monkeypatch.setattr("strongroom.storage.connection.READER_PATIENCE", 0.02)
    intruder = foreign()
    intruder.execute("PRAGMA locking_mode = EXCLUSIVE")
    intruder.execute("UPDATE epoch SET value = value")
    with pytest.raises(StorageUnavailable):
        SqliteStorage.open(place, CUSTODIAN)
    intruder.close()
    SqliteStorage.open(place, CUSTODIAN).close()


async def test_a_lock_file_that_was_removed_costs_time_but_loses_nothing(place, storage):
    await storage.change(counting())
    for file in FILES:
        (place / f"{file}.lock").unlink()
    other = SqliteStorage.open(place, CUSTODIAN)
    storages = [storage, other] * 15
    await asyncio.gather(
        *[each.change(counting()) for each in storages], *[each.record(a_record()) for each in storages]
    )
    assert await count_of(storage) == await count_of(other) == 31
    other.close()
    entries = list(whole_chain(storage.records))
    assert is_whole(storage)
    assert len(entries) >= 30


async def test_the_journals_of_both_files_stay_small_while_others_read_all_the_time(place, storage):
    other = SqliteStorage.open(place, CUSTODIAN)
    reading = True

    async def read():
        while reading:
            assert await count_of(other) <= 2000
            other.records.last_sequence()
            await asyncio.sleep(0)

    readers = [asyncio.create_task(read()) for _ in range(3)]
    for _ in range(40):
        works = [counting(a_record(body="x" * 10_000)) for _ in range(50)]
        await asyncio.gather(*map(storage.change, works))
    reading = False
    await asyncio.gather(*readers)
    other.close()
    sizes = {path.name: path.stat().st_size for path in place.glob("*-wal")}
    assert len(sizes) == 2
    assert max(sizes.values()) < 12_000_000, sizes


@pytest.mark.parametrize("file", FILES)
def test_nothing_is_written_into_a_file_that_is_no_longer_in_its_place(place, file):
    writer = Writer(place / file)
    with writer.transaction():
        pass
    (place / file).rename(place / "aside")
    with pytest.raises((OSError, sqlite3.Error)), writer.transaction():
        raise AssertionError("the transaction began")
    (place / "aside").rename(place / file)
    with writer.transaction():
        pass
    writer.close()


async def test_no_request_is_answered_when_its_record_would_be_lost(storage, place):
    await storage.record(a_record())
    (place / AUDIT_FILE).rename(place / "aside")
    with pytest.raises(StorageUnavailable):
        await storage.record(a_record())
    (place / "aside").rename(place / AUDIT_FILE)
    await storage.record(a_record())


@pytest.mark.parametrize("file", [MAIN_FILE, AUDIT_FILE])
@pytest.mark.parametrize("back", [False, True], ids=["told by the file", "the file tells the old number"])
async def test_what_acts_by_itself_in_a_file_is_not_worked_with(place, storage, foreign, file, back):
    """A trigger could drop a record without a word, or keep the epoch as it is."""
    await storage.change(adding())
    await storage.record(a_record())
    other = foreign(file)
    (version,) = other.execute("PRAGMA schema_version").fetchone()
    table = {MAIN_FILE: "epoch", AUDIT_FILE: "records"}[file]
    other.execute(f"CREATE TRIGGER quiet BEFORE INSERT ON {table} BEGIN SELECT RAISE(IGNORE); END")
    if back:
        other.execute(f"PRAGMA schema_version = {version}")
        storage = SqliteStorage.open(place, CUSTODIAN)
    assert not await _takes(storage, file)
    other.execute("DROP TRIGGER quiet")
    assert await _takes(storage, file)
    if back:
        storage.close()


async def _takes(storage, file):
    try:
        await (storage.change(adding()) if file == MAIN_FILE else storage.record(a_record()))
    except StorageUnavailable:
        return False
    return True


async def test_an_epoch_that_was_set_back_is_believed_for_a_moment_only(place, storage, sql, monkeypatch):
    clock = Clock()
    monkeypatch.setattr("strongroom.storage.sqlite.time", clock)
    await storage.change(adding(lambda stores: stores.identity.add_application(an_application())))
    assert (await storage.read().identity.find_application("app-1")).enabled
    ((epoch,),) = sql("SELECT value FROM epoch")
    other = SqliteStorage.open(place, CUSTODIAN)
    off = an_application(enabled=False)
    await other.change(adding(lambda stores: stores.identity.replace_application(off)))
    other.close()
    sql("UPDATE epoch SET value = ?", (epoch,))
    clock.now += 1
    assert not (await storage.read().identity.find_application("app-1")).enabled


class Clock:
    now = 1000.0

    def monotonic(self):
        return self.now
