"""From where a vault may be reached: its network rules in their normal forms, and how they are changed. Pure.

Sources: REST Vaults `NetworkRuleSet`, `IPRule`, `VirtualNetworkRule`, `publicNetworkAccess`; limits of the service's
"Configure network security". Texts as the service writes them, see `docs/errors.md`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import IPv4Network
from typing import Any

from strongroom.errors import BadRequest
from strongroom.ids import find_subnet_id

ALLOW, DENY = "Allow", "Deny"
AZURE_SERVICES, NO_SERVICES = "AzureServices", "None"
ENABLED, DISABLED = "Enabled", "Disabled"
ACTIONS = {"allow": ALLOW, "deny": DENY}
BYPASSES = {"azureservices": AZURE_SERVICES, "none": NO_SERVICES}
PUBLIC_ACCESS = {"enabled": ENABLED, "disabled": DISABLED}
MAX_IP_RULES = 1000
MAX_SUBNET_RULES = 200

_RANGE = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?:/[0-9]{1,2})?\Z", re.ASCII)
_SHOWN = 100  # characters of a value that a refusal repeats
_IP_RULE = "properties.networkAcls.ipRules[{}].value"
_SUBNET_RULE = "properties.networkAcls.virtualNetworkRules[{}].id"
# What no caller on the internet has for its address; on premises nearly every caller has one of these.
_PRIVATE = tuple(
    (IPv4Network(network), kind)
    for network, kind in (
        ("10.0.0.0/8", "private IP addresses"),
        ("172.16.0.0/12", "private IP addresses"),
        ("192.168.0.0/16", "private IP addresses"),
        ("100.64.0.0/10", "shared address space"),
        ("127.0.0.0/8", "loopback addresses"),
        ("169.254.0.0/16", "link-local addresses"),
    )
)
# What no caller anywhere has for its address (RFC 6890): such a rule can only be a slip.
_NOBODYS = tuple(
    (IPv4Network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", "addresses of this network"),
        ("224.0.0.0/4", "multicast addresses"),
        ("240.0.0.0/4", "reserved addresses"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubnetRule:
    """Lets the callers of one subnet in. subnet_id: its resource id, in lower case.

    ignore_missing_endpoint: it may be set before the subnet has the service endpoint; until then it lets nobody in.
    """

    subnet_id: str
    ignore_missing_endpoint: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRules:
    """The `networkAcls` of a vault.

    default_action: Allow or Deny, for whom no rule lets in. bypass: AzureServices or None, whether trusted services
    pass. ip_rules: IPv4 networks as `a.b.c.d/n`, each once.
    """

    default_action: str = ALLOW
    bypass: str = AZURE_SERVICES
    ip_rules: tuple[str, ...] = ()
    subnet_rules: tuple[SubnetRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkProposal:
    """Rules that a vault is to have, kept beside those that count: requests are judged by them, and none is refused.

    public_network_access: Enabled or Disabled. since: when they were proposed.
    """

    rules: NetworkRules
    public_network_access: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesRequest:
    """The `networkAcls` that a request asks for, as it writes them; None means that it says nothing."""

    default_action: str | None = None
    bypass: str | None = None
    ip_rules: tuple[str, ...] | None = None
    subnet_rules: tuple[SubnetRule, ...] | None = None


def change_rules(rules: NetworkRules | None, asked: RulesRequest, *, private: bool) -> NetworkRules:
    """Return rules with what a request says changed and all else kept; BadRequest where a rule is none.

    rules: None for a vault that has none. private: whether a rule may name addresses of private networks.
    """
    rules = rules or NetworkRules()
    if asked.default_action is not None:
        action = _chosen(ACTIONS, asked.default_action, "networkAcls.defaultAction")
        rules = replace(rules, default_action=action)
    if asked.bypass is not None:
        rules = replace(rules, bypass=_chosen(BYPASSES, asked.bypass, "networkAcls.bypass"))
    if asked.ip_rules is not None:
        rules = replace(rules, ip_rules=normal_ranges(asked.ip_rules, private=private))
    if asked.subnet_rules is not None:
        rules = replace(rules, subnet_rules=_normal_subnets(asked.subnet_rules))
    return rules


def compare_rules(before: NetworkRules | None, after: NetworkRules | None) -> dict[str, Any]:
    """Return what a change makes of network rules, as records tell it; {} when they let in the same as before."""
    held, holds = before or NetworkRules(), after or NetworkRules()
    named, names = _names(held), _names(holds)
    change: dict[str, Any] = {"added": sorted(names - named), "removed": sorted(named - names)}
    if held.default_action != holds.default_action:
        change["defaultAction"] = holds.default_action
    if held.bypass != holds.bypass:
        change["bypass"] = holds.bypass
    return {name: said for name, said in change.items() if said}


def public_access_of(text: str) -> str:
    """Return `publicNetworkAccess` as it is kept: Enabled or Disabled; BadRequest for what is not enforced here."""
    if text.lower() == "securedbyperimeter":
        raise BadRequest(
            "The property 'publicNetworkAccess' cannot be 'SecuredByPerimeter': this server has no network security "
            "perimeters. Use 'Disabled', or 'Enabled' with networkAcls.",
            code="BadRequest",
        )
    return _chosen(PUBLIC_ACCESS, text, "publicNetworkAccess")


def normal_ranges(texts: Iterable[str], *, private: bool) -> tuple[str, ...]:
    """Return address rules as they are kept and told: networks, each once, in the order given.

    BadRequest for what is no IPv4 address or range, for addresses that no caller has, and for more than 1,000.
    private: as in `change_rules`.
    """
    given = tuple(texts)
    _require_at_most(MAX_IP_RULES, len(given), "ipRules")
    return tuple(dict.fromkeys([_normal_range(text, number, private=private) for number, text in enumerate(given)]))


def _names(rules: NetworkRules) -> frozenset[str]:
    return frozenset(rules.ip_rules) | {rule.subnet_id for rule in rules.subnet_rules}


def _normal_range(text: str, number: int, *, private: bool) -> str:
    try:
        if not _RANGE.match(text):
            raise ValueError("not four decimal numbers, with or without the length of a prefix")
        network = IPv4Network(text)
    except ValueError:
        raise _invalid_at(_IP_RULE.format(number), text, _wrong_with(text)) from None
    for forbidden, kind in _NOBODYS if private else (*_PRIVATE, *_NOBODYS):
        if network.subnet_of(forbidden):
            first, last = forbidden[0], forbidden[-1]
            why = f"belongs to forbidden range {first}–{last} ({kind})"  # the service's own dash
            raise _invalid_at(_IP_RULE.format(number), text, why)
    return str(network)


def _wrong_with(text: str) -> str:
    address = text.partition("/")[0]
    if ":" in address:
        return "is not an IPv4 address or CIDR range; there are no rules for IPv6"
    try:
        inside = IPv4Network(text if _RANGE.match(text) else "", strict=False)
    except ValueError:
        return "is not an IPv4 address or CIDR range"
    return f"has bits set behind its prefix; did you mean {inside}, or {address}/32?"


def _normal_subnets(given: tuple[SubnetRule, ...]) -> tuple[SubnetRule, ...]:
    _require_at_most(MAX_SUBNET_RULES, len(given), "virtualNetworkRules")
    kept: dict[str, SubnetRule] = {}
    for number, rule in enumerate(given):
        if find_subnet_id(rule.subnet_id) is None:
            raise _invalid_at(_SUBNET_RULE.format(number), rule.subnet_id, "is not the resource id of a subnet")
        subnet_id = rule.subnet_id.lower()
        kept.setdefault(subnet_id, replace(rule, subnet_id=subnet_id))
    return tuple(kept.values())


def _require_at_most(limit: int, count: int, name: str) -> None:
    if count > limit:
        raise BadRequest(f"A vault holds at most {limit} {name} in networkAcls; {count} were given.", code="BadRequest")


def _chosen(words: dict[str, str], text: str, name: str) -> str:
    found = words.get(text.lower())
    if found is None:
        raise BadRequest(f"An invalid value was provided for '{name}'.", code="BadRequest")
    return found


def _invalid_at(place: str, text: str, why: str) -> BadRequest:
    return BadRequest(f"Invalid value found at {place}: {text[:_SHOWN]} {why}", code="BadRequest")
