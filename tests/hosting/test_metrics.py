"""What Prometheus is shown, and what a hostile scraper can do."""

import ast
import contextlib
import os
import socket
import threading
from http import HTTPStatus
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from strongroom.hosting import metrics
from strongroom.hosting.children import READY, Post
from strongroom.hosting.exposition import render
from strongroom.hosting.metrics import run_metrics
from strongroom.hosting.sockets import bind, port_of
from strongroom.meters import MALFORMED, CommitMeter, Meters, RequestMeter

HOSTING = Path(metrics.__file__).parent


def samples(text):
    """Return every sample, by its name and its labels' values."""
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families)
    return {
        (each.name, *(each.labels[name] for name in sorted(each.labels))): each.value
        for family in families
        for each in family.samples
    }


@pytest.fixture(autouse=True)
def _nice(monkeypatch):
    monkeypatch.setattr(metrics, "NICENESS", 0)  # it is the tests' own process here


@pytest.fixture
def meters():
    return Meters({"data": ["SecretGet"]}, kinds=["worker"], rows=3)


@pytest.fixture
def data_dir(tmp_path):
    (tmp_path / "strongroom.db").write_bytes(b"x" * 100)
    (tmp_path / "audit.db").write_bytes(b"x" * 1000)
    return tmp_path


def test_all_that_is_counted_is_shown(meters, data_dir):
    meters.set(("started",), 1_700_000_000)
    meters.sit(1)
    request = RequestMeter(meters, "data")
    for status, seconds in ((200, 0.0001), (200, 0.003), (401, 20)):
        request.count("SecretGet", status, seconds)
    CommitMeter(meters, "changes").count(5, 2, 1.5)
    meters.set(("certificate", "own"), 2_000)
    meters.set(("connections",), 3)
    meters.sit(2)
    meters.set(("certificate", "own"), 1_000)
    meters.set(("connections",), 4)
    shown = samples(render(meters, data_dir).decode())
    assert shown["strongroom_requests_total", "SecretGet", "data", "2xx"] == 2
    assert shown["strongroom_refusals_total", "data", "unauthenticated"] == 1
    assert shown["strongroom_request_seconds_bucket", "0.0005", "data"] == 1
    assert shown["strongroom_request_seconds_bucket", "0.005", "data"] == 2
    assert shown["strongroom_request_seconds_bucket", "10.0", "data"] == 2
    assert shown["strongroom_request_seconds_bucket", "+Inf", "data"] == 3
    assert shown["strongroom_request_seconds_count", "data"] == 3
    assert shown["strongroom_request_seconds_sum", "data"] == pytest.approx(20.0031)
    assert shown["strongroom_committed_units_total", "changes"] == 5
    assert shown["strongroom_storage_failures_total", "changes"] == 2
    assert shown["strongroom_commit_seconds_total", "changes"] == 1.5
    assert shown["strongroom_certificate_expiry_seconds", "own"] == 1_000
    assert ("strongroom_certificate_expiry_seconds", "operator") not in shown
    assert shown[("strongroom_connections",)] == 7
    assert shown[("strongroom_start_time_seconds",)] == 1_700_000_000
    assert shown["strongroom_file_bytes", "audit.db"] == 1000
    assert shown[("strongroom_disk_free_bytes",)] > 0


def test_every_count_is_shown(meters, data_dir):
    for key in meters.cells:
        meters.set(key, 1)
    before = samples(render(meters, data_dir).decode())
    for key in meters.cells:
        meters.set(key, 2_000_000)
        assert samples(render(meters, data_dir).decode()) != before, key
        meters.set(key, 1)


def test_a_disk_that_cannot_be_asked_hides_nothing_else(meters, tmp_path):
    shown = samples(render(meters, tmp_path / "none").decode())
    assert ("strongroom_disk_free_bytes",) not in shown
    assert shown["strongroom_requests_total", "SecretGet", "data", "2xx"] == 0


def test_every_status_that_a_connection_refuses_with_is_counted():
    trees = [ast.parse((HOSTING / name).read_text()) for name in ("protocol.py", "refusal.py")]
    named = {
        node.attr
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "HTTPStatus"
    }
    assert named
    assert {str(HTTPStatus[name].value) for name in named} == set(MALFORMED)


@contextlib.contextmanager
def exporting(render):
    """An exporter in a thread of its own; gives its port."""
    listeners = bind(["127.0.0.1"], 0)
    heard, told = os.pipe()
    lifeline, held = os.pipe()
    thread = threading.Thread(target=run_metrics, args=(render, listeners, Post(told, lifeline)))
    thread.start()
    assert os.read(heard, 1) == READY
    yield port_of(listeners[0])
    os.close(held)
    thread.join()  # it ends with its parent
    for handle in (heard, told, lifeline):
        os.close(handle)


def exchange(port, data):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(data)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while more := client.recv(65536):
                answer += more
        return answer


@pytest.mark.parametrize(
    ("data", "start"),
    [
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4"),
        (b"GET /metrics?name[]=x HTTP/1.0\r\n\r\n", b"HTTP/1.1 200"),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", b"HTTP/1.1 200"),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 1\r\n\r\na", b"HTTP/1.1 405"),
        (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 404"),
        (b"GET /metrics/../secrets HTTP/1.1\r\n\r\n", b"HTTP/1.1 404"),
        (b"\x16\x03\x01\x00\r\n\r\n", b"HTTP/1.1 404"),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"a" * 20_000, b""),
        (b"", b""),
    ],
)
def test_only_metrics_are_shown(data, start, monkeypatch):
    monkeypatch.setattr(metrics, "SECONDS", 0.3)
    with exporting(lambda: b"strongroom_x 1\n") as port:
        answer = exchange(port, data)
    assert answer.startswith(start)
    assert bool(answer) == bool(start)
    assert (b"strongroom_x" in answer) == (b"200" in start and data.startswith(b"GET"))


def test_scrapers_that_are_slow_or_many_are_cut_and_others_are_answered(monkeypatch):
    monkeypatch.setattr(metrics, "SECONDS", 0.5)
    with exporting(lambda: b"x" * 10_000_000) as port, contextlib.ExitStack() as held:
        slow = [held.enter_context(socket.create_connection(("127.0.0.1", port), 30)) for _ in range(40)]
        for client in slow[:20]:
            client.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")  # and never reads the answer
        answer = b""
        while not answer:  # until the slow ones are cut
            answer = exchange(port, b"GET /metrics HTTP/1.1\r\n\r\n")
        assert answer.endswith(b"x" * 100)


def test_many_scrapes_render_once(monkeypatch):
    monkeypatch.setattr(metrics, "FRESH_SECONDS", 1000)
    heard, told = os.pipe()

    def render_and_tell():
        os.write(told, b".")
        return b"x"

    with exporting(render_and_tell) as port:
        clients = [threading.Thread(target=exchange, args=(port, b"GET /metrics HTTP/1.1\r\n\r\n")) for _ in range(8)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
    assert os.read(heard, 100) == b"."
    os.close(heard)
    os.close(told)
