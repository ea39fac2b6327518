"""`strongroom network report`: who would lose access by the network rules that are proposed for a vault."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from strongroom.cli.durations import MOMENT
from strongroom.cli.networkrules import VAULT_OPTION
from strongroom.cli.options import PLACE, settings_from, settings_options
from strongroom.cli.places import get_vault
from strongroom.cli.shown import columns, format_option, show_one, shown_time

if TYPE_CHECKING:
    from strongroom.access.network.evaluation import CompiledRules
    from strongroom.access.network.rehearsal import Report
    from strongroom.cli.data import Data
    from strongroom.storage.records import SqlRecords
    from strongroom.vaults.model import Vault

DEFAULT_DAYS = 7
SPAN = 50_000


@click.command(name="report")
@VAULT_OPTION
@click.option(
    "--since",
    type=MOMENT,
    help=f"Requests from then on: 15m, 2h, 7d, or a time in ISO 8601. [default: {DEFAULT_DAYS}d]",
)
@format_option
@settings_options(*PLACE)
def report(vault: str, *, since: datetime | None, as_json: bool, **flags: Any) -> None:
    """Sum up who would lose access to a vault by what is proposed.

    Every request that was let in since then is judged by the proposal as it is now, those of before it was made too.

    \b
    strongroom network report --vault pay
    strongroom network report --vault pay --since 24h --json
    """
    from strongroom.cli.data import on_data
    from strongroom.clock import real_now

    start = since or real_now() - timedelta(days=DEFAULT_DAYS)

    async def work(data: "Data") -> tuple["Report", dict[str, str]]:
        return await _report(data, vault, start)

    found, names = on_data(settings_from(flags), work)
    if as_json:
        show_one(_as_json(vault, start, found, names), as_json=True)
        return
    _show(vault, start, found, names)


async def _report(data: "Data", name: str, since: datetime) -> tuple["Report", dict[str, str]]:
    from strongroom.access.network.firewall import Firewall, find_named_subnets
    from strongroom.access.network.rehearsal import sum_up
    from strongroom.access.network.trusted import trusted_name
    from strongroom.vaults.proposals import get_proposal

    stores = data.storage.read()
    vault = await get_vault(stores, name)
    get_proposal(vault)
    rules: CompiledRules | None = Firewall().proposal_of(vault, await find_named_subnets(stores.networks, vault))
    assert rules is not None  # there is a proposal
    applications = await stores.identity.list_applications()
    services = {each.object_id: trusted_name(each) for each in applications}
    trusted = {object_id: service for object_id, service in services.items() if service is not None}
    bodies = _bodies(data.storage.records, vault, since)
    found = sum_up(bodies, rules, f"{vault.name.lower()}.vault.", trusted)
    names = {each.object_id: each.display_name for each in applications}
    names |= {each.object_id: each.user_principal_name for each in await stores.identity.list_users()}
    return found, names


def _bodies(records: "SqlRecords", vault: "Vault", since: datetime) -> Iterator[tuple[datetime, dict[str, Any]]]:
    """Return times and bodies of the records about a vault since then, newest first."""
    from strongroom.audit.log import LONGEST_REQUEST
    from strongroom.cli.recordview import body_of
    from strongroom.vaults.model import id_of_vault

    place = id_of_vault(vault).upper()
    needle = json.dumps(place, ensure_ascii=False).encode()
    seen = [record for record in records.pending() if needle in record.body]
    position, oldest = records.last_sequence() + 1, since - LONGEST_REQUEST
    for record in reversed(seen):
        if record.time >= since:
            yield record.time, body_of(record)
    known = {record.record_id for record in seen}
    while (reached := records.time_before(position)) is not None and reached >= oldest:
        for entry in records.containing(position, SPAN, (needle,)):
            record = entry.record
            if record.time >= since and record.record_id not in known:
                yield record.time, body_of(record)
        position -= SPAN


def _as_json(vault: str, since: datetime, found: "Report", names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "vault": vault,
        "since": since.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "requests": found.judged,
        "refused": found.refused,
        "callers": [
            {
                "displayName": names.get(loss.object_id, ""),
                "objectId": loss.object_id,
                "appId": loss.app_id,
                "address": loss.address,
                "requests": loss.requests,
                "first": loss.first.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "last": loss.last.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "rule": loss.rule,
                "operations": loss.operations,
            }
            for loss in found.losses
        ],
    }


def _show(vault: str, since: datetime, found: "Report", names: Mapping[str, str]) -> None:
    click.echo(
        f"{vault}: of {found.judged:,} requests that were let in since {shown_time(since)}, "
        f"the proposal would refuse {found.refused:,}."
    )
    if not found.losses:
        return
    rows = [["caller", "address", "requests", "last", "mostly", "by"]]
    for loss in found.losses:
        who = names.get(loss.object_id) or loss.app_id or loss.object_id or "unknown"
        rows.append([who, loss.address, f"{loss.requests:,}", shown_time(loss.last), loss.example, loss.rule])
    click.echo()
    for line in columns(rows):
        click.echo(line)
