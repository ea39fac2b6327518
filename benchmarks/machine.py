"""The machine that is measured on: what it is, and how much of it others took meanwhile.

A virtual machine shares its processors. What its neighbours take (Linux counts it as stolen) falls on a server and on
what it is compared with at different moments, and no median of three helps against a minute of it. So rounds that
others disturbed are measured again. They are chosen by what was taken of the time that was wanted, without a look at
what was found.
"""

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")

QUIET = 0.02
"""The share of the time wanted on the processors that may be taken from a round that counts as undisturbed."""
TRIES = 5
"""How often as many rounds as are wanted are measured at most."""
IDLE, STOLEN, GUESTS = (3, 4), 7, 8
"""Fields of the first line of /proc/stat, as proc(5) has them; what guests take is in others already."""


@dataclass(frozen=True, slots=True)
class Round(Generic[T]):
    """What one round found. taken: the share of the time wanted that other machines took meanwhile."""

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
    """Return what so many rounds found, those with the least taken, and the most that was taken from one of them."""
    done: list[Round[T]] = []
    while sum(each.taken <= QUIET for each in done) < wanted and len(done) < wanted * TRIES:
        before = _ticks()
        found = measure()
        done.append(Round(found, _share_taken(before, _ticks())))
    kept = sorted(done, key=lambda each: each.taken)[:wanted]
    return [each.found for each in kept], max(each.taken for each in kept)


def _ticks() -> list[int]:
    return [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]


def _share_taken(before: list[int], after: list[int]) -> float:
    passed = [max(0, late - early) for early, late in zip(before, after, strict=True)][:GUESTS]
    wanted = sum(ticks for field, ticks in enumerate(passed) if field not in IDLE)
    return passed[STOLEN] / max(1, wanted)
