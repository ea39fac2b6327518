"""`strongroom logs verify`: whether the records are as they were written, and where they first are not."""

from typing import TYPE_CHECKING, Any

import click

from strongroom.cli.failure import CommandFailed
from strongroom.cli.hints import typed_here
from strongroom.cli.options import PLACE, settings_from, settings_options
from strongroom.cli.shown import format_option, progress_bar, show_one

if TYPE_CHECKING:
    from strongroom.audit.log import Mark
    from strongroom.audit.verification import Break, Progress
    from strongroom.cli.data import Data
    from strongroom.storage.sqlite import SqliteStorage


@click.command(name="verify")
@format_option
@settings_options(*PLACE)
def command(*, as_json: bool, **flags: Any) -> None:
    """Check every record that is kept. None may have been changed, removed, moved, put in, or cut off the end.

    Ends with exit code 1, and names the first record that is not as it was written, when one is not. The server may
    run meanwhile.
    """
    from strongroom.cli.data import on_data
    from strongroom.custody.sealing import SealBroken
    from strongroom.storage.journal import damaged_in

    async def work(data: "Data") -> None:
        storage = data.storage
        last = storage.records.last_sequence()
        with progress_bar("verifying", last) as progress:
            try:
                pruned, newest, found = _verified(storage, progress)
            except SealBroken as error:  # of a mark, without which nothing can be verified
                if as_json:
                    show_one({"ok": False, "failure": error.message}, as_json=True)
                raise
        damaged = {"damagedJournals": len(damaged_in(data.data_dir))}
        show_one(_facts(storage, pruned, newest) | damaged | (_judged(found) if as_json else {}), as_json=as_json)
        if found is not None:
            raise CommandFailed(f"the records are not as they were written: {described(found)}")
        if damaged["damagedJournals"] and not as_json:
            missing = "beside them, records of answered requests may be missing"
            click.echo(typed_here(f"{missing}: strongroom doctor names the journals"))
        if not as_json:
            click.echo(_verdict(last - pruned.sequence))

    on_data(settings_from(flags), work)


def _verified(storage: "SqliteStorage", progress: "Progress") -> "tuple[Mark, Mark, Break | None]":
    """Return the marks that were verified against, and the first break; anew when records were pruned meanwhile."""
    from strongroom.audit.verification import verify
    from strongroom.storage.marks import NEWEST, PRUNED

    while True:
        pruned, newest = storage.mark(PRUNED), storage.mark(NEWEST)
        found = verify(storage.chain(), storage.records, pruned=pruned, newest=newest, progress=progress)
        if found is None or storage.mark(PRUNED) == pruned:
            return pruned, newest, found


def _facts(storage: "SqliteStorage", pruned: "Mark", newest: "Mark") -> dict[str, Any]:
    from strongroom.cli.recordview import moment_of

    first = next(iter(storage.records.after(pruned.sequence, 1)), None)
    last = storage.records.newest()
    return {
        "first": first.sequence if first else 0,
        "firstTime": moment_of(first.record) if first else "",
        "last": last.sequence if last else 0,
        "lastTime": moment_of(last.record) if last else "",
        "markedAsNewest": newest.sequence,
        "prunedUpTo": pruned.sequence,
        "linkedWithoutKeyUpTo": storage.chain().plain_until,
        "onTheirWay": len(storage.records.pending()),
    }


def _verdict(count: int) -> str:
    return f"{count:,} record{'' if count == 1 else 's'}, each as it was written"


def _judged(found: "Break | None") -> dict[str, Any]:
    """Return the verdict for a program: whether all is well, else where it first is not and what was done there."""
    if found is None:
        return {"ok": True}
    told = {"tampering": found.tampering.value, "firstBroken": found.sequence, "failure": described(found)}
    return {"ok": False} | told


def described(found: "Break") -> str:
    """Return what was done at the first break, in words: its number, and the time and operation where there are any."""
    from strongroom.audit.verification import Tampering
    from strongroom.cli.recordview import named

    stands = named(found.found.record) if found.found else "nothing"
    after = f"after {named(found.before.record)}" if found.before else "at the beginning"
    match found.tampering:
        case Tampering.REMOVED:
            last = found.sequence + found.count - 1
            which = f"record {found.sequence} was" if found.count == 1 else f"records {found.sequence} to {last} were"
            return f"{which} removed, {after}, before {stands}"
        case Tampering.CHANGED:
            return f"record {found.sequence} was changed; it reads {stands}, {after}"
        case Tampering.REORDERED:
            return (
                f"records were reordered: as record {found.sequence} stands {stands}, {after}; the one that belongs "
                f"there stands as {found.other}"
            )
        case Tampering.INSERTED:
            return f"as record {found.sequence} stands one that was never written: {stands}, {after}"
        case Tampering.CUT_OFF if found.count:
            last = found.sequence + found.count - 1
            return f"the newest were cut off: records {found.sequence} to {last} or more are missing, {after}"
        case Tampering.CUT_OFF:
            return (
                f"the newest were cut off and others written since: as record {found.sequence} stands {stands}, and "
                "it is not the one that was kept under this number"
            )
