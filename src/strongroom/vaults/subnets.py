"""What a vault's network rules need of virtual networks: which subnets there are, and whether a rule may name one.

Source of codes and texts: what the service answers to rules for subnets, see `docs/errors.md`.
"""

from typing import Protocol

from strongroom.errors import BadRequest
from strongroom.vaults.network import NetworkRules

SERVICE = "Microsoft.KeyVault"


class Subnet(Protocol):
    """A subnet, as far as rules concern it. prefixes: IPv4 networks as `a.b.c.d/n`."""

    @property
    def subnet_id(self) -> str: ...
    @property
    def prefixes(self) -> tuple[str, ...]: ...
    @property
    def service_endpoints(self) -> tuple[str, ...]: ...


class Subnets(Protocol):
    """The subnets of this server."""

    async def find_subnet(self, subnet_id: str, /) -> Subnet | None:
        """Return the subnet of a resource id, in any case."""


async def require_subnets(subnets: Subnets | None, rules: NetworkRules | None) -> None:
    """Raise BadRequest unless every subnet that rules name can be told by its addresses.

    subnets: None where there are no virtual networks, so that no such rule could be enforced.
    """
    for rule in rules.subnet_rules if rules is not None else ():
        if subnets is None:
            raise _not_enforced()
        found = await subnets.find_subnet(rule.subnet_id)
        if found is None:
            raise BadRequest(f"The subnet '{rule.subnet_id}' was not found.", code="BadRequest")
        if not rule.ignore_missing_endpoint and not has_endpoint(found):
            raise _no_endpoint(rule.subnet_id)


def has_endpoint(subnet: Subnet) -> bool:
    """Answer whether a subnet has the service endpoint of key vaults."""
    return any(service.lower() == SERVICE.lower() for service in subnet.service_endpoints)


def _not_enforced() -> BadRequest:
    return BadRequest(
        "The property 'networkAcls.virtualNetworkRules' names a subnet. This version knows no virtual networks, so it "
        "could not enforce such a rule and does not store it; name the addresses of the subnet in 'ipRules' instead.",
        code="BadRequest",
    )


def _no_endpoint(subnet_id: str) -> BadRequest:
    network, _, name = subnet_id.partition("/subnets/")
    return BadRequest(
        f"Subnets {name} of virtual network {network} do not have ServiceEndpoints for {SERVICE} resources configured. "
        f"Add {SERVICE} to subnet's ServiceEndpoints collection before trying to ACL {SERVICE} resources to these "
        "subnets.",
        code="SubnetsHaveNoServiceEndpointsConfigured",
    )
