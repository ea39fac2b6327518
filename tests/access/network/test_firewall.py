"""Rules of vaults at hand, compiled once, and the words of a refusal."""

from dataclasses import replace

import pytest

from doubles import MemoryStores
from storage_doubles import a_network
from strongroom.access.identity.model import Caller, PrincipalType
from strongroom.access.network.evaluation import NOT_PUBLIC, SHUT, NamedSubnet, Visitor
from strongroom.access.network.firewall import REMEMBERED_VAULTS, Firewall, find_named_subnets, network_refusal
from strongroom.vaults.network import NetworkProposal, NetworkRules, SubnetRule
from vault_doubles import NOON, TENANT, a_vault

DENY = NetworkRules(default_action="Deny", ip_rules=("203.0.113.0/24",))
CALLER = Caller(
    object_id="o",
    app_id="a",
    tenant_id=TENANT,
    issuer="https://sts.localhost/t/",
    type=PrincipalType.SERVICE_PRINCIPAL,
    audience="https://vault.localhost",
    token_id="i",
    expires=NOON,
)


def test_rules_are_compiled_once_and_anew_when_they_change():
    firewall, vault = Firewall(), a_vault(network=DENY)
    compiled = firewall.rules_of(vault)
    assert firewall.rules_of(vault) is compiled
    assert firewall.rules_of(a_vault(network=replace(DENY), tags=(("a", "b"),))) is compiled
    for changed in (
        replace(vault, network=replace(DENY, bypass="None")),
        replace(vault, public_network_access="Disabled"),
        replace(vault, network=None),
    ):
        assert firewall.rules_of(changed) is not compiled
        compiled = firewall.rules_of(changed)
        assert firewall.rules_of(changed) is compiled


def test_rules_are_compiled_anew_when_a_subnet_that_they_name_changes():
    vault = a_vault(network=replace(DENY, subnet_rules=(SubnetRule(subnet_id="s"),)))
    firewall, visitor = Firewall(), Visitor(address="10.0.0.1")
    subnet = NamedSubnet(subnet_id="s", prefixes=("10.0.0.0/24",), has_endpoint=True)
    assert firewall.rules_of(vault, (subnet,)).decide(visitor).allowed
    assert not firewall.rules_of(vault, (replace(subnet, has_endpoint=False),)).decide(visitor).allowed
    assert not firewall.rules_of(vault).decide(visitor).allowed


def test_a_proposal_is_compiled_beside_the_rules_that_count():
    firewall, visitor = Firewall(), Visitor(address="198.51.100.7")
    vault = a_vault(network=DENY)
    assert firewall.proposal_of(vault) is None
    proposal = NetworkProposal(rules=NetworkRules(), public_network_access="Enabled", since=NOON)
    vault = replace(vault, proposal=proposal)
    rules, proposed = firewall.rules_of(vault), firewall.proposal_of(vault)
    assert (rules.decide(visitor).allowed, proposed.decide(visitor).allowed) == (False, True)
    assert firewall.rules_of(vault) is rules
    assert firewall.proposal_of(vault) is proposed
    shut = replace(vault, proposal=replace(proposal, public_network_access="Disabled"))
    assert firewall.proposal_of(shut).decide(visitor) is NOT_PUBLIC


SUBNETS = "/subscriptions/s1/resourcegroups/rg/providers/microsoft.network/virtualnetworks/net-1/subnets"


async def test_the_subnets_that_a_vault_names_are_looked_up_as_they_are_now():
    def rules(*names):
        return NetworkRules(subnet_rules=tuple(SubnetRule(subnet_id=f"{SUBNETS}/{name}") for name in names))

    networks = MemoryStores().networks
    await networks.put(a_network(1))
    proposal = NetworkProposal(rules=rules("web", "db"), public_network_access="Enabled", since=NOON)
    vault = a_vault(network=rules("web", "gone"), proposal=proposal)
    found = await find_named_subnets(networks, vault)
    assert [each.subnet_id.rpartition("/")[2] for each in found] == ["web", "db"]
    assert [each.has_endpoint for each in found] == [True, False]
    assert await find_named_subnets(networks, a_vault()) == ()


def test_rules_of_so_many_vaults_are_kept_and_no_more():
    firewall, first = Firewall(), a_vault("first", network=DENY)
    compiled = firewall.rules_of(first)
    for number in range(REMEMBERED_VAULTS):
        firewall.rules_of(a_vault(f"kv{number}"))
    assert firewall.rules_of(first) is not compiled


def test_large_rules_are_kept_only_as_far_as_there_is_room(monkeypatch):
    firewall, vaults = Firewall(), [a_vault(name, network=DENY) for name in ("one", "two", "three")]
    size = firewall.rules_of(vaults[0]).ranges
    monkeypatch.setattr("strongroom.access.network.firewall.REMEMBERED_RANGES", 2 * size)
    first, second = (firewall.rules_of(vault) for vault in vaults[:2])
    assert (firewall.rules_of(vaults[0]), firewall.rules_of(vaults[1])) == (first, second)
    third = firewall.rules_of(vaults[2])
    assert firewall.rules_of(vaults[2]) is third
    assert firewall.rules_of(vaults[0]) is not first


@pytest.mark.parametrize(
    ("bypass", "lines"),
    [
        (
            "AzureServices",
            ("Client address is not authorized and caller is not a trusted service.", "Client address: 198.51.100.7"),
        ),
        (
            "None",
            (
                "Client address is not authorized and caller was ignored because bypass is set to None",
                "Client address: 198.51.100.7",
            ),
        ),
    ],
)
def test_a_refusal_names_address_caller_and_vault(bypass, lines):
    vault = a_vault(network=replace(DENY, bypass=bypass))
    refused = network_refusal(vault, CALLER, Visitor(address="198.51.100.7"), SHUT)
    who = "Caller: appid=a;oid=o;iss=https://sts.localhost/t/"
    assert refused.message.split("\r\n") == [*lines, who, "Vault: kv1;location=local"]
    assert (refused.status, refused.code, refused.inner) == (403, "Forbidden", "ForbiddenByFirewall")


def test_a_refusal_for_want_of_a_private_endpoint_names_no_address():
    vault = a_vault(public_network_access="Disabled")
    refused = network_refusal(vault, CALLER, Visitor(address="198.51.100.7"), NOT_PUBLIC)
    assert refused.message.split("\r\n") == [
        "Public network access is disabled and request is not from a trusted service nor via an approved private link.",
        "Caller: appid=a;oid=o;iss=https://sts.localhost/t/",
        "Vault: kv1;location=local",
    ]
    assert (refused.status, refused.code, refused.inner) == (403, "Forbidden", "ForbiddenByConnection")
