"""Slow keys hold back while others are served, in any process, and do not while they are alone."""

import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles import a_custodian
from key_doubles import a_place
from strongroom.custody import courtesy
from strongroom.custody.algorithms import spec_of
from strongroom.custody.courtesy import COURTESY_SECONDS, Courtesy
from strongroom.custody.provider import KeyType
from strongroom.custody.software import YIELDING_NICENESS, SoftwareProvider
from strongroom.custody.threads import Threads


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is moved."""
    now = [1000.0]
    monkeypatch.setattr(courtesy, "monotonic", lambda: now[0])

    def move(seconds):
        now[0] += seconds

    return move


def slow_request(courteous):
    courteous.note_request()
    return courteous.is_due()


def test_slow_work_that_is_alone_does_not_hold_back_for_long(clock):
    courteous = Courtesy()
    assert slow_request(courteous), "nobody knows yet what the first request is for"
    clock(COURTESY_SECONDS)
    assert not any(slow_request(courteous) for _ in range(100))


@given(st.lists(st.booleans(), min_size=50, max_size=200))
def test_slow_work_under_way_at_the_same_time_is_not_others(order):
    courteous, waiting, clock = Courtesy(), 0, [0.0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(courtesy, "monotonic", lambda: clock[0])
        for _ in range(64):
            courteous.note_request()  # as many as ever wait at once
        clock[0] += COURTESY_SECONDS
        waiting = 64
        for comes in order:
            if comes and waiting < 64:
                courteous.note_request()
                waiting += 1
            elif waiting:
                assert not courteous.is_due()
                waiting -= 1


def test_slow_work_beside_others_holds_back_until_they_are_gone(clock):
    courteous = Courtesy()
    for _ in range(8):
        courteous.note_request()
    for _ in range(50):
        courteous.note_request()
        assert slow_request(courteous)
    clock(COURTESY_SECONDS)
    assert not slow_request(courteous)
    courteous.note_request()
    assert slow_request(courteous)


def test_others_are_seen_whichever_process_serves_them(clock):
    courteous = Courtesy()
    slow_request(courteous)
    clock(COURTESY_SECONDS)
    assert not slow_request(courteous)
    child = os.fork()
    if not child:
        courteous.note_request()
        courteous.note_request()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert slow_request(courteous)


async def test_a_slow_key_goes_to_the_threads_that_hold_back(monkeypatch):
    ran = []
    run = Threads.run

    async def noted(self, function, *arguments):
        ran.append(self._name)
        return await run(self, function, *arguments)

    monkeypatch.setattr(Threads, "run", noted)
    courteous = Courtesy()
    provider, place = SoftwareProvider(a_custodian(), courtesy=courteous), a_place()
    kept = await provider.make(spec_of(KeyType.RSA, bits=3072), place)
    for due in (True, False):
        monkeypatch.setattr(courteous, "is_due", lambda due=due: due)
        assert await provider.sign(kept, place, "RS256", bytes(32))
    assert ran == ["key-making", "key-yielding", "key-using"]
    provider.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no priority of its own")
async def test_threads_that_hold_back_let_others_come_first_and_only_they():
    threads, plain = Threads("nice", 1, YIELDING_NICENESS), Threads("plain", 1)
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    found = [await each.run(lambda: os.getpriority(os.PRIO_PROCESS, 0)) for each in (threads, plain)]
    assert found == [min(mine + YIELDING_NICENESS, 19), mine]
    assert os.getpriority(os.PRIO_PROCESS, 0) == mine
    threads.close()
    plain.close()
