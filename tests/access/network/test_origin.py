"""Who is a trusted proxy."""

import ipaddress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from strongroom.access.network.origin import NOBODY, Proxies
from strongroom.addresses import MAPPED

ADDRESSES = st.ip_addresses()


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


def test_a_network_of_ipv4_holds_its_addresses_however_they_are_written():
    assert Proxies(["::ffff:10.0.0.0/104"]).hold("10.9.9.9")
    assert Proxies(["10.0.0.0/8"]).hold("::ffff:10.9.9.9")
    assert not Proxies(["::/1"]).hold("::ffff:10.9.9.9")
