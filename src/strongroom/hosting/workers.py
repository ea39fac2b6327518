"""The supervisor: forks the workers, waits until all of them answer, replaces one that dies, stops all in good order.

It has no loop and no thread, so that a fork is always safe. Two pipes tell it and its workers about each other: the end
of a worker's ready pipe is the end of that worker, and the end of the lifeline is the end of the parent.
"""

import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from types import FrameType

import structlog

from strongroom.hosting.limits import Limits
from strongroom.hosting.tls import ServerTls
from strongroom.hosting.worker import READY, MakeApp, Site, run_worker

STOPPED, FAILED, FORCED = 0, 1, 130
STABLE_SECONDS = 60
"""A worker that lived this long died of something new: its successor starts at once."""
FIRST_DELAY, LONGEST_DELAY = 0.1, 30.0
KILL_MARGIN_SECONDS = 3
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DEFAULT_LIMITS = Limits()

log = structlog.get_logger(__name__)


def serve(
    make_app: MakeApp,
    sockets: Sequence[socket.socket],
    tls: ServerTls,
    *,
    domain: str,
    workers: int,
    on_ready: Callable[[], None],
    proxy_sockets: Sequence[socket.socket] = (),
    limits: Limits = DEFAULT_LIMITS,
) -> int:
    """Serve until told to stop; return the exit code: 0 after a stop in good order, 1 when a worker cannot start.

    make_app: called once in each worker, after the fork; the application's own tasks begin and end with its lifespan.
    sockets: from `bind`, closed here at the end. on_ready: called once, in this process, when every worker answers; it
    must start no thread, since workers may be forked again later. SIGINT and SIGTERM stop in good order, a second
    one at once (130); so does SIGHUP unless it is ignored.
    """
    site = Site(
        make_app=make_app, listeners=tuple(sockets), proxies=tuple(proxy_sockets), tls=tls, domain=domain, limits=limits
    )
    supervisor = _Supervisor(site, workers, on_ready)
    try:
        return supervisor.run()
    finally:
        for listener in (*sockets, *proxy_sockets):
            listener.close()


@dataclass(slots=True)
class _Worker:
    """A worker as its parent sees it. pipe: its ready pipe; it ends when the worker does."""

    pid: int
    pipe: int
    born: float
    ready: bool = False


class _Supervisor:
    """The parent's loop: signals, readiness and deaths, one at a time."""

    def __init__(self, site: Site, count: int, on_ready: Callable[[], None]) -> None:
        self._site = site
        self._count = count
        self._on_ready = on_ready
        self._workers: dict[int, _Worker] = {}  # by pipe
        self._announced = False
        self._stopping = False
        self._exit_code = STOPPED
        self._kill_at = inf
        self._failures = 0
        self._due: list[float] = []  # when successors of dead workers start
        self._selector = selectors.DefaultSelector()

    def run(self) -> int:
        self._lifeline, self._held = os.pipe()
        self._signals, self._signals_in = os.pipe()
        os.set_blocking(self._signals_in, False)
        os.set_blocking(self._signals, False)
        previous = self._catch_signals()
        self._selector.register(self._signals, selectors.EVENT_READ)
        try:
            for _ in range(self._count):
                self._start_worker()
            while self._workers or (self._due and not self._stopping):
                self._turn()
        finally:
            self._end_all()
            self._release_signals(previous)
            self._selector.close()
            for handle in (self._lifeline, self._held, self._signals, self._signals_in):
                os.close(handle)
        return self._exit_code

    def _turn(self) -> None:
        """Wait for the next thing to happen and see to it."""
        now = time.monotonic()
        wake = min([self._kill_at, *self._due])
        for key, _ in self._selector.select(None if wake == inf else max(0.0, wake - now)):
            if key.fd == self._signals:
                for number in os.read(self._signals, 64):
                    self._on_signal(number)
            else:
                self._hear(self._workers[key.fd])
        now = time.monotonic()
        if now >= self._kill_at:
            log.warning("workers did not stop in time and are ended")
            self._kill_all()
        while self._due and not self._stopping and min(self._due) <= now:
            self._due.remove(min(self._due))
            self._replace_worker()

    # --- workers

    def _start_worker(self) -> None:
        heard, told = os.pipe()
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)  # none is lost between fork and handlers
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            pid = os.fork()
            if pid == 0:
                os._exit(self._be_worker(told, heard, blocked))
        except OSError:
            os.close(heard)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            os.close(told)
        self._workers[heard] = _Worker(pid, heard, time.monotonic())
        self._selector.register(heard, selectors.EVENT_READ)

    def _replace_worker(self) -> None:
        try:
            self._start_worker()
        except OSError as error:
            log.warning("a worker cannot be forked now", reason=error.strerror)
            self._due.append(time.monotonic() + LONGEST_DELAY)

    def _be_worker(self, told: int, heard: int, blocked: set[int | signal.Signals]) -> int:
        """Be the child: drop what is the parent's, then serve. Never returns into the parent's stack."""
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            self._selector.close()
            for handle in (heard, self._held, self._signals, self._signals_in, *self._workers):
                os.close(handle)
            return run_worker(self._site, told, self._lifeline)
        except BaseException:
            log.exception("a worker failed")
            return FAILED
        finally:
            sys.stdout.flush()
            sys.stderr.flush()

    def _hear(self, worker: _Worker) -> None:
        if os.read(worker.pipe, 1) == READY:
            worker.ready = True
            self._announce()
        else:
            self._bury(worker)

    def _announce(self) -> None:
        ready = [worker for worker in self._workers.values() if worker.ready]
        if not self._announced and not self._stopping and len(ready) == self._count:
            self._announced = True
            self._on_ready()

    def _bury(self, worker: _Worker) -> None:
        self._selector.unregister(worker.pipe)
        os.close(worker.pipe)
        del self._workers[worker.pipe]
        code = os.waitstatus_to_exitcode(os.waitpid(worker.pid, 0)[1])
        if self._stopping:
            return
        if not self._announced:
            log.error("a worker could not start; stopping", pid=worker.pid, code=code)
            self._stop(FAILED)
            return
        delay = self._delay_after(worker)
        log.error("a worker died and is replaced", pid=worker.pid, code=code, delay_seconds=delay)
        self._due.append(time.monotonic() + delay)

    def _delay_after(self, worker: _Worker) -> float:
        """Return how long to wait, in seconds: twice as long each time, while they die young."""
        young = time.monotonic() - worker.born < STABLE_SECONDS
        self._failures = self._failures + 1 if young else 1
        return min(LONGEST_DELAY, FIRST_DELAY * float(2 ** (self._failures - 1)))

    # --- stopping

    def _on_signal(self, number: int) -> None:
        if self._stopping and number == signal.SIGINT:
            self._exit_code = FORCED
            self._kill_all()
        elif not self._stopping:
            self._stop(STOPPED)

    def _stop(self, exit_code: int) -> None:
        self._stopping = True
        self._exit_code = exit_code
        self._kill_at = time.monotonic() + self._site.limits.graceful_seconds + KILL_MARGIN_SECONDS
        self._signal_all(signal.SIGTERM)

    def _end_all(self) -> None:
        """Leave nothing behind when the loop ended by an error; after a stop there is nothing left."""
        self._kill_all()
        for worker in self._workers.values():
            os.close(worker.pipe)
            os.waitpid(worker.pid, 0)
        self._workers.clear()

    def _kill_all(self) -> None:
        self._kill_at = inf
        self._signal_all(signal.SIGKILL)

    def _signal_all(self, number: signal.Signals) -> None:
        for worker in self._workers.values():  # none is reaped yet, so that no pid has another owner
            os.kill(worker.pid, number)

    def _catch_signals(self) -> list[tuple[signal.Signals, object]]:
        """Turn the stop signals into bytes on a pipe; a SIGHUP that is ignored (nohup) stays ignored."""
        signal.set_wakeup_fd(self._signals_in, warn_on_full_buffer=False)
        caught = [s for s in STOP_SIGNALS if s != signal.SIGHUP or signal.getsignal(s) != signal.SIG_IGN]
        return [(number, signal.signal(number, _noted)) for number in caught]

    def _release_signals(self, previous: list[tuple[signal.Signals, object]]) -> None:
        signal.set_wakeup_fd(-1)
        for number, handler in previous:
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal gave back


def _noted(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the wake-up pipe has the signal's number."""
