"""Rules of vaults at hand, compiled once, and the words of a refusal."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from strongroom.access.identity.model import Caller, PrincipalType
from strongroom.access.network.evaluation import NOT_PUBLIC, SHUT, NamedSubnet, Visitor
from strongroom.access.network.firewall import REMEMBERED_VAULTS, Firewall, named_subnets, network_refusal
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


class Subnets:
    """Some subnets; it counts how often it is asked."""

    def __init__(self, **services):
        self.rows, self.asked = services, []

    async def find_subnet(self, subnet_id):
        self.asked.append(subnet_id)
        services = self.rows.get(subnet_id)
        if services is None:
            return None
        return SimpleNamespace(subnet_id=subnet_id.upper(), prefixes=("10.0.0.0/24",), service_endpoints=services)


async def test_the_subnets_that_a_vault_names_are_looked_up_each_once():
    def named(*names):
        return NetworkRules(subnet_rules=tuple(SubnetRule(subnet_id=name) for name in names))

    proposal = NetworkProposal(rules=named("a", "c", "d"), public_network_access="Enabled", since=NOON)
    vault = a_vault(network=named("a", "b"), proposal=proposal)
    subnets = Subnets(a=("Microsoft.KeyVault",), c=(), d=("Microsoft.KeyVault",))
    found = await named_subnets(subnets, vault)
    assert [(each.subnet_id, each.has_endpoint) for each in found] == [("a", True), ("c", False), ("d", True)]
    assert subnets.asked == ["a", "b", "c", "d"]
    assert await named_subnets(None, vault) == ()
    assert await named_subnets(subnets, a_vault()) == ()


def test_rules_of_so_many_vaults_are_kept_and_no_more():
    firewall, first = Firewall(), a_vault("first", network=DENY)
    compiled = firewall.rules_of(first)
    for number in range(REMEMBERED_VAULTS):
        firewall.rules_of(a_vault(f"kv{number}"))
    assert firewall.rules_of(first) is not compiled


@pytest.mark.parametrize(
    ("bypass", "subnet_id", "lines"),
    [
        (
            "AzureServices",
            "",
            ("Client address is not authorized and caller is not a trusted service.", "Client address: 198.51.100.7"),
        ),
        (
            "None",
            "",
            (
                "Client address is not authorized and caller was ignored because bypass is set to None",
                "Client address: 198.51.100.7",
            ),
        ),
        (
            "AzureServices",
            "s",
            (
                "Client address is not authorized and caller is not a trusted service.",
                "Client address: 198.51.100.7 from unknown subnet",
            ),
        ),
    ],
)
def test_a_refusal_names_address_caller_and_vault(bypass, subnet_id, lines):
    vault = a_vault(network=replace(DENY, bypass=bypass))
    refused = network_refusal(vault, CALLER, Visitor(address="198.51.100.7", subnet_id=subnet_id), SHUT)
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
