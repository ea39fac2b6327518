"""The search for what leaked finds what is planted: else a run that leaks would pass."""

import base64
import json
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from canaries import CONNECTION, MARK, MASTER_KEY, forms, new_canary, plant, search

TESTS = Path(__file__).parent
SECRET = "a secret that the server made itself"
MASTER = b"k" * 32
FORMS = {
    "as it is": bytes,
    "base64": base64.b64encode,
    "base64 of URLs": base64.urlsafe_b64encode,
    "hex": lambda value: value.hex().encode(),
    "backwards": lambda value: value[::-1],
    "UTF-16": lambda value: value.decode().encode("utf-16"),
}


@pytest.fixture
def folder():
    """A folder that the search at the end of this very run does not come by."""
    with tempfile.TemporaryDirectory(prefix="strongroom-leaks-") as name:
        yield Path(name)


@pytest.fixture
def server(folder):
    """What a server leaves, with nothing leaked."""
    place = folder / "test" / "server"
    (place / "data").mkdir(parents=True)
    (place / "data-key").mkdir()
    connection = {"clientSecret": SECRET, "tenantId": "t", "authority": "https://login"}
    for name in (CONNECTION, "asked-for-under-another-name.json"):
        (place / name).write_text(json.dumps(connection))
    (place / "data-key" / MASTER_KEY).write_text("strongroom-master-key-1:" + base64.b64encode(MASTER).decode())
    with closing(sqlite3.connect(place / "data/strongroom.db")) as connection, connection:
        connection.execute("CREATE TABLE kept (value)")
    plant(place, "planted by a test itself")
    return place


def test_where_nothing_leaked_nothing_is_found(folder, server):
    finding = search(folder)
    assert finding.leaks == []
    assert (finding.files, finding.databases, finding.servers, finding.canaries) == (5, 1, 1, 4)


@pytest.mark.parametrize("secret", [SECRET.encode(), b"planted by a test itself", MASTER, base64.b64encode(MASTER)])
@pytest.mark.parametrize("where", ["errors.log", "data/strongroom.db-wal", "home/.cache/trace"])
def test_what_a_server_keeps_to_itself_is_found_beside_it(folder, server, secret, where):
    path = server / where
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\0" * 99 + secret + b"\0")
    assert len(search(folder).leaks) == 1
    assert str(path) in search(folder).leaks[0]


def test_what_a_server_keeps_to_itself_is_searched_for_beside_it_alone(folder, server):
    (folder / "elsewhere").write_text(SECRET)
    assert search(folder).leaks == []


@pytest.mark.parametrize("before", [b"", b"a", b"ab", b"abc"])
@pytest.mark.parametrize("write", FORMS.values(), ids=FORMS)
def test_a_value_that_a_test_set_is_found_however_it_is_written(folder, before, write):
    (folder / "any").write_bytes(b"....." + write(before + new_canary().encode()))
    assert len(search(folder).leaks) == 1


def test_what_was_deleted_from_a_database_is_found_in_its_free_pages(folder):
    with closing(sqlite3.connect(folder / "free.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA secure_delete = OFF")  # the server has it on
        connection.execute("CREATE TABLE kept (value)")
        connection.execute("INSERT INTO kept VALUES (?)", (new_canary() * 1000,))
        connection.execute("DELETE FROM kept")
    assert len(search(folder).leaks) == 1


def test_the_mark_is_long_enough_to_be_found_in_any_form():
    assert len(forms(MARK.encode())) == 10


CONFTEST = """
import canaries

def pytest_configure(config):
    canaries.Search.WHOLE_RUN = {whole}
    canaries.install(config)
"""
TEST = """
import logging
import canaries

def test_any(tmp_path):
    {leak}
"""
LEAKS = {
    "nothing": "pass",
    "a file": "(tmp_path / 'trace').write_text(canaries.new_canary())",
    "what was printed": "print('value', canaries.new_canary())",
    "a log line": "logging.getLogger('any').warning('value %s', canaries.new_canary())",
}


def run(folder, leak, *arguments, whole=3000):
    """Run a suite of one test, which passes; return the exit code and what was told."""
    (folder / "conftest.py").write_text(CONFTEST.format(whole=whole))
    (folder / "test_any.py").write_text(TEST.format(leak=leak))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", str(folder / "tmp")]
    environ = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(TESTS), "HOME": str(folder)}
    done = subprocess.run([*command, *arguments], cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("leak", "processes"),
    [
        ("nothing", ()),
        ("a file", ()),
        ("a log line", ()),
        ("nothing", ("-n", "2")),
        ("a file", ("-n", "2")),
        ("what was printed", ("-n", "2")),
    ],
)
def test_a_run_that_leaks_fails_though_its_tests_passed(folder, leak, processes):
    code, told = run(folder, LEAKS[leak], *processes)
    assert "= canaries =" in told
    assert code == (0 if leak == "nothing" else 1), told
    assert ("a secret value" in told) is (leak != "nothing")


def test_a_whole_run_that_searched_next_to_nothing_fails(folder):
    code, told = run(folder, LEAKS["nothing"], whole=1)
    assert code == 1
    assert "implausibly little was searched: databases 0" in told
