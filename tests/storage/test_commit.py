import asyncio
import os
import threading
import warnings
from contextlib import contextmanager

import pytest

from strongroom.errors import StorageUnavailable
from strongroom.storage.commit import GroupCommit, Outcome, drive


class Committer:
    """Commits what it is told to when it is let; `batches` are what it saw."""

    def __init__(self):
        self.batches = []
        self.begun = threading.Event()
        self.let = threading.Event()
        self.let.set()
        self.error = None

    def __call__(self, batch):
        self.begun.set()
        assert self.let.wait(10)
        self.batches.append(list(batch))
        if self.error:
            raise self.error
        return [Outcome(error=unit) if isinstance(unit, Exception) else Outcome(unit) for unit in batch]


@pytest.fixture
def committer():
    return Committer()


@pytest.fixture
def group(committer):
    group = GroupCommit("test", committer)
    yield group
    committer.let.set()
    group.close()


async def test_a_lone_unit_goes_at_once(group, committer):
    assert await group.submit("a") == "a"
    assert await group.submit("b") == "b"
    assert committer.batches == [["a"], ["b"]]


async def test_what_comes_while_a_batch_is_under_way_is_the_next_batch(group, committer):
    committer.let.clear()
    futures = [group.submit(unit) for unit in "ab"]
    await asyncio.to_thread(committer.begun.wait)
    futures += [group.submit(unit) for unit in "cd"]
    committer.let.set()
    assert await asyncio.gather(*futures) == list("abcd")
    assert committer.batches == [["a", "b"], ["c", "d"]]


async def test_what_comes_while_a_batch_waits_for_its_turn_is_in_it(committer):
    turn = threading.Lock()

    @contextmanager
    def held():
        committer.begun.set()
        with turn:
            yield

    group = GroupCommit("test", committer, turn=held)
    with turn:
        futures = [group.submit(unit) for unit in "ab"]
        await asyncio.to_thread(committer.begun.wait)
        futures += [group.submit(unit) for unit in "cd"]
    assert await asyncio.gather(*futures) == list("abcd")
    assert committer.batches == [["a", "b", "c", "d"]]
    group.close()


@pytest.mark.parametrize(("error", "told"), [(OSError("no"), StorageUnavailable), (ValueError("no"), ValueError)])
async def test_a_turn_that_cannot_be_had_is_an_error_of_the_batch_and_the_next_one_has_its_own(committer, error, told):
    turns = [error]

    @contextmanager
    def held():
        if turns:
            raise turns.pop()
        yield

    group = GroupCommit("test", committer, turn=held)
    outcomes = await asyncio.gather(*[group.submit(unit) for unit in "ab"], return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [told] * 2
    assert await group.submit("c") == "c"
    assert committer.batches == [["c"]]
    group.close()


async def test_what_is_asked_for_in_one_turn_of_the_loop_is_one_batch(group, committer):
    assert await asyncio.gather(*[group.submit(unit) for unit in "abcd"]) == list("abcd")
    assert committer.batches == [["a", "b", "c", "d"]]


async def test_each_unit_gets_its_own_outcome(group, committer):
    committer.let.clear()
    refused = ValueError("no")
    futures = [group.submit(unit) for unit in ("a", "b", refused, "c")]
    committer.let.set()
    assert await asyncio.gather(*futures, return_exceptions=True) == ["a", "b", refused, "c"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), MemoryError),
        (SystemExit(), RuntimeError),
        (KeyboardInterrupt(), RuntimeError),
        (asyncio.CancelledError(), RuntimeError),
        (StopIteration(), RuntimeError),
    ],
    ids=repr,
)
async def test_an_unforeseen_error_goes_to_all_who_wait_and_the_thread_lives_on(group, committer, error, told):
    committer.error = error
    committer.let.clear()
    waiting = [group.submit(unit) for unit in "abc"]
    committer.let.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [told] * 3
    committer.error = None
    assert await group.submit("d") == "d"


async def test_a_unit_that_was_given_up_is_committed_all_the_same(group, committer):
    committer.let.clear()
    first, given_up, last = (group.submit(unit) for unit in "abc")
    given_up.cancel()
    committer.let.set()
    assert await first == "a"
    assert await last == "c"
    assert committer.batches == [["a", "b", "c"]]


async def test_closing_commits_what_was_submitted_and_takes_no_more(group, committer):
    committer.let.clear()
    futures = [group.submit(unit) for unit in "abc"]
    committer.let.set()
    group.close()
    assert committer.batches == [["a", "b", "c"]]
    assert await asyncio.gather(*futures) == ["a", "b", "c"]
    with pytest.raises(StorageUnavailable):
        group.submit("d")


def test_units_of_a_loop_that_has_ended_are_committed_and_the_next_loop_is_served(group, committer):
    async def leave():
        group.submit("a")

    async def stay():
        return await group.submit("b")

    committer.let.clear()
    asyncio.run(leave())
    committer.let.set()
    while group._busy:
        threading.Event().wait(0.001)
    assert asyncio.run(stay()) == "b"
    assert committer.batches == [["a"], ["b"]]


def test_what_a_loop_left_waiting_goes_with_the_next_loop_and_harms_it_not(group, committer):
    async def leave():
        for unit in "ab":
            group.submit(unit).add_done_callback(print)  # would be called on the loop that is no more

    async def stay():
        return await group.submit("c")

    committer.let.clear()
    asyncio.run(leave())
    committer.let.set()
    while group._busy:
        threading.Event().wait(0.001)
    assert asyncio.run(stay()) == "c"
    assert [unit for batch in committer.batches for unit in batch] == ["a", "b", "c"]


def test_a_loop_that_ended_before_it_handed_over_does_not_hold_the_next_one_up(group, committer):
    gone = asyncio.new_event_loop()

    async def leave():
        group.submit("a")
        gone.stop()

    leaving = gone.create_task(leave())
    gone.run_forever()
    assert not leaving.done() or leaving.result() is None
    gone._ready.clear()  # as a loop does that is closed with callbacks still to run
    gone.close()

    async def stay():
        return await group.submit("b")

    assert asyncio.run(stay()) == "b"
    assert committer.batches == [["a", "b"]]


async def test_the_child_of_a_fork_is_told_that_nobody_works_there(group):
    assert await group.submit("a") == "a"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of just what is shown here
        child = os.fork()
    if child == 0:
        try:
            group.submit("b")
        except StorageUnavailable:
            os._exit(0)
        os._exit(1)
    assert (await asyncio.to_thread(os.waitpid, child, 0))[1] == 0
    assert await group.submit("c") == "c"


def test_a_coroutine_is_driven_to_its_end():
    async def inner():
        return 2

    async def outer():
        return await inner() + await inner()

    assert drive(outer()) == 4


def test_a_coroutine_that_raises_raises():
    async def work():
        raise KeyError("x")

    with pytest.raises(KeyError):
        drive(work())


def test_a_coroutine_that_waits_for_the_loop_is_ended():
    ended = []

    async def work():
        try:
            await asyncio.sleep(0)
        finally:
            ended.append(True)

    with pytest.raises(RuntimeError, match="awaited something else"):
        drive(work())
    assert ended
