"""What the disk does to the storage, and how it goes on."""

import asyncio
import resource
import sqlite3
from contextlib import contextmanager, suppress

import pytest

from storage_doubles import CUSTODIAN, NOON, a_record, a_state, a_version, adding, an_application, put_late
from storage_kinds import count_of, counting, is_whole
from strongroom.audit.log import whole_chain
from strongroom.custody.store import Purpose
from strongroom.errors import StorageUnavailable
from strongroom.storage.connection import AUDIT_FILE, MAIN_FILE
from strongroom.storage.serverkeys import _make as make_keys
from strongroom.storage.session import ROW_BYTES
from strongroom.storage.sqlite import SqliteStorage


@contextmanager
def full_disk(size=4096):
    """No file grows past `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def broken_log(storage, monkeypatch):
    """The audit file cannot be written until `mend` is called."""

    def fail(batch, **_):
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(storage._keeper._writer, "append", fail)

    class Broken:
        mend = monkeypatch.undo

    return Broken


def log_of(storage):
    return [entry.record for entry in whole_chain(storage.records)]


async def test_on_a_full_disk_all_that_writes_fails_and_all_that_reads_goes_on(storage):
    assert await storage.change(counting()) == 1
    with full_disk():
        works = [storage.change(counting()), storage.change(counting()), storage.record(a_record())]
        outcomes = await asyncio.gather(*works, return_exceptions=True)
        assert not await storage.is_writable()
        assert await count_of(storage) == 1
    assert [type(outcome) for outcome in outcomes] == [StorageUnavailable] * 3


async def test_when_there_is_room_again_it_resumes_by_itself_with_nothing_half_done(storage):
    with full_disk(), pytest.raises(StorageUnavailable):
        await storage.change(counting())
    assert await storage.is_writable()
    assert await storage.change(counting()) == 1
    await storage.record(a_record())
    assert len(log_of(storage)) == 2
    assert is_whole(storage)


@pytest.mark.parametrize("count", [50, 1500], ids=["at its commit", "halfway"])
async def test_a_large_change_that_fills_the_disk_takes_its_batch_with_it_and_no_more(storage, count):
    async def large(stores):
        for number in range(count):
            await stores.secrets.add_version(a_state(f"secret-{number}"), a_version(sealed=b"x" * 20_000))
        return None, a_record()

    assert await storage.change(counting()) == 1
    with full_disk(), pytest.raises(StorageUnavailable):
        await storage.change(large)
    assert await storage.read().secrets.find("vault-1", "secret-0") is None
    assert await storage.change(counting()) == 2


async def test_a_change_that_goes_on_after_the_disk_was_full_leaves_nothing(storage):
    async def stubborn(stores):
        with suppress(sqlite3.Error):
            for number in range(1500):
                await stores.secrets.add_version(a_state(f"secret-{number}"), a_version(sealed=b"x" * 20_000))
        await stores.facts.put("counter", b"9")
        return None, a_record()

    with full_disk(8_000_000), pytest.raises(StorageUnavailable):
        await storage.change(stubborn)
    assert await count_of(storage) == 0
    assert await storage.read().secrets.find("vault-1", "secret-0") is None
    assert await storage.change(counting()) == 1


@pytest.mark.parametrize("error", [asyncio.CancelledError, SystemExit, KeyboardInterrupt, GeneratorExit])
async def test_a_unit_that_breaks_off_breaks_off_alone(storage, error):
    async def break_off(stores):
        await stores.facts.put("counter", b"9")
        raise error

    works = [storage.change(work) for work in (counting(), break_off, counting())]
    first, broken, last = await asyncio.gather(*works, return_exceptions=True)
    assert (first, last) == (1, 2)
    assert type(broken) is RuntimeError
    assert type(broken.__cause__) is error
    assert await count_of(storage) == 2


async def test_while_the_log_cannot_be_written_nothing_is_recorded_and_the_outbox_keeps_what_was_changed(
    storage, broken_log
):
    record = a_record()
    assert await storage.change(counting(record)) == 1
    with pytest.raises(StorageUnavailable):
        await storage.record(a_record())
    assert not await storage.is_writable()
    assert storage.records.pending() == (record,)
    assert log_of(storage) == []


async def test_when_the_log_can_be_written_again_it_gets_what_the_outbox_kept(storage, sql, broken_log):
    kept, later = a_record(1), a_record(2)
    await storage.change(counting(kept))
    with pytest.raises(StorageUnavailable):
        await storage.record(a_record())
    broken_log.mend()
    await storage.record(later)
    assert log_of(storage) == [kept, later]
    await storage.change(counting())
    await storage.change(counting())
    assert sql("SELECT count(*) FROM outbox WHERE id = ?", (kept.record_id,)) == [(0,)]


async def test_a_closing_storage_leaves_what_cannot_be_carried_to_the_next_start(place, monkeypatch):
    storage, record = SqliteStorage.open(place, CUSTODIAN), a_record()

    def fail(batch):
        raise OSError("gone")

    with monkeypatch.context() as broken:
        broken.setattr(storage._keeper._writer, "append", fail)
        await storage.change(counting(record))
        storage.close()
    again = SqliteStorage.open(place, CUSTODIAN)
    assert log_of(again) == [record]
    again.close()


async def test_a_long_outbox_is_carried_in_pieces(place, sql):
    storage = SqliteStorage.open(place, CUSTODIAN)
    storage.close()
    put_late(place, map(a_record, range(5)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("strongroom.storage.keeper.CARRY_BATCH", 2)
        again = SqliteStorage.open(place, CUSTODIAN)
    assert len(log_of(again)) == 5
    assert sql("SELECT count(*) FROM outbox") == [(0,)]
    again.close()


async def test_carried_records_leave_the_outbox_with_the_next_change(storage, sql):
    first, second = a_record(1), a_record(2)
    await storage.change(counting(first))
    await storage.record(a_record())  # behind the first in the same queue: the first is in the log now
    await storage.change(counting(second))
    assert sql("SELECT id FROM outbox") == [(second.record_id,)]


@pytest.mark.parametrize(("seconds", "many"), [(0.001, 100), (1000, 3)])
async def test_records_of_changes_go_to_the_log_when_their_time_has_come_or_they_are_many(
    storage, monkeypatch, seconds, many
):
    monkeypatch.setattr("strongroom.storage.sqlite.LATE_SECONDS", seconds)
    monkeypatch.setattr("strongroom.storage.sqlite.MANY_LATE", many)
    records = [a_record(number) for number in range(3)]
    for record in records:
        await storage.change(counting(record))
    while len(log_of(storage)) < 3:  # noqa: ASYNC110 - another thread writes it
        await asyncio.sleep(0)
    assert log_of(storage) == records


async def test_records_of_changes_that_are_held_go_before_one_that_somebody_waits_for(storage, monkeypatch):
    monkeypatch.setattr("strongroom.storage.sqlite.LATE_SECONDS", 1000)
    changed, asked = a_record(1), a_record(2)
    await storage.change(counting(changed))
    await storage.record(asked)
    assert log_of(storage) == [changed, asked]


async def test_records_of_changes_that_are_held_when_a_storage_closes_are_in_the_log(place, monkeypatch):
    monkeypatch.setattr("strongroom.storage.sqlite.LATE_SECONDS", 1000)
    storage, record = SqliteStorage.open(place, CUSTODIAN), a_record()
    await storage.change(counting(record))
    storage.close()
    again = SqliteStorage.open(place, CUSTODIAN)
    assert log_of(again) == [record]
    again.close()


async def test_what_failed_to_leave_the_outbox_leaves_it_later(storage, sql):
    await storage.change(counting())
    await storage.record(a_record())
    with full_disk(), pytest.raises(StorageUnavailable):
        await storage.change(counting())
    record = a_record()
    await storage.change(counting(record))
    assert sql("SELECT id FROM outbox") == [(record.record_id,)]


async def test_what_did_not_leave_the_outbox_for_an_unforeseen_error_leaves_it_later(storage, sql, monkeypatch):
    await storage.change(counting())
    await storage.record(a_record())

    def fail(connection, batch):
        raise MemoryError

    with monkeypatch.context() as broken:
        broken.setattr(storage, "_run", fail)
        with pytest.raises(MemoryError):
            await storage.change(counting())
    record = a_record()
    await storage.change(counting(record))
    assert sql("SELECT id FROM outbox") == [(record.record_id,)]


def test_a_storage_closes_though_others_go_on_changing(place, sql):
    storage = SqliteStorage.open(place, CUSTODIAN)
    append = storage._keeper._writer.append

    def append_while_others_change(batch):
        append(batch)
        others_change()

    def others_change():
        put_late(place, [a_record()])

    others_change()
    storage._keeper._writer.append = append_while_others_change
    storage.close()
    assert sql("SELECT count(*) FROM outbox") == [(1,)]


async def test_a_connection_that_broke_is_opened_again(storage):
    await storage.change(counting())
    storage.read()
    storage._reader._connection.close()
    with pytest.raises(StorageUnavailable):
        await count_of(storage)
    assert await count_of(storage) == 1


@pytest.mark.parametrize("missing", [MAIN_FILE, AUDIT_FILE])
def test_a_directory_without_its_files_is_not_opened_and_none_is_made(place, missing):
    (place / missing).unlink()
    with pytest.raises(StorageUnavailable):
        SqliteStorage.open(place, CUSTODIAN)
    assert not (place / missing).exists()


async def test_without_its_audit_file_nothing_is_recorded(place):
    SqliteStorage.open(place, CUSTODIAN).close()
    (place / AUDIT_FILE).unlink()
    storage = SqliteStorage.open(place, CUSTODIAN)
    with pytest.raises(StorageUnavailable):
        await storage.record(a_record())
    assert not await storage.is_writable()
    storage.close()


def test_a_directory_that_is_not_there_is_not_opened(tmp_path):
    with pytest.raises(StorageUnavailable):
        SqliteStorage.open(tmp_path / "nowhere", CUSTODIAN)
    assert list(tmp_path.iterdir()) == []


def test_a_first_start_on_a_full_disk_makes_no_keys(place, sql):
    with full_disk(), pytest.raises(StorageUnavailable):
        SqliteStorage.open(place, CUSTODIAN)
    assert sql("SELECT count(*) FROM data_keys") == [(0,)]
    SqliteStorage.open(place, CUSTODIAN).close()


async def test_a_change_that_is_answered_while_it_closes_has_its_record_in_the_log(place):
    storage, record = SqliteStorage.open(place, CUSTODIAN), a_record()
    change = asyncio.create_task(storage.change(counting(record)))
    await asyncio.sleep(0)
    storage.close()
    assert await change == 1
    again = SqliteStorage.open(place, CUSTODIAN)
    assert log_of(again) == [record]
    again.close()


async def test_what_is_remembered_is_bounded(storage, monkeypatch):
    monkeypatch.setattr("strongroom.storage.session.CACHE_ENTRIES", 20)
    for number in range(25):
        await storage.read().assignments.held_by(f"object-{number}", frozenset())
        assert 0 < len(storage._cache) <= 20


async def test_what_is_not_there_is_not_remembered_under_the_name_a_stranger_gave_it(storage):
    stores = storage.read()
    assert await stores.facts.get("clock") is None  # our own name: asked at every request
    before = len(storage._cache)
    for number in range(5):
        assert await stores.vaults.find(f"v{number}") is None
        assert await stores.identity.find_application(f"a{number}") is None
        assert await stores.identity.find_principal(f"p{number}") is None
        assert await stores.keyring.find(f"k{number}") is None
    assert len(storage._cache) == before == 1


async def test_without_its_epoch_a_storage_remembers_nothing_past_a_change(storage, sql):
    await storage.change(adding(lambda stores: stores.identity.add_application(an_application())))
    sql("DELETE FROM epoch")
    assert (await storage.read().identity.find_application("app-1")).enabled
    off = an_application(enabled=False)
    await storage.change(adding(lambda stores: stores.identity.replace_application(off)))
    assert not (await storage.read().identity.find_application("app-1")).enabled


async def test_rows_that_were_verified_are_remembered_up_to_a_bound(storage, monkeypatch):
    monkeypatch.setattr("strongroom.storage.session.ROW_ENTRIES", 20)

    async def fill(stores):
        for number in range(25):
            await stores.secrets.add_version(a_state(f"s{number}"), a_version(number))
        await stores.secrets.add_version(a_state("large"), a_version(1, sealed=b"x" * ROW_BYTES))
        return None, a_record()

    await storage.change(fill)
    secrets = storage.read().secrets
    assert await secrets.find("vault-1", "s1") is await secrets.find("vault-1", "s1")
    assert await secrets.find("vault-1", "large") is not await secrets.find("vault-1", "large")
    for number in range(25):
        assert (await secrets.find("vault-1", f"s{number}")).version == a_version(number)
        assert 0 < len(secrets._session._verified) <= 20


def test_who_opens_a_new_directory_second_takes_the_keys_of_who_was_first(place, sql):
    first = make_keys(place, CUSTODIAN, NOON)
    assert make_keys(place, CUSTODIAN, NOON) == first
    assert sql("SELECT count(*) FROM data_keys") == [(5,)]


def test_a_lock_file_that_cannot_be_made_is_told(place):
    SqliteStorage.open(place, CUSTODIAN).close()
    lock = place / f"{MAIN_FILE}.lock"
    lock.unlink()
    lock.mkdir()
    with pytest.raises(StorageUnavailable):
        SqliteStorage.open(place, CUSTODIAN)


@pytest.mark.parametrize(
    "read",
    [
        lambda stores: stores.secrets.find("v", "s"),
        lambda stores: stores.secrets.find("v", "s", "1"),
        lambda stores: stores.secrets.find_state("v", "s"),
        lambda stores: stores.secrets.list_newest("v", deleted=False, after="a", limit=9, now=NOON),
        lambda stores: stores.secrets.list_newest("v", deleted=True, after="a", limit=9, now=NOON),
        lambda stores: stores.secrets.list_versions("v", "s", after="1", limit=9),
        lambda stores: stores.secrets.list_expired(NOON, 9),
        lambda stores: stores.vaults.find("v"),
        lambda stores: stores.vaults.list_living("s"),
        lambda stores: stores.vaults.list_living("s", "g"),
        lambda stores: stores.vaults.list_living("s", after="a", limit=9),
        lambda stores: stores.vaults.list_deleted(),
        lambda stores: stores.vaults.list_deleted("s"),
        lambda stores: stores.identity.find_application("a"),
        lambda stores: stores.identity.find_principal("a"),
        lambda stores: stores.assignments.list_for("p"),
        lambda stores: stores.keyring.newest(Purpose.VAULT, "v"),
        lambda stores: stores.keyring.find("k"),
    ],
)
async def test_what_requests_read_is_found_by_an_index_and_stands_there_in_order(storage, read):
    statements = []
    storage.read()
    storage._reader._connection.set_trace_callback(statements.append)
    await read(storage.read())
    storage._reader._connection.set_trace_callback(None)
    plans = [row[3] for each in statements for row in storage._reader.rows(f"EXPLAIN QUERY PLAN {each}")]
    assert plans
    assert not [plan for plan in plans if plan.startswith("SCAN") and "INDEX vaults_deleted" not in plan]
    assert not [plan for plan in plans if "TEMP B-TREE" in plan and "assignments" not in plans[0]]


@pytest.mark.parametrize(("deleted", "index"), [(False, "objects_living"), (True, "objects_deleted")])
async def test_a_page_of_secrets_passes_no_others_on_its_way(storage, deleted, index):
    """A vault may have a million of the other kind."""
    statements = []
    storage.read()
    storage._reader._connection.set_trace_callback(statements.append)
    await storage.read().secrets.list_newest("v", deleted=deleted, after="a", limit=9, now=NOON)
    storage._reader._connection.set_trace_callback(None)
    plans = [row[3] for each in statements for row in storage._reader.rows(f"EXPLAIN QUERY PLAN {each}")]
    assert any(f"INDEX {index} " in plan for plan in plans), plans


async def test_what_reads_cannot_write(storage):
    with pytest.raises(TypeError):
        await storage.read().facts.put("x", b"y")
    with pytest.raises(StorageUnavailable):
        storage._reader.rows("DELETE FROM epoch")


async def test_every_commit_is_on_the_disk_when_it_returns(storage):
    await storage.change(adding())
    for writer in (storage._writer, storage._keeper._writer._writer):
        await storage.is_writable()
        assert writer._connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert writer._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
