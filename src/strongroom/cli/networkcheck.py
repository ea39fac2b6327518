"""`strongroom network check`: who is let in from where, and what to change for whoever is not."""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from strongroom.cli.failure import CommandFailed
from strongroom.cli.hints import typed_here
from strongroom.cli.networkrules import VAULT_OPTION
from strongroom.cli.options import PLACE, settings_from, settings_options
from strongroom.cli.places import get_vault
from strongroom.cli.shown import format_option, printable, show_one

if TYPE_CHECKING:
    from strongroom.access.network.evaluation import NamedSubnet, NetworkDecision
    from strongroom.cli.data import Data
    from strongroom.vaults.model import Vault
    from strongroom.vaults.network import NetworkRules

REFUSED = 1


@click.command(name="check")
@VAULT_OPTION
@click.option("--from", "address", metavar="ADDRESS", required=True, help="The caller's own IP address.")
@click.option("--as", "principal", metavar="PRINCIPAL", help="Who calls, to say what it may do: an id or a name.")
@format_option
@settings_options(*PLACE)
@click.pass_context
def check(
    context: click.Context, /, vault: str, *, address: str, principal: str | None, as_json: bool, **flags: Any
) -> None:
    """Say whether a vault may be reached from an address. It says by which rule, and what to change if not.

    The rules that decide on requests decide here; what is proposed is asked too. Exit code 1: it is refused.

    \b
    strongroom network check --vault pay --from 198.51.100.7
    strongroom network check --vault pay --from 198.51.100.7 --as payments
    """
    from strongroom.addresses import parse_address
    from strongroom.cli.data import on_data

    try:
        address = str(parse_address(address))  # as a request's is judged
    except ValueError:
        raise CommandFailed(f"'{address}' is no IP address; a caller has one, such as 198.51.100.7") from None

    async def work(data: "Data") -> dict[str, Any]:
        return await _checked(data, vault, address, principal)

    found = on_data(settings_from(flags), work)
    if as_json:
        show_one(found, as_json=True)
    else:
        for line in _lines(found):
            click.echo(printable(line))
    context.exit(0 if found["allowed"] else REFUSED)


async def _checked(data: "Data", name: str, address: str, principal: str | None) -> dict[str, Any]:
    from strongroom.access.network.evaluation import Visitor
    from strongroom.access.network.firewall import Firewall, find_named_subnets
    from strongroom.vaults import connections

    stores, firewall = data.storage.read(), Firewall()
    visitor = Visitor(address=address, trusted_service=await _trusted_service(data, principal))
    vault = await get_vault(stores, name)
    subnets = await find_named_subnets(stores.networks, vault)
    found: dict[str, Any] = {"vault": vault.name, "from": address}
    place = {"vault": vault.name, "address": address, "service": visitor.trusted_service}
    place["subnet"] = _idle_subnet(vault.network, subnets, address)
    found |= _told(place, firewall.rules_of(vault, subnets).decide(visitor), TO_ALLOW)
    proposed = firewall.proposal_of(vault, subnets)
    found["proposal"] = None
    if proposed is not None and vault.proposal is not None:
        place["subnet"] = _idle_subnet(vault.proposal.rules, subnets, address)
        found["proposal"] = _told(place, proposed.decide(visitor), TO_PROPOSE)
    ways = [] if found["allowed"] else await connections.list_connections(stores, vault.vault_id)
    if private := [connections.place_of(each) for each in ways if each.status is connections.Status.APPROVED]:
        found["privateEndpoints"] = private
    if principal is not None:
        found |= await _abilities(data, vault, principal)
    return found


async def _trusted_service(data: "Data", principal: str | None) -> str:
    """Return the name of the trusted service that somebody is, "" when it is none."""
    from strongroom.access.identity.directory import Directory
    from strongroom.access.network.trusted import trusted_name

    if principal is None:
        return ""
    identity = data.storage.read().identity
    found = await Directory(identity).get_principal(principal)
    return trusted_name(await identity.find_principal(found.object_id)) or ""


def _idle_subnet(rules: "NetworkRules | None", subnets: Iterable["NamedSubnet"], address: str) -> str:
    """Return the id of the subnet of an address that rules name and that lacks the service endpoint, "" for none."""
    named = {rule.subnet_id for rule in rules.subnet_rules} if rules is not None else set()
    caller = ipaddress.ip_address(address)
    holding = (
        subnet.subnet_id
        for subnet in subnets
        if subnet.subnet_id in named and not subnet.has_endpoint
        if any(caller in ipaddress.ip_network(prefix) for prefix in subnet.prefixes)
    )
    return next(holding, "")


TO_ALLOW = {
    "endpoint": "az network vnet subnet update --ids {subnet} --service-endpoints Microsoft.KeyVault",
    "bypass": "az keyvault update -n {vault} --bypass AzureServices",
    "range": "az keyvault network-rule add -n {vault} --ip-address {address}",
    "public": "az keyvault update -n {vault} --public-network-access Enabled",
}
TO_PROPOSE = {
    "endpoint": TO_ALLOW["endpoint"],
    "bypass": "strongroom network propose --vault {vault} --bypass AzureServices",
    "range": "strongroom network propose --vault {vault} --allow {address}",
    "public": "strongroom network propose --vault {vault} --public-network-access Enabled",
}


def _told(place: Mapping[str, str], decision: "NetworkDecision", advice: Mapping[str, str]) -> dict[str, Any]:
    """Return a decision for a program, with what lets the caller in where it is refused.

    place: the vault, the caller's address, the trusted service that it is, and its subnet if that lacks the endpoint.
    """
    from strongroom.access.network.evaluation import address_number
    from strongroom.errors import ForbiddenByConnection, ForbiddenByFirewall

    rule = decision.rule or f"bypass, as the trusted service '{decision.trusted_service}'"
    told: dict[str, Any] = {"allowed": decision.allowed, "rule": rule}
    if decision.allowed:
        return told
    error = ForbiddenByConnection if decision.by_connection else ForbiddenByFirewall
    if place["service"]:
        change = advice["bypass"]  # a trusted service is refused where there is none
    elif decision.by_connection:
        change = advice["public"]
    elif address_number(place["address"]) is None:
        change = "there are no rules for IPv6: let the caller come over IPv4"
    else:
        change = advice["endpoint" if place["subnet"] else "range"]
    return told | {"error": error.inner, "toLetIn": change.format_map(place)}


async def _abilities(data: "Data", vault: "Vault", principal: str) -> dict[str, Any]:
    """Return what somebody may do with the vault once it is let in."""
    from strongroom.access.authorization.operations import OPERATIONS
    from strongroom.access.authorization.reach import decide_for
    from strongroom.access.authorization.world import path_of
    from strongroom.access.identity.directory import Directory
    from strongroom.cli.worlds import read_atlas

    found = await Directory(data.storage.read().identity).get_principal(principal)
    atlas = await read_atlas(data)
    subject = atlas.subject(found.object_id)
    may = [
        name
        for name, action in OPERATIONS.items()
        if subject.acts and decide_for(atlas, vault, subject, action, path_of(vault)).allowed
    ]
    return {"as": {"objectId": subject.object_id, "displayName": subject.display_name, "enabled": subject.enabled}} | {
        "operations": may
    }


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Return what was found as lines for a person."""
    yield f"{found['vault']} from {found['from']}: {_verdict(found)}"
    if "toLetIn" in found:
        yield f"  to let it in: {found['toLetIn']}"
    if "privateEndpoints" in found:
        yield f"  let in as it is by a private endpoint, at {', '.join(found['privateEndpoints'])}"
    proposal = found["proposal"]
    if proposal is not None:
        yield f"as proposed: {_verdict(proposal)}"
        if "toLetIn" in proposal:
            yield typed_here(f"  to let it in: {proposal['toLetIn']}")
    if "as" in found:
        who = found["as"]["displayName"]
        if not found["as"]["enabled"]:
            yield f"{who} is disabled: it is refused wherever it comes from"
        else:
            from strongroom.cli.access import listed

            may = listed(found["operations"]) or "nothing at the vault as a whole"
            yield f"once let in, {who} may: {may}"
            yield typed_here(f"  by which road, and at single secrets: strongroom access reach '{who}'")


def _verdict(found: Mapping[str, Any]) -> str:
    if found["allowed"]:
        return f"let in by {found['rule']}"
    return f"refused by {found['rule']} ({found['error']})"
