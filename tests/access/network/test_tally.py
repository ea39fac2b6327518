import os
import signal
import threading

import pytest

from strongroom.access.network import tally as tally_module
from strongroom.access.network.tally import OTHERS, SLOTS, Tally

NOON = 43_200.0


def admitted(tally, count, *, address="203.0.113.7", seconds=NOON, limit=5):
    return sum(tally.count(address, seconds, limit) for _ in range(count))


def test_an_address_may_send_so_many_in_a_minute():
    tally = Tally()
    assert admitted(tally, 20) == 5
    assert admitted(tally, 20, seconds=NOON + 59.9) == 0
    assert admitted(tally, 20, seconds=NOON + 60) == 5
    assert tally.take() == {"203.0.113.7": 15 + 20 + 15}


def test_without_a_limit_all_are_let_through_and_with_none_left_nobody_is():
    tally = Tally()
    assert admitted(tally, 1000, limit=None) == 1000
    assert admitted(tally, 7, limit=0) == 0
    assert tally.take() == {"203.0.113.7": 7}


def test_what_was_taken_is_told_once_and_the_total_stays():
    tally = Tally()
    admitted(tally, 8)
    assert tally.take() == {"203.0.113.7": 3}
    assert tally.take() == {}
    admitted(tally, 2)
    assert (tally.take(), tally.total) == ({"203.0.113.7": 2}, 5)


@pytest.mark.parametrize(
    ("one", "other", "name"),
    [
        ("2001:db8:0:7::1", "2001:db8:0:7:ffff::9", "2001:db8:0:7::/64"),
        ("::1", "::1", "::/64"),
        ("203.0.113.7", "::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::2", "fe80::/64"),
        ("", "no address", ""),
    ],
)
def test_a_network_that_one_party_holds_counts_as_one(one, other, name):
    tally = Tally()
    assert admitted(tally, 5, address=one) == 5
    assert admitted(tally, 5, address=other) == 0
    assert tally.take() == {name: 5}


def test_addresses_are_counted_apart():
    tally = Tally()
    addresses = ["203.0.113.7", "203.0.113.8", "2001:db8::1", "2001:db8:0:1::1", "::1", "0.0.0.1", ""]
    assert [admitted(tally, 6, address=address) for address in addresses] == [5] * len(addresses)
    assert sum(tally.take().values()) == len(addresses)


def an_address(number):
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def test_however_many_addresses_there_are_memory_is_bounded_and_every_request_is_counted():
    tally = Tally()
    sent = 2 * SLOTS
    let_through = sum(tally.count(an_address(number), NOON, 1) for number in range(sent))
    taken = tally.take()
    assert taken[OTHERS] == sent - let_through  # those without a cell share one, and its limit
    assert SLOTS * 0.9 < let_through <= SLOTS + 1


def test_a_cell_is_used_again_when_its_minute_is_over_and_its_count_is_told():
    tally = Tally()
    for number in range(SLOTS):
        tally.count(an_address(number), NOON, 0)
    later = NOON + 60
    assert not tally.count("198.51.100.1", later, 0)
    first = tally.take()
    assert sum(first.values()) == SLOTS + 1
    assert first[OTHERS] > 1  # the late one found only cells whose counts nobody had been told
    assert not tally.count("198.51.100.1", later, 0)
    assert tally.take() == {"198.51.100.1": 1}


@pytest.mark.parametrize("crowd", [0, SLOTS])
def test_what_could_not_be_told_is_counted_again(crowd):
    tally = Tally()
    for number in range(crowd):
        tally.count(an_address(number), NOON, 0)
    for address in ("203.0.113.7", "2001:db8::1", "::1", ""):
        tally.count(address, NOON, 0)
    taken = tally.take()
    tally.put_back(taken)
    assert sum(tally.take().values()) == sum(taken.values()) == crowd + 4


def test_workers_count_together_and_lose_nothing():
    tally = Tally()
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            os._exit(0 if admitted(tally, 20_000, limit=5_000) <= 5_000 else 1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    assert tally.take() == {"203.0.113.7": 40_000 - 5_000}


def test_a_worker_that_is_killed_while_it_counts_holds_up_nobody():
    tally = Tally()
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        with tally._held():
            os.write(theirs, b"held")
            signal.pause()
    assert os.read(ours, 4) == b"held"
    threading.Timer(0.05, os.kill, (child, signal.SIGKILL)).start()
    assert tally.count("203.0.113.7", NOON, 1)
    os.waitpid(child, 0)
    os.close(ours)
    os.close(theirs)


def test_a_system_without_files_in_memory_has_its_lock_too(monkeypatch):
    monkeypatch.delattr(tally_module.os, "memfd_create", raising=False)
    assert admitted(Tally(), 20) == 5
