"""`$filter`, as clients send it to a directory: a small part of OData, understood whole or refused.

Kept: `eq`, `ne`, `in`, `startswith`, `endswith`, `any` over lists of text, joined by `and`, `or`, `not`, parentheses.
Text compares without regard to case. Source: Microsoft Graph, "Use the $filter query parameter".
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from strongroom.errors import BadRequest

Properties = Mapping[str, Any]
Predicate = Callable[[Properties], bool]

LENGTH: Final = 4096
DEPTH: Final = 20
TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|([A-Za-z]\w*(?:/\w+)?)|([(),:]))", re.ASCII)
FUNCTIONS: Final = {"startswith": str.startswith, "endswith": str.endswith}
CONSTANTS: Final = {"true": True, "false": False, "null": None}
ANY: Final = "/any"


def parse_filter(text: str, names: Mapping[str, str]) -> Predicate:
    """Return what tells whether properties pass a filter; BadRequest for one that is not understood.

    names: the properties that there are, by their lower-case names.
    """
    if len(text) > LENGTH:
        raise BadRequest(f"Invalid filter clause: it is longer than {LENGTH} characters.", code="BadRequest")
    return _Parser(text, names).whole()


class _Parser:
    """Reads one filter from its beginning to its end."""

    def __init__(self, text: str, names: Mapping[str, str]) -> None:
        self._text = text
        self._names = names
        self._tokens = self._split()
        self._at = 0
        self._depth = 0

    def whole(self) -> Predicate:
        found = self._either()
        if self._at < len(self._tokens):
            raise self._wrong()
        return found

    def _split(self) -> list[str]:
        tokens, place, end = [], 0, len(self._text.rstrip())
        while place < end:
            found = TOKEN.match(self._text, place, end)
            if found is None:
                raise BadRequest(
                    f"Invalid filter clause: Syntax error at position {place} in '{self._text}'.", code="BadRequest"
                )
            tokens.append(found.group(found.lastindex or 0))
            place = found.end()
        return tokens

    # --- and, or, not, parentheses

    def _either(self) -> Predicate:
        self._depth += 1
        if self._depth > DEPTH:
            raise BadRequest("Invalid filter clause: it is nested too deeply.", code="BadRequest")
        parts = [self._both()]
        while self._takes("or"):
            parts.append(self._both())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else lambda found: any(part(found) for part in parts)

    def _both(self) -> Predicate:
        parts = [self._one()]
        while self._takes("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda found: all(part(found) for part in parts)

    def _one(self) -> Predicate:
        negated = False
        while self._takes("not"):
            negated = not negated
        if self._takes("("):
            inner = self._either()
            self._require(")")
        else:
            inner = self._term()
        return (lambda found: not inner(found)) if negated else inner

    # --- what is asked of one property

    def _term(self) -> Predicate:
        word = self._next()
        if word.lower() in FUNCTIONS:
            return self._function(word.lower())
        if word.lower().endswith(ANY):
            return self._any(self._name(word[: -len(ANY)]))
        name = self._name(word)
        if self._takes("in"):
            return self._in(name)
        verb = self._next().lower()
        if verb not in {"eq", "ne"}:
            raise self._wrong()
        wanted = self._literal()
        return lambda found: _same(found.get(name), wanted) is (verb == "eq")

    def _function(self, verb: str) -> Predicate:
        self._require("(")
        name = self._name(self._next())
        self._require(",")
        wanted = self._literal()
        self._require(")")
        if not isinstance(wanted, str):
            raise self._wrong()
        fits = FUNCTIONS[verb]
        return lambda found: fits(str(found.get(name) or "").lower(), wanted.lower())

    def _any(self, name: str) -> Predicate:
        """Read `(c:c eq '…')` behind `name/any`: what it asks of one item of the list."""
        self._require("(")
        variable = self._next()
        self._require(":")
        outer, self._names = self._names, {variable.lower(): variable}
        inner = self._either()
        self._names = outer
        self._require(")")
        return lambda found: any(inner({variable: each}) for each in found.get(name) or ())

    def _in(self, name: str) -> Predicate:
        self._require("(")
        wanted = [self._literal()]
        while self._takes(","):
            wanted.append(self._literal())
        self._require(")")
        return lambda found: any(_same(found.get(name), each) for each in wanted)

    def _literal(self) -> Any:
        token = self._next()
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if token.lower() not in CONSTANTS:
            raise self._wrong()
        return CONSTANTS[token.lower()]

    def _name(self, word: str) -> str:
        name = self._names.get(word.lower())
        if name is None:
            raise BadRequest(
                f"Invalid filter clause: Could not find a property named '{word}' that can be filtered by.",
                code="BadRequest",
            )
        return name

    # --- tokens

    def _next(self) -> str:
        if self._at >= len(self._tokens):
            raise self._wrong()
        self._at += 1
        return self._tokens[self._at - 1]

    def _takes(self, token: str) -> bool:
        found = self._at < len(self._tokens) and self._tokens[self._at].lower() == token
        self._at += found
        return found

    def _require(self, token: str) -> None:
        if not self._takes(token):
            raise self._wrong()

    def _wrong(self) -> BadRequest:
        return BadRequest(
            f"Invalid filter clause: '{self._text}' is none that is understood here.", code="Request_UnsupportedQuery"
        )


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(found, str) and isinstance(wanted, str):
        return found.lower() == wanted.lower()
    return found is wanted
