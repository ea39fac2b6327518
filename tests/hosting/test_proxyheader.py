"""PROXY headers: read exactly, in one way, from however many pieces."""

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.access.network.origin import Origin
from strongroom.addresses import normal_address
from strongroom.hosting.proxyheader import MOST_1, MOST_2, SIGNATURE_2, Malformed, ProxyHeader, parse_header

PORTS = st.integers(0, 65535)


def header_2(command=0x21, family=0x11, block=b"", length=None):
    return SIGNATURE_2 + struct.pack("!BBH", command, family, len(block) if length is None else length) + block


def block(source, target, port, tlvs=b""):
    packed = ipaddress.ip_address(source).packed + ipaddress.ip_address(target).packed
    return packed + struct.pack("!HH", 50000, port) + tlvs


@st.composite
def said(draw):
    """Return a header as a balancer writes it, and what it says."""
    version = draw(st.sampled_from([4, 6]))
    source, target = (str(draw(st.ip_addresses(v=version))) for _ in range(2))
    port = draw(PORTS)
    if draw(st.booleans()):
        written = f"PROXY TCP{version} {source} {target} {draw(PORTS)} {port}\r\n".encode()
    else:
        tlvs = draw(st.binary(max_size=100))
        written = header_2(family=0x11 if version == 4 else 0x21, block=block(source, target, port, tlvs))
    return written, Origin(normal_address(source), normal_address(target), port)


@given(said(), st.binary(max_size=20))
def test_a_header_is_taken_to_its_last_byte_and_not_before(header, rest):
    written, origin = header
    assert parse_header(written + rest) == ProxyHeader(len(written), origin)
    assert all(parse_header(written[:end]) is None for end in range(len(written)))


@pytest.mark.parametrize(
    "written",
    [
        b"PROXY UNKNOWN\r\n",
        b"PROXY UNKNOWN ffff::1 whatever 1 2\r\n",
        header_2(0x20, 0x00),
        header_2(0x20, 0x11, block("192.0.2.1", "192.0.2.2", 1)),
        header_2(0x20, 0x31, b"x" * 216),
        header_2(0x21, 0x00, b"\x04\x00\x01x"),
    ],
)
def test_a_proxy_may_speak_for_itself(written):
    assert parse_header(written + b"more") == ProxyHeader(len(written), None)


@pytest.mark.parametrize(
    "written",
    [
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/1.1\r\n",
        b"proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n\r\n",
        b"PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 2001:db8::1 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
        b"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY TCP6 2001:db8:::1 2001:db8::2 1 2\r\n",
        b"PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 655350\r\n",
        b"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY " + b"x" * MOST_1,
        b"PROXY UNKNOWN " + b"x" * MOST_1 + b"\r\n",
        header_2(0x11),
        header_2(0x22),
        header_2(0x21, 0x12, block("192.0.2.1", "192.0.2.2", 1)),
        header_2(0x21, 0x31, b"x" * 216),
        header_2(0x21, 0x11, b"x" * 11),
        header_2(0x21, 0x21, block("192.0.2.1", "192.0.2.2", 1)),
        header_2(length=MOST_2 - 15),
        header_2(0x20, 0, length=65535),
    ],
)
def test_what_is_not_clear_is_refused(written):
    with pytest.raises(Malformed):
        parse_header(written)


def test_a_port_past_the_last_is_refused():
    with pytest.raises(Malformed):
        parse_header(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n")


@given(
    st.binary(max_size=300), st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE_2, SIGNATURE_2 + b"\x21\x11"])
)
def test_whatever_comes_there_is_an_end(data, start):
    seen = start + data
    try:
        found = parse_header(seen)
    except Malformed:
        return
    assert found is None or 0 < found.size <= len(seen)
    if found is None:
        assert len(seen) < MOST_2
