"""Who is let in from where, against Python's `ipaddress`, whatever rules there are and in whichever order."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.access.network.evaluation import (
    NOT_PUBLIC,
    OPEN,
    PRIVATE,
    PUBLIC,
    SHUT,
    SUBNET,
    TRUSTED,
    CompiledRules,
    NamedSubnet,
    NetworkDecision,
    Segments,
    Visitor,
    address_number,
)
from strongroom.vaults.network import NetworkRules, SubnetRule

AT_RANDOM = settings(deadline=None)
# Few bits vary, so that rules meet, hold each other and end where others begin.
NUMBERS = st.one_of(
    st.integers(0, (1 << 32) - 1),
    st.builds(lambda high, low: (high << 29) | low, st.integers(0, 7), st.integers(0, 7)),
    st.sampled_from([0, (1 << 32) - 1, 1 << 31, (1 << 31) - 1]),
)
NETWORKS = st.builds(lambda number, length: IPv4Network((number, length), strict=False), NUMBERS, st.integers(0, 32))
RULES = st.lists(NETWORKS, max_size=12)


def deny(*networks, **said):
    return NetworkRules(default_action="Deny", ip_rules=tuple(map(str, networks)), **said)


def decide(rules, address, access="Enabled", subnets=(), **known):
    return CompiledRules(rules, access, subnets).decide(Visitor(address=address, **known))


def places(networks, others):
    """Return addresses worth asking for: the ends of networks, what lies beside them, and others."""
    ends = {edge for network in networks for edge in (int(network[0]), int(network[-1]))}
    near = {number + step for number in ends for step in (-1, 0, 1)}
    return [IPv4Address(number) for number in {*near, *others} if 0 <= number < 1 << 32]


@AT_RANDOM
@given(RULES, st.lists(NUMBERS, max_size=6))
def test_an_address_is_let_in_if_a_range_holds_it_and_the_narrowest_is_named(networks, others):
    compiled = CompiledRules(deny(*networks), "Enabled")
    for address in places(networks, others):
        around = [network for network in networks if address in network]
        found = compiled.decide(Visitor(address=str(address)))
        if around:
            narrowest = max(around, key=lambda network: network.prefixlen)
            assert found == NetworkDecision(allowed=True, rule=str(narrowest))
        else:
            assert found is SHUT


@AT_RANDOM
@given(RULES, st.randoms(use_true_random=False), NUMBERS)
def test_the_order_of_rules_and_doubles_among_them_make_no_difference(networks, random, other):
    shuffled = [*networks, *networks[:3]]
    random.shuffle(shuffled)
    one, another = CompiledRules(deny(*networks), "Enabled"), CompiledRules(deny(*shuffled), "Enabled")
    for address in places(networks, [other]):
        visitor = Visitor(address=str(address))
        assert one.decide(visitor) == another.decide(visitor)


@AT_RANDOM
@given(RULES, NETWORKS, NUMBERS, st.sampled_from(["Allow", "Deny"]))
def test_one_more_rule_never_takes_access_away(networks, added, other, action):
    held = NetworkRules(default_action=action, ip_rules=tuple(map(str, networks)))
    more = NetworkRules(default_action=action, ip_rules=(*held.ip_rules, str(added)))
    for address in places([*networks, added], [other]):
        assert decide(held, str(address)).allowed <= decide(more, str(address)).allowed
        assert decide(more, str(address)).allowed or address not in added


@AT_RANDOM
@given(st.integers(0, (1 << 128) - 1))
def test_a_caller_over_ipv6_meets_no_rule_unless_its_address_is_one_of_ipv4_written_so(number):
    address = IPv6Address(number)
    mapped = address.ipv4_mapped
    assert address_number(str(address)) == (None if mapped is None else int(mapped))
    if mapped is None:
        assert decide(deny("0.0.0.0/0"), str(address)) is SHUT


@AT_RANDOM
@given(NUMBERS)
def test_an_address_of_ipv4_that_is_written_as_ipv6_is_that_address(number):
    address = IPv4Address(number)
    assert address_number(str(address)) == number
    for text in (f"::ffff:{address}", f"::FFFF:{number >> 16:x}:{number & 0xFFFF:x}", f"0:0:0:0:0:ffff:{address}"):
        assert address_number(text) == number


@AT_RANDOM
@given(st.text(max_size=20))
def test_what_is_no_address_meets_no_rule(text):
    found = address_number(text)
    if found is not None:
        assert str(IPv4Address(found)) == text
    assert decide(None, text) is OPEN


@pytest.mark.parametrize(
    "text", ["", "unix:", "1.2.3", "01.2.3.4", "1.2.3.4 ", "1.2.3.4\0", "1.2.3.4:80", "[::1]", "é"]
)
def test_an_address_that_cannot_be_told_is_kept_out_where_the_default_is_deny(text):
    assert decide(deny("0.0.0.0/0"), text) is SHUT
    assert decide(NetworkRules(ip_rules=("1.2.3.4/32",)), text) is OPEN


# ---- subnets

PLANT = "/subscriptions/s/resourcegroups/g/providers/microsoft.network/virtualnetworks/v/subnets/plant"
OFFICE = PLANT.replace("plant", "office")
BY_PLANT = NetworkRules(default_action="Deny", subnet_rules=(SubnetRule(subnet_id=PLANT),))


def a_subnet(subnet_id=PLANT, *prefixes, has_endpoint=True):
    return NamedSubnet(
        subnet_id=subnet_id, prefixes=prefixes or ("10.1.0.0/16", "fd00::/64"), has_endpoint=has_endpoint
    )


def test_a_subnet_lets_in_who_has_one_of_its_addresses():
    found = decide(BY_PLANT, "10.1.2.3", subnets=(a_subnet(),))
    assert found == NetworkDecision(allowed=True, address_type=SUBNET, rule=PLANT, subnet_id=PLANT)
    assert decide(BY_PLANT, "10.2.2.3", subnets=(a_subnet(),)) is SHUT
    assert decide(BY_PLANT, "fd00::1", subnets=(a_subnet(),)) is SHUT


@pytest.mark.parametrize("known", [(), (a_subnet(has_endpoint=False),), (a_subnet(OFFICE),)])
def test_a_subnet_lets_nobody_in_that_is_gone_or_without_endpoint_or_not_named(known):
    assert decide(BY_PLANT, "10.1.2.3", subnets=known) is SHUT


def test_a_rule_for_addresses_is_asked_before_one_for_subnets():
    rules = deny("10.1.0.0/24", subnet_rules=BY_PLANT.subnet_rules)
    assert decide(rules, "10.1.0.1", subnets=(a_subnet(),)).address_type == PUBLIC
    assert decide(rules, "10.1.1.1", subnets=(a_subnet(),)).address_type == SUBNET


# ---- the order of the service


@pytest.mark.parametrize("access", ["Enabled", "Disabled"])
@pytest.mark.parametrize("rules", [None, deny(), deny(bypass="None"), NetworkRules()])
def test_an_approved_private_endpoint_passes_whatever_else_is_said(rules, access):
    found = decide(rules, "203.0.113.1", access, private_endpoint_id="e", trusted_service="t")
    assert found == NetworkDecision(allowed=True, address_type=PRIVATE, private_endpoint_id="e")


@pytest.mark.parametrize("access", ["Enabled", "Disabled"])
def test_a_trusted_service_passes_where_it_may_bypass_the_rules(access):
    passed = NetworkDecision(allowed=True, address_type=TRUSTED, trusted_service="t")
    for rules in (None, deny(), NetworkRules()):
        assert decide(rules, "203.0.113.1", access, trusted_service="t") == passed
    refused = decide(deny(bypass="None"), "203.0.113.1", access, trusted_service="t")
    assert refused is (SHUT if access == "Enabled" else NOT_PUBLIC)


@pytest.mark.parametrize("rules", [None, NetworkRules(), deny("203.0.113.0/24")])
def test_without_public_access_no_rule_lets_anybody_in(rules):
    assert decide(rules, "203.0.113.1", "Disabled") is NOT_PUBLIC


def test_a_vault_without_rules_is_open():
    assert decide(None, "203.0.113.1") is OPEN
    assert decide(NetworkRules(), "") is OPEN


@AT_RANDOM
@given(st.lists(st.tuples(NETWORKS, st.integers()), max_size=12), NUMBERS)
def test_segments_tell_what_the_last_of_the_narrowest_ranges_says(ranges, other):
    found = Segments([(str(network), said) for network, said in ranges])
    for address in places([network for network, _ in ranges], [other]):
        around = [(network.prefixlen, said) for network, said in ranges if address in network]
        said = {told for length, told in around if length == max(around)[0]}
        assert found.find(int(address)) in (said or {None})
