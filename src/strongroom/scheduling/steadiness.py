"""May the clock be believed? What is purged by a clock that runs ahead does not come back when it is set right.

A clock that is set ahead holds purges up: for a day of the time it then tells, or until it is set back. Nobody misses
them, since to the rules what is past its retention is gone already. Whoever sets it right within that day has lost
nothing. Records that are to leave are held up likewise. The hold is a fact and so outlives restarts; it has a record.
"""

from datetime import UTC, datetime, timedelta

import structlog

from strongroom.audit.event import Record
from strongroom.audit.local import local_record
from strongroom.scheduling.store import SweptStorage, SweptStores

HELD_FACT = "retention.held"
OPERATION = "Strongroom.Retention/hold"
JUMP = timedelta(minutes=10)
"""A clock that is set right by less is believed: nothing is purged much before its time."""
SILENCE = timedelta(days=1)
"""A server that comes back after longer may have a clock that was set ahead meanwhile."""
HOLD = timedelta(days=1)

log = structlog.get_logger(__name__)


class Steadiness:
    """Compares the clock with one that nobody sets, of one process.

    wall: the time told at `seconds` of a clock that only counts on, asleep or not. last: the newest time that is on
    record, None when there is none.
    """

    def __init__(self, wall: datetime, seconds: float, last: datetime | None = None) -> None:
        self._wall = wall
        self._seconds = seconds
        self._silence = timedelta(0) if last is None else wall - last

    async def allows_purges(self, storage: SweptStorage, wall: datetime, seconds: float) -> bool:
        """Answer whether purges may go by the time `wall`; a jump ahead is recorded and holds them up.

        StorageUnavailable when that cannot be made durable; the jump is then noticed again.
        """
        ahead = self._ahead(wall, seconds)
        if ahead is not None:
            await _hold(storage, wall, ahead)
        self._wall, self._seconds, self._silence = wall, seconds, timedelta(0)
        held = await storage.read().facts.get(HELD_FACT)
        if held is None:
            return True
        until = datetime.fromtimestamp(int(held), UTC)
        return not wall < until <= wall + HOLD  # further away it is of a time that the clock was set back from

    def _ahead(self, wall: datetime, seconds: float) -> timedelta | None:
        """Return how far the clock was set ahead since this was last asked, None when it was not."""
        jump = wall - self._wall - timedelta(seconds=seconds - self._seconds)
        if jump < -JUMP:
            log.warning("the clock was set back", seconds=-round(jump.total_seconds()))
        if jump > JUMP:
            return jump
        return self._silence if self._silence > SILENCE else None


async def _hold(storage: SweptStorage, wall: datetime, ahead: timedelta) -> None:
    seconds, until = round(ahead.total_seconds()), wall + HOLD

    async def work(stores: SweptStores) -> tuple[None, Record]:
        await stores.facts.put(HELD_FACT, b"%d" % until.timestamp())
        properties = {"aheadSeconds": seconds, "heldUntil": until.isoformat(timespec="seconds")}
        return None, local_record(OPERATION, now=wall, properties=properties, actor="server")

    await storage.change(work)
    log.warning(
        "the clock is ahead of what was known; nothing is purged until it has been believed for a day",
        seconds=seconds,
        held_until=until.isoformat(timespec="seconds"),
    )
