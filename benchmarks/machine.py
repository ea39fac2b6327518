"""The machine that is measured on: what it is, and how much of it others took meanwhile.

A virtual machine shares its processors. What its neighbours take (Linux counts it as stolen) falls on a server and on
what it is compared with at different moments, and no median of three helps against a minute of it. So rounds that
others disturbed are measured again. They are chosen by what was taken alone, never by what was found.
"""

import os
import platform
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")

QUIET = 0.02
"""The share of the processors' time that may be taken from a round that counts as undisturbed."""
TRIES = 5
"""How often as many rounds as are wanted are measured at most."""
STOLEN = 7  # the field of /proc/stat: proc(5)


@dataclass(frozen=True, slots=True)
class Round(Generic[T]):
    """What one round found. taken: the share of all processors' time that other machines took meanwhile."""

    found: T
    taken: float


def machine() -> str:
    """Return what this was measured on, in one line."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "?",
    )
    return f"{os.cpu_count()} × {model}, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def rounds(measure: Callable[[], T], wanted: int) -> tuple[list[T], float]:
    """Return what so many rounds found, those with the least taken, and the median of what was taken from them."""
    done: list[Round[T]] = []
    while sum(each.taken <= QUIET for each in done) < wanted and len(done) < wanted * TRIES:
        before = _ticks()
        found = measure()
        done.append(Round(found, _share_taken(before, _ticks())))
    kept = sorted(done, key=lambda each: each.taken)[:wanted]
    return [each.found for each in kept], statistics.median(each.taken for each in kept)


def _ticks() -> list[int]:
    return [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]


def _share_taken(before: list[int], after: list[int]) -> float:
    passed = [late - early for early, late in zip(before, after, strict=True)]
    return passed[STOLEN] / max(1, sum(passed))
