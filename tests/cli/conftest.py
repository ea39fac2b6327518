import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from strongroom.cli import main
from strongroom.cli.data import on_data
from strongroom.settings import load_settings


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of its own, so that no test sees or touches the data of the person who runs it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["strongroom"])  # what commands call themselves by in what they advise
    for name in [name for name in os.environ if name.startswith(("STRONGROOM_", "AZURE_"))]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def strongroom(capsys):
    """Run a command line in this process; gives exit code, output and errors."""

    def run(*arguments):
        code = main.run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def done(strongroom):
    """Run a command line that must succeed; gives its output, parsed when it was asked for as JSON."""

    def run(*arguments):
        code, out, err = strongroom(*arguments)
        assert (code, err) == (0, "")
        return json.loads(out) if "--json" in arguments else out

    return run


@pytest.fixture
def serving(monkeypatch):
    """Stand in for the workers: `strongroom serve` then prepares all, tells that it answers, and ends.

    Gives what the workers would have been started with.
    """
    seen = {}

    def stand_in(make_app, listeners, tls, **kwargs):
        seen.update(kwargs, make_app=make_app, listeners=listeners, tls=tls)
        kwargs["on_ready"]()
        seen.get("meanwhile", lambda: None)()
        return 0

    monkeypatch.setattr("strongroom.hosting.workers.serve", stand_in)
    monkeypatch.setattr("strongroom.cli.oplog.configure_log", lambda **_: None)  # the log is the test run's own
    return seen


@pytest.fixture
def data(serving, done):
    """A data directory on which a rehearsal server has been; gives what it wrote for programs."""
    done("serve", "--dev", "--port", "0", "--connection-file", "connection.json")
    return json.loads(Path("connection.json").read_text())


@pytest.fixture
def running(serving, strongroom, capsys):
    """Run command lines while a server is there: they are called from within it."""

    def run(*flags, meanwhile):
        def within():
            capsys.readouterr()
            meanwhile()

        serving["meanwhile"] = within
        code, _, err = strongroom("serve", "--port", "0", *flags)
        assert (code, err) == (0, "")

    return run


@pytest.fixture
def records():
    """Return the bodies of the records kept so far, oldest first."""

    def read():
        async def work(data):
            found = [entry.record for entry in data.storage.records.after(0, 1000)]
            return [json.loads(record.body) for record in (*found, *data.storage.records.pending())]

        return on_data(load_settings({}, {}), work)

    return read


@pytest.fixture
def sql(home):
    """Run a statement on a database file of the usual data directory, behind the server's back."""

    def run(statement, parameters=(), *, file="strongroom.db"):
        path = home / ".strongroom/data" / file
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            return connection.execute(statement, parameters).fetchall()

    return run
