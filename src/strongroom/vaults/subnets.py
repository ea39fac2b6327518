"""What a vault's network rules need of virtual networks: which subnets they may name, and what becomes of a rule.

A rule names a subnet by its id, and what that id stands for is looked up when a request comes. A rule ends with its
subnet: another subnet that comes to be under the same id is let in by none.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from strongroom.ids import vault_scope
from strongroom.resources.networks.model import VirtualNetwork, id_of_subnet
from strongroom.resources.networks.service import find_subnets, require_joinable
from strongroom.resources.networks.store import NetworkStore
from strongroom.resources.store import ResourceStore
from strongroom.vaults.model import Vault
from strongroom.vaults.network import NetworkRules
from strongroom.vaults.store import VaultStore

WRITE = "Microsoft.KeyVault/vaults/write"


class Places(Protocol):
    """The stores in which vaults and the subnets that their rules name are found."""

    @property
    def networks(self) -> NetworkStore: ...
    @property
    def resources(self) -> ResourceStore: ...
    @property
    def vaults(self) -> VaultStore: ...


async def require_subnets(
    networks: NetworkStore, vault: Vault, *, joinable: frozenset[str], caller: tuple[str, str]
) -> None:
    """Raise unless the rules of a vault may name the subnets that they name; raises as `require_joinable` does.

    joinable: ids, in lower case, of the subnets that the caller may join. caller: its name and object id.
    """
    scope = vault_scope(vault.subscription_id, vault.resource_group, vault.name)
    rules = vault.network.subnet_rules if vault.network is not None else ()
    there = await find_subnets(networks, [rule.subnet_id for rule in rules])
    for rule in rules:
        found = there.get(rule.subnet_id)
        require_joinable(
            found[1] if found else None,
            rule.subnet_id,
            may_join=rule.subnet_id in joinable,
            ignore_missing_endpoint=rule.ignore_missing_endpoint,
            location=vault.location,
            action=WRITE,
            scope=scope,
            caller=caller,
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
    found = [vault for vault in await _list_all(stores) if not ended.isdisjoint(_named(vault))]
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


async def _list_all(stores: Places) -> list[Vault]:
    found = list(await stores.vaults.list_deleted())
    for subscription in await stores.resources.list_subscriptions():
        found += await stores.vaults.list_living(subscription.subscription_id)
    return found


def _named(vault: Vault) -> frozenset[str]:
    proposed = () if vault.proposal is None else vault.proposal.rules.subnet_rules
    rules = (*(() if vault.network is None else vault.network.subnet_rules), *proposed)
    return frozenset([rule.subnet_id for rule in rules])


def _ids(network: VirtualNetwork | None) -> frozenset[str]:
    return frozenset([id_of_subnet(network, subnet.name).lower() for subnet in network.subnets] if network else [])
