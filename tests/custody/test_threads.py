"""Threads for what takes long: made when needed, few, and anew in a child."""

import asyncio
import os
import threading

import pytest

from strongroom.custody.threads import Threads


async def test_what_is_run_returns_and_raises():
    threads = Threads("test", 1)
    assert await threads.run(lambda a, b: a + b, 1, 2) == 3
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0)
    threads.close()


def test_none_is_made_before_it_is_needed():
    threads = Threads("unused", 2)
    assert not [each for each in threading.enumerate() if each.name.startswith("unused")]
    threads.close()


async def test_there_are_never_more_than_were_granted():
    threads, running, most = Threads("few", 2), [], []
    lock, together = threading.Lock(), threading.Barrier(2)

    def work(number):
        with lock:
            running.append(number)
            most.append(len(running))
        together.wait(30)
        with lock:
            running.remove(number)

    await asyncio.gather(*(threads.run(work, number) for number in range(8)))
    assert max(most) == 2
    threads.close()


async def test_what_waits_when_they_are_closed_does_not_begin():
    threads, begun, end = Threads("closed", 1), threading.Event(), threading.Event()
    first = asyncio.ensure_future(threads.run(lambda: begun.set() or end.wait(30)))
    second = asyncio.ensure_future(threads.run(lambda: "begun"))
    assert await asyncio.to_thread(begun.wait, 30)
    threads.close()
    end.set()
    assert await first
    with pytest.raises(asyncio.CancelledError):
        await second


async def test_a_child_makes_its_own(monkeypatch):
    """Of the threads of its parent none runs in a child: what is given to them would never return."""
    threads = Threads("forked", 1)
    assert await threads.run(os.getpid) == os.getpid()
    parents = threads._pool
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert await threads.run(lambda: "done") == "done"
    assert threads._pool is not parents
    threads.close()
    parents.shutdown()


async def test_a_child_does_not_close_what_its_parent_uses(monkeypatch):
    threads = Threads("parent", 1)
    await threads.run(int)
    parents = threads._pool
    with monkeypatch.context() as patched:
        patched.setattr(os, "getpid", lambda: -1)
        threads.close()
    assert parents.submit(int).result() == 0
    parents.shutdown()
