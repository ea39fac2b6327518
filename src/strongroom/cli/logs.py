"""`strongroom logs`: reads the records of what was asked and answered, and follows them."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from strongroom.cli.durations import MOMENT
from strongroom.cli.options import PLACE, settings_from, settings_options
from strongroom.cli.verification import command as verify

if TYPE_CHECKING:
    from strongroom.audit.event import Record
    from strongroom.cli.data import Data
    from strongroom.cli.recordview import Choice
    from strongroom.storage.records import SqlRecords

CATEGORIES = ("AuditEvent", "Administrative", "SignInLogs", "MicrosoftGraphActivityLogs")
DEFAULT_COUNT = 20
BATCH = 500
FOLLOW_SECONDS = 0.5


@click.group(name="logs", invoke_without_command=True)
@click.option(
    "-n", "count", type=click.IntRange(0), default=DEFAULT_COUNT, show_default=True, help="How many, at most."
)
@click.option("--follow", "-f", is_flag=True, help="Then go on with new ones until Ctrl-C.")
@click.option("--category", type=click.Choice(CATEGORIES, case_sensitive=False), help="Only this log.")
@click.option("--operation", metavar="NAME", help="Only this operation, such as SecretGet.")
@click.option("--vault", metavar="NAME", help="Only what concerns this vault.")
@click.option("--caller", metavar="WHO", help="Only from this application (name or id), user or operator.")
@click.option(
    "--failed",
    is_flag=True,
    help="Only what was refused or failed, but for 401s that ask for a token.",
)
@click.option("--since", type=MOMENT, help="Only from then on: 15m, 2h, 7d, or a time in ISO 8601 (UTC).")
@click.option("--json", "as_json", is_flag=True, help="Print the records as they are kept, one a line.")
@settings_options(*PLACE)
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    count: int,
    follow: bool,
    category: str | None,
    operation: str | None,
    vault: str | None,
    caller: str | None,
    failed: bool,
    since: datetime | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Show the newest records, oldest of them first: who asked what, and what was answered.

    \b
    strongroom logs --follow
    strongroom logs --vault pay --failed --since 24h
    strongroom logs --category AuditEvent --json -n 1000 | jq .operationName
    strongroom logs verify
    """
    if context.invoked_subcommand is not None:
        _require_bare(context)
        return
    from strongroom.cli.data import on_data
    from strongroom.cli.recordview import Choice, as_line

    async def work(data: "Data") -> None:
        names, callers = await _names(data, caller)
        choice = Choice(
            category=category, operation=operation, vault=vault, callers=callers, failed=failed, since=since
        )

        def show(record: "Record") -> None:
            click.echo(record.body if as_json else as_line(record, names))

        records = data.storage.records
        pending = records.pending()  # asked first: what leaves for the chain meanwhile is found there
        position = records.last_sequence()
        for record in newest(records, choice, count, position, pending):
            show(record)
        shown = {record.record_id for record in pending}
        while follow:
            position, fresh = following(records, choice, position, shown)
            for record in fresh:
                show(record)
            await asyncio.sleep(FOLLOW_SECONDS)

    on_data(settings_from(flags), work)


command.add_command(verify)


def _require_bare(context: click.Context) -> None:
    """Raise UsageError when options stand before the subcommand: they would say nothing to it."""
    for parameter in context.command.params:
        if context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"give {parameter.opts[0]} after '{context.invoked_subcommand}'", context)


def newest(
    records: "SqlRecords", choice: "Choice", count: int, position: int, pending: "Sequence[Record]"
) -> list["Record"]:
    """Return the newest `count` wanted records, oldest first: those pending, and those up to a sequence number."""
    from strongroom.audit.log import LONGEST_REQUEST

    found: list[Record] = []
    for record in _backwards(records, position, pending):
        if len(found) >= count or (choice.since is not None and record.time < choice.since - LONGEST_REQUEST):
            break
        if choice.fits(record):
            found.append(record)
    return found[::-1]


def _backwards(records: "SqlRecords", position: int, pending: "Sequence[Record]") -> Iterator["Record"]:
    yield from reversed(pending)
    known = {record.record_id for record in pending}
    position += 1
    while entries := records.before(position, BATCH):
        yield from (entry.record for entry in entries if entry.record.record_id not in known)
        position = entries[-1].sequence


def following(records: "SqlRecords", choice: "Choice", position: int, shown: set[bytes]) -> tuple[int, list["Record"]]:
    """Return what came after a sequence number and is wanted, with the new number.

    shown: ids of records that were shown on their way; they are not shown again, and forgotten.
    """
    fresh = []
    while entries := records.after(position, BATCH):
        position = entries[-1].sequence
        for entry in entries:
            if entry.record.record_id in shown:
                shown.discard(entry.record.record_id)
            elif choice.fits(entry.record):
                fresh.append(entry.record)
    return position, fresh


async def _names(data: "Data", caller: str | None) -> tuple[dict[str, str], frozenset[str]]:
    """Return what applications are called, by id, and the ids under which `caller` may stand in a record."""
    applications = await data.applications(data.storage.read()).list()
    names = {each.app_id: each.display_name for each in applications}
    if caller is None:
        return names, frozenset()
    wanted = caller.lower()
    meant = {wanted}
    for each in applications:
        if wanted in (each.app_id, each.object_id, each.display_name.lower()):
            meant |= {each.app_id, each.object_id}
    return names, frozenset(meant)
