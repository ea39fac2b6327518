"""Whether others are served beside slow work: then it does less at a time, at a lower priority.

Alone, slow keys may have the whole machine. Beside others each of their steps would wait for a turn of the processor
behind them: a get makes three, from process to process (docs/performance.md).
"""

import mmap
from time import monotonic

COURTESY_SECONDS = 0.25
"""How long after somebody else's request slow work holds back."""


class Courtesy:
    """Shared by the processes that are forked from the one that makes it; each counts for itself.

    What a request is for is not known when it comes. But one for slow work is followed by that work, and others are
    not: they are what there is ever more of.
    """

    def __init__(self) -> None:
        self._others = memoryview(mmap.mmap(-1, 8)).cast("d")  # when somebody else last came, to any of the processes
        self._requests = self._slow = self._ahead = 0

    def note_request(self) -> None:
        """Count a request that came to this process."""
        self._requests += 1
        ahead = self._requests - self._slow
        if ahead > self._ahead:  # more than slow requests can be that are still on their way
            self._ahead = ahead
            self._others[0] = monotonic()

    def is_due(self) -> bool:
        """Count slow work that a request asked for, and answer whether it is to hold back."""
        self._slow += 1
        return monotonic() - self._others[0] < COURTESY_SECONDS
