"""Time, told once at the edge and passed in from there.

`now` in rules is aware UTC. A rehearsal clock (`--dev` only) shifts the time that vaults and objects live in; tokens,
records and certificates always keep real time.
"""

import time
from datetime import UTC, datetime, timedelta

CLOCK_FACT = "clock.offset"


def real_now() -> datetime:
    """Return the real time, aware UTC."""
    return datetime.now(UTC)


def steady_seconds() -> float:
    """Return seconds of a clock that nobody sets and that counts on while the machine sleeps, where there is one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def whole_seconds(moment: datetime) -> datetime:
    """Return `moment` without its fraction: the wire counts whole seconds."""
    return moment.replace(microsecond=0)


def shift(moment: datetime, offset_seconds: int) -> datetime:
    """Return `moment` on a clock that is `offset_seconds` ahead."""
    return moment + timedelta(seconds=offset_seconds) if offset_seconds else moment


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(moment: datetime) -> int:
    """Return a time as microseconds since 1970."""
    since = moment - _EPOCH  # whole numbers throughout: a float would lose some
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_microseconds(count: int) -> datetime:
    """Return the time of so many microseconds since 1970, aware UTC; OverflowError past the year 9999."""
    return _EPOCH + timedelta(microseconds=count)
