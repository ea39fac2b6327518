"""Rules of vaults at hand, compiled once, and the words of a refusal."""

from dataclasses import replace

import pytest

from strongroom.access.identity.model import Caller, PrincipalType
from strongroom.access.network.evaluation import NOT_PUBLIC, SHUT, NamedSubnet, Visitor
from strongroom.access.network.firewall import REMEMBERED_VAULTS, Firewall, network_refusal
from strongroom.vaults.network import NetworkRules, SubnetRule
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
