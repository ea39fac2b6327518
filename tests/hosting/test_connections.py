"""How the workers of a server share the connections that come."""

import asyncio
import contextlib
import socket

import pytest

from strongroom.hosting.accepting import Acceptor
from strongroom.hosting.connections import Connections
from strongroom.meters import SUPERVISOR, Meters


def a_worker(meters, row, count):
    meters.sit(row)
    worker = Connections(meters)
    worker.opening = dict.fromkeys(range(count // 2), 0.0)
    worker.connections = set(range(count - count // 2))
    worker.tell()
    return worker


@pytest.mark.parametrize(
    ("mine", "others", "expected"),
    [(0, [0], True), (1, [0], True), (2, [0], False), (9, [9, 12], True), (9, [20, 7], False), (50, [], True)],
)
def test_who_has_hardly_more_than_any_other_takes_the_next(mine, others, expected):
    meters = Meters({}, rows=2 + len(others))
    for row, count in enumerate(others, 2):
        a_worker(meters, row, count)
    assert a_worker(meters, 1, mine).is_next() is expected


@pytest.mark.parametrize("state", ["leaving", "stopping"])
def test_who_takes_no_more_does_not_count(state):
    meters = Meters({}, rows=3)
    other = a_worker(meters, 2, 0)
    setattr(other, state, True)
    other.tell()
    assert a_worker(meters, 1, 9).is_next()


def test_who_has_ended_does_not_count():
    meters = Meters({}, rows=3)
    a_worker(meters, 2, 0)
    meters.sit(SUPERVISOR)
    meters.end(2)
    assert a_worker(meters, 1, 9).is_next()


async def test_a_connection_that_no_other_worker_takes_is_taken_after_a_moment():
    asked, taken = [], asyncio.Queue()

    def is_next():
        asked.append(1)
        return False

    async def take(connection):
        taken.put_nowait(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as opened:
        listener.setblocking(False)
        acceptor = Acceptor(take, lambda: True, is_next)
        acceptor.listen(listener)
        for count in (1, 2):
            opened.enter_context(socket.create_connection(listener.getsockname()))
            opened.enter_context(await taken.get())
            assert len(asked) >= count
        acceptor.close()
