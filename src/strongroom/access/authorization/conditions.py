"""Conditions of role assignments: read once, then asked of each request that the role would grant.

A condition compares attributes of the request or of what it touches with values, joined by AND, OR and NOT. What an
attribute that is not there says can be told by nobody: such a comparison is neither true nor false, nor is its
negation, and what is not true grants nothing.
Source: Azure ABAC, "Azure role assignment condition format and syntax", version 2.0; attributes of role assignments
and of Key Vault from "Authorization actions and attributes" and "Key Vault ABAC".
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from types import MappingProxyType
from typing import Any

from strongroom.access.authorization.patterns import LONGEST, matches
from strongroom.errors import BadRequest
from strongroom.ids import is_guid

VERSION = "2.0"
MAX_LENGTH = 8192
MAX_DEPTH = 40
REMEMBERED = 1024

Value = str | int | bool | datetime
Truth = bool | None
"""None: it cannot be told."""

_ASSIGNMENT = "microsoft.authorization/roleassignments:"
VAULT_NAME = "microsoft.keyvault/vaults:name"
SECRET_NAME = "microsoft.keyvault/vaults/secrets:name"  # noqa: S105 - the name of an attribute
NAME = "Name"
"""Names that are the same whatever their case: they compare so, or a `StringNotEquals` could be got round."""
ATTRIBUTES: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        **{
            (source, _ASSIGNMENT + name): kind
            for source in ("request", "resource")
            for name, kind in (("roledefinitionid", "Guid"), ("principalid", "Guid"), ("principaltype", "String"))
        },
        **{(source, name): NAME for source in ("request", "resource") for name in (VAULT_NAME, SECRET_NAME)},
        ("environment", "utcnow"): "DateTime",
    }
)
"""Every attribute that is known here, by its source and name in lower case, and of which kind its values are."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a condition is asked of.

    action: in lower case. attributes: by source and name in lower case; one that is not there is not known.
    """

    action: str
    attributes: Mapping[tuple[str, str], tuple[Value, ...]] = field(default_factory=dict)


Condition = Callable[[Asked], Truth]
Compare = Callable[[Any, Any], bool]


@lru_cache(maxsize=REMEMBERED)
def parse(text: str) -> Condition:
    """Return a condition; BadRequest (InvalidCondition) when it is none that can be decided here."""
    if len(text) > MAX_LENGTH:
        raise _bad(f"it has more than {MAX_LENGTH} characters")
    reader = _Reader(_tokens(text))
    found = reader.expression(0)
    if reader.peek():
        raise _bad(f"'{reader.peek()}' is not expected after its end")
    return found


def assignment_attributes(
    source: str, *, role_id: str, principal_id: str, principal_type: str
) -> dict[tuple[str, str], tuple[Value, ...]]:
    """Return what a role assignment says of itself. source: `request` for a new one, `resource` for one that exists."""
    return {
        (source, _ASSIGNMENT + "roledefinitionid"): (role_id.lower(),),
        (source, _ASSIGNMENT + "principalid"): (principal_id.lower(),),
        (source, _ASSIGNMENT + "principaltype"): (principal_type,),
    }


def time_attribute(now: datetime) -> dict[tuple[str, str], tuple[Value, ...]]:
    """Return what time it is, as conditions ask for it."""
    return {("environment", "utcnow"): (now,)}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<attribute>@\w+\[[^\]]*\])
    | (?P<string>'[^']*')
    | (?P<mark>&&|\|\||[(){},!])
    | (?P<word>[\w:.+-]+)
    )""",
    re.VERBOSE | re.ASCII,
)


def _tokens(text: str) -> list[_Token]:
    found, position, end = [], 0, len(text.rstrip())
    while position < end:
        token = _TOKEN.match(text, position)
        if token is None:
            raise _bad(f"'{text[position : position + 20].strip()}' cannot be read")
        assert token.lastgroup is not None  # one of the groups matched
        found.append(_Token(token.lastgroup, token[token.lastgroup]))
        position = token.end()
    return found


def _bad(reason: str) -> BadRequest:
    return BadRequest(f"The given role assignment condition is invalid: {reason}.", code="InvalidCondition")


class _Reader:
    """Reads tokens by recursive descent."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._position = 0

    def peek(self) -> str:
        """Return the text of the next token, "" at the end."""
        return self._tokens[self._position].text if self._position < len(self._tokens) else ""

    def expression(self, depth: int) -> Condition:
        """Read terms joined by AND or by OR; both kinds together need parentheses, as the service asks."""
        if depth > MAX_DEPTH:
            raise _bad(f"its parentheses are more than {MAX_DEPTH} deep")
        terms, joined = [self._term(depth)], ""
        while (word := self._joint()) is not None:
            if joined and word != joined:
                raise _bad("AND and OR stand side by side: set parentheses")
            joined = word
            self._take()
            terms.append(self._term(depth))
        if len(terms) == 1:
            return terms[0]
        return _all_of(terms) if joined == "AND" else _any_of(terms)

    def _joint(self) -> str | None:
        return {"AND": "AND", "&&": "AND", "OR": "OR", "||": "OR"}.get(self.peek().upper())

    def _term(self, depth: int) -> Condition:
        token = self._take()
        word = token.text.upper()  # no string or attribute is one of these words: they have their marks around them
        if word in {"!", "NOT"}:
            if depth > MAX_DEPTH:
                raise _bad(f"it is negated more than {MAX_DEPTH} times")
            return _not(self._term(depth + 1))
        if word == "(":
            inner = self.expression(depth + 1)
            self._require(")")
            return inner
        if word == "ACTIONMATCHES":
            return self._action()
        if word == "EXISTS":
            return _exists(_known(self._take()))
        if token.kind == "attribute":
            return self._comparison(_known(token))
        raise _bad(f"'{token.text}' is none of ActionMatches, Exists, an attribute, '!' or '('")

    def _action(self) -> Condition:
        self._require("{")
        token = self._take()
        text = token.text[1:-1]
        if token.kind != "string" or len(text) > LONGEST:
            raise _bad(f"ActionMatches needs an action in quotes, of at most {LONGEST} characters")
        self._require("}")
        return lambda asked: matches((text,), asked.action)

    def _comparison(self, attribute: tuple[str, str]) -> Condition:
        operator = self._take().text
        quantifier, _, name = operator.rpartition(":")
        compare = _operator(name, ATTRIBUTES[attribute])
        if quantifier and quantifier not in _QUANTIFIERS:
            raise _bad(f"'{quantifier}' is no way to compare sets")
        values = self._values(quantifier, name)
        join = _QUANTIFIERS[quantifier or "ForAnyOfAnyValues"]
        return lambda asked: _compare(asked.attributes.get(attribute), values, compare, join)

    def _values(self, quantifier: str, operator: str) -> tuple[Value, ...]:
        if self.peek() != "{":
            return (_value(self._take(), operator),)
        self._take()
        found = [_value(self._take(), operator)]
        while self.peek() == ",":
            self._take()
            found.append(_value(self._take(), operator))
        self._require("}")
        if not quantifier and len(found) > 1:
            raise _bad(f"'{operator}' compares with one value: use ForAnyOfAnyValues:{operator} for several")
        return tuple(found)

    def _take(self) -> _Token:
        if self._position >= len(self._tokens):
            raise _bad("it ends too early")
        self._position += 1
        return self._tokens[self._position - 1]

    def _require(self, text: str) -> None:
        token = self._take()
        if token.text != text:
            raise _bad(f"'{text}' is missing before '{token.text}'")


def _all_of(terms: list[Condition]) -> Condition:
    def decide(asked: Asked) -> Truth:
        truths = [term(asked) for term in terms]
        return False if False in truths else (None if None in truths else True)

    return decide


def _any_of(terms: list[Condition]) -> Condition:
    def decide(asked: Asked) -> Truth:
        truths = [term(asked) for term in terms]
        return True if True in truths else (None if None in truths else False)

    return decide


def _not(term: Condition) -> Condition:
    def decide(asked: Asked) -> Truth:
        truth = term(asked)
        return None if truth is None else not truth

    return decide


def _exists(attribute: tuple[str, str]) -> Condition:
    return lambda asked: attribute in asked.attributes


def _known(token: _Token) -> tuple[str, str]:
    source, _, name = token.text.removeprefix("@").removesuffix("]").partition("[")
    attribute = source.lower(), name.strip().lower()
    if attribute not in ATTRIBUTES:
        raise _bad(f"'{token.text}' is no attribute that is known here")
    return attribute


def _value(token: _Token, operator: str) -> Value:
    text = token.text[1:-1] if token.kind == "string" else token.text
    try:
        return _READERS[next(kind for kind in _READERS if operator.startswith(kind))](token, text)
    except ValueError:
        raise _bad(f"'{token.text}' is no value that '{operator}' compares with") from None


def _string(token: _Token, text: str) -> str:
    if token.kind != "string":
        raise ValueError
    return text


def _guid(_: _Token, text: str) -> str:
    if not is_guid(text):
        raise ValueError
    return text.lower()


def _moment(token: _Token, text: str) -> datetime:
    moment = datetime.fromisoformat(_string(token, text))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_READERS: Mapping[str, Callable[[_Token, str], Value]] = {"String": _string, "Guid": _guid, "DateTime": _moment}
_ORDERED: Mapping[str, Compare] = {
    "Equals": lambda left, right: left == right,
    "NotEquals": lambda left, right: left != right,
    "LessThan": lambda left, right: left < right,
    "LessThanEquals": lambda left, right: left <= right,
    "GreaterThan": lambda left, right: left > right,
    "GreaterThanEquals": lambda left, right: left >= right,
}


@lru_cache(maxsize=REMEMBERED)
def _glob(text: str) -> re.Pattern[str]:
    """Return what a text with wildcards matches: `*` any run, `?` one character, after a backslash what they are.

    Behind a run, the first place where the next characters fit is as good as any later one: an atomic group keeps it,
    so that no text takes long.
    """
    parts = re.findall(r"\\[*?]|.", text, re.DOTALL)
    runs = [list(run) for star, run in groupby(parts, "*".__eq__) if not star]
    first = "" if text.startswith("*") else _literal(runs.pop(0) if runs else [])
    if len(runs) == 0:
        return re.compile(first + (".*" if "*" in parts else ""), re.DOTALL)
    last = "" if parts[-1] == "*" else ".*" + _literal(runs.pop())
    inner = "".join(f"(?>.*?{_literal(run)})" for run in runs)
    return re.compile(first + inner + (last or ".*"), re.DOTALL)


def _literal(parts: list[str]) -> str:
    return "".join("." if part == "?" else re.escape(part[-1]) for part in parts)


_STRINGS: Mapping[str, Compare] = {
    "Equals": lambda left, right: left == right,
    "StartsWith": lambda left, right: left.startswith(right),
    "Like": lambda left, right: _glob(right).fullmatch(left) is not None,
}
_OPERATORS: Mapping[str, Compare] = {
    **{f"DateTime{name}": compare for name, compare in _ORDERED.items()},
    **{f"Guid{name}": _ORDERED[name] for name in ("Equals", "NotEquals")},
}


def _operator(name: str, kind: str) -> Compare:
    found = _string_operator(name, kind) if kind in {"String", NAME} else _OPERATORS.get(name)
    if found is None or not name.startswith("String" if kind == NAME else kind):
        raise _bad(f"'{name}' is no operator for an attribute of kind {kind}")
    return found


def _string_operator(name: str, kind: str) -> Compare | None:
    """Return what compares strings: `String`, `Not` or nothing, what it asks, `IgnoreCase` or nothing."""
    wanted = name.removeprefix("String")
    asks = wanted.removesuffix("IgnoreCase")
    compare = _STRINGS.get(asks.removeprefix("Not"))
    if compare is None:
        return None
    folded, expected = kind == NAME or asks != wanted, not asks.startswith("Not")

    def decide(left: str, right: str) -> bool:
        found = compare(left.lower(), right.lower()) if folded else compare(left, right)
        return found is expected

    return decide


Join = Callable[[Iterable[Iterable[bool]]], bool]

# For each value of the attribute (outer), each value of the condition (inner).
_QUANTIFIERS: Mapping[str, Join] = {
    "ForAnyOfAnyValues": lambda rows: any(any(row) for row in rows),
    "ForAllOfAnyValues": lambda rows: all(any(row) for row in rows),
    "ForAnyOfAllValues": lambda rows: any(all(row) for row in rows),
    "ForAllOfAllValues": lambda rows: all(all(row) for row in rows),
}


def _compare(found: tuple[Value, ...] | None, values: tuple[Value, ...], compare: Compare, join: Join) -> Truth:
    if found is None:
        return None
    return join([[compare(left, right) for right in values] for left in found])
