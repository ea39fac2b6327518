"""What a check finds: a verdict, in words, and what to do."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a thing is: as it should be, not quite, or wrong."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one thing. check: the thing's name. advice: what to do, "" when nothing is to be done."""

    check: str
    verdict: Verdict
    text: str
    advice: str = ""


Findings = Iterator[Finding]


def ok(check: str, text: str) -> Finding:
    """Return that a thing is as it should be."""
    return Finding(check, Verdict.OK, text)


def warning(check: str, text: str, advice: str) -> Finding:
    """Return that a thing works and should be seen to."""
    return Finding(check, Verdict.WARNING, text, advice)


def problem(check: str, text: str, advice: str) -> Finding:
    """Return that a thing is wrong."""
    return Finding(check, Verdict.PROBLEM, text, advice)
