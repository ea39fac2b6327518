"""`strongroom clock`: moves the time in which a rehearsal server's vaults and objects live."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from strongroom.cli.durations import DURATION
from strongroom.cli.failure import CommandFailed
from strongroom.cli.options import PLACE, settings_from, settings_options

if TYPE_CHECKING:
    from strongroom.audit.event import Record
    from strongroom.cli.data import Data
    from strongroom.planes.stores import Stores

# The clock of a hundred years from now shows all that retention can.
FURTHEST = timedelta(days=36500)


@click.group(name="clock")
def command() -> None:
    """Move the clock of a rehearsal server (--dev): vaults and secrets then live in that time.

    Tokens, certificates and records keep real time. Whoever holds the master key may do this, and it is recorded.

    \b
    strongroom clock advance 90d     # see the retention of what was deleted end
    strongroom clock reset
    """


@command.command(name="show")
@settings_options(*PLACE)
def show(**flags: Any) -> None:
    """Show the time that vaults live in, and how far ahead it is."""
    from strongroom.cli.data import on_data
    from strongroom.resources.facts import clock_offset

    async def work(data: "Data") -> int:
        return await clock_offset(data.storage.read().facts)

    _tell(on_data(settings_from(flags), work))


@command.command(name="advance")
@click.argument("duration", type=DURATION)
@settings_options(*PLACE)
def advance(duration: timedelta, **flags: Any) -> None:
    """Put the clock forward by DURATION, such as 90d, 36h or 1d12h."""
    _move(flags, lambda offset: offset + int(duration.total_seconds()))


@command.command(name="reset")
@settings_options(*PLACE)
def reset(**flags: Any) -> None:
    """Put the clock back to real time."""
    _move(flags, lambda _offset: 0)


def _move(flags: dict[str, Any], moved: Callable[[int], int]) -> None:
    """Set the offset to what `moved` makes of it, with its record; CommandFailed where there is no rehearsal."""
    from strongroom.bootstrap import DEV_FACT
    from strongroom.cli.data import on_data
    from strongroom.clock import CLOCK_FACT
    from strongroom.resources.facts import clock_offset

    async def unit(stores: "Stores") -> tuple[int, "Record"]:
        before = await clock_offset(stores.facts)
        after = moved(before)
        if after and await stores.facts.get(DEV_FACT) != b"1":
            raise CommandFailed("only the clock of a rehearsal server moves; start it with --dev")
        if after > FURTHEST.total_seconds():
            raise CommandFailed(f"the clock goes {FURTHEST.days} days ahead at most")
        await stores.facts.put(CLOCK_FACT, str(after).encode())
        return after, _record(before, after)

    async def work(data: "Data") -> int:
        return await data.storage.change(unit)

    _tell(on_data(settings_from(flags), work))


def _record(before: int, after: int) -> "Record":
    from strongroom.audit.local import local_record
    from strongroom.clock import real_now

    properties = {"offsetSeconds": after, "previousOffsetSeconds": before}
    return local_record("Strongroom.Rehearsal/clock/write", now=real_now(), properties=properties)


def _tell(offset: int) -> None:
    from strongroom.clock import real_now, shift

    moment: datetime = shift(real_now(), offset)
    click.echo(
        f"{moment:%Y-%m-%dT%H:%M:%SZ}" + (f"  ({timedelta(seconds=offset)} ahead)" if offset else "  (real time)")
    )
