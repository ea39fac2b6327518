"""Where a request comes from and where it arrived, and who is trusted to say that of others.

Addresses are written in one way: an IPv4 address that came as IPv6 (`::ffff:192.0.2.1`) is IPv4, and no address has a
zone, which means something on one machine only.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


@dataclass(frozen=True, slots=True)
class Origin:
    """The caller's own address; and the address and port of this server at which it arrived, "" and 0 when unknown."""

    address: str
    local: str = ""
    local_port: int = 0


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


class Proxies:
    """The proxies that are trusted to say whose request they pass on: all addresses of these networks."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """ValueError when one is no network."""
        self._networks = tuple(parse_network(network) for network in networks)

    def hold(self, address: str) -> bool:
        """Answer whether an address is a trusted proxy's. What is no address is nobody's."""
        if not self._networks:
            return False
        try:
            return self.hold_parsed(parse_address(address))
        except ValueError:
            return False

    def hold_parsed(self, address: Address) -> bool:
        """Answer whether an address is a trusted proxy's."""
        return any(address in network for network in self._networks)


NOBODY = Proxies()
