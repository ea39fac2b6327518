"""Child processes of the supervisor: what each is there for, how it is forked, and what it keeps of its parent.

Two pipes tell parent and child about each other: the end of a child's ready pipe is the end of that child, and the end
of the lifeline is the end of the parent.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import structlog

READY = b"R"
FAILED = 1
LEAVE = signal.SIGUSR1
"""Take no new connection, finish with those that are there, then end. A child that does not leave never hears it."""
CAUGHT_BY_PARENT = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Post:
    """What a child has of its parent.

    ready: a pipe that hears one byte once the child does its work. lifeline: a pipe that ends with the parent.
    """

    ready: int
    lifeline: int

    def tell_ready(self) -> None:
        """Tell the parent that the work has begun; one that is gone is told nothing: the lifeline says so."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self.ready, READY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """What children of one kind are there for. name: as log lines tell it. count: how many there are to be.

    work: called in the child; returns its exit code. leave_seconds: how long one takes at most that was told to leave;
    None for a duty that a reload does not concern. turns: whether its loop counts its turns, so that one that hangs is
    told from one that has nothing to do. longest_delay: seconds at most before one that dies again and again is started
    again; None for the usual time.
    """

    name: str
    count: int
    work: Callable[[Post], int]
    leave_seconds: float | None = None
    turns: bool = False
    longest_delay: float | None = None


@dataclass(slots=True, eq=False)
class Child:
    """A child as its parent sees it. pipe: its ready pipe. kill_at: when it is ended, on the monotonic clock.

    generation: how often its duty had been rolled when it began. row: where it counts. turns: how often its loop had
    turned when it was last looked at; still: for how many looks that is so.
    """

    pid: int
    pipe: int
    born: float
    generation: int
    row: int
    ready: bool = False
    leaving: bool = False
    kill_at: float = inf
    turns: int = -1
    still: int = 0

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; the child is not reaped yet, so that its pid has no other owner."""
        os.kill(self.pid, number)


class Nursery:
    """Forks children. The parent has no loop and no thread when it does, so that a fork is always safe.

    settle: called in each child with its row: closes what is the parent's alone.
    """

    def __init__(self, settle: Callable[[int], None]) -> None:
        self._settle = settle
        self._lifeline, self._held = os.pipe()

    def fork(self, duty: Duty, generation: int, row: int) -> Child:
        """Start a child; OSError when there can be none now."""
        heard, told = os.pipe()
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, CAUGHT_BY_PARENT)  # none is lost between fork and handlers
        _flush()
        try:
            pid = os.fork()
            if pid == 0:
                os.close(heard)
                os._exit(self._be_child(duty, row, Post(told, self._lifeline), blocked))
        except OSError:
            os.close(heard)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            os.close(told)
        return Child(pid, heard, time.monotonic(), generation, row)

    def close(self) -> None:
        """Let go of the lifeline: children that are left end by themselves."""
        os.close(self._lifeline)
        os.close(self._held)

    def _be_child(self, duty: Duty, row: int, post: Post, blocked: set[int | signal.Signals]) -> int:
        """Be the child: drop what is the parent's, then work. Never returns into the parent's stack."""
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's signals reach every process; the parent decides
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            os.close(self._held)
            self._settle(row)
            return duty.work(post)
        except BaseException:
            log.exception("a child process failed", kind=duty.name)
            return FAILED
        finally:
            _flush()


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
