"""What a rule for a subnet asks of it when it is set, and what becomes of rules when subnets go."""

from dataclasses import replace
from datetime import timedelta

import pytest

from doubles import MemoryStores
from storage_doubles import NOON, a_network, a_subscription
from strongroom.errors import BadRequest, Forbidden
from strongroom.resources.networks.model import ServiceEndpoint
from strongroom.vaults.model import Deletion
from strongroom.vaults.network import NetworkProposal, NetworkRules, SubnetRule
from strongroom.vaults.subnets import forget_subnets, require_subnets, subnets_gone
from vault_doubles import a_vault

NETWORK = "/subscriptions/s1/resourcegroups/rg/providers/microsoft.network/virtualnetworks/net-1"
WEB, DB, NONE = (f"{NETWORK}/subnets/{name}" for name in ("web", "db", "none"))
CALLER = ("app-1", "object-1")


def rules(*subnets, **said):
    named = tuple(SubnetRule(subnet_id=each, **said) for each in subnets)
    return NetworkRules(default_action="Deny", ip_rules=("203.0.113.0/24",), subnet_rules=named)


@pytest.fixture
async def stores():
    made = MemoryStores()
    await made.resources.add_subscription(a_subscription())
    await made.networks.put(a_network(1))
    return made


async def ask(stores, network, joinable=(WEB, DB, NONE), **vault):
    await require_subnets(
        stores.networks, a_vault(network=network, **vault), joinable=frozenset(joinable), caller=CALLER
    )


async def test_a_subnet_must_be_there_and_have_the_endpoint_unless_that_may_be_missing(stores):
    await ask(stores, None)
    await ask(stores, rules(WEB))
    await ask(stores, rules(DB, ignore_missing_endpoint=True))
    with pytest.raises(BadRequest) as missing:
        await ask(stores, rules(WEB, DB))
    assert missing.value.code == "SubnetsHaveNoServiceEndpointsConfigured"
    assert missing.value.message.startswith(f"Subnets db of virtual network {NETWORK} do not have ServiceEndpoints")
    for said in ({}, {"ignore_missing_endpoint": True}):
        for subnet in (NONE, WEB.replace("/s1/", "/s2/"), f"/x{WEB}"):
            with pytest.raises(BadRequest) as gone:
                await ask(stores, rules(subnet, **said), joinable=(subnet,))
            assert gone.value.message == f"The subnet '{subnet}' was not found."


@pytest.mark.parametrize("subnet", [WEB, NONE])
async def test_who_may_not_join_a_subnet_is_not_told_whether_it_is_there(stores, subnet):
    with pytest.raises(Forbidden) as refused:
        await ask(stores, rules(subnet, ignore_missing_endpoint=True), joinable=(DB,))
    assert (refused.value.status, refused.value.code) == (403, "LinkedAuthorizationFailed")
    assert refused.value.message == (
        "The client 'app-1' with object id 'object-1' has permission to perform action 'Microsoft.KeyVault/vaults/write"
        f"' on scope '/subscriptions/{a_vault().subscription_id}/resourceGroups/group/providers/Microsoft.KeyVault/"
        "vaults/kv1'; however, it does not have permission to perform action "
        "'Microsoft.Network/virtualNetworks/subnets/joinViaServiceEndpoint/action' on the linked scope(s) "
        f"'{subnet}' or the linked scope(s) are invalid."
    )


async def test_an_endpoint_counts_for_vaults_in_its_locations(stores):
    network = a_network(1)
    endpoint = ServiceEndpoint(service="Microsoft.KeyVault", locations=("westeurope",))
    subnet = replace(network.subnets[0], endpoints=(ServiceEndpoint(service="Microsoft.Sql"), endpoint))
    await stores.networks.put(replace(network, subnets=(subnet,)))
    await ask(stores, rules(WEB), location="westeurope")
    with pytest.raises(BadRequest):
        await ask(stores, rules(WEB), location="eastus")


def test_what_a_change_took_is_told_by_ids_in_lower_case():
    network = a_network(1)
    renamed = replace(network, subnets=(replace(network.subnets[0], name="WEB"),))
    assert subnets_gone(network, None) == {WEB, DB}
    assert subnets_gone(network, renamed) == {DB}
    assert subnets_gone(None, network) == subnets_gone(network, network) == frozenset()


async def test_rules_end_with_their_subnets_and_nothing_opens(stores):
    deletion = Deletion(deleted=NOON, scheduled_purge=NOON + timedelta(days=7))
    vaults = [
        a_vault("kv1", subscription_id="s1", network=rules(WEB, DB)),
        a_vault("kv2", subscription_id="s1", network=rules(DB)),
        a_vault("kv3", subscription_id="s1"),
        a_vault("kv4", subscription_id="s1", network=rules(WEB), deletion=deletion),
    ]
    for vault in vaults:
        await stores.vaults.add(vault)
    assert await forget_subnets(stores, ()) == ()
    changed = await forget_subnets(stores, {WEB})
    assert {vault.name for vault in changed} == {"kv1", "kv4"}
    kept = [await stores.vaults.find(vault.name) for vault in vaults]
    assert [vault.network for vault in kept] == [rules(DB), rules(DB), None, rules()]
    assert [replace(vault, network=None) for vault in kept] == [replace(vault, network=None) for vault in vaults]


async def test_what_is_proposed_names_no_subnet_that_is_gone(stores):
    proposal = NetworkProposal(rules=rules(WEB, DB), public_network_access="Enabled", since=NOON)
    await stores.vaults.add(a_vault(subscription_id="s1", proposal=proposal))
    (changed,) = await forget_subnets(stores, {WEB})
    assert (changed.network, changed.proposal) == (None, proposal)
    kept = await stores.vaults.find("kv1")
    assert (kept.network, kept.proposal) == (None, replace(proposal, rules=rules(DB)))
