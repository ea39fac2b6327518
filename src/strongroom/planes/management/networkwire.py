"""What the management plane reads and writes of virtual networks, field by field.

Of what would route or restrict traffic only the values are told that change nothing: others are refused, not kept.
Sources: REST Virtual Networks, Subnets (2025-07-01); what `az network vnet` sends.
"""

from functools import cache
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, field

from strongroom.planes.management import answers, wire
from strongroom.planes.management.wire import Wire
from strongroom.resources.networks.model import ServiceEndpoint, Subnet, VirtualNetwork, id_of_network, id_of_subnet
from strongroom.resources.networks.request import (
    MAX_PREFIXES,
    MAX_SUBNETS,
    NETWORK_DEFAULTS,
    SERVICES,
    SUBNET_DEFAULTS,
    EndpointRequest,
    NetworkRequest,
    SubnetRequest,
    require_few,
)
from strongroom.resources.networks.service import shown_etag

SUBNET_TYPE = f"{answers.NETWORK_TYPE}/subnets"

Prefixes = Annotated[list[str], Meta(extra_json_schema={"maxItems": MAX_PREFIXES})]
Service = Annotated[str, Meta(extra_json_schema={"enum": list(SERVICES)})]
Nothing = Annotated[Any, Meta(extra_json_schema={"enum": [None]})]
NoItems = Annotated[Any, Meta(extra_json_schema={"enum": [None, []]})]
OnlyFalse = Annotated[Any, Meta(extra_json_schema={"enum": [None, False]})]
OnlyTrue = Annotated[Any, Meta(extra_json_schema={"enum": [None, True]})]
Disabled = Annotated[Any, Meta(extra_json_schema={"enum": [None, "Disabled"]})]
Enabled = Annotated[Any, Meta(extra_json_schema={"enum": [None, "Enabled"]})]


class ServiceEndpointBody(Wire):
    """A service endpoint that a subnet is asked to have; without locations it is for all."""

    service: Service
    locations: list[str] | None = None
    network_identifier: Nothing = None


class SubnetProperties(Wire):
    """What a subnet is asked to be."""

    address_prefix: str | None = None
    address_prefixes: Prefixes | None = None
    service_endpoints: list[ServiceEndpointBody] | None = None
    application_gateway: NoItems = field(default=None, name="applicationGatewayIPConfigurations")
    default_outbound_access: OnlyTrue = None
    delegations: NoItems = None
    ip_allocations: NoItems = None
    ipam_pool_prefix_allocations: NoItems = None
    nat_gateway: Nothing = None
    network_security_group: Nothing = None
    private_endpoint_network_policies: Disabled = None
    private_link_service_network_policies: Enabled = None
    route_table: Nothing = None
    service_endpoint_policies: NoItems = None
    service_gateway: Nothing = None
    sharing_scope: Nothing = None


class SubnetBody(Wire):
    """The body of a subnet's PUT."""

    properties: SubnetProperties | None = None


class NamedSubnetBody(SubnetBody):
    """A subnet in the body of its network."""

    name: str | None = None


class AddressSpaceBody(Wire):
    """Which addresses a network is asked to have."""

    address_prefixes: Prefixes | None = None
    ipam_pool_prefix_allocations: NoItems = None


class NetworkProperties(Wire):
    """What a network is asked to be; without `subnets` those stay that are there."""

    address_space: AddressSpaceBody | None = None
    subnets: Annotated[list[NamedSubnetBody], Meta(extra_json_schema={"maxItems": MAX_SUBNETS})] | None = None
    bgp_communities: Nothing = None
    ddos_protection_plan: Nothing = None
    dhcp_options: Nothing = None
    enable_ddos_protection: OnlyFalse = None
    enable_vm_protection: OnlyFalse = None
    encryption: Nothing = None
    flow_timeout_in_minutes: Nothing = None
    ip_allocations: NoItems = None
    private_endpoint_vnet_policies: Disabled = field(default=None, name="privateEndpointVNetPolicies")
    summarized_gateway_prefixes: Nothing = None
    virtual_network_peerings: NoItems = None


class NetworkBody(Wire):
    """The body of a network's PUT."""

    location: str | None = None
    tags: wire.Tags | None = None
    extended_location: Nothing = None
    properties: NetworkProperties | None = None


class NetworkTags(Wire):
    """The body of a network's PATCH: all the tags that it shall have."""

    tags: wire.Tags | None = None


class ServiceEndpointAnswer(Wire, kw_only=True):
    """A service endpoint."""

    provisioning_state: Literal["Succeeded"] = "Succeeded"
    service: str
    locations: list[str]


class SubnetAnswerProperties(Wire, kw_only=True):
    """What a subnet is."""

    provisioning_state: Literal["Succeeded"] = "Succeeded"
    address_prefix: str | msgspec.UnsetType = msgspec.UNSET
    address_prefixes: list[str] | msgspec.UnsetType = msgspec.UNSET
    service_endpoints: list[ServiceEndpointAnswer]
    delegations: tuple[()] = ()
    private_endpoint_network_policies: Literal["Disabled"] = "Disabled"
    private_link_service_network_policies: Literal["Enabled"] = "Enabled"


class SubnetAnswer(Wire, kw_only=True):
    """A subnet; its etag is that of its network."""

    id: str
    name: str
    type: str = SUBNET_TYPE
    etag: str
    properties: SubnetAnswerProperties


class AddressSpaceAnswer(Wire, kw_only=True):
    """Which addresses a network has."""

    address_prefixes: list[str]


class NetworkAnswerProperties(Wire, kw_only=True):
    """What a network is."""

    provisioning_state: Literal["Succeeded"] = "Succeeded"
    resource_guid: str
    address_space: AddressSpaceAnswer
    subnets: list[SubnetAnswer]
    virtual_network_peerings: tuple[()] = ()
    enable_ddos_protection: Literal[False] = False


class NetworkAnswer(Wire, kw_only=True):
    """A virtual network."""

    id: str
    name: str
    type: str
    location: str
    tags: dict[str, str]
    etag: str
    properties: NetworkAnswerProperties


def network_request(body: NetworkBody, name: str) -> NetworkRequest:
    """Return what the body of a network's PUT asks for; Conflict for more subnets than it can have, none of them read.

    name: the network's.
    """
    asked = body.properties or NetworkProperties()
    require_few(len(asked.subnets or ()), 0, name)  # a body has room for a million
    space = asked.address_space or AddressSpaceBody()
    others = _others(asked, NETWORK_DEFAULTS) | _others(body, NETWORK_DEFAULTS) | _others(space, NETWORK_DEFAULTS)
    subnets = None if asked.subnets is None else tuple([(each.name, subnet_request(each)) for each in asked.subnets])
    return NetworkRequest(
        location=body.location,
        prefixes=tuple(space.address_prefixes or ()),
        subnets=subnets,
        tags=body.tags or {},
        others=others,
    )


def subnet_request(body: SubnetBody) -> SubnetRequest:
    """Return what the body of a subnet's PUT, or its part of a network's, asks for."""
    asked = body.properties or SubnetProperties()
    endpoints = asked.service_endpoints or []
    others = _others(asked, SUBNET_DEFAULTS)
    fixed = next((each.network_identifier for each in endpoints if each.network_identifier is not None), None)
    return SubnetRequest(
        prefix=asked.address_prefix,
        prefixes=tuple(asked.address_prefixes or ()),
        endpoints=tuple(
            [EndpointRequest(service=each.service, locations=tuple(each.locations or ())) for each in endpoints]
        ),
        others=others | {"networkIdentifier": fixed},
    )


def _others(body: Wire, names: Any) -> dict[str, Any]:
    return {wire_name: getattr(body, name) for name, wire_name in _names(type(body)) if wire_name in names}


@cache
def _names(kind: type[Wire]) -> tuple[tuple[str, str], ...]:
    """Return the names of what a wire object has, here and on the wire; to look them up takes as long as a request."""
    return tuple([(each.name, each.encode_name) for each in msgspec.structs.fields(kind)])


def network(value: VirtualNetwork) -> NetworkAnswer:
    """Return a virtual network."""
    return NetworkAnswer(
        id=id_of_network(value),
        name=value.name,
        type=answers.NETWORK_TYPE,
        location=value.location,
        tags=dict(value.tags),
        etag=shown_etag(value.etag),
        properties=NetworkAnswerProperties(
            resource_guid=value.resource_guid,
            address_space=AddressSpaceAnswer(address_prefixes=list(value.prefixes)),
            subnets=[subnet(value, each) for each in value.subnets],
        ),
    )


def subnet(holder: VirtualNetwork, value: Subnet) -> SubnetAnswer:
    """Return a subnet of a network."""
    blocks = {"address_prefixes": list(value.prefixes)} if value.as_list else {"address_prefix": value.prefixes[0]}
    properties: Any = SubnetAnswerProperties
    return SubnetAnswer(
        id=id_of_subnet(holder, value.name),
        name=value.name,
        etag=shown_etag(holder.etag),
        properties=properties(service_endpoints=[_endpoint(each) for each in value.endpoints], **blocks),
    )


def _endpoint(value: ServiceEndpoint) -> ServiceEndpointAnswer:
    return ServiceEndpointAnswer(service=value.service, locations=list(value.locations))
