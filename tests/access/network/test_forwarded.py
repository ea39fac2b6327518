"""The headers of proxies: nobody is taken for whom they are not, wherever they forge."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.access.network.forwarded import Ambiguous, find_caller
from strongroom.access.network.origin import Proxies
from strongroom.addresses import normal_address

PROXIES = Proxies(["10.0.0.0/8", "fd00::/8"])
XFF, FORWARDED = b"x-forwarded-for", b"forwarded"

STRANGERS = st.ip_addresses().map(str).filter(lambda text: not PROXIES.hold(text))
TRUSTED = st.integers(0, 2**24 - 1).map(lambda n: f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
GARBAGE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=40)
PIECES = st.lists(st.sampled_from(["for=", '"', ",", ";", "\\", "1.2.3.4", "10.0.0.9", "[::1]", "by=", " ", "=", "_x"]))


def caller(*headers):
    return find_caller([(name, value.encode("latin-1")) for name, value in headers], PROXIES)


def node(address):
    return f'for="[{address}]"' if ":" in address else f"for={address}"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:c000:201]:80", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("198.51.100.7, 192.0.2.1", "192.0.2.1"),
        ("198.51.100.7,192.0.2.1 ,\t10.1.2.3,10.0.0.1", "192.0.2.1"),
        ("garbage, 10.0.0.1, 192.0.2.1", "192.0.2.1"),
        ("10.9.9.9, 10.0.0.1", "10.9.9.9"),
        ("10.0.0.1, 192.0.2.1, ::ffff:10.0.0.1", "192.0.2.1"),
    ],
)
def test_the_first_from_the_right_that_is_no_proxy_is_the_caller(value, found):
    assert caller((XFF, value)) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("for=192.0.2.1", "192.0.2.1"),
        ("For=192.0.2.1:4711;proto=https", "192.0.2.1"),
        ('for="192.0.2.1:_hidden" ; by=10.0.0.1', "192.0.2.1"),
        ('proto=https;for="[2001:db8::1]:4711"', "2001:db8::1"),
        ('for="[2001:db8::1]", for=10.0.0.2;host="a.test:8443"', "2001:db8::1"),
        ("for=_x, for=unknown, for=192.0.2.1", "192.0.2.1"),
    ],
)
def test_forwarded_is_read_alike(value, found):
    assert caller((FORWARDED, value)) == found


@pytest.mark.parametrize(
    "header",
    [
        *((XFF, value) for value in ("", "x", "192.0.2.1,", "unknown, 10.0.0.1", "192.0.2.1;x", "192.0.2.1:", "1.2.3")),
        *(
            (XFF, value)
            for value in ('"192.0.2.1"', "[192.0.2.1]", "192.0.2.01", "192.0.2.1:123456", "192.0.2.1 1.2.3.4")
        ),
        *((FORWARDED, f"for={node}") for node in ("unknown", "_x", '""', "", '"_x:80"', "10.0.0.1;for=192.0.2.1")),
        *((FORWARDED, value) for value in ("", "by=192.0.2.1", "192.0.2.1", "for = 192.0.2.1", "for=192.0.2.1;", "x")),
        (FORWARDED, 'for=192.0.2.1;y=", for=198.51.100.7;by="_p"'),
        (FORWARDED, 'for=198.51.100.7;host="x, for="192.0.2.1"'),
        (FORWARDED, 'for="192.0.2.1\\""'),
        (FORWARDED, 'for="192.0.2.1", for=198.51.100.7;x="\\"'),
    ],
)
def test_where_the_caller_cannot_be_read_nobody_is_taken_for_it(header):
    with pytest.raises(Ambiguous):
        caller(header)


def test_lines_of_one_header_are_one_list_and_other_headers_say_nothing():
    assert caller((XFF, "192.0.2.1"), (b"x-real-ip", "192.0.2.9"), (XFF, "10.0.0.1")) == "192.0.2.1"
    assert caller((b"x-real-ip", "192.0.2.9"), (b"x-client-ip", "192.0.2.9")) is None


def test_both_headers_count_where_they_agree():
    assert caller((XFF, "192.0.2.1"), (FORWARDED, "for=192.0.2.1;by=10.0.0.1")) == "192.0.2.1"
    with pytest.raises(Ambiguous, match="two callers"):
        caller((XFF, "192.0.2.1"), (FORWARDED, "for=192.0.2.9"))
    with pytest.raises(Ambiguous):
        caller((XFF, "192.0.2.1"), (FORWARDED, "for=unknown"))


@given(GARBAGE | PIECES.map("".join), STRANGERS, st.lists(TRUSTED, max_size=3), st.booleans())
def test_whatever_a_stranger_writes_the_proxies_word_counts(forged, stranger, hops, in_a_line_of_its_own):
    """Each proxy on the way adds whom it heard; the stranger began the header, as a line or in front."""
    told = ", ".join([stranger, *hops])
    lines = [(XFF, forged), (XFF, told)] if in_a_line_of_its_own else [(XFF, f"{forged}, {told}")]
    assert caller(*lines) == normal_address(stranger)


@given(GARBAGE | PIECES.map("".join), STRANGERS, st.lists(TRUSTED, max_size=3), st.booleans())
def test_in_forwarded_too_unless_nobody_is(forged, stranger, hops, in_a_line_of_its_own):
    told = ", ".join(node(address) + ';by="_p"' for address in [stranger, *hops])
    lines = [(FORWARDED, forged), (FORWARDED, told)] if in_a_line_of_its_own else [(FORWARDED, f"{forged}, {told}")]
    try:
        assert caller(*lines) == normal_address(stranger)
    except Ambiguous:
        assert '"' in forged


@given(STRANGERS, STRANGERS, st.sampled_from([XFF, FORWARDED]), st.lists(TRUSTED, max_size=2))
def test_the_header_that_the_proxies_do_not_know_changes_nobody(stranger, forged, known, hops):
    values = {
        XFF: (", ".join([stranger, *hops]), forged),
        FORWARDED: (", ".join(map(node, [stranger, *hops])), node(forged)),
    }
    other = FORWARDED if known == XFF else XFF
    try:
        assert caller((known, values[known][0]), (other, values[other][1])) == normal_address(stranger)
    except Ambiguous:
        assert normal_address(forged) != normal_address(stranger)


@given(st.lists(st.tuples(st.sampled_from([XFF, FORWARDED, b"host"]), GARBAGE | PIECES.map("".join)), max_size=4))
def test_whatever_comes_is_an_address_nobody_or_refused(headers):
    try:
        found = caller(*headers)
    except Ambiguous:
        return
    assert found is None or normal_address(found) == found
