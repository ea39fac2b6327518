import json
from datetime import timedelta

import pytest

from doubles import MemoryStorage
from strongroom.errors import StorageUnavailable
from strongroom.scheduling.steadiness import HOLD, OPERATION, Steadiness
from vault_doubles import NOON

MINUTE = timedelta(minutes=1)
YEAR = timedelta(days=365)


class Clock:
    """A clock that can be set, beside one that cannot."""

    def __init__(self, last=None):
        self.storage, self.wall, self.seconds = MemoryStorage(), NOON, 5000.0
        self.steadiness = Steadiness(self.wall, self.seconds, last)

    def restart(self, last=None):
        self.steadiness = Steadiness(self.wall, self.seconds, last)

    async def pass_by(self, time, jump=timedelta(0)):
        """Let time pass, set the clock, and return whether purges are allowed."""
        self.wall += time + jump
        self.seconds += time.total_seconds()
        return await self.steadiness.allows_purges(self.storage, self.wall, self.seconds)

    @property
    def holds(self):
        return [body["properties"] for body in self.storage.bodies() if body["operationName"] == OPERATION]


async def test_a_steady_clock_is_believed_however_long():
    clock = Clock()
    assert [await clock.pass_by(time) for time in (MINUTE, timedelta(hours=5), YEAR)] == [True] * 3
    assert clock.holds == []


@pytest.mark.parametrize("jump", [timedelta(minutes=9), timedelta(minutes=-9), timedelta(days=-1), -YEAR])
async def test_a_clock_that_is_set_a_little_or_set_back_purges_nothing_before_its_time(jump):
    clock = Clock()
    assert await clock.pass_by(MINUTE, jump)
    assert clock.holds == []


@pytest.mark.parametrize("jump", [timedelta(hours=2), timedelta(days=3), 10 * YEAR])
async def test_a_clock_that_is_set_ahead_holds_purges_for_a_day_and_that_is_recorded(jump):
    clock = Clock()
    assert not await clock.pass_by(MINUTE, jump)
    until = (clock.wall + HOLD).isoformat(timespec="seconds")
    assert clock.holds == [{"actor": "server", "aheadSeconds": jump.total_seconds(), "heldUntil": until}]
    assert not await clock.pass_by(HOLD - MINUTE)
    assert await clock.pass_by(MINUTE)
    assert len(clock.holds) == 1


@pytest.mark.parametrize("jump", [timedelta(days=3), 10 * YEAR])
async def test_a_clock_that_is_set_right_within_the_day_has_purged_nothing_and_goes_on_at_once(jump):
    clock = Clock()
    assert not await clock.pass_by(MINUTE, jump)
    assert await clock.pass_by(timedelta(hours=5), -jump)
    assert await clock.pass_by(HOLD)


async def test_another_jump_begins_another_day():
    clock = Clock()
    assert not await clock.pass_by(MINUTE, timedelta(days=3))
    assert not await clock.pass_by(HOLD / 2, timedelta(days=3))
    assert not await clock.pass_by(HOLD / 2)
    assert await clock.pass_by(HOLD / 2)


async def test_a_restart_does_not_end_the_hold():
    clock = Clock()
    assert not await clock.pass_by(MINUTE, YEAR)
    clock.restart(last=clock.wall)
    assert not await clock.pass_by(MINUTE)


@pytest.mark.parametrize(("silence", "held"), [(timedelta(hours=20), False), (timedelta(days=2), True), (-YEAR, False)])
async def test_a_server_that_was_silent_for_long_waits_before_it_believes_its_clock(silence, held):
    clock = Clock(last=NOON - silence)
    assert await clock.pass_by(MINUTE) is not held
    assert await clock.pass_by(HOLD)


async def test_a_jump_that_cannot_be_recorded_is_noticed_again():
    clock = Clock()
    clock.storage.broken = True
    with pytest.raises(StorageUnavailable):
        await clock.pass_by(MINUTE, YEAR)
    clock.storage.broken = False
    assert not await clock.pass_by(MINUTE)
    assert json.loads(clock.storage.records[0].body)["operationName"] == OPERATION
