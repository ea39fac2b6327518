"""IP addresses, networks and places (an address with or without a port): read and written in one way everywhere.

An IPv4 address that came as IPv6 (`::ffff:192.0.2.1`) is IPv4, and no address has a zone, which means something on one
machine only.
"""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
"""Addresses of IPv4 in IPv6's clothes. Source: RFC 4291, section 2.5.5.2."""


def parse_address(text: str) -> Address:
    """Return an address, IPv4 where it is one in IPv6's clothes, without a zone; ValueError when it is none."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv4Address):
        return address
    return address.ipv4_mapped or ipaddress.IPv6Address(int(address))


def normal_address(text: str) -> str:
    """Return an address as it is written here; what is none stays as it is, and no rule takes it for one."""
    try:
        return str(parse_address(text))
    except ValueError:
        return text


def parse_network(text: str) -> Network:
    """Return a network, or that of one address; ValueError when it is none or an address inside one."""
    network = ipaddress.ip_network(text)
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(MAPPED):
        mapped = int(network.network_address) & 0xFFFFFFFF
        return ipaddress.IPv4Network((mapped, network.prefixlen - MAPPED.prefixlen))
    return network


def split_place(text: str) -> tuple[str, str | None]:
    """Return address and port of `ADDR`, `ADDR:PORT`, `[ADDR]` or `[ADDR]:PORT` as written, None for no port.

    ValueError for brackets that do not match.
    """
    if text.startswith("["):
        address, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError("write [ADDRESS]:PORT")
        return address, rest[1:] if rest else None
    if text.count(":") != 1:
        return text, None
    address, _, port = text.partition(":")
    return address, port


def join_place(address: str, port: int) -> str:
    """Return an address with a port as people write them: `192.0.2.1:443`, `[2001:db8::1]:443`."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
