"""Addresses in one spelling, and who is a trusted proxy."""

import ipaddress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from strongroom.access.network.origin import MAPPED, NOBODY, Proxies, normal_address, parse_network

ADDRESSES = st.ip_addresses()


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:C000:201", "192.0.2.1"),
        ("::ffff:192.0.2.1%eth0", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::1", "::1"),
        ("192.0.2.1%eth0", "192.0.2.1%eth0"),
        ("192.0.2.01", "192.0.2.01"),
        ("", ""),
    ],
)
def test_an_address_has_one_spelling_and_what_is_none_stays(text, normal):
    assert normal_address(text) == normal


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_in_ipv6s_clothes_is_ipv4(address):
    assert normal_address(f"::ffff:{address}") == normal_address(str(address)) == str(address)


@given(ADDRESSES, st.integers(0, 128))
def test_a_proxy_is_who_lies_in_a_network(address, length):
    network = ipaddress.ip_network((address, min(length, address.max_prefixlen)), strict=False)
    assume(network.version == 4 or not network.overlaps(MAPPED))
    proxies = Proxies([str(network)])
    assert proxies.hold(str(network[0]))
    assert proxies.hold(str(network[-1]))
    outside = int(network[-1]) + 1
    if outside < 2**network.max_prefixlen:
        assert not proxies.hold(str(type(address)(outside)))


@given(ADDRESSES)
def test_nobody_is_trusted_by_default(address):
    assert not NOBODY.hold(str(address))


@pytest.mark.parametrize("text", ["", "x", "192.0.2.1:80", "[::1]", "192.0.2.1/32"])
def test_what_is_no_address_is_nobodys(text):
    assert not Proxies(["0.0.0.0/1", "::/1", "128.0.0.0/1"]).hold(text)


def test_a_mapped_network_is_an_ipv4_network():
    assert str(parse_network("::ffff:10.1.0.0/112")) == "10.1.0.0/16"
    assert Proxies(["::ffff:10.0.0.0/104"]).hold("10.9.9.9")
    assert Proxies(["10.0.0.0/8"]).hold("::ffff:10.9.9.9")
    assert not Proxies(["::/1"]).hold("::ffff:10.9.9.9")
