"""A backup taken while everything is written to, and the server that comes out of it, seen by the real SDK."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from clients.harness import START_SECONDS, STRONGROOM, StartFailed, execute, plain_environ, start_server

WRITERS = 4
BEFORE, AFTER = 40, 40
"""How many writes are answered before the backup begins, and after it began before the server is killed."""

WRITE = """
import os, sys
from azure.identity import EnvironmentCredential
from azure.keyvault.secrets import SecretClient
client = SecretClient(os.environ["VAULT_URL"], EnvironmentCredential(disable_instance_discovery=True))
count = 0
while True:
    name = f"{sys.argv[1]}-{count % 10}"
    written = client.set_secret(name, f"value {count}")
    print(name, written.properties.version, f"value {count}", flush=True)
    count += 1
"""
READ = """
import json, os, sys
from azure.identity import EnvironmentCredential
from azure.keyvault.secrets import SecretClient
client = SecretClient(os.environ["VAULT_URL"], EnvironmentCredential(disable_instance_discovery=True))
wanted = json.load(sys.stdin)
read = {version: client.get_secret(name, version).value for name, version in wanted}
client.set_secret("after", "the restore")
print(json.dumps(read))
"""


class Writer:
    """An SDK client in a process of its own that sets secrets without end; answered: what the server acknowledged."""

    def __init__(self, server, number):
        variables = {name: value for name, value in server.client_environ().items() if value is not None}
        self.answered = []
        self._process = subprocess.Popen(
            [sys.executable, "-c", WRITE, f"writer-{number}"],
            env=server.environ | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for line in self._process.stdout:
            self.answered.append(tuple(line.rstrip("\n").split(" ", 2)))

    def stop(self):
        self._process.kill()
        self._process.wait()
        self._thread.join()
        self._process.stdout.close()


def wait_for(condition):
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        threading.Event().wait(0.01)


@pytest.fixture
def start(tmp_path):
    started = []

    def begin(*flags, **kwargs):
        server = start_server(tmp_path / f"server-{len(started)}", "--workers", "2", "--dev", *flags, **kwargs)
        started.append(server)
        return server

    yield begin
    for server in started:
        server.stop(signal.SIGKILL)


def answered(writers):
    return [each for writer in writers for each in list(writer.answered)]


def test_what_was_answered_before_the_backup_is_served_after_the_restore(start, tmp_path):
    server = start()
    writers = [Writer(server, number) for number in range(WRITERS)]
    try:
        wait_for(lambda: len(answered(writers)) >= BEFORE and all(writer.answered for writer in writers))
        before = answered(writers)
        told = server.strongroom("backup", str(tmp_path / "archive")).stdout
        after = len(answered(writers))
        wait_for(lambda: len(answered(writers)) >= after + AFTER)  # the writers go on
    finally:
        for writer in writers:
            writer.stop()
    assert after > len(before), "nothing was written while the backup was taken"
    assert "read back and checked" in told
    server.stop(signal.SIGKILL)

    # Another machine, as it were: another data directory, another place for the key, another domain, another port.
    key = tmp_path / "elsewhere" / "key"
    key.parent.mkdir()
    server.data_dir.with_name("data-key").joinpath("master.key").rename(key)
    new = tmp_path / "new place"
    place = ["--data-dir", str(new), "--master-key-file", str(key)]
    restored = execute([STRONGROOM, "restore", str(tmp_path / "archive"), *place], plain_environ(tmp_path))
    assert f"start it: strongroom serve --data-dir '{new}' --master-key-file {key}" in restored.stdout
    second = start("--master-key-file", str(key), "--domain", "second.test", data_dir=new)
    wanted = json.dumps([(name, version) for name, version, _ in before])
    environ = {"STRONGROOM_MASTER_KEY_FILE": str(key)}
    read = second.run(sys.executable, "-c", READ, stdin=wanted, environ=environ).stdout
    assert json.loads(read) == {version: value for _, version, value in before}
    assert chain_of(second, environ, tmp_path)[-1] is not None


def chain_of(server, environ, tmp_path):
    """Return the operations of all records after making sure, by another backup, that they hang together."""
    server.strongroom("backup", str(tmp_path / "again"), environ=environ)
    server.strongroom("restore", str(tmp_path / "again"), "--verify-only", environ=environ)
    lines = server.strongroom("logs", "--json", "-n", "100000", environ=environ).stdout.splitlines()
    operations = [json.loads(line)["operationName"] for line in lines]
    assert operations.count("Strongroom.Installation/restore") == 1
    return operations


KILLED = """
import importlib, os, signal, sys
place, name, when = sys.argv[1:4]
holder = importlib.import_module(place)
for part in name.split(".")[:-1]:
    holder = getattr(holder, part)
last = name.split(".")[-1]
real = getattr(holder, last)
def kill(*arguments, **named):
    if when == "after":
        real(*arguments, **named)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(holder, last, kill)
sys.argv = ["strongroom", *sys.argv[4:]]
from strongroom.cli.main import main
main()
"""


def killed_at(point, *arguments, environ):
    done = execute([sys.executable, "-c", KILLED, *point, *arguments], environ, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A server that has stopped, with a secret, and a backup of it. It is not changed by the tests below."""
    folder = tmp_path_factory.mktemp("kept")
    server = start_server(folder / "server", "--dev", "--workers", "1")
    server.run(sys.executable, "-c", READ, stdin="[]")
    server.strongroom("backup", str(folder / "archive"))
    assert server.stop() == 0
    key = server.data_dir.with_name("data-key") / "master.key"
    return {"server": server, "archive": folder / "archive", "key": key}


@pytest.mark.parametrize(
    "point",
    [
        ("strongroom.storage.restoration", "begin", "before"),
        ("strongroom.storage.restoration", "begin", "after"),
        ("strongroom.storage.restoration", "_Builder._begin_table", "after"),
        ("strongroom.storage.restoration", "_Builder._end_file", "after"),
        ("strongroom.storage.restoration", "build", "after"),
        ("strongroom.storage.restoration", "verify", "after"),
        ("strongroom.cli.restore", "_record", "after"),
        ("strongroom.storage.restoration", "finish", "before"),
    ],
    ids=lambda point: " ".join(point[1:]),
)
def test_a_killed_restore_is_no_server_and_is_done_again(kept, tmp_path, point):
    new, environ = tmp_path / "new", plain_environ(tmp_path)
    arguments = [str(kept["archive"]), "--data-dir", str(new), "--master-key-file", str(kept["key"])]
    killed_at(point, "restore", *arguments, environ=environ)
    if point[1:] != ("begin", "before"):
        with pytest.raises(StartFailed) as failed:
            start_server(tmp_path, "--master-key-file", str(kept["key"]), data_dir=new)
        assert "has not finished, so that what is there is not whole; run it again" in failed.value.errors
        looked = execute([STRONGROOM, "logs", *arguments[1:]], environ, check=False)
        assert "has not finished" in looked.stderr
    assert "is restored and checked" in execute([STRONGROOM, "restore", *arguments], environ).stdout
    assert not list(new.glob("*.unfinished"))
    lines = execute([STRONGROOM, "logs", "--json", *arguments[1:]], environ).stdout.splitlines()
    assert json.loads(lines[-1])["operationName"] == "Strongroom.Installation/restore"


@pytest.mark.parametrize(
    "point",
    [
        ("strongroom.storage.snapshot", "take_snapshot", "before"),
        ("strongroom.storage.snapshot", "Snapshot.rows", "before"),
        ("strongroom.custody.stream", "SealedWriter.finish", "after"),
        ("strongroom.cli.archives", "check_archive", "after"),
        ("strongroom.cli.backup", "_require_free", "after"),
        ("os", "link", "before"),
    ],
    ids=lambda point: " ".join(point[1:]),
)
def test_a_killed_backup_leaves_no_archive_and_the_next_one_is_whole(kept, tmp_path, point):
    environ = plain_environ(tmp_path)
    place = ["--data-dir", str(kept["server"].data_dir), "--master-key-file", str(kept["key"])]
    archive = tmp_path / "archive"
    killed_at(point, "backup", str(archive), *place, environ=environ)
    assert not archive.exists()
    execute([STRONGROOM, "backup", str(archive), *place], environ)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["archive"]
    assert "whole" in execute([STRONGROOM, "restore", str(archive), "--verify-only", *place], environ).stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")
def test_a_full_disk_is_told_and_the_next_backup_succeeds(kept, tmp_path):
    place = ["--data-dir", str(kept["server"].data_dir), "--master-key-file", str(kept["key"])]
    disk = tmp_path / "disk"
    disk.mkdir()
    script = (
        f'mount -t tmpfs -o size=16k none {disk} && "$@"; code=$?; ls -A {disk}; '
        f'mount -o remount,size=1m {disk} && "$@" && ls -A {disk}; exit $code'
    )
    command = ["unshare", "-m", "sh", "-c", script, "sh", STRONGROOM, "backup", str(disk / "archive"), *place]
    done = execute(command, plain_environ(tmp_path), check=False)
    assert done.returncode == 1
    assert "could not be written: No space left on device; what there was of it was removed" in done.stderr
    assert done.stdout.startswith(f"{disk / 'archive'}: "), "nothing was left behind by the first"
    assert done.stdout.endswith("\narchive\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")
def test_a_restore_that_fills_the_disk_is_told_and_leaves_nothing(kept, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    restore = [STRONGROOM, "restore", str(kept["archive"]), "--master-key-file", str(kept["key"]), "--data-dir"]
    script = (
        f'mount -t tmpfs -o size=64k none {disk} && "$@" {disk}/new; code=$?; ls -A {disk}; '
        f'mount -o remount,size=1m {disk} && "$@" {disk}/new; exit $code'
    )
    done = execute(["unshare", "-m", "sh", "-c", script, "sh", *restore], plain_environ(tmp_path), check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"strongroom: {disk / 'new'} could not be restored: database or disk is full; ")
    assert done.stdout.startswith(f"{disk / 'new'} is restored and checked"), "nothing was left behind by the first"


def test_standard_output_gets_an_archive_and_only_that(kept, tmp_path):
    place = ["--data-dir", str(kept["server"].data_dir), "--master-key-file", str(kept["key"])]
    environ = plain_environ(tmp_path)
    piped = ["sh", "-c", f'"$@" | cat > {tmp_path / "piped"}', "sh", STRONGROOM, "backup", "-", *place]
    done = execute(piped, environ)
    assert "not read back: check it where it is now" in done.stderr
    execute([STRONGROOM, "restore", str(tmp_path / "piped"), "--verify-only", *place], environ)
    newest = execute([STRONGROOM, "logs", "-n", "1", "--json", *place], environ).stdout
    assert json.loads(newest)["properties"]["archive"] == "-"


def test_a_running_server_is_not_restored_over(start, kept):
    server = start()
    done = execute(
        [STRONGROOM, "restore", str(kept["archive"]), "--data-dir", str(server.data_dir)], server.environ, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert f"another server (process {server.process.pid}) runs on {server.data_dir} already" in done.stderr


def test_the_archive_shows_no_secret_and_no_name(kept):
    content = Path(kept["archive"]).read_bytes()
    for text in (b"the restore", b"after", b"SecretSet", b"bootstrap", kept["key"].read_bytes().split(b":")[1].strip()):
        assert text not in content
