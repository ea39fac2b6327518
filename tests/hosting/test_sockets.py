"""Binding: one port everywhere, and one clear line when it cannot be had."""

import errno
import socket

import pytest

from strongroom.hosting import sockets
from strongroom.hosting.sockets import BindFailed, PortBusy, bind, port_of


@pytest.fixture
def bound():
    """Return `bound(...)`, which binds and closes again at the end."""
    listeners = []

    def make(*arguments):
        made = bind(*arguments)
        listeners.extend(made)
        return made

    yield make
    for listener in listeners:
        listener.close()


def test_port_0_is_one_free_port_on_all_addresses(bound):
    four, six = bound(["127.0.0.1", "::1", "127.0.0.1"], 0)
    assert port_of(four) == port_of(six) > 0
    assert four.proto == six.proto == socket.IPPROTO_TCP
    assert four.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) == 0
    for address in ("127.0.0.1", "::1"):
        socket.create_connection((address, port_of(four))).close()


def test_an_address_may_have_a_port_of_its_own_and_is_not_the_one_that_clients_are_told(bound):
    (free,) = bound(["127.0.0.2"], 0)
    own = port_of(free)
    first, six, other = bound([f"127.0.0.1:{own}", "127.0.0.1", "::1"], 0)
    assert first.getsockname()[0] == "127.0.0.1"
    assert port_of(first) == port_of(six) != port_of(other) == own
    with pytest.raises(PortBusy, match=rf"^127\.0\.0\.2:{own} is busy"):
        bound([f"127.0.0.2:{own}", "127.0.0.1"], 0)


def test_a_busy_port_is_told_in_one_line_and_leaves_nothing_bound(bound):
    (taken,) = bound(["::1"], 0)
    with pytest.raises(PortBusy, match=rf"^\[::1\]:{port_of(taken)} is busy: .*--port") as raised:
        bound(["127.0.0.1", "::1"], port_of(taken))
    assert "\n" not in raised.value.message
    bound(["127.0.0.1"], port_of(taken))


def test_port_0_looks_on_when_the_port_is_taken_on_another_address(bound, monkeypatch):
    (taken,) = bound(["::1"], 0)
    chosen = []
    bind_one = sockets._bind_one

    def bind_taken_first(address, port):
        chosen.append((address, port))
        return bind_one(address, port_of(taken) if port == 0 and len(chosen) == 1 else port)

    monkeypatch.setattr(sockets, "_bind_one", bind_taken_first)
    four, six = bound(["127.0.0.1", "::1"], 0)
    assert port_of(four) == port_of(six) != port_of(taken)


def test_port_0_gives_up_in_the_end(monkeypatch):
    def busy(_address, _port):
        raise OSError(errno.EADDRINUSE, "busy")

    monkeypatch.setattr(sockets, "_bind_one", busy)
    with pytest.raises(PortBusy):
        bind(["127.0.0.1"], 0)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EACCES, "denied"), "CAP_NET_BIND_SERVICE"),
        (OSError(errno.EADDRNOTAVAIL, "no"), "no address of this machine"),
        (socket.gaierror(-2, "unknown"), "no address of this machine"),
        (OSError(errno.ENOBUFS, "no room"), "no room"),
    ],
)
def test_other_failures_say_what_is_wrong(monkeypatch, error, words):
    def fail(_address, _port):
        raise error

    monkeypatch.setattr(sockets, "_bind_one", fail)
    with pytest.raises(BindFailed, match=words):
        bind(["192.0.2.1"], 80)


def test_an_address_of_another_machine_is_refused(bound):
    with pytest.raises(BindFailed, match=r"192\.0\.2\.1"):
        bound(["192.0.2.1"], 0)


def test_a_machine_without_ipv6_listens_without_it(bound, monkeypatch):
    bind_one = sockets._bind_one

    def without_ipv6(address, port):
        if ":" in address:
            raise OSError(errno.EADDRNOTAVAIL, "no IPv6")
        return bind_one(address, port)

    monkeypatch.setattr(sockets, "_bind_one", without_ipv6)
    assert len(bound(["127.0.0.1", "::1"], 0)) == 1
    with pytest.raises(BindFailed):
        bound(["::1"], 0)
