import os
import signal

import pytest


@pytest.fixture
def hang_ups():
    """What SIGHUP would do to this process, which stands for the server; counts how often it came."""
    came = []
    before = signal.signal(signal.SIGHUP, lambda *_: came.append(True))
    yield came
    signal.signal(signal.SIGHUP, before)


def test_the_server_is_told_to_reload(running, strongroom, hang_ups):
    def meanwhile():
        code, out, err = strongroom("reload")
        assert (code, err) == (0, "")
        assert f"asked the server (process {os.getpid()}) to reload" in out

    running(meanwhile=meanwhile)
    assert hang_ups == [True]


def test_a_server_that_ignores_it_is_named(running, strongroom, hang_ups):
    def meanwhile():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        code, out, err = strongroom("reload")
        assert (code, out) == (1, "")
        assert "was started with nohup" in err

    running(meanwhile=meanwhile)


def test_another_users_server_is_named(running, strongroom, hang_ups, monkeypatch):
    def refuse(pid, number):
        raise PermissionError(1, "Operation not permitted")

    def meanwhile():
        monkeypatch.setattr("strongroom.cli.reload.os.kill", refuse)
        monkeypatch.setattr("strongroom.cli.reload.find_server", lambda _: type("Running", (), {"pid": 4_194_305}))
        code, _, err = strongroom("reload")
        assert code == 1
        assert "is another user's" in err

    running(meanwhile=meanwhile)


def test_where_no_server_runs_that_is_said(strongroom):
    code, _, err = strongroom("reload")
    assert code == 1
    assert "no server runs on" in err
