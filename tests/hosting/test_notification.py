"""What a service manager hears."""

import os
import signal
import socket

import pytest
import structlog

from strongroom.hosting.notification import READY, notify, reloading


@pytest.fixture
def manager(tmp_path):
    """A socket that hears what a service manager would."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(30)
        yield heard


def test_it_hears_of_the_start_of_reloads_and_of_the_stop(manager, start, tmp_path, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    server = start().wait_ready()
    pid = server.process.pid
    assert manager.recv(1000).decode() == f"READY=1\nMAINPID={pid}"
    server.process.send_signal(signal.SIGHUP)
    assert manager.recv(1000).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
    assert manager.recv(1000).startswith(b"READY=1\n")
    server.process.terminate()
    assert manager.recv(1000).startswith(b"STOPPING=1\n")
    assert server.rest()[1] == 0


def test_an_abstract_socket_is_one_too(monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(f"\0strongroom-{os.getpid()}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@strongroom-{os.getpid()}")
        notify(reloading())
        assert heard.recv(1000).startswith(b"RELOADING=1\n")


def test_a_manager_that_is_gone_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "none"))
    with structlog.testing.capture_logs() as logs:
        notify(READY)
    assert [(entry["state"], entry["reason"]) for entry in logs] == [("READY", "No such file or directory")]


def test_without_a_manager_nothing_is_told(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    with structlog.testing.capture_logs() as logs:
        notify(READY)
    assert not logs
