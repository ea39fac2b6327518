"""Addresses, networks and places in one spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom import values
from strongroom.addresses import join_place, normal_address, parse_network, split_place


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


@pytest.mark.parametrize("text", ["::ffff:10.1.0.0/112", "10.1.0.0/16"])
def test_a_mapped_network_is_an_ipv4_network(text):
    assert str(parse_network(text)) == values.network(text) == "10.1.0.0/16"


@pytest.mark.parametrize("text", ["0.0.0.0/0", "::/0", "::ffff:0:0/96"])
def test_a_network_of_everybody_is_none_to_trust_in_whatever_clothes(text):
    with pytest.raises(ValueError, match="everybody"):
        values.network(text)


@given(st.ip_addresses(), st.integers(1, 65535))
def test_a_place_that_was_written_is_read_again(address, port):
    assert split_place(join_place(str(address), port)) == (str(address), str(port))
    assert split_place(str(address)) == split_place(f"[{address}]") == (str(address), None)
    assert values.split_place(values.place(join_place(str(address), port)), 1) == (str(address), port)
    assert values.split_place(values.place(str(address)), 1) == (str(address), 1)


@pytest.mark.parametrize("text", ["[::1", "[::1]8443", "[", "[]x"])
def test_brackets_that_do_not_match_are_no_place(text):
    with pytest.raises(ValueError, match="ADDRESS"):
        split_place(text)
