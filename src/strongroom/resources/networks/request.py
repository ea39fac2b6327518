"""What a request asks a virtual network or a subnet to be, and the rules that it must keep: pure, over data.

Sources: REST Virtual Networks, Subnets; Azure "Naming rules and restrictions", "Networking limits"; texts as the
network provider writes them, see `docs/errors.md`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from strongroom.errors import BadRequest, Conflict
from strongroom.resources.locations import Locations
from strongroom.resources.networks.model import EVERYWHERE, ServiceEndpoint, Subnet, VirtualNetwork, id_of_subnet
from strongroom.resources.networks.prefixes import find_outside, find_overlap, require_block

NETWORK_NAME = re.compile(r"(?=.{2,64}\Z)[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])\Z", re.ASCII)
SUBNET_NAME = re.compile(r"(?=.{1,80}\Z)[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?\Z", re.ASCII)
NETWORK_NAME_LENGTH, SUBNET_NAME_LENGTH = 64, 80
MAX_NETWORKS = 1000
MAX_SUBNETS = 3000
MAX_PREFIXES = 64
"""Blocks of an address space, and of a subnet."""
MAX_BLOCKS = 2 * MAX_SUBNETS
"""Blocks of all subnets of a network together."""
SERVICES = (
    "Microsoft.KeyVault",
    "Microsoft.AzureActiveDirectory",
    "Microsoft.AzureCosmosDB",
    "Microsoft.CognitiveServices",
    "Microsoft.ContainerRegistry",
    "Microsoft.EventHub",
    "Microsoft.ServiceBus",
    "Microsoft.Sql",
    "Microsoft.Storage",
    "Microsoft.Storage.Global",
    "Microsoft.Web",
)
_SERVICES = {name.lower(): name for name in SERVICES}

# What would route or restrict, by its name on the wire, with the values that change nothing beside the empty ones.
NETWORK_DEFAULTS: Mapping[str, tuple[object, ...]] = {
    "bgpCommunities": (),
    "ddosProtectionPlan": ({"id": None},),
    "dhcpOptions": ({"dnsServers": []}, {"dnsServers": None}),
    "enableDdosProtection": (False,),
    "enableVmProtection": (False,),
    "encryption": ({"enabled": False},),
    "extendedLocation": (),
    "flowTimeoutInMinutes": (),
    "ipAllocations": (),
    "ipamPoolPrefixAllocations": (),
    "privateEndpointVNetPolicies": ("Disabled",),
    "summarizedGatewayPrefixes": (),
    "virtualNetworkPeerings": (),
}
SUBNET_DEFAULTS: Mapping[str, tuple[object, ...]] = {
    "applicationGatewayIPConfigurations": (),
    "defaultOutboundAccess": (True,),
    "delegations": (),
    "ipAllocations": (),
    "ipamPoolPrefixAllocations": (),
    "natGateway": ({"id": None},),
    "networkIdentifier": (),
    "networkSecurityGroup": ({"id": None},),
    "privateEndpointNetworkPolicies": ("Disabled",),
    "privateLinkServiceNetworkPolicies": ("Enabled",),
    "routeTable": ({"id": None},),
    "serviceEndpointPolicies": (),
    "serviceGateway": ({"id": None},),
    "sharingScope": (),
}
_EMPTY: tuple[object, ...] = (None, "", [], {})


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointRequest:
    """A service endpoint that a request asks for. locations: none for everywhere."""

    service: str
    locations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SubnetRequest:
    """What a request asks a subnet to be. others: what else it says, by its name on the wire."""

    prefix: str | None = None
    prefixes: tuple[str, ...] = ()
    endpoints: tuple[EndpointRequest, ...] = ()
    others: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRequest:
    """What a request asks a network to be. subnets: with their names; None says nothing of them, and they stay."""

    location: str | None = None
    prefixes: tuple[str, ...] = ()
    subnets: tuple[tuple[str | None, SubnetRequest], ...] | None = None
    tags: Mapping[str, str]
    others: Mapping[str, object]


def require_network_name(name: str) -> None:
    """Raise BadRequest (InvalidResourceName) unless a network can have this name."""
    if not NETWORK_NAME.match(name):
        raise _bad_name(name, NETWORK_NAME_LENGTH)


def require_subnet_name(name: str) -> None:
    """Raise BadRequest (InvalidResourceName) unless a subnet can have this name."""
    if not SUBNET_NAME.match(name):
        raise _bad_name(name, SUBNET_NAME_LENGTH)


def require_network_location(locations: Locations, location: str | None, before: VirtualNetwork | None) -> str:
    """Return the canonical location of a network; before: as it is, None when it is new.

    BadRequest (LocationRequired, LocationNotAvailableForResourceType), Conflict (InvalidResourceLocation).
    """
    if not location or not location.strip():
        raise BadRequest("The location property is required for this definition.", code="LocationRequired")
    found = locations.find(location)
    if found is None:
        raise BadRequest(
            f"The provided location '{location[:90]}' is not available for resource type "
            f"'Microsoft.Network/virtualNetworks'. List of available regions for the resource type is "
            f"'{locations.listed()}'.",
            code="LocationNotAvailableForResourceType",
        )
    if before is not None and before.location != found:
        raise Conflict(
            f"The resource '{before.name}' already exists in location '{before.location}' in resource group "
            f"'{before.resource_group}'. A resource with the same name cannot be created in location '{found}'. Please "
            "select a new resource name.",
            code="InvalidResourceLocation",
        )
    return found


def require_defaults(said: Mapping[str, object], defaults: Mapping[str, tuple[object, ...]], resource_id: str) -> None:
    """Raise BadRequest (UnsupportedProperty) when a request says what is not enforced here: that is not kept."""
    for name, value in said.items():
        if not any(value == each and type(value) is type(each) for each in (*_EMPTY, *defaults[name])):
            raise BadRequest(
                f"The property '{name}' of resource {resource_id} is not supported: it would route or restrict "
                "traffic, which this server does not, so it is not kept. Leave it out.",
                code="UnsupportedProperty",
            )


def read_space(prefixes: Sequence[str], resource_id: str) -> tuple[str, ...]:
    """Return an address space as networks keep it; BadRequest for one that has none, too many or overlapping blocks."""
    blocks = _read_blocks(prefixes, resource_id)
    overlap = find_overlap(blocks)
    if overlap is not None:
        one, other = (blocks[place] for place in overlap)
        raise BadRequest(
            f"The address prefixes {one} and {other} of resource {resource_id} overlap.",
            code="AddressPrefixesOverlap",
        )
    return blocks


def read_subnet(request: SubnetRequest, name: str, resource_id: str, locations: Locations) -> Subnet:
    """Return a subnet as networks keep it; BadRequest for what it cannot be, by itself."""
    require_subnet_name(name)
    require_defaults(request.others, SUBNET_DEFAULTS, resource_id)
    if request.prefix and request.prefixes and request.prefix not in request.prefixes:
        raise BadRequest(
            f"Resource {resource_id} says an addressPrefix that its addressPrefixes have not. Say one of the two.",
            code="InvalidAddressPrefix",
        )
    asked = request.prefixes or ((request.prefix,) if request.prefix else ())
    return Subnet(
        name=name,
        prefixes=_read_blocks(asked, resource_id),
        as_list=bool(request.prefixes),
        endpoints=_read_endpoints(request.endpoints, resource_id, locations),
    )


def require_few(subnets: int, blocks: int, name: str) -> None:
    """Raise Conflict (SubnetCountLimitReached) when a network would have too many subnets, or blocks in them."""
    if subnets > MAX_SUBNETS or blocks > MAX_BLOCKS:
        raise Conflict(
            f"The virtual network '{name}' cannot have more than {MAX_SUBNETS} subnets, nor more than {MAX_BLOCKS} "
            "address prefixes in them.",
            code="SubnetCountLimitReached",
        )


def require_consistent(network: VirtualNetwork) -> None:
    """Raise BadRequest unless the subnets of a network lie in its address space, each apart from the others.

    Codes: DuplicateResourceName, NetcfgSubnetRangeOutsideVnet, NetcfgSubnetRangesOverlap.
    """
    _require_apart_by_name(network)
    owners = [(subnet.name, block) for subnet in network.subnets for block in subnet.prefixes]
    blocks = [block for _, block in owners]
    outside = find_outside(blocks, network.prefixes)
    if outside is not None:
        raise BadRequest(
            f"Subnet '{owners[outside][0]}' is not valid because its IP address range is outside the IP address range "
            f"of virtual network '{network.name}'.",
            code="NetcfgSubnetRangeOutsideVnet",
        )
    overlap = find_overlap(blocks)
    if overlap is not None:
        raise BadRequest(
            f"Subnet '{owners[max(overlap)][0]}' is not valid because its IP address range overlaps with that of an "
            f"existing subnet in virtual network '{network.name}'.",
            code="NetcfgSubnetRangesOverlap",
        )


def _require_apart_by_name(network: VirtualNetwork) -> None:
    seen: set[str] = set()
    for subnet in network.subnets:
        if subnet.name.lower() in seen:
            raise BadRequest(
                f"Resource {id_of_subnet(network, '')} has two child resources with the same name ({subnet.name}).",
                code="DuplicateResourceName",
            )
        seen.add(subnet.name.lower())


def _read_blocks(prefixes: Sequence[str], resource_id: str) -> tuple[str, ...]:
    if not prefixes:
        raise BadRequest(f"Resource {resource_id} has no address prefix.", code="AddressPrefixMissing")
    if len(prefixes) > MAX_PREFIXES:
        raise BadRequest(
            f"Resource {resource_id} has {len(prefixes)} address prefixes; it has at most {MAX_PREFIXES}.",
            code="TooManyAddressPrefixes",
        )
    return tuple([require_block(prefix, resource_id) for prefix in prefixes])


def _read_endpoints(
    asked: Iterable[EndpointRequest], resource_id: str, locations: Locations
) -> tuple[ServiceEndpoint, ...]:
    found: dict[str, ServiceEndpoint] = {}
    for endpoint in asked:
        service = _SERVICES.get(endpoint.service.lower())
        if service is None or service in found:
            raise BadRequest(
                f"The service endpoint '{endpoint.service[:90]}' of resource {resource_id} is no service or stands "
                f"twice. Services: {', '.join(SERVICES)}.",
                code="InvalidServiceEndpoint",
            )
        found[service] = ServiceEndpoint(service=service, locations=_read_locations(endpoint, resource_id, locations))
    return tuple(found.values())


def _read_locations(endpoint: EndpointRequest, resource_id: str, locations: Locations) -> tuple[str, ...]:
    if not endpoint.locations or EVERYWHERE in endpoint.locations:
        return (EVERYWHERE,)
    known = [locations.find(location) for location in endpoint.locations]
    if None in known:
        raise BadRequest(
            f"A location of the service endpoint '{endpoint.service}' of resource {resource_id} is unknown. Known: "
            f"'*', {locations.listed()}.",
            code="InvalidServiceEndpoint",
        )
    return tuple(dict.fromkeys(location for location in known if location is not None))


def _bad_name(name: str, length: int) -> BadRequest:
    return BadRequest(
        f"Resource name {name[:90]} is invalid. The name can be up to {length} characters long. It must begin with a "
        "word character, and it must end with a word character or with '_'. The name may contain word characters or "
        "'.', '-', '_'.",
        code="InvalidResourceName",
    )
