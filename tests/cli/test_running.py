import json
import os
import signal
import stat
import subprocess
import sys

import pytest

from strongroom.cli import running
from strongroom.cli.failure import CommandFailed
from strongroom.cli.running import (
    Running,
    ServerLock,
    clear_state,
    find_server,
    require_no_server,
    running_pid,
    write_private_json,
    write_state,
)

HOLD = """
import sys
from pathlib import Path
from strongroom.cli.running import ServerLock
with ServerLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def state():
    return Running(
        pid=os.getpid(),
        domain="localhost",
        addresses=("127.0.0.1", "::1"),
        port=8443,
        proxy_port=None,
        tenant_id="t",
        subscription_id="s",
        client_id="c",
        location="local",
        dev=False,
        ca_file="ca.pem",
        ca_bundle="bundle.pem",
    )


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock, as a server does."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_a_second_server_is_told_of_the_first(tmp_path, holder):
    with pytest.raises(CommandFailed, match=rf"another server \(process {holder.pid}\) runs on {tmp_path} already"):
        ServerLock(tmp_path).__enter__()
    with pytest.raises(CommandFailed, match="another server"):
        require_no_server(tmp_path)
    assert running_pid(tmp_path) == holder.pid


def test_the_lock_of_a_killed_server_is_free(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert running_pid(tmp_path) is None
    with ServerLock(tmp_path):
        assert (tmp_path / running.LOCK_NAME).read_text() == f"{os.getpid()}\n"


def test_orphans_of_a_killed_server_are_waited_for(tmp_path, holder, monkeypatch):
    naps = []
    monkeypatch.setattr(running, "_is_alive", lambda _pid: False)
    monkeypatch.setattr(running.time, "sleep", lambda seconds: (naps.append(seconds), holder.kill(), holder.wait()))
    with ServerLock(tmp_path):
        assert naps


def test_a_long_wait_for_orphans_is_told_once(tmp_path, holder, monkeypatch, capsys):
    naps = []
    monkeypatch.setattr(running, "_is_alive", lambda _pid: False)
    monkeypatch.setattr(running, "NOTICE_SECONDS", 0.0)

    def nap(_seconds):
        naps.append(True)
        if len(naps) == 3:
            holder.kill()
            holder.wait()

    monkeypatch.setattr(running.time, "sleep", nap)
    assert running_pid(tmp_path) is None
    assert capsys.readouterr().err == "strongroom: waiting for the processes of a server that was killed\n"


def test_orphans_that_stay_are_given_up_on(tmp_path, holder, monkeypatch):
    monkeypatch.setattr(running, "_is_alive", lambda _pid: False)
    monkeypatch.setattr(running, "ORPHANS_SECONDS", 0.0)
    assert running_pid(tmp_path) == holder.pid


def test_where_no_server_ever_ran_there_is_none(tmp_path):
    assert running_pid(tmp_path) is None
    require_no_server(tmp_path)
    with pytest.raises(CommandFailed, match=f"no server runs on {tmp_path}; start one"):
        find_server(tmp_path)


def test_a_server_that_does_not_answer_yet_is_named_so(tmp_path, holder):
    with pytest.raises(CommandFailed, match="does not answer yet"):
        find_server(tmp_path)


def test_other_commands_find_the_server(tmp_path, holder, state):
    write_state(tmp_path, state)
    assert find_server(tmp_path) == state
    clear_state(tmp_path)
    with pytest.raises(CommandFailed):
        find_server(tmp_path)
    clear_state(tmp_path)


def test_a_lock_without_a_pid_is_a_server_all_the_same(tmp_path, holder):
    (tmp_path / running.LOCK_NAME).write_text("")
    assert running_pid(tmp_path) == 0
    with pytest.raises(CommandFailed, match="another server runs"):
        require_no_server(tmp_path)


def test_a_process_of_somebody_else_is_alive(monkeypatch):
    def refuse(_pid, _number):
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert running._is_alive(1)


def test_private_files_are_whole_and_only_their_owners(tmp_path):
    path = tmp_path / "c.json"
    path.write_text("old")
    write_private_json(path, {"a": 1})
    assert json.loads(path.read_text()) == {"a": 1}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["c.json"]


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "c.json"
    path.write_text("old")
    with pytest.raises(TypeError):
        write_private_json(path, {"a": object()})
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["c.json"]
