"""Which actions a pattern of a role or a condition matches: `*` stands for any run of characters, slashes too.

Case does not matter. Source: Azure RBAC, "Understand role definitions"; decision 7 on a star between slashes.
"""

import re
from collections.abc import Iterable
from functools import lru_cache


def matches(patterns: Iterable[str], action: str) -> bool:
    """Answer whether one of the patterns matches an action, which is in lower case."""
    return any(_pattern(pattern).fullmatch(action) for pattern in patterns)


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    """Return what an action of a role matches: `*` stands for anything, and `/*/` for a single `/` too.

    So `vaults/*/read` reads the vault itself: the roles that have nothing else are there to let people see it, as is
    Virtual Machine User Login with its only `virtualMachines/*/read`.
    """
    around = [".*".join(map(re.escape, piece.split("*"))) for piece in text.lower().split("/*/")]
    return re.compile("/(?:.*/)?".join(around), re.DOTALL)
