"""Network rules that are rehearsed before they count: proposed for a vault, adopted or withdrawn."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from strongroom.errors import BadRequest, NotFound
from strongroom.vaults.model import Vault
from strongroom.vaults.network import (
    NetworkProposal,
    NetworkRules,
    RulesRequest,
    SubnetRule,
    change_rules,
    normal_ranges,
    public_access_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What rules are to be proposed. All that is None or empty says nothing.

    whole: rules to begin from, instead of those that are proposed already or else count. allow: ranges that come;
    subnets: ids of subnets that come; drop: ranges and ids of subnets that go.
    """

    whole: RulesRequest | None = None
    public_network_access: str | None = None
    default_action: str | None = None
    bypass: str | None = None
    allow: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()


def propose(vault: Vault, wish: Wish, *, private: bool, now: datetime) -> Vault:
    """Return the vault with a proposal in the place of the one it had; BadRequest where a rule is none.

    private: whether a rule may name addresses of private networks.
    """
    held, access = _begin(vault)
    if wish.whole is not None:
        held = change_rules(None, wish.whole, private=private)
    asked = RulesRequest(
        default_action=wish.default_action,
        bypass=wish.bypass,
        ip_rules=_changed(held.ip_rules, wish, private=private),
        subnet_rules=_changed_subnets(held.subnet_rules, wish),
    )
    if wish.public_network_access is not None:
        access = public_access_of(wish.public_network_access)
    rules = change_rules(held, asked, private=True)  # what stands there already may stay; the rest was looked at
    return replace(vault, proposal=NetworkProposal(rules=rules, public_network_access=access, since=now))


def adopt(vault: Vault) -> Vault:
    """Return the vault with its proposal as its rules; NotFound when it has none."""
    proposal = get_proposal(vault)
    return replace(vault, network=proposal.rules, public_network_access=proposal.public_network_access, proposal=None)


def rehearsed(vault: Vault) -> Vault:
    """Return the vault as it is to be: with its proposal adopted, if it has one."""
    return vault if vault.proposal is None else adopt(vault)


def withdraw(vault: Vault) -> Vault:
    """Return the vault without its proposal; NotFound when it has none."""
    get_proposal(vault)
    return replace(vault, proposal=None)


def get_proposal(vault: Vault) -> NetworkProposal:
    """Return the proposal of a vault; NotFound when it has none."""
    if vault.proposal is None:
        raise NotFound(f"No network rules are proposed for the vault '{vault.name}'.")
    return vault.proposal


def _begin(vault: Vault) -> tuple[NetworkRules, str]:
    """Return what a proposal begins from: the one that there is, else the rules that count."""
    if vault.proposal is not None:
        return vault.proposal.rules, vault.proposal.public_network_access
    return vault.network or NetworkRules(), vault.public_network_access


def _changed(held: Iterable[str], wish: Wish, *, private: bool) -> tuple[str, ...]:
    """Return ranges without those that go and with those that come; BadRequest for one that goes and is not there."""
    gone = normal_ranges([each for each in wish.drop if not _is_subnet(each)], private=True)
    return (*_without(held, gone), *normal_ranges(wish.allow, private=private))


def _changed_subnets(held: Iterable[SubnetRule], wish: Wish) -> tuple[SubnetRule, ...]:
    """Return rules for subnets without those that go and with those that come; as `_changed` does."""
    gone = [each.lower() for each in wish.drop if _is_subnet(each)]
    left = set(_without([rule.subnet_id for rule in held], gone))
    come = [SubnetRule(subnet_id=each) for each in wish.subnets]
    return (*[rule for rule in held if rule.subnet_id in left], *come)


def _is_subnet(rule: str) -> bool:
    """Say whether what is to go is the resource id of a subnet; else it is a range."""
    return rule.startswith("/")


def _without(held: Iterable[str], gone: Iterable[str]) -> list[str]:
    left = list(held)
    for each in gone:
        if each not in left:
            raise BadRequest(f"No rule says {each}; there are: {', '.join(left[:10]) or 'none'}.")
        left.remove(each)
    return left
