"""Threads for what takes long: made when needed, few, and anew in a child."""

import asyncio
import gc
import os
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


class Steps:
    """Work that ends when it is told to, one piece after the other, in one thread."""

    def __init__(self, together, count):
        self.threads = Threads("steps", 1, together=together)
        self._begun = [threading.Event() for _ in range(count)]
        self._ends = [threading.Event() for _ in range(count)]
        self.results = [asyncio.ensure_future(self.threads.run(self._step, number)) for number in range(count)]

    def _step(self, number):
        self._begun[number].set()
        assert self._ends[number].wait(30)
        return number

    async def end(self, number):
        """Let one end, wait until the next is under way, and return how many results have come by then."""
        self._ends[number].set()
        if number + 1 < len(self.results):
            assert await asyncio.to_thread(self._begun[number + 1].wait, 30)
        else:
            await self.results[number]
        await asyncio.sleep(0)  # what was handed over is settled, and who waited goes on
        await asyncio.sleep(0)
        return sum(each.done() for each in self.results)


async def test_results_come_one_by_one_unless_said_otherwise():
    steps = Steps(1, 8)
    await asyncio.sleep(0)
    assert [await steps.end(number) for number in range(8)] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert await asyncio.gather(*steps.results) == list(range(8))


async def test_results_come_together_while_twice_as_much_is_unfinished():
    steps = Steps(16, 12)
    await asyncio.sleep(0)
    assert [await steps.end(number) for number in range(12)] == [0, 0, 0, 4, 4, 4, 7, 7, 9, 10, 11, 12]
    assert await asyncio.gather(*steps.results) == list(range(12))


async def test_no_more_come_together_than_were_granted():
    steps = Steps(2, 12)
    await asyncio.sleep(0)
    assert [await steps.end(number) for number in range(12)] == [0, 2, 2, 4, 4, 6, 6, 8, 9, 10, 11, 12]


async def test_a_result_is_not_kept_for_others_that_take_long():
    threads, end = Threads("long", 2, together=16), threading.Event()
    other = asyncio.ensure_future(threads.run(end.wait, 30))
    assert await asyncio.wait_for(threads.run(lambda: "soon"), 30) == "soon"
    end.set()
    assert await other
    threads.close()


async def test_what_nobody_waits_for_any_more_does_not_begin():
    threads, begun, end, done = Threads("left", 1, together=16), threading.Event(), threading.Event(), []
    first = asyncio.ensure_future(threads.run(lambda: begun.set() or end.wait(30)))
    left = asyncio.ensure_future(threads.run(done.append, "left"))
    assert await asyncio.to_thread(begun.wait, 30)
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    end.set()
    assert await first
    await threads.run(done.append, "after")
    assert done == ["after"]
    threads.close()


@given(st.lists(st.sampled_from(["value", "error", "left"]), max_size=40), st.integers(1, 3), st.integers(1, 20))
def test_everybody_gets_what_they_asked_for(wanted, count, together):
    def work(number, kind):
        if kind == "error":
            raise LookupError(number)
        return number

    async def ask():
        threads = Threads("all", count, together=together)
        asked = [asyncio.ensure_future(threads.run(work, number, kind)) for number, kind in enumerate(wanted)]
        await asyncio.sleep(0)
        for each, kind in zip(asked, wanted, strict=True):
            if kind == "left":
                each.cancel()
        found = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 30)
        threads.close()
        return found

    for number, (kind, found) in enumerate(zip(wanted, asyncio.run(ask()), strict=True)):
        if kind == "value":
            assert found == number
        elif kind == "error":
            assert isinstance(found, LookupError)
            assert found.args == (number,)
        else:
            assert isinstance(found, asyncio.CancelledError) or found == number


async def test_work_that_could_not_be_begun_keeps_no_result_back(monkeypatch):
    threads = Threads("refused", 1, together=16)
    await threads.run(int)
    with monkeypatch.context() as patched:
        patched.setattr(ThreadPoolExecutor, "submit", lambda *_: 1 // 0)
        for _ in range(8):
            with pytest.raises(ZeroDivisionError):
                await threads.run(int)
    assert await asyncio.wait_for(threads.run(int), 30) == 0
    threads.close()


async def test_an_error_that_no_future_carries_keeps_no_other_result_back():
    threads = Threads("stopped", 1, together=16)
    asked = [threads.run(lambda: next(iter(()))), *(threads.run(int) for _ in range(7))]
    stopped, *others = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 30)
    assert isinstance(stopped, RuntimeError)
    assert isinstance(stopped.__cause__, StopIteration)
    assert others == [0] * 7
    threads.close()


class Parts:
    """Stands for what a caller brings: it can be told whether anybody still has it."""


async def test_an_error_keeps_nothing_of_what_the_work_was_given():
    threads = Threads("kept", 1, together=16)

    def refuse(_parts):
        raise LookupError("no such key")

    async def ask():
        parts = Parts()
        with pytest.raises(LookupError):
            await threads.run(refuse, parts)
        return weakref.ref(parts)

    gc.disable()  # a cycle would wait for it, and in a worker that may be long
    try:
        given = [await ask() for _ in range(5)]
        await threads.run(int)  # a thread holds its last piece of work until it has another
        assert [each() for each in given] == [None] * 5
    finally:
        gc.enable()
    threads.close()


async def test_an_error_that_is_false_in_itself_is_raised():
    class EmptyError(Exception):
        def __len__(self):
            return 0

    def refuse():
        raise EmptyError

    threads = Threads("false", 1)
    with pytest.raises(EmptyError):
        await threads.run(refuse)
    threads.close()


async def test_work_may_be_given_up_by_the_thread_that_is_counting():
    """A coroutine that is collected while results are counted gives up its work there."""
    threads, end = Threads("counting", 1), threading.Event()
    first = asyncio.ensure_future(threads.run(end.wait, 30))
    await asyncio.sleep(0)
    given_up = asyncio.get_running_loop().create_future()
    work = threads._line.begin(given_up, int)
    with threads._line._lock:
        assert work.cancel()
    end.set()
    assert await first
    with pytest.raises(asyncio.CancelledError):
        await given_up
    threads.close()


def test_what_ends_after_its_loop_is_nobodys():
    threads, begun, end = Threads("late", 1), threading.Event(), threading.Event()

    async def leave():
        left = asyncio.ensure_future(threads.run(lambda: begun.set() or end.wait(30)))
        await asyncio.to_thread(begun.wait, 30)
        assert not left.done()

    asyncio.run(leave())
    end.set()
    assert asyncio.run(threads.run(lambda: "another loop's")) == "another loop's"
    threads.close()


async def test_a_child_makes_its_own(monkeypatch):
    """Of the threads of its parent none runs in a child: what is given to them would never return."""
    threads = Threads("forked", 1)
    assert await threads.run(os.getpid) == os.getpid()
    parents = threads._line._pool
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert await threads.run(lambda: "done") == "done"
    assert threads._line._pool is not parents
    threads.close()
    parents.shutdown()


async def test_a_child_does_not_close_what_its_parent_uses(monkeypatch):
    threads = Threads("parent", 1)
    await threads.run(int)
    parents = threads._line._pool
    with monkeypatch.context() as patched:
        patched.setattr(os, "getpid", lambda: -1)
        threads.close()
    assert parents.submit(int).result() == 0
    parents.shutdown()
