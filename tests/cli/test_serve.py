import asyncio
import json
import os
import socket
import stat
import sys
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from strongroom.app import Application
from strongroom.errors import StorageUnavailable


def test_a_first_start_makes_all_that_there_is(serving, done, home):
    out = done("serve", "--port", "0")
    assert "not shown, since this is no terminal; make a new one" in out
    assert "a new CA: clients of localhost must trust it" in out
    assert "az cloud register" in out
    assert out.endswith("\n\n")
    data = home / ".strongroom/data"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / ".strongroom/data-key/master.key").stat().st_mode) == 0o600
    assert (data / "trust/localhost/ca-bundle.pem").exists()
    assert not (data / "server.json").exists()


def test_a_data_directory_that_is_open_to_others_is_closed(serving, done, home):
    data = home / "data"
    data.mkdir()
    data.chmod(0o755)
    for told in ([str(data)], []):
        with capture_logs() as logs:
            done("serve", "--port", "0", "--data-dir", data)
        assert [line["data_dir"] for line in logs if "open to others" in line["event"]] == told
        assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_a_terminal_sees_the_secret_once_and_with_dev_each_time(serving, done, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert "(shown this once; keep it)" in done("serve", "--port", "0")
    assert "secret" not in done("serve", "--port", "0")
    assert "(of a rehearsal server: shown at each start)" in done("serve", "--port", "0", "--dev")
    assert "(of a rehearsal server: shown at each start)" in done("serve", "--port", "0", "--dev")


def test_the_workers_are_started_as_the_settings_say(serving, done):
    done("serve", "--port", "0", "--workers", "3", "--domain", "vault.test", "--no-proxy", "--listen", "127.0.0.1")
    assert (serving["workers"], serving["domain"], serving["proxy_sockets"]) == (3, "vault.test", [])
    assert len(serving["listeners"]) == 1
    assert [(duty.name, duty.turns) for duty in serving["beside"]] == [("recorder", True)]


def test_the_next_command_finds_the_data_and_their_key(serving, done, home):
    told = done("serve", "--port", "0", "--data-dir", "there", "--master-key-file", "their.key")
    place = f"--data-dir {Path.cwd() / 'there'} --master-key-file {Path.cwd() / 'their.key'}"
    assert f"run {place} -- az cloud register" in told
    assert f"app reset-secret {place} bootstrap" in told
    assert "run -- az cloud register" in done("serve", "--port", "0")


class Accepting:
    """Stands in for the way to a recorder, which is not there."""

    behind = False

    def __init__(self, _data_dir, _seal):
        pass

    def submit(self, _record):
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    def close(self):
        pass


async def test_a_worker_makes_its_application_and_one_of_them_sweeps(serving, done, monkeypatch):
    swept = []
    monkeypatch.setattr("strongroom.scheduling.chores.sweep_now", lambda storage, _keepers: record(swept, storage))
    made = {}
    monkeypatch.setattr("strongroom.cli.workers.create_app", lambda *args, **kwargs: made.update(kwargs) or args)
    monkeypatch.setattr("strongroom.cli.workers.Courier", Accepting)  # there is no recorder here
    await asyncio.to_thread(done, "serve", "--port", "0")
    serving["make_app"]()
    first = dict(made)
    serving["make_app"]()
    await first["sweep"]()
    await made["sweep"]()
    await first["sweep"]()
    assert len(swept) == 2, "one of the workers, each time that it is asked"
    assert len({id(storage) for storage in swept}) == 1
    assert await first["is_ready"]()
    await first["close"]()
    await made["close"]()


async def test_refused_requests_that_no_disk_takes_are_told_and_keep_nothing_else_from_being_tried(
    serving, done, monkeypatch
):
    swept, made = [], {}
    monkeypatch.setattr("strongroom.scheduling.chores.sweep_now", lambda storage, _keepers: record(swept, storage))
    monkeypatch.setattr("strongroom.cli.workers.create_app", lambda *args, **kwargs: made.update(kwargs) or args)
    await asyncio.to_thread(done, "serve", "--port", "0", "--unauthenticated-per-minute", "1")
    storage, _ = serving["make_app"]()

    async def fail(_record):
        raise StorageUnavailable("full")

    monkeypatch.setattr(storage, "record", fail)
    assert [made["strangers"].refusal("203.0.113.7", 0.0) is None for _ in range(5)] == [True] + [False] * 4
    with pytest.raises(StorageUnavailable):
        await made["sweep"]()
    assert swept == [storage]
    with capture_logs() as lines:
        await made["close"]()
    assert [(line["event"], line["requests"]) for line in lines] == [("refused requests are in no record", 4)]


async def record(swept, storage):
    swept.append(storage)


async def test_a_worker_has_every_plane(serving, done):
    await asyncio.to_thread(done, "serve", "--port", "0")
    application = serving["make_app"]()
    assert isinstance(application, Application)
    await application._close()


def test_what_the_connection_file_says_outlives_the_server_but_its_state_does_not(serving, done):
    done("serve", "--port", "0", "--connection-file", "c.json")
    document = json.loads(Path("c.json").read_text())
    assert document["pid"] == os.getpid()
    assert document["clientSecret"]
    assert "vaultUrl" not in document
    done("serve", "--port", "0", "--connection-file", "c.json")
    assert "clientSecret" not in json.loads(Path("c.json").read_text())


def test_an_operators_certificate_is_read_at_the_start(serving, strongroom, done, home):
    done("serve", "--port", "0")
    (home / "c.pem").write_text("nonsense")
    (home / "k.pem").write_text("nonsense")
    assert "c.pem" in refused(strongroom, "--tls-certificate", "c.pem", "--tls-key", "k.pem")


def refused(strongroom, *flags):
    code, out, err = strongroom("serve", "--port", "0", *flags)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    return err


def test_a_place_that_cannot_be_written_is_named(serving, strongroom, home):
    (home / "file").touch()
    assert "file/data cannot be written" in refused(strongroom, "--data-dir", "file/data")
    assert "the master key" in refused(strongroom, "--master-key-file", "file/k/key")
    assert "there is no folder" in refused(strongroom, "--connection-file", "none/c.json")
    assert "is a folder" in refused(strongroom, "--connection-file", str(home))


def test_a_key_that_is_there_before_the_data_is_taken(serving, done, home):
    done("serve", "--port", "0")
    key = (home / ".strongroom/data-key/master.key").read_text()
    done("serve", "--port", "0", "--data-dir", "other", "--master-key-file", ".strongroom/data-key/master.key")
    assert (home / ".strongroom/data-key/master.key").read_text() == key
    assert not (home / "other-key").exists()


@pytest.mark.parametrize("option", ["--port", "--proxy-port", "--metrics-port"])
def test_a_busy_port_is_named_by_its_option_and_the_others_are_let_go(serving, strongroom, done, option):
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        assert refused(strongroom, option, str(held.getsockname()[1])).endswith(f"choose another {option}\n")
    done("serve", "--port", "0")


def test_a_second_domain_has_its_own_ca(serving, done, home):
    done("serve", "--port", "0")
    assert "a new CA" not in done("serve", "--port", "0")
    assert "a new CA: clients of vault.test must trust it" in done("serve", "--port", "0", "--domain", "vault.test")
    assert (home / ".strongroom/data/trust/vault.test/ca.pem").exists()
