"""Metrics of a server as its operator scrapes them: every worker's counts, whatever became of the worker."""

import json
import os
import re
import signal
import sys
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from clients.harness import start_server

ASK = """
import os, requests
url = os.environ["VAULT_URL"] + "/secrets/canary-name?api-version=7.6"
for _ in range(20):
    requests.get(url, headers={"Authorization": "Bearer canary-token"})
"""


@pytest.fixture
def server(tmp_path):
    running = start_server(tmp_path / "server", "--dev", "--workers", "2", "--metrics-port", "0")
    yield running
    assert running.stop() == 0


def scrape(server):
    state = json.loads((server.data_dir / "server.json").read_text())
    with urllib.request.urlopen(f"http://127.0.0.1:{state['metrics_port']}/metrics", timeout=30) as answer:
        return answer.read().decode()


def samples(text):
    return {
        (each.name, *sorted(each.labels.items())): each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
    }


def refused(server):
    key = ("strongroom_refusals_total", ("plane", "data"), ("reason", "unauthenticated"))
    return samples(scrape(server))[key]


def until(server, count):
    while refused(server) < count:
        pass  # what is shown is at most a second old
    assert refused(server) == count


def workers(server):
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return {int(pid) for pid in children}


def test_a_worker_that_is_killed_or_exchanged_takes_no_count_with_it_and_none_is_counted_twice(server):
    server.run(sys.executable, "-c", ASK)
    until(server, 20)
    for pid in workers(server):
        os.kill(pid, signal.SIGKILL)  # the one that shows metrics, too
    while True:
        try:
            found = samples(scrape(server))
        except OSError:
            continue
        if found[("strongroom_processes", ("kind", "worker"))] == 2:
            break
    assert found[("strongroom_processes_died_total", ("kind", "worker"))] == 2
    until(server, 20)
    server.strongroom("reload")
    while samples(scrape(server))[("strongroom_reloads_total",)] != 1:
        pass
    server.run(sys.executable, "-c", ASK)
    until(server, 40)
    records = samples(scrape(server))[("strongroom_committed_units_total", ("kind", "records"))]
    assert records >= 40


def test_nothing_of_what_the_server_holds_is_shown(server):
    server.run(sys.executable, "-c", ASK)
    until(server, 20)
    shown = scrape(server)
    connection = server.connection
    for name in ("tenantId", "subscriptionId", "clientId", "clientSecret"):
        assert connection[name] not in shown
    assert "canary" not in shown
    assert "127.0.0.1" not in shown
    labels = set(re.findall(r'[{,](\w+)="', shown))
    assert labels == {
        "plane",
        "operation",
        "status",
        "reason",
        "kind",
        "le",
        "certificate",
        "file",
        "version",
        "python",
    }


def test_metrics_are_off_unless_asked_for(tmp_path):
    server = start_server(tmp_path / "plain", "--workers", "1")
    assert json.loads((server.data_dir / "server.json").read_text())["metrics_port"] is None
    assert "/metrics" not in server.banner.replace(str(tmp_path), "")
    assert len(workers(server)) == 2  # a worker and the recorder
    assert server.stop() == 0
