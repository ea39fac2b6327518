import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from alembic import command
from alembic.script import ScriptDirectory

from storage_doubles import CUSTODIAN, a_data_directory
from strongroom.errors import StorageUnavailable
from strongroom.storage.connection import AUDIT_FILE, MAIN_FILE
from strongroom.storage.directory import BRANCHES, HEADS, DataDirectoryNewer, RecordsMissing, prepare, schema_version
from strongroom.storage.migrations.configuration import configuration
from strongroom.storage.sqlite import SqliteStorage

FILES = (MAIN_FILE, AUDIT_FILE)


def contents(place):
    return {path.name: path.read_bytes() for path in place.iterdir()}


def test_a_new_directory_is_made_for_its_owner_alone(tmp_path):
    place = tmp_path / "a 100% new" / "da?ta"
    before = os.umask(0)
    try:
        prepare(place)
    finally:
        os.umask(before)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    SqliteStorage.open(place, CUSTODIAN).close()
    assert {stat.S_IMODE(path.stat().st_mode) for path in place.iterdir()} == {0o600}
    assert schema_version(place) == HEADS[MAIN_FILE]


def test_where_there_is_no_data_there_is_no_version_and_nothing_is_made(tmp_path):
    assert schema_version(tmp_path / "data") is None
    (tmp_path / MAIN_FILE).touch()
    assert schema_version(tmp_path) is None
    assert [path.name for path in tmp_path.iterdir()] == [MAIN_FILE]


def test_a_current_directory_is_left_as_it_is(tmp_path):
    place = a_data_directory(tmp_path / "data")
    before = contents(place)
    prepare(place)
    assert contents(place) == before


@pytest.mark.parametrize("unmade", [("strongroom.db",), ("strongroom.db", "audit.db")])
def test_a_preparation_that_was_cut_short_is_taken_up_again(tmp_path, unmade):
    place = a_data_directory(tmp_path / "data")
    for file in unmade:
        (place / file).write_bytes(b"")
    prepare(place)
    SqliteStorage.open(place, CUSTODIAN).close()


@pytest.mark.parametrize("lose", [Path.unlink, lambda file: file.write_bytes(b"")])
@pytest.mark.parametrize("act", [prepare, schema_version])
def test_no_records_are_begun_anew_beside_data(tmp_path, lose, act):
    place = a_data_directory(tmp_path / "data")
    lose(place / "audit.db")
    with pytest.raises(RecordsMissing, match=r"audit\.db"):
        act(place)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("act", [prepare, schema_version])
def test_a_newer_directory_is_refused_and_left_as_it_is(tmp_path, file, act):
    place = a_data_directory(tmp_path / "data")
    with closing(sqlite3.connect(place / file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = contents(place)
    with pytest.raises(DataDirectoryNewer, match="9999"):
        act(place)
    assert contents(place) == before


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("act", [prepare, schema_version])
def test_a_newer_directory_that_was_not_closed_is_refused_and_left_as_it_is(tmp_path, file, act):
    place = a_data_directory(tmp_path / "data")
    code = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("UPDATE alembic_version SET version_num = '9999'")
os._exit(0)
"""
    assert run_python(code, place / file).wait() == 0
    before = contents(place)
    assert f"{file}-wal" in before
    with pytest.raises(DataDirectoryNewer, match="9999"):
        act(place)
    after = contents(place)
    assert {name: after[name] for name in before if not name.endswith("-shm")} == {
        name: before[name] for name in before if not name.endswith("-shm")
    }


def test_a_migration_that_a_crash_cut_short_is_undone_and_done_again(tmp_path):
    code = """
import os, pathlib, sqlite3, sys
place = pathlib.Path(sys.argv[1])
place.mkdir()
connection = sqlite3.connect(place / "strongroom.db", isolation_level=None)
connection.execute("CREATE TABLE kept (x)")
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN IMMEDIATE")
connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
connection.execute("INSERT INTO alembic_version VALUES ('9999')")
connection.execute("CREATE TABLE large (x)")
connection.executemany("INSERT INTO large VALUES (zeroblob(3000))", [()] * 100)
os._exit(0)
"""
    place = tmp_path / "data"
    assert run_python(code, place).wait() == 0
    assert (place / f"{MAIN_FILE}-journal").stat().st_size > 0
    assert schema_version(place) is None
    prepare(place)
    with closing(sqlite3.connect(place / MAIN_FILE)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    assert {"kept", "outbox"} < names
    assert "large" not in names


def test_a_version_that_no_history_has_is_told(tmp_path):
    place = a_data_directory(tmp_path / "data")
    with closing(sqlite3.connect(place / MAIN_FILE)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(StorageUnavailable, match="0000"):
        prepare(place)


def test_a_preparation_says_one_line_and_a_usual_start_none(tmp_path, capfd):
    with structlog.testing.capture_logs() as lines:
        prepare(tmp_path / "data")
        prepare(tmp_path / "data")
    assert [(line["event"], line["schema"]) for line in lines] == [("preparing the data directory", HEADS[MAIN_FILE])]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("file", FILES)
def test_a_file_that_is_no_database_is_told_and_left_as_it_is(tmp_path, file):
    place = a_data_directory(tmp_path / "data")
    (place / file).write_bytes(b"no database" * 1000)
    before = contents(place)
    with pytest.raises(StorageUnavailable, match="not a database"):
        prepare(place)
    assert contents(place) == before


def test_a_database_of_something_else_is_told(tmp_path):
    with closing(sqlite3.connect(tmp_path / MAIN_FILE)) as connection, connection:
        connection.execute("CREATE TABLE tenants (x)")
    with pytest.raises(StorageUnavailable, match="tenants already exists"):
        prepare(tmp_path)


def test_a_place_that_is_no_directory_is_told(tmp_path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(StorageUnavailable, match="cannot be used"):
        prepare(tmp_path / "data")


def test_a_migration_is_whole_or_not_there(tmp_path):
    with closing(sqlite3.connect(tmp_path / MAIN_FILE)) as connection, connection:
        connection.execute("CREATE TABLE outbox (x)")  # the last table of the first migration
    with pytest.raises(StorageUnavailable):
        prepare(tmp_path)
    with closing(sqlite3.connect(tmp_path / MAIN_FILE)) as connection:
        assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("outbox",)]


@pytest.mark.parametrize("file", FILES)
def test_the_version_this_program_knows_is_the_newest_migration(file):
    script = ScriptDirectory.from_config(configuration(None, BRANCHES[file]))
    assert script.get_heads() == [HEADS[file]]


@pytest.mark.parametrize("file", FILES)
def test_migrations_have_versions_that_sort(tmp_path, file):
    script = ScriptDirectory.from_config(configuration(None, BRANCHES[file]))
    revisions = [each.revision for each in script.walk_revisions()][::-1]
    assert revisions == sorted(revisions)
    assert all(len(revision) == 4 for revision in revisions)


def test_a_migration_run_twice_changes_nothing(tmp_path):
    place = a_data_directory(tmp_path / "data")
    before = contents(place)
    command.upgrade(configuration(place / MAIN_FILE, BRANCHES[MAIN_FILE]), "head")
    assert contents(place)[MAIN_FILE] == before[MAIN_FILE]


def run_python(code, *arguments):
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)])


def test_a_usual_start_does_not_load_alembic(tmp_path):
    place = a_data_directory(tmp_path / "data")
    code = """
import sys
from pathlib import Path
from strongroom.storage.directory import prepare
from strongroom.storage.sqlite import SqliteStorage
prepare(Path(sys.argv[1]))
sys.exit("alembic" in sys.modules or "sqlalchemy" in sys.modules)
"""
    assert run_python(code, place).wait() == 0


def test_two_that_prepare_at_once_do_not_disturb_each_other(tmp_path):
    code = "import sys, pathlib; from strongroom.storage.directory import prepare; prepare(pathlib.Path(sys.argv[1]))"
    processes = [run_python(code, tmp_path / "data") for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    SqliteStorage.open(tmp_path / "data", CUSTODIAN).close()
