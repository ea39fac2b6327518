"""A change of a vault's network rules: what the record says of it, and which subnets its author may name."""

from typing import Any

from strongroom.planes.call import Call
from strongroom.planes.management.permission import is_allowed
from strongroom.resources.networks.model import JOIN
from strongroom.vaults.model import Vault
from strongroom.vaults.network import ENABLED, MAX_SUBNET_RULES, NetworkRules, RulesRequest


def note_rule_change(call: Call, before: Vault | None, vault: Vault) -> None:
    """Note in the record from where a vault may be reached, if that is another than before.

    before: None for a vault that is new, which was reached from nowhere; only what restricts it is noted.
    """
    access = ENABLED if before is None else before.public_network_access
    if vault.public_network_access != access:
        call.notes["publicNetworkAccess"] = vault.public_network_access
    change = rules_change(None if before is None else before.network, vault.network)
    if change:
        call.notes["networkAclsChange"] = change


def rules_change(before: NetworkRules | None, after: NetworkRules | None) -> dict[str, Any]:
    """Return what a change makes of network rules, {} when they let in the same as before."""
    held, holds = before or NetworkRules(), after or NetworkRules()
    named, names = _names(held), _names(holds)
    change: dict[str, Any] = {"added": sorted(names - named), "removed": sorted(named - names)}
    if held.default_action != holds.default_action:
        change["defaultAction"] = holds.default_action
    if held.bypass != holds.bypass:
        change["bypass"] = holds.bypass
    return {name: said for name, said in change.items() if said}


def _names(rules: NetworkRules) -> frozenset[str]:
    return frozenset(rules.ip_rules) | {rule.subnet_id for rule in rules.subnet_rules}


async def find_joinable(call: Call, asked: RulesRequest | None) -> frozenset[str]:
    """Return those of the subnets that a request names which the caller may join, by their ids in lower case."""
    rules = () if asked is None else asked.subnet_rules or ()
    named = {rule.subnet_id.lower() for rule in rules[:MAX_SUBNET_RULES]}
    return frozenset([each for each in named if await is_allowed(call, JOIN, each)])
