"""The rehearsal clock: moves the time that vaults and objects live in, so that retention can be watched to end.

Only on a server that runs with --dev; everywhere else there is no such path. Time moves forward, or back to the real
time all at once: a clock that went back a little would make things younger than they are.
Moving it lets what is deleted run out everywhere, so it takes someone who may both move it and assign roles, at every
subscription.
"""

import re
from datetime import timedelta

from strongroom.access.authorization.actions import ROLE_ASSIGNMENT_WRITE
from strongroom.clock import CLOCK_FACT, shift
from strongroom.errors import BadRequest, Conflict, NotFound
from strongroom.ids import subscription_scope
from strongroom.planes.call import Call
from strongroom.planes.http import Response
from strongroom.planes.management import wire
from strongroom.planes.management.answers import Time, wire_date
from strongroom.planes.management.permission import require_allowed
from strongroom.planes.operation import Operation
from strongroom.resources.facts import clock_offset

DEV_FACT = "dev"
PATH = "/providers/Strongroom.Rehearsal/clock"
READ = "Strongroom.Rehearsal/clock/read"
WRITE = "Strongroom.Rehearsal/clock/write"
MAX_OFFSET = timedelta(days=36_500)
DURATION = re.compile(
    r"P(?=.)(?:(\d{1,5})W)?(?:(\d{1,5})D)?(?:T(?=.)(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,9})S)?)?\Z", re.ASCII
)


class ClockAnswer(wire.Wire, kw_only=True):
    """The rehearsal time, and how far it is ahead of the real one."""

    offset_seconds: int
    now: Time
    real_now: Time


async def get(call: Call) -> Response:
    """Tell the rehearsal time."""
    await _require_dev(call)
    await _authorize(call, READ)
    return _told(call, await clock_offset(call.stores.facts))


async def put(call: Call) -> Response:
    """Move the rehearsal clock."""
    await _require_dev(call)
    await _authorize(call, WRITE)
    await _authorize(call, ROLE_ASSIGNMENT_WRITE)
    present = await clock_offset(call.stores.facts)
    offset = _asked_offset(call.body, present)
    await call.stores.facts.put(CLOCK_FACT, b"%d" % offset)
    call.notes["offsetSeconds"] = offset
    return _told(call, offset)


def _asked_offset(body: wire.ClockBody, present: int) -> int:
    if (body.offset_seconds is None) == (body.advance is None):
        raise BadRequest("Give either offsetSeconds or advance.", code="InvalidRequestContent")
    asked = body.offset_seconds if body.offset_seconds is not None else present + parse_duration(body.advance or "")
    if not 0 <= asked <= MAX_OFFSET.total_seconds():
        raise BadRequest("The rehearsal clock is between 0 seconds and 100 years ahead.", code="InvalidRequestContent")
    if 0 < asked < present:
        raise Conflict("The rehearsal clock moves forward, or back to 0.", code="ClockMovesForward")
    return asked


def parse_duration(text: str) -> int:
    """Return an ISO 8601 duration of weeks, days, hours, minutes and seconds, in seconds; BadRequest for another."""
    found = DURATION.match(text)
    if found is None:
        raise BadRequest(
            f"'{text}' is no duration of weeks, days and time, such as P7D or PT90M.", code="InvalidRequestContent"
        )
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    length = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes)
    return int(length.total_seconds()) + seconds


async def _require_dev(call: Call) -> None:
    if await call.stores.facts.get(DEV_FACT) != b"1":
        raise NotFound("The request path names nothing that this service has.")


async def _authorize(call: Call, action: str) -> None:
    for subscription in await call.stores.resources.list_subscriptions():
        scope = subscription_scope(subscription.subscription_id)
        await require_allowed(call, action, scope)


def _told(call: Call, offset: int) -> Response:
    now = shift(call.real_now, offset)
    told = ClockAnswer(offset_seconds=offset, now=wire_date(now), real_now=wire_date(call.real_now))
    return wire.render(told)


OPERATIONS = (
    Operation(method="GET", path=PATH, handler=get, log=READ, gives=ClockAnswer, refuses=(403, 404), name="get_clock"),
    Operation(
        method="PUT",
        path=PATH,
        handler=put,
        log=WRITE,
        takes=wire.ClockBody,
        gives=ClockAnswer,
        refuses=(403, 404, 409),
        changes=True,
        name="put_clock",
    ),
)
