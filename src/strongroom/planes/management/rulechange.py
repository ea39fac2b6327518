"""A change of a vault's network rules: what the record says of it, and which subnets its author may name."""

from strongroom.planes.call import Call
from strongroom.planes.management.permission import is_allowed
from strongroom.resources.networks.model import JOIN
from strongroom.vaults.model import Vault
from strongroom.vaults.network import ENABLED, MAX_SUBNET_RULES, RulesRequest, compare_rules


def note_rule_change(call: Call, before: Vault | None, vault: Vault) -> None:
    """Note in the record from where a vault may be reached, if that is another than before.

    before: None for a vault that is new, which was reached from nowhere; only what restricts it is noted.
    """
    access = ENABLED if before is None else before.public_network_access
    if vault.public_network_access != access:
        call.notes["publicNetworkAccess"] = vault.public_network_access
    change = compare_rules(None if before is None else before.network, vault.network)
    if change:
        call.notes["networkAclsChange"] = change


async def find_joinable(call: Call, asked: RulesRequest | None) -> frozenset[str]:
    """Return those of the subnets that a request names which the caller may join, by their ids in lower case."""
    rules = () if asked is None else asked.subnet_rules or ()
    named = {rule.subnet_id.lower() for rule in rules[:MAX_SUBNET_RULES]}
    return frozenset([each for each in named if await is_allowed(call, JOIN, each)])
