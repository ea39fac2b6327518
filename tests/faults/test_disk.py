"""What a disk does to a server under load: clear errors, nothing half done, service back by itself."""

import errno
import json
import os
import signal
from types import SimpleNamespace

import pytest

from clients.direct import Direct
from clients.harness import StartFailed, start_server
from clients.processes import children
from faults.disks import MIB, READS_TOO, SYNCS_ONLY, WRITES, failing_disk, small_disk
from faults.load import Load, wait_until

DISK_MIB = 64
FLAGS = ("--dev", "--no-proxy", "--workers", "2")
NO_SPACE = os.strerror(errno.ENOSPC)
UNAVAILABLE = {
    "code": "ServiceUnavailable",
    "message": "The storage is not available now; nothing was changed. Try again; the server's own log has the reason.",
}


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk", DISK_MIB) as disk:
        yield disk


@pytest.fixture
def start(tmp_path):
    """Start a server; it is stopped in the end, whatever happened."""
    started = []

    def begin(*flags, **kwargs):
        started.append(start_server(tmp_path / "server", *FLAGS, *flags, **kwargs))
        return started[-1]

    yield begin
    for server in started:
        server.stop()


def readiness(direct):
    port = direct.facts.vaultUrl.rpartition(":")[2]
    answer = direct.ask("GET", f"https://localhost:{port}/health/ready")
    return answer.status, answer.json["status"]


def test_a_full_disk_stops_what_needs_it_and_nothing_else_is_lost(disk, start, tmp_path):
    server = start(data_dir=disk.folder / "data")
    with Load(server, tmp_path) as load:
        load.serve(50)
        disk.fill_up()
        load.refuse(30)
        answer = load.direct.secret("PUT", load.direct.facts.vaultUrl, "/secrets/full", {"value": "x" * 20_000})
        assert (answer.status, answer.error) == (503, UNAVAILABLE)
        wait_until(lambda: readiness(load.direct) == (503, "busy"))  # it is asked once a second
        disk.empty()
        load.serve(50)
        wait_until(lambda: readiness(load.direct) == (200, "ready"))
        disk.fill_up()
        load.refuse(30)
        disk.empty()
        load.serve(50)
    load.judge()
    assert 0 < server.errors.count("the storage failed") < 100  # not a line for each request
    assert "full" in server.errors


FAILURES = [
    pytest.param(errno.EROFS, "/data/", WRITES, id="read-only"),
    pytest.param(errno.EIO, "/data/", READS_TOO, id="cannot-read"),
    pytest.param(errno.EIO, "/data/", SYNCS_ONLY, id="cannot-sync"),
    pytest.param(errno.ENOSPC, "audit.db", WRITES, id="audit-full"),
    pytest.param(errno.EROFS, "strongroom.db", WRITES, id="main-read-only"),
    pytest.param(errno.EIO, "/journals/", WRITES, id="journals-cannot-be-written"),
    pytest.param(errno.EIO, "/journals/", READS_TOO, id="journals-cannot-be-read"),
    pytest.param(errno.EIO, "/journals/", SYNCS_ONLY, id="journals-cannot-be-synced"),
]


@pytest.mark.parametrize(("error", "part", "kind"), FAILURES)
def test_a_disk_that_fails_is_told_and_service_comes_back_by_itself(start, tmp_path, error, part, kind):
    disk = failing_disk(tmp_path / "failing")
    server = start(environ=disk.environ)
    with Load(server, tmp_path) as load:
        load.serve(30)
        disk.fail(error, part, kind)
        load.refuse(20)
        wait_until(lambda: readiness(load.direct) == (503, "busy"))  # it is asked once a second
        disk.mend()
        load.serve(40)
        wait_until(lambda: readiness(load.direct) == (200, "ready"))
    load.judge()


@pytest.mark.parametrize(
    ("name", "instead"),
    [("audit.db", None), ("audit.db", "empty"), ("strongroom.db", "folder")],
)
def test_a_file_that_is_taken_away_is_missed_and_taken_up_again(start, tmp_path, name, instead):
    server = start()
    place, away = server.data_dir / name, server.data_dir / "away"
    with Load(server, tmp_path) as load:
        load.serve(30)
        place.rename(away)
        if instead == "folder":
            place.mkdir()
        elif instead == "empty":
            place.touch()
        load.refuse(20)
        if instead == "folder":
            place.rmdir()
        away.replace(place)
        load.serve(40)
    load.judge()


def test_a_flood_on_a_nearly_full_disk_stops_no_one_who_proves_who_they_are(disk, start, tmp_path):
    server = start("--reserved-space", "30", data_dir=disk.folder / "data")
    with Load(server, tmp_path) as load:
        load.serve(30)
        facts, stranger = load.direct.facts, Direct(load.direct.facts)
        assert stranger.ask("GET", facts.vaultUrl).status == 401
        disk.fill(leave=20 * MIB)
        wait_until(lambda: stranger.ask("GET", facts.vaultUrl).status == 503)
        answer = stranger.ask("GET", f"{facts.vaultUrl}/secrets/x?api-version=7.6")
        assert answer.error["message"].startswith("The server is short of disk space;")
        assert int(answer.headers["retry-after"]) == 30
        refused = 1 + sum(stranger.ask("GET", facts.vaultUrl).status == 503 for _ in range(300))
        assert refused == 301
        assert load.direct.sign_in(facts.clientId, facts.clientSecret)
        load.serve(60)
        disk.empty()
        wait_until(lambda: stranger.ask("GET", facts.vaultUrl).status == 401)
        stranger.close()
    load.judge()
    lines = server.strongroom("logs", "--json", "-n", "1000", "--operation", "Strongroom.Unauthenticated/refuse").stdout
    assert sum(json.loads(line)["properties"]["requests"] for line in lines.splitlines()) >= refused


def test_on_a_full_disk_no_server_starts_and_it_says_why(disk, start):
    data = disk.folder / "data"
    for _ in ("the first start", "a later one"):
        disk.fill_up()
        with pytest.raises(StartFailed) as failed:
            start(data_dir=data)
        assert failed.value.errors == f"strongroom: the data directory {data} cannot be written: {NO_SPACE}\n"
        assert failed.value.code == 1
        assert not (data / ".writable").exists()
        disk.empty()
        assert start(data_dir=data).stop() == 0


def test_workers_that_die_while_the_disk_fails_are_replaced_when_it_works_again(start, tmp_path):
    disk = failing_disk(tmp_path / "failing")
    server = start(environ=disk.environ)
    with Load(server, tmp_path) as load:
        load.serve(30)
        disk.fail(errno.EROFS, "/data/")
        load.refuse(10)
        for worker in children(server.process.pid):
            os.kill(worker, signal.SIGKILL)
        wait_until(lambda: server.errors.count("a worker failed") >= 2)
        disk.mend()
        load.serve(40)
    load.judge()


def test_a_disk_that_fills_is_announced(disk, start):
    disk.fill(leave=DISK_MIB * MIB // 8)
    server = start(data_dir=disk.folder / "data")
    direct = Direct(SimpleNamespace(**server.connection))
    wait_until(lambda: "the disk is getting full" in server.errors)
    port = direct.facts.vaultUrl.rpartition(":")[2]
    assert direct.ask("GET", f"https://localhost:{port}/health/ready").json == {"status": "ready", "disk": "low"}
    direct.close()
