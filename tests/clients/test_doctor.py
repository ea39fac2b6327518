"""The doctor beside a real server, and where one was killed."""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from clients.harness import STRONGROOM, execute, start_server
from strongroom.audit.local import local_record
from strongroom.clock import real_now
from strongroom.custody.master import load_master_key
from strongroom.custody.sealing import Custodian
from strongroom.hosting.ca import make_authority
from strongroom.storage.sqlite import SqliteStorage


@pytest.fixture
def server(tmp_path):
    server = start_server(tmp_path / "server", "--dev", "--workers", "1", "--domain", "doctor.test")
    yield server
    server.stop(signal.SIGKILL)


def verdicts(done):
    return {each["check"]: (each["verdict"], each["text"]) for each in json.loads(done.stdout)}


def test_a_running_server_is_looked_at_where_it_is(server):
    done = server.strongroom("doctor", "--json")
    found = verdicts(done)
    assert found["server"][0] == "ok"
    assert found["server"][1].startswith(f"process {server.process.pid} answers at 127.0.0.1 port ")
    assert found["server"][1].endswith(" and is ready")
    assert found["served certificate"][0] == "ok"
    assert found["private CA"][1].startswith("of doctor.test, until ")
    assert {check for check, (verdict, _) in found.items() if verdict != "ok"} == {"backup"}


def test_without_the_master_key_the_server_is_still_asked_whether_it_is_ready(server, tmp_path):
    done = server.strongroom("doctor", "--quick", "--json", "--master-key-file", str(tmp_path / "none"), check=False)
    assert done.returncode == 1
    found = verdicts(done)
    assert found["master key"][0] == "problem"
    assert found["server"][0] == "ok"


def test_a_server_that_the_ca_does_not_vouch_for_is_told(server):
    custodian = Custodian(load_master_key(server.data_dir.with_name("data-key") / "master.key", str).key)

    async def replace_authority():
        storage = SqliteStorage.open(server.data_dir, custodian)

        async def work(stores):
            await make_authority(stores.facts, stores.keyring, custodian, "doctor.test", real_now())
            return None, local_record("Strongroom.Authority/create", now=real_now(), properties={})

        await storage.change(work)
        storage.close()

    asyncio.run(replace_authority())
    done = server.strongroom("doctor", "--quick", "--json", check=False)
    assert done.returncode == 1
    verdict, told = verdicts(done)["server"]
    assert verdict == "problem"
    assert "is not vouched for by the CA" in told


def test_what_a_killed_server_left_is_whole_and_left_as_it_is(server):
    server.strongroom("app", "create", "payments")
    pid = server.process.pid
    workers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for worker in (pid, *map(int, workers)):  # the parent first: it would make others
        os.kill(worker, signal.SIGKILL)
    server.stop(signal.SIGKILL)
    assert (server.data_dir / "strongroom.db-wal").stat().st_size
    before = contents(server.data_dir)
    place = ["--data-dir", str(server.data_dir), "--domain", "doctor.test", "--port", "0"]
    done = execute([STRONGROOM, "doctor", *place, "--json"], server.environ)
    assert {check for check, (verdict, _) in verdicts(done).items() if verdict != "ok"} == {"backup"}
    assert contents(server.data_dir) == before


def contents(folder):
    """Return what lies in a folder; the index of a write-ahead log is made anew by whoever looks."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.suffix != ".db-shm"}
