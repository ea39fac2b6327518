"""Which resources of a list may the caller read? Found from what it was given, not by asking of each vault there is."""

from collections.abc import Sequence
from dataclasses import dataclass

from strongroom.access.authorization.actions import VAULT_READ
from strongroom.access.authorization.evaluation import ancestors
from strongroom.access.authorization.service import find_scopes
from strongroom.planes.call import Call
from strongroom.planes.management.places import scope_of, subscription_id
from strongroom.resources.networks.model import VirtualNetwork
from strongroom.resources.networks.store import key_of_network
from strongroom.vaults.model import Vault

GROUP_DEPTH, VAULT_DEPTH = 4, 8
"""How many segments a resource group's id has, and a vault's; their names are the last ones."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What the caller may read of a list: everything, or what lies in these groups and these vaults (in lower case)."""

    everything: bool
    groups: frozenset[str] = frozenset()
    vaults: tuple[tuple[str, str], ...] = ()
    """Their groups and names, in the order of the names; none that is in `groups`."""


EVERYTHING = Sight(everything=True)


async def find_sight(call: Call, action: str = VAULT_READ) -> Sight:
    """Return what the caller may read of what lies in the scope that the path names; action: that reads it."""
    place = scope_of(call.parameters).lower()
    scopes = await find_scopes(call.stores, call.known_caller(), action, now=call.now)
    if not scopes.isdisjoint(ancestors(place)):
        return EVERYTHING
    below = [scope.split("/")[1:] for scope in scopes if scope.startswith(place + "/")]
    groups = frozenset(segments[-1] for segments in below if len(segments) == GROUP_DEPTH)
    vaults = {(segments[3], segments[-1]) for segments in below if len(segments) == VAULT_DEPTH}
    alone = sorted([vault for vault in vaults if vault[0] not in groups], key=lambda vault: vault[1])
    return Sight(everything=False, groups=groups, vaults=tuple(alone))


async def read_seen(call: Call, sight: Sight, after: str, limit: int) -> Sequence[Vault]:
    """Return the living vaults past a name that the caller may read, by name: `limit` of them, or all there are."""
    subscription, group = subscription_id(call), call.parameters.get("group")
    if sight.everything:
        return await call.stores.vaults.list_living(subscription, group, after=after, limit=limit)
    found = await _read_named(call, sight, after, limit)
    for each in sight.groups:
        found += await call.stores.vaults.list_living(subscription, each, after=after, limit=limit)
    return sorted(found, key=lambda vault: vault.name.lower())[:limit]


async def read_networks(call: Call, sight: Sight, after: str, limit: int) -> Sequence[VirtualNetwork]:
    """Return the networks past a key that the caller may read, by `key_of_network`: `limit`, or all there are.

    Roles are given at groups and above, not at networks.
    """
    subscription, group = subscription_id(call), call.parameters.get("group")
    networks = call.stores.networks
    if sight.everything:
        return await networks.list_in(subscription, group, after=after, limit=limit)
    found: list[VirtualNetwork] = []
    for each in sight.groups:
        found += await networks.list_in(subscription, each, after=after, limit=limit)
    return sorted(found, key=key_of_network)[:limit]


async def _read_named(call: Call, sight: Sight, after: str, limit: int) -> list[Vault]:
    found: list[Vault] = []
    for group, name in sight.vaults:
        if len(found) == limit:
            break
        vault = await call.stores.vaults.find(name) if name > after else None
        if vault is not None and vault.deletion is None and _lies_in(vault, subscription_id(call), group):
            found.append(vault)
    return found


def _lies_in(vault: Vault, subscription: str, group: str) -> bool:
    return (vault.subscription_id.lower(), vault.resource_group.lower()) == (subscription, group)
