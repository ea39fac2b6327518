"""Failures of the disk as the operator is told them: each once a second, with how many more there were.

Every request meets a failing disk, some thousand times a second: a line for each would fill the disk of the log.
"""

import time
from dataclasses import dataclass, field
from math import inf

import structlog

from strongroom.errors import StorageUnavailable

UNAVAILABLE = "The storage is not available now; nothing was changed. Try again; the server's own log has the reason."
TELL_SECONDS = 1.0
REASONS = 100

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Told:
    """When a failure was last told, and how often it came since."""

    at: float = -inf
    since: int = 0


@dataclass(slots=True)
class Failures:
    """The failures of one process. Threads may tell at once: a count may then be short, no reason goes untold."""

    _told: dict[str, _Told] = field(default_factory=dict)

    def tell(self, error: BaseException, seconds: float) -> None:
        """Tell a failure that came at `seconds` of a clock that never goes back."""
        kind, reason = type(error).__name__, str(error)
        if len(self._told) > REASONS:
            self._told.clear()
        told = self._told.setdefault(f"{kind}: {reason}", _Told())
        if seconds - told.at < TELL_SECONDS:
            told.since += 1
            return
        more = {"more_since_last_told": told.since} if told.since else {}
        told.at, told.since = seconds, 0
        log.error("the storage failed", reason=reason, kind=kind, **more)


_failures = Failures()


def unavailable(error: BaseException) -> StorageUnavailable:
    """Return what a client is told of a failing disk; the reason goes to the operator's log."""
    _failures.tell(error, time.monotonic())
    return StorageUnavailable(UNAVAILABLE)
