"""`strongroom network show`, `propose`, `adopt`, `withdraw`: network rules of a vault, and those that are rehearsed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from strongroom.cli.failure import CommandFailed
from strongroom.cli.hints import typed_here
from strongroom.cli.options import PLACE, settings_from, settings_options
from strongroom.cli.places import get_vault
from strongroom.cli.shown import format_option, show_one, shown_time

if TYPE_CHECKING:
    from strongroom.audit.event import Record
    from strongroom.cli.data import Data
    from strongroom.planes.stores import Stores
    from strongroom.vaults.model import Vault
    from strongroom.vaults.network import RulesRequest

F = TypeVar("F", bound=Callable[..., Any])
# A vault, and the ids of the subnets that its rules or its proposal name and that let nobody in now.
Shown = tuple["Vault", frozenset[str]]

VAULT_OPTION = click.option("--vault", metavar="NAME", required=True, help="The vault.")


@click.command(name="show")
@VAULT_OPTION
@format_option
@settings_options(*PLACE)
def show(vault: str, *, as_json: bool, **flags: Any) -> None:
    """Show the network rules of a vault, and those that are proposed."""
    from strongroom.cli.data import on_data

    async def work(data: "Data") -> Shown:
        stores = data.storage.read()
        found = await get_vault(stores, vault)
        return found, await _idle_subnets(stores, found)

    _show(on_data(settings_from(flags), work), as_json=as_json)


def _one_of(option: str, *words: str, text: str) -> Callable[[F], F]:
    """Return an option that is one of these words, in any case; its help writes them as Azure does."""
    chosen = click.Choice(words, case_sensitive=False)
    return click.option(option, type=chosen, metavar="|".join(words), help=text)


@click.command(name="propose")
@VAULT_OPTION
@_one_of("--default-action", "Allow", "Deny", text="What becomes of those whom no rule lets in.")
@click.option("--allow", metavar="RANGE", multiple=True, help="An IPv4 address or range to let in; repeatable.")
@click.option("--drop", metavar="RANGE|ID", multiple=True, help="A range or subnet to let in no longer; repeatable.")
@click.option("--subnet", metavar="ID", multiple=True, help="A subnet to let in, by its resource id; repeatable.")
@_one_of("--bypass", "AzureServices", "None", text="Whether trusted services pass.")
@_one_of("--public-network-access", "Enabled", "Disabled", text="Whether others pass than these and private endpoints.")
@click.option(
    "--file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Begin anew: from the networkAcls in this JSON file, or of the vault that it describes.",
)
@format_option
@settings_options(*PLACE)
def propose(vault: str, *, file: Path | None, as_json: bool, **flags: Any) -> None:
    """Propose network rules for a vault. Requests are judged by them from now on, and none is refused.

    They are those that are proposed already, else those that count, or those of --file, with what is said changed.
    Each record of a request that they would refuse says so; `strongroom network report` sums up who that is.

    \b
    strongroom network propose --vault pay --default-action Deny --allow 203.0.113.0/24 --allow 198.51.100.7
    strongroom network propose --vault pay --file acls.json
    """
    from strongroom.clock import real_now
    from strongroom.vaults.proposals import Wish, propose

    settings = settings_from({name: value for name, value in flags.items() if name not in WISHED})
    said = {name: flags[name] for name in WISHED}
    if file is None and not any(said.values()):
        raise CommandFailed("say what the rules are to be: --default-action Deny --allow 203.0.113.0/24, or --file")
    whole, access = (None, None) if file is None else _read(file)
    wish = Wish(
        whole=whole,
        public_network_access=said["public_network_access"] or access,
        default_action=said["default_action"],
        bypass=said["bypass"],
        allow=said["allow"],
        drop=said["drop"],
        subnets=said["subnet"],
    )

    def change(found: "Vault") -> "Vault":
        return propose(found, wish, private=settings.private_ip_rules, now=real_now())

    _show(_change(settings, vault, "Strongroom.NetworkRules/propose", change), as_json=as_json)
    if not as_json:
        click.echo(typed_here(f"\nNobody is refused by it. Who would be: strongroom network report --vault {vault}"))


WISHED = ("default_action", "allow", "drop", "subnet", "bypass", "public_network_access")


@click.command(name="adopt")
@VAULT_OPTION
@format_option
@settings_options(*PLACE)
def adopt(vault: str, *, as_json: bool, **flags: Any) -> None:
    """Make the rules that are proposed for a vault those that count."""
    from strongroom.vaults.proposals import adopt

    _show(_change(settings_from(flags), vault, "Strongroom.NetworkRules/adopt", adopt), as_json=as_json)


@click.command(name="withdraw")
@VAULT_OPTION
@format_option
@settings_options(*PLACE)
def withdraw(vault: str, *, as_json: bool, **flags: Any) -> None:
    """Drop the rules that are proposed for a vault. Those that count stay as they are."""
    from strongroom.vaults.proposals import withdraw

    _show(_change(settings_from(flags), vault, "Strongroom.NetworkRules/withdraw", withdraw), as_json=as_json)


def _change(settings: Any, name: str, operation: str, change: "Callable[[Vault], Vault]") -> Shown:
    """Change a vault, with its record in the same transaction, and return it as it is to be shown."""
    from strongroom.cli.data import on_data
    from strongroom.vaults.proposals import rehearsed
    from strongroom.vaults.subnets import require_subnets

    async def work(data: "Data") -> Shown:
        async def unit(stores: "Stores") -> tuple[Shown, "Record"]:
            before = await get_vault(stores, name)
            after = change(before)
            wanted = rehearsed(after)
            if wanted.network is not None and wanted.network != before.network:
                # Who runs the server may join every subnet; whether it is there, with the endpoint, is asked as ever.
                every = frozenset([rule.subnet_id for rule in wanted.network.subnet_rules])
                await require_subnets(stores.networks, wanted, joinable=every, caller=("", ""))
            await stores.vaults.replace(after)
            return (after, await _idle_subnets(stores, after)), _record(operation, before, after)

        return await data.storage.change(unit)

    return on_data(settings, work)


async def _idle_subnets(stores: "Stores", vault: "Vault") -> frozenset[str]:
    """Return the ids of subnets that the rules of a vault name, or its proposal, and that let nobody in as they are."""
    from strongroom.access.network.firewall import find_named_subnets

    found = await find_named_subnets(stores.networks, vault)
    return frozenset([each.subnet_id for each in found if not each.has_endpoint])


def _record(operation: str, before: "Vault", after: "Vault") -> "Record":
    """Return the record of a change: what it makes, or would make, of the rules that count."""
    from strongroom.audit.local import local_record
    from strongroom.clock import real_now
    from strongroom.vaults.model import id_of_vault
    from strongroom.vaults.network import compare_rules
    from strongroom.vaults.proposals import rehearsed

    wanted = rehearsed(after)
    properties: dict[str, Any] = {"vault": after.name}
    if change := compare_rules(before.network, wanted.network):
        properties["networkAclsChange"] = change
    if wanted.public_network_access != before.public_network_access:
        properties["publicNetworkAccess"] = wanted.public_network_access
    scope = id_of_vault(after)
    return local_record(operation, now=real_now(), resource_id=scope, properties=properties)


def _read(file: Path) -> tuple["RulesRequest", str | None]:
    """Return the rules in a file: networkAcls as the resource manager writes them, or a vault that has them."""
    import msgspec

    from strongroom.planes.management.wire import NetworkAcls, rules_request

    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(document, dict):
            document = document.get("properties", document)
        access = document.get("publicNetworkAccess") if isinstance(document, dict) else None
        if isinstance(document, dict):
            document = document.get("networkAcls", document)
        return rules_request(msgspec.convert(document, NetworkAcls)), access
    except (ValueError, msgspec.MsgspecError) as error:
        raise CommandFailed(f"{file} holds no network rules: {error}") from None


def _show(shown: Shown, *, as_json: bool) -> None:
    import msgspec

    from strongroom.planes.management.answers import rules_answer
    from strongroom.vaults.network import NetworkRules

    vault, idle = shown
    proposal = vault.proposal
    row = {
        "vault": vault.name,
        "publicNetworkAccess": vault.public_network_access,
        "networkAcls": msgspec.to_builtins(rules_answer(vault.network or NetworkRules())),
        "proposal": None
        if proposal is None
        else {
            "since": proposal.since.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "publicNetworkAccess": proposal.public_network_access,
            "networkAcls": msgspec.to_builtins(rules_answer(proposal.rules)),
        },
    }
    if as_json:
        show_one(row, as_json=True)
        return
    _show_rules(f"{vault.name}: the rules that count", row, idle)
    if proposal is None:
        return
    _show_rules(f"\nproposed since {shown_time(proposal.since)}", row["proposal"], idle)
    left = _let_in(row["proposal"])
    for rule in _let_in(row):
        if rule not in left:
            click.echo(f"  drops                {rule}")


def _let_in(row: dict[str, Any]) -> list[str]:
    """Return the ranges and the ids of subnets that rules let in."""
    acls = row["networkAcls"]
    return [*(rule["value"] for rule in acls["ipRules"]), *(rule["id"] for rule in acls["virtualNetworkRules"])]


def _show_rules(title: str, row: dict[str, Any], idle: frozenset[str]) -> None:
    """Print rules. idle: the subnets that let nobody in."""
    acls = row["networkAcls"]
    click.echo(title)
    click.echo(f"  publicNetworkAccess  {row['publicNetworkAccess']}")
    click.echo(f"  defaultAction        {acls['defaultAction']}")
    click.echo(f"  bypass               {acls['bypass']}")
    for rule in _let_in(row):
        click.echo(f"  lets in              {rule}")
        if rule in idle:
            click.echo("                       nobody now: it has no service endpoint Microsoft.KeyVault")
