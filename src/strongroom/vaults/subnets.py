"""What a vault's network rules need of virtual networks: which subnets they may name, and what becomes of a rule.

A rule names a subnet by its id, and what that id stands for is looked up when a request comes. A rule ends with its
subnet: another subnet that comes to be under the same id is let in by none.
Texts: as the resource manager and the network provider write them, see `docs/errors.md`.
"""

from collections.abc import Iterable
from dataclasses import replace

from strongroom.errors import BadRequest, Forbidden
from strongroom.resources.networks.model import JOIN, KEY_VAULT_SERVICE, VirtualNetwork, id_of_subnet
from strongroom.resources.networks.service import find_subnets
from strongroom.resources.networks.store import NetworkStore
from strongroom.vaults.census import Places, list_all
from strongroom.vaults.model import Vault, id_of_vault
from strongroom.vaults.network import NetworkRules

WRITE = "Microsoft.KeyVault/vaults/write"


def named_subnet_ids(vault: Vault) -> tuple[str, ...]:
    """Return the ids, in lower case and each once, of the subnets that rules of a vault name, its proposal's too."""
    kept = (vault.network, None if vault.proposal is None else vault.proposal.rules)
    return tuple(dict.fromkeys([rule.subnet_id for rules in kept if rules is not None for rule in rules.subnet_rules]))


async def require_subnets(
    networks: NetworkStore, vault: Vault, *, joinable: frozenset[str], caller: tuple[str, str]
) -> None:
    """Raise unless the rules of a vault may name the subnets that they name.

    joinable: ids, in lower case, of the subnets that the caller may join. caller: its name and object id.
    Raises Forbidden (LinkedAuthorizationFailed), before it tells whether a subnet is there; BadRequest for one that
    is not, or (SubnetsHaveNoServiceEndpointsConfigured) has no way to vaults and that is not to be ignored.
    """
    rules = vault.network.subnet_rules if vault.network is not None else ()
    there = await find_subnets(networks, [rule.subnet_id for rule in rules])
    for rule in rules:
        if rule.subnet_id not in joinable:
            raise _not_joinable(vault, rule.subnet_id, caller)
        if rule.subnet_id not in there:
            raise BadRequest(f"The subnet '{rule.subnet_id}' was not found.", code="BadRequest")
        _, subnet = there[rule.subnet_id]
        if not rule.ignore_missing_endpoint and not subnet.leads_to(KEY_VAULT_SERVICE, vault.location):
            raise _without_endpoint(rule.subnet_id)


def _not_joinable(vault: Vault, subnet_id: str, caller: tuple[str, str]) -> Forbidden:
    return Forbidden(
        f"The client '{caller[0]}' with object id '{caller[1]}' has permission to perform action '{WRITE}' on scope "
        f"'{id_of_vault(vault)}'; however, it does not have permission to perform action '{JOIN}' on the linked "
        f"scope(s) '{subnet_id}' or the linked scope(s) are invalid.",
        code="LinkedAuthorizationFailed",
    )


def _without_endpoint(subnet_id: str) -> BadRequest:
    network, _, name = subnet_id.partition("/subnets/")
    return BadRequest(
        f"Subnets {name} of virtual network {network} do not have ServiceEndpoints for {KEY_VAULT_SERVICE} resources "
        f"configured. Add {KEY_VAULT_SERVICE} to subnet's ServiceEndpoints collection before trying to ACL "
        f"{KEY_VAULT_SERVICE} resources to these subnets.",
        code="SubnetsHaveNoServiceEndpointsConfigured",
    )


def subnets_gone(before: VirtualNetwork | None, after: VirtualNetwork | None) -> frozenset[str]:
    """Return the ids, in lower case, of the subnets that a change of a network took; None where there is no network."""
    held, holds = _ids(before), _ids(after)
    return held - holds


async def forget_subnets(stores: Places, gone: Iterable[str]) -> tuple[Vault, ...]:
    """Take the rules that name these subnets from every vault, deleted ones too; return the vaults that had some.

    What a rule let in is let in no more, and the default action stays: no vault is opened by it. gone: as
    `subnets_gone` returns them.
    """
    ended = frozenset(gone)
    if not ended:
        return ()
    found = [vault for vault in await list_all(stores) if not ended.isdisjoint(named_subnet_ids(vault))]
    for vault in found:
        await stores.vaults.replace(_without(vault, ended))
    return tuple(found)


def _without(vault: Vault, ended: frozenset[str]) -> Vault:
    """Return a vault whose rules, and those that are proposed for it, name these subnets no more."""

    def left(rules: NetworkRules) -> NetworkRules:
        return replace(rules, subnet_rules=tuple(r for r in rules.subnet_rules if r.subnet_id not in ended))

    network = None if vault.network is None else left(vault.network)
    proposal = None if vault.proposal is None else replace(vault.proposal, rules=left(vault.proposal.rules))
    return replace(vault, network=network, proposal=proposal)


def _ids(network: VirtualNetwork | None) -> frozenset[str]:
    return frozenset([id_of_subnet(network, subnet.name).lower() for subnet in network.subnets] if network else [])
