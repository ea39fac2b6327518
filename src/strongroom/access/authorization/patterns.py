"""Which actions a pattern of a role or a condition matches: `*` stands for any run of characters, slashes too.

Case does not matter. Source: Azure RBAC, "Understand role definitions"; decision 7 on a star between slashes.

Patterns are written by whoever may make roles, and are asked about requests of others: none may take long, so none
becomes a regular expression. A pattern is literals with gaps between them, and the first place where a literal fits is
as good as any later one: what follows it may begin at any place past it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

LONGEST = 256
"""Characters of a pattern that a role or a condition may have; twice as many as any action."""
REMEMBERED = 4096
SLASHED = "/*/"


@dataclass(frozen=True, slots=True)
class _Piece:
    """A literal behind a gap. slashed: the gap ends in a slash, or is none at all; else it is any run of characters."""

    text: str
    slashed: bool

    def fits(self, action: str, place: int, begin: int) -> bool:
        """Answer whether the gap may reach from `begin` to `place`."""
        return begin == place or (begin < place and (not self.slashed or action[place - 1] == "/"))

    def find(self, action: str, begin: int) -> int:
        """Return the first place past `begin` where the literal stands behind its gap, -1 for none."""
        place = action.find(self.text, begin)
        while place >= 0 and not self.fits(action, place, begin):
            place = action.find(self.text, place + 1)
        return place


@dataclass(frozen=True, slots=True)
class _Pattern:
    """What a pattern begins with, and what comes behind its gaps."""

    head: str
    pieces: tuple[_Piece, ...]

    def fits(self, action: str) -> bool:
        """Answer whether an action is this from its beginning to its end."""
        if not self.pieces:
            return action == self.head
        if not action.startswith(self.head):
            return False
        *inner, last = self.pieces
        begin = len(self.head)
        for piece in inner:
            place = piece.find(action, begin)
            if place < 0:
                return False
            begin = place + len(piece.text)
        return action.endswith(last.text) and last.fits(action, len(action) - len(last.text), begin)


def matches(patterns: Iterable[str], action: str) -> bool:
    """Answer whether one of the patterns matches an action, which is in lower case."""
    return any(_pattern(pattern).fits(action) for pattern in patterns)


def _pattern(text: str) -> _Pattern:
    return _remembered(text) if len(text) <= LONGEST else _read(text)


def _read(text: str) -> _Pattern:
    """Return what an action of a role matches: `*` stands for anything, and `/*/` for a single `/` too.

    So `vaults/*/read` reads the vault itself: the roles that have nothing else are there to let people see it, as is
    Virtual Machine User Login with its only `virtualMachines/*/read`.
    """
    pieces: list[_Piece] = []
    parts = text.lower().split(SLASHED)
    for number, part in enumerate(parts):
        # Both slashes of `/*/` stay: one at the end of what is before it, one as the end of its gap.
        literals = (part if number == len(parts) - 1 else f"{part}/").split("*")
        pieces += [_Piece(literal, slashed=number > 0 and first == 0) for first, literal in enumerate(literals)]
    return _Pattern(pieces[0].text, tuple(pieces[1:]))


_remembered = lru_cache(maxsize=REMEMBERED)(_read)
