"""May a caller from there reach this vault? Pure, over data; asked once for every request to a vault, before all else.

The order is the service's: an approved private endpoint of this vault passes; a trusted service passes where the rules
let it bypass them; without public network access nobody else does; then address rules, subnet rules, and the default
action. Rules are compiled to a sorted list of segments, so that a look-up costs the same however many there are.

Sources: REST Vaults `NetworkRuleSet`; of the service's documentation, "Configure network security" and "Virtual network
service endpoints".
"""

import socket
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from strongroom.vaults.network import ALLOW, AZURE_SERVICES, DISABLED, NetworkRules

T = TypeVar("T")

PUBLIC, SUBNET, PRIVATE, TRUSTED = "PublicIP", "Subnet", "PrivateLink", "TrustedService"
"""Words of `addrAuthType` in records: by what a request is judged."""

_MAPPED = bytes(10) + b"\xff\xff"  # ::ffff:0:0/96, RFC 4291, section 2.5.5.2


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSubnet:
    """A subnet that rules name.

    prefixes: its networks, of which those of IPv4 count. has_endpoint: it has the service endpoint of key vaults.
    """

    subnet_id: str
    prefixes: tuple[str, ...]
    has_endpoint: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who wants in, as far as the network tells.

    address: the caller's own, as text; one that is none matches no rule. private_endpoint_id: the endpoint of this
    vault that it came by, with an approved connection. trusted_service: the name of the service that the caller is,
    where the operator trusts it. "" for each: none.
    """

    address: str
    private_endpoint_id: str = ""
    trusted_service: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkDecision:
    """Whether a caller may reach a vault, and why.

    address_type: a word of `addrAuthType`. rule: what decided: a range, a subnet's id, or `defaultAction` and
    `publicNetworkAccess` with what they say; "" where none had to. by_connection: it is for want of a private endpoint
    that it was refused.
    """

    allowed: bool
    address_type: str = PUBLIC
    rule: str = ""
    subnet_id: str = ""
    private_endpoint_id: str = ""
    trusted_service: str = ""
    by_connection: bool = False


OPEN = NetworkDecision(allowed=True, rule="defaultAction: Allow")
SHUT = NetworkDecision(allowed=False, rule="defaultAction: Deny")
NOT_PUBLIC = NetworkDecision(allowed=False, rule="publicNetworkAccess: Disabled", by_connection=True)


class Segments(Generic[T]):
    """Ranges of addresses, each with what it says; a look-up finds what the narrowest one around an address says."""

    __slots__ = ("_said", "_starts")

    def __init__(self, ranges: Iterable[tuple[str, T]]) -> None:
        """Take networks as `a.b.c.d/n`: of any two of them one holds the other, or they are apart."""
        self._starts: list[int] = []
        self._said: list[T | None] = []
        around: list[tuple[int, T]] = []  # the ranges that the place reached lies in, the narrowest last
        for first, last, said in sorted([_bounds(*each) for each in ranges], key=lambda found: (found[0], -found[1])):
            self._close(around, first)
            self._begin(first, said)
            around.append((last, said))
        self._close(around, 1 << 32)

    def __len__(self) -> int:
        """Return how many places there are at which something else is said than before."""
        return len(self._starts)

    def find(self, number: int) -> T | None:
        """Return what the narrowest range says that holds an address, None when none does."""
        place = bisect_right(self._starts, number) - 1
        return self._said[place] if place >= 0 else None

    def _close(self, around: list[tuple[int, T]], place: int) -> None:
        """End the ranges that lie before a place; behind each, the one around it goes on."""
        while around and around[-1][0] < place:
            last, _ = around.pop()
            self._begin(last + 1, around[-1][1] if around else None)

    def _begin(self, place: int, said: T | None) -> None:
        if self._starts and self._starts[-1] == place:
            self._said[-1] = said
        else:
            self._starts.append(place)
            self._said.append(said)


class CompiledRules:
    """The rules of one vault, ready to be asked.

    rules: None for a vault without any: whoever comes is let in. public_access: Enabled or Disabled. subnets: what is
    known of those that the rules name.
    """

    __slots__ = ("_addresses", "_bypasses", "_default", "_is_public", "_subnets")

    def __init__(self, rules: NetworkRules | None, public_access: str, subnets: Iterable[NamedSubnet] = ()) -> None:
        rules = rules or NetworkRules()
        self._bypasses = rules.bypass == AZURE_SERVICES
        self._default = OPEN if rules.default_action == ALLOW else SHUT
        self._is_public = public_access != DISABLED
        self._addresses = Segments([(text, NetworkDecision(allowed=True, rule=text)) for text in rules.ip_rules])
        named = {rule.subnet_id for rule in rules.subnet_rules}
        self._subnets = Segments(
            [
                (prefix, let_in)
                for subnet in subnets
                if subnet.has_endpoint and subnet.subnet_id in named
                for let_in in (_let_in(subnet.subnet_id),)
                for prefix in subnet.prefixes
                if ":" not in prefix
            ]
        )

    @property
    def ranges(self) -> int:
        """How large they are: about as many places in memory as ranges of addresses are told apart."""
        return len(self._addresses) + len(self._subnets)

    def decide(self, visitor: Visitor) -> NetworkDecision:
        """Return whether a visitor may reach the vault."""
        privileged = self._pass(visitor)
        if privileged is not None:
            return privileged
        if not self._is_public:
            return NOT_PUBLIC
        number = address_number(visitor.address)
        found = None if number is None else self._addresses.find(number) or self._subnets.find(number)
        return self._default if found is None else found

    def _pass(self, visitor: Visitor) -> NetworkDecision | None:
        """Return the decision on who passes whatever the rules for addresses say, None for everybody else."""
        endpoint, service = visitor.private_endpoint_id, visitor.trusted_service
        if endpoint:
            return NetworkDecision(allowed=True, address_type=PRIVATE, private_endpoint_id=endpoint)
        if service and self._bypasses:
            return NetworkDecision(allowed=True, address_type=TRUSTED, trusted_service=service)
        return None


def address_number(text: str) -> int | None:
    """Return an IPv4 address as a number, also one that is written as IPv6 (`::ffff:a.b.c.d`); None for all else.

    There are no rules for IPv6, so that callers from there match none.
    """
    try:
        if ":" not in text:  # nearly always: hosting has it in its normal form
            return int.from_bytes(socket.inet_pton(socket.AF_INET, text))
        # `parse_address` says the same and takes six times as long.
        octets = socket.inet_pton(socket.AF_INET6, text.partition("%")[0])
    except (OSError, ValueError):
        return None
    return int.from_bytes(octets[12:]) if octets.startswith(_MAPPED) else None


def _let_in(subnet_id: str) -> NetworkDecision:
    return NetworkDecision(allowed=True, address_type=SUBNET, rule=subnet_id, subnet_id=subnet_id)


def _bounds(network: str, said: T) -> tuple[int, int, T]:
    address, _, length = network.partition("/")
    first = address_number(address)
    assert first is not None  # rules are kept in their normal form
    return first, first + (1 << (32 - int(length))) - 1, said
