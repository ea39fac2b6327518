"""Blocks of addresses, held against the standard library and against counting."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import BadRequest
from strongroom.resources.networks.prefixes import find_outside, find_overlap, require_block


@st.composite
def blocks(draw):
    """Return a block, often one of a few addresses that have something to do with each other."""
    if draw(st.booleans()):
        length = draw(st.integers(2, 32))
        address = draw(st.sampled_from([0x0A000000, 0x0A010000, 0x0A010100])) | draw(st.integers(0, 1023))
        return str(ipaddress.ip_network((address, length), strict=False))
    address = ipaddress.ip_address((0x2001 << 112) | draw(st.integers(0, 1 << 70)))
    return str(ipaddress.ip_network((int(address), draw(st.integers(16, 128))), strict=False))


def overlap(one, other):
    left, right = ipaddress.ip_network(one), ipaddress.ip_network(other)
    return left.version == right.version and left.overlaps(right)


def lies_in(inner, outer):
    left, right = ipaddress.ip_network(inner), ipaddress.ip_network(outer)
    return left.version == right.version and left.subnet_of(right)


@given(blocks())
def test_a_block_in_its_normal_form_stays_as_it_is(block):
    assert require_block(block, "id") == block
    assert require_block(block.upper(), "id") == block


@given(st.text(st.sampled_from("0123456789./:abF٣ %"), max_size=24))
def test_whatever_is_written_is_a_block_or_refused(text):
    try:
        found = require_block(text, "id")
    except BadRequest:
        return
    assert ipaddress.ip_network(text) == ipaddress.ip_network(found)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *[(text, "InvalidAddressPrefixFormat") for text in (
            "", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/255.0.0.0", "010.0.0.0/8", "fe80::%1/64",
            " 10.0.0.0/8", "10.0.0.0/8\n", "::/129", "\u0661.0.0.0/8")],
        *[(text, "InvalidCIDRNotation") for text in ("10.0.0.1/24", "10.0.1.0/23", "2001:db8::1/64")],
        *[(text, "InvalidAddressPrefix") for text in ("0.0.0.0/0", "128.0.0.0/1", "::/0", "2000::/15",
                                                      "::ffff:0:0/96", "::ffff:10.0.0.0/104")],
    ],
)  # fmt: skip
def test_what_is_no_block_is_refused_in_words(text, code):
    with pytest.raises(BadRequest) as refused:
        require_block(text, "id-of-it")
    assert refused.value.code == code
    assert "id-of-it" in refused.value.message


def test_the_refusal_tells_what_would_be_right():
    with pytest.raises(BadRequest) as refused:
        require_block("10.0.0.1/24", "r")
    assert refused.value.message == (
        "The address prefix 10.0.0.1/24 in resource r has an invalid CIDR notation. For the given prefix length, the "
        "address prefix should be 10.0.0.0/24."
    )


@given(st.lists(blocks(), max_size=8))
def test_an_overlap_is_found_where_there_is_one(several):
    found = find_overlap(several)
    pairs = [(i, j) for i in range(len(several)) for j in range(i) if overlap(several[i], several[j])]
    assert (found is None) == (not pairs)
    if found is not None:
        assert (max(found), min(found)) in pairs


@given(st.lists(blocks(), max_size=6), st.lists(blocks(), max_size=6))
def test_what_lies_outside_an_address_space_is_found(several, space):
    apart = [block for place, block in enumerate(space) if not any(overlap(block, each) for each in space[:place])]
    outside = [n for n, block in enumerate(several) if not any(lies_in(block, each) for each in apart)]
    assert find_outside(several, apart) == (outside[0] if outside else None)
