"""Virtual networks and subnets: which addresses they hold and which services they lead to.

Nothing is routed here. A subnet says which addresses it holds; a vault's rule that names it lets those in.
Source: ARM `Microsoft.Network/virtualNetworks` (VirtualNetworkPropertiesFormat, SubnetPropertiesFormat).
"""

from dataclasses import dataclass

from strongroom.ids import group_scope
from strongroom.resources.locations import canonical
from strongroom.resources.model import SystemData

KEY_VAULT_SERVICE = "Microsoft.KeyVault"
EVERYWHERE = "*"
JOIN = "Microsoft.Network/virtualNetworks/subnets/joinViaServiceEndpoint/action"
"""What whoever names a subnet in the rules of a vault must be allowed to do at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEndpoint:
    """A service that a subnet has a way to. locations: canonical names, or `*` alone for all."""

    service: str
    locations: tuple[str, ...] = (EVERYWHERE,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """A subnet. prefixes: CIDR blocks in their normal form. as_list: they were given as `addressPrefixes`."""

    name: str
    prefixes: tuple[str, ...]
    as_list: bool = False
    endpoints: tuple[ServiceEndpoint, ...] = ()

    def leads_to(self, service: str, location: str) -> bool:
        """Answer whether the subnet has an endpoint of a service for what lives in a location."""
        return any(
            endpoint.service == service and not {EVERYWHERE, canonical(location)}.isdisjoint(endpoint.locations)
            for endpoint in self.endpoints
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualNetwork:
    """A virtual network. Names are kept as first written and compared without regard to case.

    prefixes: CIDR blocks in their normal form, its address space. resource_guid: never reused. etag: a GUID that each
    change of the network or of one of its subnets makes anew.
    """

    subscription_id: str
    resource_group: str
    name: str
    location: str
    prefixes: tuple[str, ...]
    subnets: tuple[Subnet, ...]
    tags: tuple[tuple[str, str], ...]
    resource_guid: str
    etag: str
    system_data: SystemData

    def find_subnet(self, name: str) -> Subnet | None:
        """Return the subnet of a name in any case."""
        return next((subnet for subnet in self.subnets if subnet.name.lower() == name.lower()), None)


def network_scope(subscription_id: str, group: str, network: str) -> str:
    """Return the resource id of a virtual network."""
    return f"{group_scope(subscription_id, group)}/providers/Microsoft.Network/virtualNetworks/{network}"


def id_of_network(network: VirtualNetwork) -> str:
    """Return the resource id of a virtual network, as resources write it."""
    return network_scope(network.subscription_id, network.resource_group, network.name)


def id_of_subnet(network: VirtualNetwork, subnet: str) -> str:
    """Return the resource id of a subnet of a network."""
    return f"{id_of_network(network)}/subnets/{subnet}"
