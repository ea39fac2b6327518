"""Where a request comes from and where it arrived, and who is trusted to say that of others."""

from collections.abc import Iterable
from dataclasses import dataclass

from strongroom.addresses import Address, parse_address, parse_network


@dataclass(frozen=True, slots=True)
class Origin:
    """The caller's own address; and the address and port of this server at which it arrived, "" and 0 when unknown."""

    address: str
    local: str = ""
    local_port: int = 0


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
