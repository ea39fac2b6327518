"""Which actions a pattern of a role or a condition matches: `*` stands for any run of characters, slashes too.

Case does not matter. Source: Azure RBAC, "Understand role definitions"; decision 7 on a star between slashes.

Patterns are written by whoever may make roles, and are asked about requests of others: none may take long, so none
becomes a regular expression. A pattern is literals with gaps between them, and the first place where a literal stands
is as good as any later one: what follows it may begin at any place past it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

LONGEST = 256
"""Characters of a pattern that a role or a condition may have; twice as many as any action."""
REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class _Piece:
    """A literal behind a gap. shared: 1 where a slash stands before the gap, which may be the literal's first one."""

    text: str
    shared: int


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
            place = action.find(piece.text, begin - piece.shared)
            if place < 0:
                return False
            begin = place + len(piece.text)
        return action.endswith(last.text) and begin - last.shared <= len(action) - len(last.text)


def matches(patterns: Iterable[str], action: str) -> bool:
    """Answer whether one of the patterns matches an action, which is in lower case."""
    return any(_pattern(pattern).fits(action) for pattern in patterns)


def _pattern(text: str) -> _Pattern:
    return _remembered(text) if len(text) <= LONGEST else _read(text)


def _read(text: str) -> _Pattern:
    """Return a pattern that was written: `*` stands for anything, and `/*/` for a single slash too, each time.

    So `vaults/*/read` reads the vault itself: the roles that have nothing else are there to let people see it, as is
    Virtual Machine User Login with its only `virtualMachines/*/read`.
    """
    # What is between stars that stand together is empty: it begins at the slash before them, and hands that on.
    literals = text.lower().split("*")
    pieces = [_Piece(literal, shared=int(before.endswith("/"))) for before, literal in pairwise(literals)]
    return _Pattern(literals[0], tuple(pieces))


_remembered = lru_cache(maxsize=REMEMBERED)(_read)
