"""Virtual networks and subnets: made, changed, found, removed.

Texts: as the resource manager and the network provider write them, see `docs/errors.md`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from strongroom.errors import BadRequest, Conflict, NotFound, PreconditionFailed
from strongroom.ids import find_subnet_id, new_guid
from strongroom.resources.locations import Locations
from strongroom.resources.networks.model import (
    Subnet,
    VirtualNetwork,
    id_of_network,
    id_of_subnet,
    network_scope,
)
from strongroom.resources.networks.request import (
    MAX_NETWORKS,
    NETWORK_DEFAULTS,
    NetworkRequest,
    SubnetRequest,
    read_space,
    read_subnet,
    require_consistent,
    require_defaults,
    require_few,
    require_network_location,
    require_network_name,
    require_subnet_name,
)
from strongroom.resources.networks.store import NetworkStore
from strongroom.resources.service import Author, get_group, require_tags, touched
from strongroom.resources.store import LockStore, ResourceStore


class Places(Protocol):
    """The stores that the life of a network touches."""

    @property
    def locks(self) -> LockStore: ...
    @property
    def networks(self) -> NetworkStore: ...
    @property
    def resources(self) -> ResourceStore: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkChange:
    """Who changes a network, when, and under which conditions: `If-Match`, `If-None-Match`; "" for none."""

    author: Author
    now: datetime
    if_match: str = ""
    if_none_match: str = ""


async def put_network(
    stores: Places, locations: Locations, *, subscription_id: str, group: str, name: str, request: NetworkRequest,
    change: NetworkChange,
) -> tuple[VirtualNetwork, VirtualNetwork | None]:  # fmt: skip
    """Make a network or replace it; return it and what it was before, None when it is new.

    Subnets of which the request says nothing stay. Raises NotFound (ResourceGroupNotFound), PreconditionFailed,
    Conflict (NetworkCountLimitReached) and what `networks.request` raises.
    """
    require_network_name(name)
    place = await get_group(stores.resources, subscription_id, group)
    before = await stores.networks.find(subscription_id, place.name, name)
    resource_id = id_of_network(before) if before else network_scope(subscription_id, place.name, name)
    require_condition(before.etag if before else None, change, resource_id)
    if before is None:
        await _require_room(stores.networks, subscription_id)
    location = require_network_location(locations, request.location, before)
    require_defaults(request.others, NETWORK_DEFAULTS, resource_id)
    network = VirtualNetwork(
        subscription_id=subscription_id,
        resource_group=place.name,
        name=before.name if before else name,
        location=location,
        prefixes=read_space(request.prefixes, resource_id),
        subnets=_read_subnets(request, before, resource_id, locations),
        tags=require_tags(request.tags),
        resource_guid=before.resource_guid if before else new_guid(),
        etag=new_guid(),
        system_data=touched(before.system_data if before else None, change.author, change.now),
    )
    require_consistent(network)
    await stores.networks.put(network)
    return network, before


async def put_subnet(
    stores: Places, locations: Locations, network: VirtualNetwork, name: str, *, request: SubnetRequest,
    change: NetworkChange,
) -> tuple[VirtualNetwork, Subnet, bool]:  # fmt: skip
    """Make a subnet or replace it; return the network, the subnet and whether it is new; raises as `put_network`."""
    require_subnet_name(name)
    before = network.find_subnet(name)
    resource_id = id_of_subnet(network, before.name if before else name)
    require_condition(network.etag if before else None, change, resource_id)
    subnet = read_subnet(request, before.name if before else name, resource_id, locations)
    subnets = [subnet if each is before else each for each in network.subnets] + ([] if before else [subnet])
    require_few(len(subnets), sum(len(each.prefixes) for each in subnets), network.name)
    return await _keep_subnets(stores, network, tuple(subnets), change), subnet, before is None


async def remove_subnet(
    stores: Places, network: VirtualNetwork, subnet: Subnet, change: NetworkChange
) -> VirtualNetwork:
    """Remove a subnet and return its network; PreconditionFailed. Whoever calls it sees to the rules that name it."""
    require_condition(network.etag, change, id_of_subnet(network, subnet.name))
    return await _keep_subnets(stores, network, tuple(each for each in network.subnets if each != subnet), change)


async def update_tags(
    stores: Places, network: VirtualNetwork, tags: Mapping[str, str], change: NetworkChange
) -> VirtualNetwork:
    """Give a network these tags and no others; PreconditionFailed, BadRequest (InvalidTags)."""
    require_condition(network.etag, change, id_of_network(network))
    return await _keep(stores, replace(network, tags=require_tags(tags)), change)


async def remove_network(stores: Places, network: VirtualNetwork, change: NetworkChange) -> None:
    """Remove a network, its subnets and the locks on it; PreconditionFailed.

    Whoever calls it sees to the rules that name its subnets.
    """
    require_condition(network.etag, change, id_of_network(network))
    await stores.networks.remove(network)
    await stores.locks.remove_within(id_of_network(network))


async def get_network(stores: Places, subscription_id: str, group: str, name: str) -> VirtualNetwork:
    """Return a network; NotFound (ResourceGroupNotFound, ResourceNotFound)."""
    place = await get_group(stores.resources, subscription_id, group)
    network = await stores.networks.find(subscription_id, place.name, name)
    if network is None:
        raise NotFound(
            f"The Resource 'Microsoft.Network/virtualNetworks/{name}' under resource group '{group}' was not found. "
            "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
            code="ResourceNotFound",
        )
    return network


def get_subnet(network: VirtualNetwork, name: str) -> Subnet:
    """Return a subnet of a network; NotFound."""
    subnet = network.find_subnet(name)
    if subnet is None:
        raise NotFound(f"Resource {id_of_subnet(network, name)} not found.", code="NotFound")
    return subnet


async def find_subnets(networks: NetworkStore, subnet_ids: Iterable[str]) -> dict[str, tuple[VirtualNetwork, Subnet]]:
    """Return the subnets of resource ids in any case, with their networks, by these ids; those that are there.

    Each network is looked through once, however many of its subnets are asked for.
    """
    asked = {text: named for text in subnet_ids if (named := find_subnet_id(text)) is not None}
    held: dict[tuple[str, str, str], dict[str, tuple[VirtualNetwork, Subnet]]] = {}
    for place in dict.fromkeys([named.place for named in asked.values()]):
        network = await networks.find(*place)
        held[place] = {} if network is None else {each.name.lower(): (network, each) for each in network.subnets}
    return {text: held[named.place][named.subnet] for text, named in asked.items() if named.subnet in held[named.place]}


def require_condition(etag: str | None, change: NetworkChange, resource_id: str) -> None:
    """Raise PreconditionFailed unless a resource is as its change expects it. etag: None when there is no resource."""
    held = None if etag is None else shown_etag(etag)
    if change.if_match and (held is None or not _matches(change.if_match, held)):
        raise PreconditionFailed(
            f"Etag provided in if-match header {change.if_match[:90]} does not match etag {held or 'null'} of resource "
            f"{resource_id} in NRP data store."
        )
    if change.if_none_match and held is not None and _matches(change.if_none_match, held):
        raise PreconditionFailed(f"Resource {resource_id} is there already, with etag {held}.")


def shown_etag(etag: str) -> str:
    """Return an etag as answers have it."""
    return f'W/"{etag}"'


def _matches(condition: str, held: str) -> bool:
    given = [each.strip() for each in condition.split(",")]
    return "*" in given or held in given or held.removeprefix("W/") in given


async def _require_room(networks: NetworkStore, subscription_id: str) -> None:
    if await networks.count(subscription_id) >= MAX_NETWORKS:
        raise Conflict(
            f"Cannot create more than {MAX_NETWORKS} virtual networks for this subscription.",
            code="NetworkCountLimitReached",
        )


def _read_subnets(
    request: NetworkRequest, before: VirtualNetwork | None, resource_id: str, locations: Locations
) -> tuple[Subnet, ...]:
    if request.subnets is None:
        return before.subnets if before else ()
    blocks = sum([max(1, len(asked.prefixes)) for _, asked in request.subnets])
    require_few(len(request.subnets), blocks, resource_id.rpartition("/")[2])
    return tuple([_read_one(name, asked, before, resource_id, locations) for name, asked in request.subnets])


def _read_one(
    name: str | None, asked: SubnetRequest, before: VirtualNetwork | None, resource_id: str, locations: Locations
) -> Subnet:
    if not name:
        raise BadRequest(f"A subnet of resource {resource_id} has no name.", code="InvalidResourceName")
    known = before.find_subnet(name) if before else None
    kept = known.name if known else name
    return read_subnet(asked, kept, f"{resource_id}/subnets/{kept}", locations)


async def _keep_subnets(
    stores: Places, network: VirtualNetwork, subnets: tuple[Subnet, ...], change: NetworkChange
) -> VirtualNetwork:
    changed = replace(network, subnets=subnets)
    require_consistent(changed)
    return await _keep(stores, changed, change)


async def _keep(stores: Places, network: VirtualNetwork, change: NetworkChange) -> VirtualNetwork:
    kept = replace(network, etag=new_guid(), system_data=touched(network.system_data, change.author, change.now))
    await stores.networks.put(kept)
    return kept
