import os
import signal
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

from strongroom.clock import real_now
from strongroom.hosting.ca import new_authority


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
        other = SimpleNamespace(pid=4_194_305, tls_certificate=None, tls_key=None)
        monkeypatch.setattr("strongroom.cli.reload.find_server", lambda _: other)
        code, _, err = strongroom("reload")
        assert code == 1
        assert "is another user's" in err

    running(meanwhile=meanwhile)


@pytest.fixture
def certificate(home):
    """The files of an operator's certificate; gives the flags that name them."""
    key, chain = home / "k.pem", home / "c.pem"
    leaf = new_authority("keys.test", real_now()).mint(real_now())
    chain.write_bytes(leaf.certificate.public_bytes(Encoding.PEM))
    opened = load_der_private_key(leaf.key.reveal(), password=None)
    key.write_bytes(opened.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return ("--tls-certificate", chain, "--tls-key", key)


def test_a_certificate_that_cannot_be_served_is_told_and_nothing_is_reloaded(
    running, strongroom, hang_ups, certificate
):
    chain = certificate[1]

    def meanwhile():
        assert strongroom("reload")[0] == 0
        chain.write_text("nonsense")
        code, out, err = strongroom("reload")
        assert (code, out) == (1, "")
        assert f"the certificate {chain} with the key " in err
        assert "nothing was reloaded, and the old certificate is served on" in err
        chain.unlink()
        assert strongroom("reload")[0] == 1

    running(*certificate, meanwhile=meanwhile)
    assert hang_ups == [True]


def test_where_no_server_runs_that_is_said(strongroom):
    code, _, err = strongroom("reload")
    assert code == 1
    assert "no server runs on" in err
