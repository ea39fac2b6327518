"""What an archive holds becomes the same rows again, whatever they are; what goes wrong leaves nothing."""

import io
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest
from alembic import command

from storage_doubles import CUSTODIAN, a_record, discrepancies, find_break
from strongroom.audit.log import FIRST_LINK, plain_link, whole_chain
from strongroom.custody.stream import ArchiveBroken, SealedReader, SealedWriter
from strongroom.storage import restoration
from strongroom.storage.archive import End, Manifest, Schema, read_items, read_manifest, write_items
from strongroom.storage.connection import AUDIT_FILE, MAIN_FILE
from strongroom.storage.directory import (
    BRANCHES,
    HEADS,
    UNFINISHED,
    DataDirectoryNewer,
    RestoreUnfinished,
    prepare,
    schema_version,
)
from strongroom.storage.migrations.configuration import configuration
from strongroom.storage.restoration import DirectoryNotEmpty
from strongroom.storage.snapshot import quoted, take_snapshot
from strongroom.storage.sqlite import SqliteStorage
from whole_doubles import a_whole_directory, set_secret

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def place(tmp_path):
    return a_whole_directory(tmp_path / "data")


@pytest.fixture
def whole(place):
    return place


def archive(place):
    sink = io.BytesIO()
    with take_snapshot(place, touching=True) as snapshot:
        manifest = Manifest(version="1", taken=NOON, schema=snapshot.versions(), counts=snapshot.counts())
        write_items(SealedWriter(sink, CUSTODIAN), [manifest, *snapshot.items()])
    return sink.getvalue()


def opened(content):
    reader = SealedReader(io.BytesIO(content), CUSTODIAN)
    return read_manifest(reader), read_items(reader)


def restore(content, place):
    manifest, items = opened(content)
    place.mkdir(exist_ok=True)
    restoration.begin(place)
    restoration.build(place, items, lambda _: None)
    problems = restoration.verify(place, manifest, CUSTODIAN, lambda _: None)
    restoration.finish(place)
    return problems


def dump(path):
    """Return the schema, and the rows with their row ids where they have some."""
    with closing(sqlite3.connect(path)) as connection:
        schema = connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name").fetchall()
        rows = {}
        for name in [name for kind, name, _ in schema if kind == "table"]:
            has_none = "WITHOUT ROWID" in next(sql for _, each, sql in schema if each == name)
            columns = "*" if has_none else "rowid, *"
            rows[name] = connection.execute(f"SELECT {columns} FROM {quoted(name)}").fetchall()
    return schema, rows


def test_every_row_is_there_again_under_its_number(whole, sql, tmp_path):
    sql("DELETE FROM versions WHERE seq = (SELECT MAX(seq) FROM versions)")  # its number is never given again
    sql("DELETE FROM data_keys WHERE purpose = 'paging'")  # a gap in the row ids
    sql('CREATE TABLE "of a ""later"" version" (a, b REAL, PRIMARY KEY (b, a))')
    sql('INSERT INTO "of a ""later"" version" VALUES (NULL, 1.5), (\'ä\', -9223372036854775808), (x\'00ff\', 0)')
    problems = restore(archive(whole), tmp_path / "new")
    assert problems == ()
    for file in (MAIN_FILE, AUDIT_FILE):
        assert dump(tmp_path / "new" / file) == dump(whole / file)
    assert schema_version(tmp_path / "new") == HEADS[MAIN_FILE]
    assert (tmp_path / "new" / MAIN_FILE).stat().st_mode & 0o777 == 0o600


async def test_a_server_goes_on_with_what_was_restored(whole, tmp_path):
    restore(archive(whole), tmp_path / "new")
    storage = SqliteStorage.open(tmp_path / "new", CUSTODIAN)
    await storage.change(set_secret("three"))
    assert (await storage.read().secrets.find("id-of-kv1", "three")).state.name == "three"
    storage.close()


@pytest.fixture
def older(whole, tmp_path):
    """A directory as the first schema left it: no marks, no key for records, plain links."""
    older = tmp_path / "older"
    older.mkdir()
    for name in (AUDIT_FILE, MAIN_FILE):
        command.upgrade(configuration(older / name, BRANCHES[name]), "0001")
    with closing(sqlite3.connect(older / MAIN_FILE, isolation_level=None)) as connection:
        connection.execute("ATTACH ? AS newer", (str(whole / MAIN_FILE),))
        for table in ("tenants", "applications", "vaults", "facts", "objects", "versions"):
            connection.execute(f"INSERT INTO {table} SELECT * FROM newer.{table}")
        connection.execute("INSERT INTO data_keys SELECT * FROM newer.data_keys WHERE purpose <> 'records'")
    with closing(sqlite3.connect(older / AUDIT_FILE, isolation_level=None)) as connection:
        link = FIRST_LINK
        for number in range(1, 4):
            record = a_record(number)
            link = plain_link(link, record)
            row = (number, record.record_id, record.began, record.body, link)
            connection.execute("INSERT INTO records (seq, id, time, body, link) VALUES (?, ?, ?, ?, ?)", row)
    return older


def test_an_archive_of_an_older_schema_is_restored_and_goes_on(older, tmp_path):
    new = tmp_path / "new"
    assert restore(archive(older), new) == ()
    prepare(new)
    storage = SqliteStorage.open(new, CUSTODIAN)
    assert find_break(storage.chain(), whole_chain(storage.records)) is None
    storage.close()
    assert discrepancies(new) == []


def test_an_older_chain_that_is_broken_is_found(older, tmp_path):
    with closing(sqlite3.connect(older / AUDIT_FILE, isolation_level=None)) as connection:
        connection.execute("UPDATE records SET time = time + 1 WHERE seq = 2")
    (problem,) = restore(archive(older), tmp_path / "new")
    assert problem.startswith("records 2: ")


def test_until_it_is_finished_nobody_takes_it_for_whole(whole, tmp_path):
    new = tmp_path / "new"
    manifest, items = opened(archive(whole))
    new.mkdir()
    restoration.begin(new)
    for step in (
        lambda: restoration.build(new, items, lambda _: None),
        lambda: restoration.verify(new, manifest, CUSTODIAN, lambda _: None),
        lambda: None,
    ):
        for look in (schema_version, prepare):
            with pytest.raises(RestoreUnfinished, match="run it again: strongroom restore FILE --data-dir"):
                look(new)
        step()
    restoration.finish(new)
    assert schema_version(new) == HEADS[MAIN_FILE]


def test_what_was_broken_off_is_begun_anew(whole, tmp_path):
    content, new = archive(whole), tmp_path / "new"
    new.mkdir()
    restoration.begin(new)
    (new / MAIN_FILE).write_bytes(b"half a file")
    (new / f"{MAIN_FILE}-wal").write_bytes(b"half a log")
    restoration.require_empty(new)
    assert restore(content, new) == ()
    assert dump(new / MAIN_FILE) == dump(whole / MAIN_FILE)


def test_what_was_given_up_leaves_an_empty_directory(whole, tmp_path):
    new = tmp_path / "new"
    new.mkdir()
    restoration.begin(new)
    restoration.build(new, opened(archive(whole))[1], lambda _: None)
    restoration.abandon(new)
    assert list(new.iterdir()) == []


@pytest.mark.parametrize("name", ["strongroom.db", "audit.db", "anything", ".hidden"])
def test_a_directory_that_holds_something_is_left_alone(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(DirectoryNotEmpty, match="is not empty"):
        restoration.require_empty(tmp_path)


def test_what_is_foreign_is_left_alone_beside_a_restore_that_was_broken_off(tmp_path):
    for name in (UNFINISHED, "strongroom.db", "mine"):
        (tmp_path / name).touch()
    with pytest.raises(DirectoryNotEmpty, match="mine"):
        restoration.require_empty(tmp_path)


def test_what_a_mounted_disk_and_a_lock_leave_is_no_hindrance(tmp_path):
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "server.lock").touch()
    restoration.require_empty(tmp_path)
    restoration.require_empty(tmp_path / "none")


def test_a_newer_schema_is_refused(whole):
    manifest, _ = opened(archive(whole))
    restoration.require_known(manifest)
    newer = Manifest(version="2", taken=NOON, schema={MAIN_FILE: "9999"}, counts={})
    with pytest.raises(DataDirectoryNewer, match="9999"):
        restoration.require_known(newer)


def test_what_is_not_as_it_was_counted_is_found(whole, tmp_path):
    manifest, items = opened(archive(whole))
    new = tmp_path / "new"
    new.mkdir()
    restoration.begin(new)
    restoration.build(new, items, lambda _: None)
    with closing(sqlite3.connect(new / MAIN_FILE)) as connection:
        connection.execute("DELETE FROM assignments")
        connection.commit()
    assert restoration.verify(new, manifest, CUSTODIAN, lambda _: None) == ("assignments has 0 rows instead of 1",)


def sealed_items(*items):
    sink = io.BytesIO()
    write_items(SealedWriter(sink, CUSTODIAN), items)
    return sink.getvalue()


MANIFEST = Manifest(version="1", taken=NOON, schema={}, counts={})


@pytest.mark.parametrize(
    "items",
    [
        [MANIFEST],
        [MANIFEST, MANIFEST, End()],
        [MANIFEST, End(), End()],
        [MANIFEST, Schema(file=MAIN_FILE, tables=(), indexes=())],
    ],
    ids=["no end", "two manifests", "more after the end", "an end that is missing"],
)
def test_items_that_make_no_archive_are_refused(items):
    _, rest = opened(sealed_items(*items))
    with pytest.raises(ArchiveBroken):
        list(rest)


@pytest.mark.parametrize("first", [End(), Manifest(format=2, version="1", taken=NOON, schema={}, counts={})])
def test_an_archive_of_a_later_format_is_told(first):
    with pytest.raises(ArchiveBroken, match="newer version"):
        opened(sealed_items(first, End()))
