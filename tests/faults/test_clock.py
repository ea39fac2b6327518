"""What a clock that is set does to a server: hours and years ahead and back, while it serves."""

import json
import os
import signal
from types import SimpleNamespace

import pytest

from clients.direct import Direct, on_server_data, unique
from clients.harness import start_server
from clients.processes import children
from faults.clocks import set_clock
from faults.load import wait_until
from storage_kinds import is_whole

FLAGS = ("--dev", "--no-proxy", "--workers", "2", "--unauthenticated-per-minute", "50")
HOLD = "Strongroom.Retention/hold"


@pytest.fixture
def clock(tmp_path):
    return set_clock(tmp_path)


@pytest.fixture
def start(tmp_path, clock):
    started = []

    def begin():
        started.append(start_server(tmp_path / "server", *FLAGS, environ=clock.environ))
        return started[-1], Direct(SimpleNamespace(**started[-1].connection))

    yield begin
    for server in started:
        server.stop()


def get(direct, token, name="kept"):
    return direct.secret("GET", direct.facts.vaultUrl, f"/secrets/{name}", token=token)


def fresh(direct):
    return direct.sign_in(direct.facts.clientId, direct.facts.clientSecret)


def records(server, operation):
    lines = server.strongroom("logs", "--json", "-n", "1000", "--operation", operation).stdout.splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("ahead", ["+7h", "+1y"])
def test_ahead_and_back_again_while_serving(start, clock, ahead):
    server, direct = start()
    vault, token = direct.facts.vaultUrl, fresh(direct)
    assert direct.secret("PUT", vault, "/secrets/kept", {"value": "1"}, token=token).status == 200

    clock.set(ahead)
    wait_until(lambda: get(direct, token).status == 401)
    assert "IDX10223" in get(direct, token).error["message"]
    later = fresh(direct)
    assert direct.secret("PUT", vault, "/secrets/kept", {"value": "2"}, token=later).status == 200
    assert get(direct, later).json["value"] == "2"

    clock.set("+0")
    wait_until(lambda: get(direct, later).status == 401)
    assert "IDX10222" in get(direct, later).error["message"]
    assert get(direct, token).json["value"] == "2"  # in its time again; the newest is the newest
    assert direct.secret("PUT", vault, "/secrets/kept", {"value": "3"}, token=fresh(direct)).status == 200
    versions = direct.secret("GET", vault, "/secrets/kept/versions", token=token).json["value"]
    assert len(versions) == 3

    clock.set("-3h")
    wait_until(lambda: get(direct, token).status == 401)
    assert get(direct, fresh(direct)).json["value"] == "3"
    direct.close()
    assert server.stop() == 0
    assert "Traceback" not in server.errors
    assert on_server_data(server, _is_whole)
    assert len(records(server, "SecretSet")) == 3


async def _is_whole(data):
    return is_whole(data.storage)


def test_what_strangers_may_send_does_not_go_by_a_clock_that_is_set(start, clock):
    _, direct = start()
    statuses = []
    for ahead in ("+0", "+7h", "-3h", "+0"):
        clock.set(ahead)
        statuses += [direct.ask("GET", direct.facts.vaultUrl).status for _ in range(60)]
    assert statuses.count(401) <= 2 * 50  # one limit, or two if a minute ended meanwhile
    direct.close()


def test_by_a_clock_ahead_nothing_is_purged_before_it_was_believed_for_a_day(start, clock):
    server, direct = start()
    vault, name = direct.facts.vaultUrl, unique("s")
    assert direct.secret("PUT", vault, f"/secrets/{name}", {"value": "x"}).status == 200
    assert direct.secret("DELETE", vault, f"/secrets/{name}").status == 200

    clock.set("+400d")
    for worker in children(server.process.pid):
        os.kill(worker, signal.SIGKILL)  # one that is new sweeps at once
    wait_until(lambda: "nothing is purged until" in server.errors)
    direct.close()
    gone = direct.secret("GET", vault, f"/deletedsecrets/{name}", token=fresh(direct))
    assert (gone.status, gone.error["code"]) == (404, "SecretNotFound")
    (held,) = records(server, HOLD)
    assert held["properties"]["aheadSeconds"] == pytest.approx(400 * 86_400, abs=3600)

    clock.set("+0")
    wait_until(lambda: direct.secret("GET", vault, f"/deletedsecrets/{name}", token=fresh(direct)).status == 200)
    assert direct.secret("POST", vault, f"/deletedsecrets/{name}/recover", token=fresh(direct)).status == 200
    direct.close()
    assert records(server, "SecretPurge") == []
