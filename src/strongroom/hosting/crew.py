"""The children of one duty: so many of them at any time, replaced when they die, exchanged for new ones when rolled.

A roll begins a generation. Its children start beside the older ones, and for each that is ready one older child is told
to leave: at no moment do fewer serve than should. One that dies before it is ready is started again, later each time,
and the older one that it was to follow serves on.
"""

import os
import signal
import time
from collections.abc import Callable
from math import inf

import structlog

from strongroom.hosting.children import LEAVE, Child, Duty

STABLE_SECONDS = 60
"""A child that lived this long died of something new: its successor starts at once."""
LOOK_SECONDS, STILL_LOOKS = 10.0, 6
"""How often it is looked whether children hang, and how often in a row one must: looks, not time, since a machine that
was suspended has hung altogether."""
FIRST_DELAY, LONGEST_DELAY = 0.1, 30.0

log = structlog.get_logger(__name__)


class Crew:
    """All children of one duty.

    fork: starts a child of a generation; OSError when it cannot. turns: how often a child's loop has turned.
    """

    def __init__(self, duty: Duty, fork: Callable[[int], Child], turns: Callable[[Child], int]) -> None:
        self._turns = turns
        self.duty = duty
        self.children: list[Child] = []
        self._fork = fork
        self._generation = 0
        self._due: list[float] = []  # when children that are missing start
        self._failures = 0
        self._look_at = time.monotonic() if duty.turns else inf

    @property
    def serving(self) -> int:
        """How many children serve, those that are leaving left out."""
        return sum(child.ready and not child.leaving for child in self.children)

    @property
    def is_complete(self) -> bool:
        """Whether all children of the newest generation serve."""
        return sum(child.ready for child in self.children if child.generation == self._generation) == self.duty.count

    @property
    def has_older(self) -> bool:
        """Whether children of an earlier generation are left."""
        return any(child.generation != self._generation for child in self.children)

    @property
    def is_empty(self) -> bool:
        """Whether there are no children and there will be none."""
        return not self.children and not self._due

    @property
    def wakes_at(self) -> float:
        """When there is something to do, on the monotonic clock."""
        return min([self._look_at, *self._due, *(child.kill_at for child in self.children)], default=inf)

    def begin(self) -> None:
        """Start the first children; OSError when that cannot be."""
        for _ in range(self.duty.count):
            self.children.append(self._fork(self._generation))

    def roll(self) -> None:
        """Exchange all children for new ones."""
        self._generation += 1
        self._due = [time.monotonic()] * self.duty.count

    def hear_ready(self, child: Child) -> None:
        """Take note that a child serves; an older one may leave for it."""
        child.ready = True
        older = [each for each in self.children if each.generation != self._generation and not each.leaving]
        serving = sum(each.ready for each in self.children if each.generation == self._generation)
        for each in older[: max(0, len(older) + serving - self.duty.count)]:
            self._tell_to_leave(each)

    def bury(self, child: Child) -> int:
        """Reap a child that has ended, and return its exit code."""
        self.children.remove(child)
        return os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])

    def replace(self, child: Child, code: int) -> None:
        """See to a successor of a child that ended with `code`, unless it was to end or one is on its way."""
        if child.leaving:
            if code:
                log.warning(
                    "a child process did not leave in good order", kind=self.duty.name, pid=child.pid, code=code
                )
            return
        if child.generation != self._generation:
            log.error("a child process died that was to be exchanged", kind=self.duty.name, pid=child.pid, code=code)
            return
        delay = self._delay_after(child)
        log.error(
            "a child process died and is replaced",
            kind=self.duty.name,
            pid=child.pid,
            code=code,
            delay_seconds=delay,
            in_a_row=self._failures,
        )
        self._due.append(time.monotonic() + delay)

    def tick(self, now: float) -> None:
        """Do what is due at `now`."""
        if now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            self._look()
        for child in self.children:
            if now >= child.kill_at:
                log.warning("a child process did not leave in time and is ended", kind=self.duty.name, pid=child.pid)
                child.kill_at = inf
                child.signal(signal.SIGKILL)
        for _ in [due for due in self._due if due <= now]:
            self._due.remove(min(self._due))
            self._start(now)

    def stop(self) -> None:
        """Tell all children to stop, and start none any more."""
        self._due = []
        self.signal(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all children."""
        for child in self.children:
            child.signal(number)

    def _look(self) -> None:
        """End children that hang."""
        for child in [each for each in self.children if each.ready]:
            turns = self._turns(child)
            child.still = child.still + 1 if turns == child.turns else 0
            child.turns = turns
            if child.still == STILL_LOOKS:
                log.error("a child process hangs and is ended", kind=self.duty.name, pid=child.pid)
                child.signal(signal.SIGKILL)

    def _start(self, now: float) -> None:
        try:
            self.children.append(self._fork(self._generation))
        except OSError as error:
            log.warning("a child process cannot be forked now", kind=self.duty.name, reason=error.strerror)
            self._due.append(now + self._longest_delay)

    def _tell_to_leave(self, child: Child) -> None:
        assert self.duty.leave_seconds is not None  # only what rolls has older generations
        child.leaving = True
        child.kill_at = time.monotonic() + self.duty.leave_seconds
        child.signal(LEAVE if child.ready else signal.SIGTERM)

    @property
    def _longest_delay(self) -> float:
        return LONGEST_DELAY if self.duty.longest_delay is None else self.duty.longest_delay

    def _delay_after(self, child: Child) -> float:
        """Return how long to wait, in seconds: twice as long each time, while they die young."""
        young = time.monotonic() - child.born < STABLE_SECONDS
        self._failures = self._failures + 1 if young else 1
        return min(self._longest_delay, FIRST_DELAY * float(2 ** (self._failures - 1)))
