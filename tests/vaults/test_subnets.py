"""What a rule for a subnet asks of it when it is set."""

from types import SimpleNamespace

import pytest

from strongroom.errors import BadRequest
from strongroom.vaults.network import NetworkRules, SubnetRule
from strongroom.vaults.subnets import has_endpoint, require_subnets

NETWORK = "/subscriptions/s/resourcegroups/g/providers/microsoft.network/virtualnetworks/v"
SUBNET = f"{NETWORK}/subnets/n"


class Subnets:
    def __init__(self, **services):
        self.rows = services

    async def find_subnet(self, subnet_id):
        services = self.rows.get(subnet_id.rpartition("/")[2])
        return None if services is None else SimpleNamespace(service_endpoints=services)


def rules(**said):
    return NetworkRules(subnet_rules=(SubnetRule(subnet_id=SUBNET, **said),))


async def refused(subnets, asked):
    with pytest.raises(BadRequest) as found:
        await require_subnets(subnets, asked)
    return found.value


async def test_without_virtual_networks_no_rule_may_name_a_subnet():
    assert "knows no virtual networks" in (await refused(None, rules())).message
    await require_subnets(None, None)
    await require_subnets(None, NetworkRules(ip_rules=("1.2.3.4/32",)))


async def test_a_subnet_must_be_there_and_have_the_endpoint_unless_that_may_be_missing():
    await require_subnets(Subnets(n=("Microsoft.Storage", "microsoft.keyvault")), rules())
    await require_subnets(Subnets(n=()), rules(ignore_missing_endpoint=True))
    missing = await refused(Subnets(n=("Microsoft.Storage",)), rules())
    assert missing.code == "SubnetsHaveNoServiceEndpointsConfigured"
    assert missing.message.startswith(f"Subnets n of virtual network {NETWORK} do not have ServiceEndpoints for Micro")
    for said in ({}, {"ignore_missing_endpoint": True}):
        assert (await refused(Subnets(), rules(**said))).message == f"The subnet '{SUBNET}' was not found."


def test_endpoints_compare_without_regard_to_case():
    assert has_endpoint(SimpleNamespace(service_endpoints=("MICROSOFT.KeyVault",)))
    assert not has_endpoint(SimpleNamespace(service_endpoints=("Microsoft.KeyVaults",)))
