"""Network rules that are rehearsed: what a proposal begins from, and what becomes of it."""

import pytest

from strongroom.errors import BadRequest, NotFound
from strongroom.vaults.network import NetworkProposal, NetworkRules, RulesRequest, SubnetRule
from strongroom.vaults.proposals import Wish, adopt, propose, withdraw
from vault_doubles import NOON, a_vault

SUBNET = "/subscriptions/s/resourcegroups/g/providers/microsoft.network/virtualnetworks/v/subnets/n"
COUNTS = NetworkRules(default_action="Deny", bypass="None", ip_rules=("203.0.113.0/24", "10.0.0.0/8"))


def proposed(vault=None, *, private=True, **said):
    changed = propose(vault or a_vault(network=COUNTS), Wish(**said), private=private, now=NOON)
    assert changed.proposal.since == NOON
    return changed


def test_a_proposal_begins_from_the_rules_that_count_and_leaves_them_alone():
    changed = proposed(allow=("198.51.100.7",), drop=("203.0.113.0/24",), default_action="allow")
    assert (changed.network, changed.public_network_access) == (COUNTS, "Enabled")
    rules = NetworkRules(bypass="None", ip_rules=("10.0.0.0/8", "198.51.100.7/32"))
    assert changed.proposal == NetworkProposal(rules=rules, public_network_access="Enabled", since=NOON)


def test_a_further_proposal_begins_from_the_one_before():
    first = proposed(a_vault(), default_action="Deny", public_network_access="disabled", subnets=(SUBNET.upper(),))
    assert first.proposal.rules.subnet_rules == (SubnetRule(subnet_id=SUBNET),)
    second = proposed(first, allow=("203.0.113.9",), bypass="None").proposal
    assert second.public_network_access == "Disabled"
    assert second.rules == NetworkRules(
        default_action="Deny",
        bypass="None",
        ip_rules=("203.0.113.9/32",),
        subnet_rules=first.proposal.rules.subnet_rules,
    )


def test_subnets_go_as_ranges_do():
    first = proposed(subnets=(SUBNET, f"{SUBNET}2"))
    left = proposed(first, drop=(SUBNET.upper(), "10.0.0.0/8")).proposal.rules
    assert (left.ip_rules, left.subnet_rules) == (("203.0.113.0/24",), (SubnetRule(subnet_id=f"{SUBNET}2"),))


def test_a_whole_begins_anew():
    whole = RulesRequest(default_action="Deny", ip_rules=("198.51.100.0/24",))
    rules = proposed(proposed(bypass="None"), whole=whole, allow=("1.2.3.4",)).proposal.rules
    assert rules == NetworkRules(default_action="Deny", ip_rules=("198.51.100.0/24", "1.2.3.4/32"))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"allow": ("1.2.3",)}, "1.2.3 is not an IPv4 address"),
        ({"drop": ("1.2.3.4",)}, "No rule says 1.2.3.4/32; there are: 203.0.113.0/24, 10.0.0.0/8."),
        ({"drop": (SUBNET,)}, f"No rule says {SUBNET}; there are: none."),
        ({"default_action": "Maybe"}, "defaultAction"),
        ({"public_network_access": "SecuredByPerimeter"}, "no network security perimeters"),
        ({"subnets": ("n",)}, "is not the resource id of a subnet"),
        ({"allow": tuple(f"1.{n >> 8}.{n & 255}.0/24" for n in range(999))}, "at most 1000 ipRules"),
    ],
)
def test_what_could_not_count_cannot_be_proposed(said, told):
    with pytest.raises(BadRequest, match=told.replace(".", r"\.")):
        proposed(**said)


def test_where_private_addresses_are_refused_those_that_are_there_may_stay():
    assert proposed(private=False, allow=("1.2.3.4",)).proposal.rules.ip_rules[1] == "10.0.0.0/8"
    for said in ({"allow": ("10.1.0.0/16",)}, {"whole": RulesRequest(ip_rules=("10.1.0.0/16",))}):
        with pytest.raises(BadRequest, match="forbidden range"):
            proposed(private=False, **said)


def test_what_is_adopted_counts_and_what_is_withdrawn_is_gone():
    changed = proposed(public_network_access="Disabled", drop=("10.0.0.0/8",))
    counts = adopt(changed)
    assert (counts.network, counts.public_network_access) == (changed.proposal.rules, "Disabled")
    assert counts.proposal is None
    assert withdraw(changed) == a_vault(network=COUNTS)
    for act in (adopt, withdraw):
        with pytest.raises(NotFound, match="No network rules are proposed for the vault 'kv1'"):
            act(counts)
