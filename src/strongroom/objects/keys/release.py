"""Release policies: who must have attested what of an environment before a key leaves to it.

A policy is kept in one spelling: every member known, in its place, nothing left out of what will be asked. What this
server cannot enforce it does not keep. Of claims only `equals` is compared, as in the service's first iteration.
Sources: "Azure Key Vault secure key release policy grammar"; REST `KeyReleasePolicy`; texts with AKV.SKR numbers as the
service's own answers have them (`docs/errors.md`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec

from strongroom.access.identity.attestation import normal_authority
from strongroom.errors import BadRequest

CONTENT_TYPE: Final = "application/json; charset=utf-8"
VERSION: Final = "1.0.0"
DEEPEST = 8
"""Conditions within conditions; the service's documents name no bound."""

ANY, ALL = "anyof", "allof"
_SPELLED = {ANY: "anyOf", ALL: "allOf"}

Value: TypeAlias = str | int | float | bool
Claims: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim that must be there, of a value. name: its path through objects, parted by dots; arrays have none."""

    name: str
    equals: Value

    def holds(self, claims: Claims) -> bool:
        """Answer whether the claim is among `claims`, with that value."""
        found: Any = claims
        for part in self.name.split("."):
            if not isinstance(found, Mapping) or part not in found:
                return False
            found = found[part]
        return is_equal(found, self.equals)

    def described(self) -> dict[str, Any]:
        """Return the claim as JSON has it."""
        return {"claim": self.name, "equals": self.equals}


@dataclass(frozen=True, slots=True)
class Conditions:
    """Conditions of which all must hold, or any. members: at least one."""

    kind: str
    members: tuple["Claim | Conditions", ...]

    def holds(self, claims: Claims) -> bool:
        """Answer whether `claims` meet the conditions."""
        met = (member.holds(claims) for member in self.members)
        return all(met) if self.kind == ALL else any(met)

    def described(self) -> dict[str, Any]:
        """Return the conditions as JSON has them."""
        return {_SPELLED[self.kind]: [member.described() for member in self.members]}


@dataclass(frozen=True, slots=True)
class Rule:
    """What one authority must have attested. authority: its address, as the policy writes it."""

    authority: str
    conditions: Conditions


@dataclass(frozen=True, slots=True)
class ReleasePolicy:
    """A policy as it is kept. data: its JSON, in our one spelling. immutable: it stays as it is for ever."""

    data: bytes
    immutable: bool = False

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules, of which one is enough."""
        return parse_rules(self.data)

    def find_authority(self, issuer: str) -> str | None:
        """Return the authority that an issuer is, in its normal spelling; None when the policy names no such."""
        normal = normal_authority(issuer)
        return normal if any(normal_authority(rule.authority) == normal for rule in self.rules()) else None

    def allows(self, authority: str, claims: Claims) -> bool:
        """Answer whether what an authority attested is enough. authority: in its normal spelling."""
        return any(
            rule.conditions.holds(claims) for rule in self.rules() if normal_authority(rule.authority) == authority
        )


@dataclass(frozen=True, slots=True)
class AskedPolicy:
    """A policy as a caller sends it, not looked into yet."""

    data: bytes | None
    content_type: str | None = None
    immutable: bool = False

    def parse(self) -> ReleasePolicy:
        """Return the policy as it is to be kept; BadRequest when it is none that can be enforced."""
        given = (self.content_type or CONTENT_TYPE).lower().replace(" ", "")
        if given not in {CONTENT_TYPE.replace(" ", ""), "application/json"}:
            raise _malformed(f"its contentType is '{CONTENT_TYPE}'")
        if self.data is None:
            raise _malformed("missing 'data' property")
        return ReleasePolicy(spell(parse_rules(self.data)), self.immutable)

    def replacing(self, policy: ReleasePolicy | None) -> ReleasePolicy:
        """Return what is kept from now on in the place of `policy`; BadRequest when that one is immutable.

        Sending an immutable policy once more changes nothing and is no mistake.
        """
        if policy is None or not policy.immutable:
            return self.parse()
        try:
            is_same = self.parse() == policy
        except BadRequest:
            is_same = False
        if not is_same:
            raise BadRequest("AKV.SKR.1020: Immutable Key Release Policy cannot be modified.")
        return policy


def is_equal(found: object, wanted: Value) -> bool:
    """Answer whether the value of a claim is the one wanted; the service takes true and "true" for the same.

    No other types meet: a number is no text, and nothing is equal to an object, an array or null.
    """
    if isinstance(found, bool) or isinstance(wanted, bool):
        return _truth(found) is not None and _truth(found) == _truth(wanted)
    if isinstance(found, str) or isinstance(wanted, str):
        return isinstance(found, str) and found == wanted
    return isinstance(found, int | float) and found == wanted


def _truth(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value) if isinstance(value, str) else None


def parse_rules(data: bytes) -> tuple[Rule, ...]:
    """Return the rules of a policy's JSON; BadRequest when it is none of the grammar, or says what is not enforced."""
    try:
        document = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _malformed("it is no JSON") from None
    found = _members(document, "a policy", {"version", ANY})
    if "version" not in found:
        raise _malformed("missing 'version' property")
    if found["version"] != VERSION:
        raise _malformed(f"its version is {VERSION}")
    return tuple(_rule(each) for each in _array(found.get(ANY), "anyOf"))


def spell(rules: tuple[Rule, ...]) -> bytes:
    """Return rules as JSON, in the one spelling that the service answers them in too."""
    described = [{"authority": rule.authority} | rule.conditions.described() for rule in rules]
    return msgspec.json.encode({"version": VERSION, "anyOf": described})


def _rule(document: object) -> Rule:
    found = _members(document, "an authority", {"authority", ANY, ALL})
    authority = found.pop("authority", None)
    if not isinstance(authority, str) or normal_authority(authority) == "":
        raise _malformed("an authority is named by its 'authority', an https address")
    return Rule(authority, _conditions(found, 1))


def _conditions(found: dict[str, Any], depth: int) -> Conditions:
    if len(found) != 1:
        raise _malformed("conditions are either 'anyOf' or 'allOf'")
    if depth > DEEPEST:
        raise _malformed(f"conditions are nested at most {DEEPEST} deep")
    ((kind, members),) = found.items()
    return Conditions(kind, tuple(_condition(each, depth) for each in _array(members, _SPELLED[kind])))


def _condition(document: object, depth: int) -> Claim | Conditions:
    if not isinstance(document, dict) or "claim" not in {name.lower() for name in document}:
        return _conditions(_members(document, "a condition", {ANY, ALL}), depth + 1)
    found = _members(document, "a claim condition", {"claim", "equals"})
    name, value = found["claim"], found.get("equals")
    if not isinstance(name, str) or not all(name.split(".")):
        raise _malformed("a claim is named by names that are not empty, parted by dots")
    if not isinstance(value, str | int | float):
        raise _malformed(f"the claim '{name}' needs 'equals' with a text, a number, true or false")
    return Claim(name, value)


def _members(document: object, what: str, known: set[str]) -> dict[str, Any]:
    """Return the members of an object, their names in lower case; BadRequest for one that would not be enforced."""
    if not isinstance(document, dict):
        raise _malformed(f"{what} is an object")
    found = {name.lower(): value for name, value in document.items()}
    unknown = [name for name in document if name.lower() not in known]
    if unknown or len(found) != len(document):
        raise _malformed(f"{what} has {_listed(known)}, and nothing else once")
    return found


def _array(value: object, name: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise _malformed(f"'{name}' is an array of at least one")
    return value


def _listed(known: set[str]) -> str:
    return ", ".join(f"'{_SPELLED.get(each, each)}'" for each in sorted(known))


def _malformed(why: str) -> BadRequest:
    """Return the error for a policy that is none. The service's beginning; of the rest one text was observed."""
    return BadRequest(f"Key Release Policy: {why}")
