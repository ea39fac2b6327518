import asyncio

import pytest

from strongroom.planes import restraint
from strongroom.planes.restraint import HOLD_SECONDS, SERVED_SECONDS, Restraint


@pytest.fixture
def held_for_ever(monkeypatch):
    monkeypatch.setattr(restraint, "HOLD_SECONDS", 1000)


async def turns():
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.usefixtures("held_for_ever")
async def test_beside_others_refusals_wait_and_are_answered_together():
    kept = Restraint()
    kept.served = 10.0
    waiting = [asyncio.ensure_future(kept.give_way(10.0 + SERVED_SECONDS / 2)) for _ in range(3)]
    await turns()
    assert not any(each.done() for each in waiting)
    kept.release()
    await asyncio.gather(*waiting)


@pytest.mark.usefixtures("held_for_ever")
@pytest.mark.parametrize("served", [None, 10.0])
async def test_alone_nobody_waits(served):
    kept = Restraint()
    kept.served = kept.served if served is None else served
    await kept.give_way(10.0 + SERVED_SECONDS)


@pytest.mark.usefixtures("held_for_ever")
async def test_one_that_is_given_up_holds_no_other():
    kept = Restraint()
    kept.served = 10.0
    gone, stays = (asyncio.ensure_future(kept.give_way(10.0)) for _ in range(2))
    await turns()
    gone.cancel()
    await turns()
    assert not stays.done()
    kept.release()
    await stays
    assert gone.cancelled()


async def test_they_are_answered_when_their_time_has_come():
    kept = Restraint()
    kept.served = 10.0
    await asyncio.wait_for(asyncio.gather(*(kept.give_way(10.0) for _ in range(3))), 1000 * HOLD_SECONDS)
