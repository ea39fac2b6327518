"""Network rules in their normal forms, against Python's `ipaddress`; and what is refused, in which words."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.errors import BadRequest
from strongroom.vaults.model import as_now
from strongroom.vaults.network import (
    MAX_IP_RULES,
    MAX_SUBNET_RULES,
    NetworkRules,
    RulesRequest,
    SubnetRule,
    change_rules,
    compare_rules,
    normal_ranges,
    public_access_of,
)
from vault_doubles import a_vault

SUBNET = (
    "/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/Net/providers/Microsoft.Network"
    "/virtualNetworks/Plant/subnets/Line-1"
)
AT_RANDOM = settings(deadline=None)
USABLE = st.integers(1 << 24, (224 << 24) - 1)  # 1.0.0.0 to 223.255.255.255
NETWORKS = st.builds(lambda number, length: IPv4Network((number, length), strict=False), USABLE, st.integers(8, 32))


def refusal(asked, *, private=True, rules=None):
    with pytest.raises(BadRequest) as refused:
        change_rules(rules, asked, private=private)
    assert refused.value.code == "BadRequest"
    return refused.value.message


def refused_range(text, *, private=True):
    message = refusal(RulesRequest(ip_rules=("1.2.3.4", text)), private=private)
    place = "Invalid value found at properties.networkAcls.ipRules[1].value: "
    assert message.startswith(place)
    return message.removeprefix(place)


@AT_RANDOM
@given(st.lists(NETWORKS, max_size=20))
def test_networks_are_kept_as_they_are_written_each_once_in_their_order(networks):
    texts = [str(network) for network in networks]
    assert normal_ranges(texts, private=True) == tuple(dict.fromkeys(texts))


@AT_RANDOM
@given(USABLE)
def test_a_single_address_is_kept_as_a_network_of_one(number):
    address = str(IPv4Address(number))
    assert normal_ranges([address, f"{address}/32"], private=True) == (f"{address}/32",)


@AT_RANDOM
@given(USABLE, st.integers(8, 31))
def test_bits_behind_the_prefix_are_refused_with_both_things_that_may_be_meant(number, length):
    meant = IPv4Network((number, length), strict=False)
    text = f"{IPv4Address(number)}/{length}"
    if meant.network_address == IPv4Address(number):
        assert normal_ranges([text], private=True) == (str(meant),)
    else:
        told = f"{text} has bits set behind its prefix; did you mean {meant}, or {IPv4Address(number)}/32?"
        assert refused_range(text) == told


@AT_RANDOM
@given(st.text(max_size=24))
def test_whatever_is_written_becomes_a_network_or_is_refused(text):
    try:
        (kept,) = normal_ranges([text], private=True)
    except BadRequest:
        return
    assert IPv4Network(kept) == IPv4Network(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/-1", "1.2.3.4/255.255.255.0"),
        *("1.2.3.4 ", "01.2.3.4", "1.2.3.0/0.0.0.255", "0x1020304", "16909060", "1.2.3.4-1.2.3.9", "host.example", "*"),
        *("1.2.3.4\n", "1.2.3.4/32\n", "١.٢.٣.٤", "1.2.3.4/٣"),
    ],
)
def test_what_is_no_address_and_no_range_is_refused(text):
    assert refused_range(text) == f"{text} is not an IPv4 address or CIDR range"


@pytest.mark.parametrize("text", ["::1", "2001:db8::/32", "::ffff:1.2.3.4", "fe80::1%eth0"])
def test_a_rule_for_ipv6_is_refused(text):
    assert refused_range(text) == f"{text} is not an IPv4 address or CIDR range; there are no rules for IPv6"


def test_a_long_value_is_not_repeated_whole():
    assert len(refused_range("9" * 10_000)) < 200


@pytest.mark.parametrize(
    ("text", "forbidden"),
    [
        ("10.0.0.0/8", "10.0.0.0–10.255.255.255 (private IP addresses)"),
        ("172.20.10.5/32", "172.16.0.0–172.31.255.255 (private IP addresses)"),
        ("192.168.1.0/24", "192.168.0.0–192.168.255.255 (private IP addresses)"),
        ("100.64.0.1", "100.64.0.0–100.127.255.255 (shared address space)"),
        ("127.0.0.1", "127.0.0.0–127.255.255.255 (loopback addresses)"),
        ("169.254.169.254", "169.254.0.0–169.254.255.255 (link-local addresses)"),
    ],
)
def test_private_ranges_are_refused_as_the_service_does_unless_they_are_let(text, forbidden):
    assert refused_range(text, private=False) == f"{text} belongs to forbidden range {forbidden}"
    assert normal_ranges([text], private=True) == (str(IPv4Network(text)),)


@pytest.mark.parametrize("private", [True, False])
@pytest.mark.parametrize("text", ["0.0.0.0", "0.1.0.0/16", "224.0.0.1", "240.0.0.0/4", "255.255.255.255"])
def test_addresses_that_no_caller_has_are_always_refused(text, private):
    assert f"{text} belongs to forbidden range " in refused_range(text, private=private)


@pytest.mark.parametrize("text", ["0.0.0.0/0", "8.0.0.0/5", "172.0.0.0/8", "9.255.255.255", "11.0.0.0/8"])
def test_a_range_that_holds_more_than_a_forbidden_one_is_kept(text):
    assert normal_ranges([text], private=False) == (str(IPv4Network(text)),)


def test_there_are_at_most_a_thousand_ranges():
    many = tuple(f"1.{number >> 8}.{number & 255}.0/24" for number in range(MAX_IP_RULES))
    assert normal_ranges(many, private=False) == many
    told = refusal(RulesRequest(ip_rules=(*many, "1.2.3.4")))
    assert told == "A vault holds at most 1000 ipRules in networkAcls; 1001 were given."


def test_subnets_are_kept_in_lower_case_each_once_and_at_most_two_hundred():
    given = (SubnetRule(subnet_id=SUBNET, ignore_missing_endpoint=True), SubnetRule(subnet_id=SUBNET.upper()))
    rules = change_rules(None, RulesRequest(subnet_rules=given), private=True)
    assert rules.subnet_rules == (SubnetRule(subnet_id=SUBNET.lower(), ignore_missing_endpoint=True),)
    many = tuple(SubnetRule(subnet_id=f"{SUBNET}{number}") for number in range(MAX_SUBNET_RULES + 1))
    told = refusal(RulesRequest(subnet_rules=many))
    assert told == "A vault holds at most 200 virtualNetworkRules in networkAcls; 201 were given."


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", SUBNET + "/", SUBNET + "/x", SUBNET.rpartition("/subnets")[0], SUBNET.replace("Network/", "Web/")),
        *(SUBNET[1:], "/" + SUBNET, SUBNET + "\n", SUBNET.replace("Line-1", "x" * 81)),
    ],
)
def test_what_names_no_subnet_is_refused(text):
    told = refusal(RulesRequest(subnet_rules=(SubnetRule(subnet_id=text),)))
    place = "Invalid value found at properties.networkAcls.virtualNetworkRules[0].id: "
    assert told.startswith(place)
    assert told.endswith(" is not the resource id of a subnet")


def test_what_a_request_does_not_say_stays():
    subnet = SubnetRule(subnet_id=SUBNET.lower())
    rules = NetworkRules(default_action="Deny", bypass="None", ip_rules=("1.2.3.4/32",), subnet_rules=(subnet,))
    assert change_rules(rules, RulesRequest(), private=True) == rules
    assert change_rules(rules, RulesRequest(default_action="aLLOW"), private=True).ip_rules == rules.ip_rules
    changed = change_rules(rules, RulesRequest(ip_rules=(), bypass="AZUREservices"), private=True)
    assert changed == NetworkRules(default_action="Deny", bypass="AzureServices", subnet_rules=(subnet,))


def test_a_change_of_rules_says_what_comes_and_what_goes():
    subnet = SubnetRule(subnet_id=SUBNET.lower())
    rules = NetworkRules(default_action="Deny", ip_rules=("1.2.3.4/32", "1.2.3.0/24"), subnet_rules=(subnet,))
    named = [SUBNET.lower(), "1.2.3.0/24", "1.2.3.4/32"]
    assert compare_rules(None, rules) == {"added": named, "defaultAction": "Deny"}
    assert compare_rules(rules, None) == {"removed": named, "defaultAction": "Allow"}
    less = NetworkRules(default_action="Deny", bypass="None", ip_rules=("1.2.3.4/32",), subnet_rules=(subnet,))
    assert compare_rules(rules, less) == {"removed": ["1.2.3.0/24"], "bypass": "None"}


def test_rules_that_let_in_the_same_are_no_change():
    assert compare_rules(None, NetworkRules()) == {}
    assert compare_rules(NetworkRules(), None) == {}
    both = [NetworkRules(ip_rules=ranges) for ranges in (("1.2.3.4/32", "1.2.3.0/24"), ("1.2.3.0/24", "1.2.3.4/32"))]
    assert compare_rules(*both) == {}


def test_words_that_are_none_are_refused():
    assert "'networkAcls.defaultAction'" in refusal(RulesRequest(default_action="Maybe"))
    assert "'networkAcls.bypass'" in refusal(RulesRequest(bypass="Everyone"))


def test_public_access_is_kept_in_one_spelling():
    assert [public_access_of(text) for text in ("enabled", "DISABLED")] == ["Enabled", "Disabled"]
    for text, told in (("", "invalid value"), ("perhaps", "invalid value"), ("SecuredByPerimeter", "no network secur")):
        with pytest.raises(BadRequest) as refused:
            public_access_of(text)
        assert told in refused.value.message


def test_a_row_of_an_older_version_keeps_what_it_said():
    assert as_now(a_vault(network_bypass="None")) == a_vault(network=NetworkRules(bypass="None"))
    plain = a_vault()
    assert as_now(plain) is plain
