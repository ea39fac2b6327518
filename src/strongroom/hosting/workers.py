"""The supervisor: starts the children, waits until all of them serve, rolls them on a reload, stops all in good order.

It has no loop and no thread, so that a fork is always safe.

SIGHUP reloads: the certificates are read again and the workers are exchanged for new ones, which begin before the old
ones stop accepting. Its other meaning, that the terminal is gone, counts where the server was started from a terminal
and that terminal is gone: then it stops.
"""

import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from math import inf
from types import FrameType

import structlog

from strongroom.access.network.origin import NOBODY, Proxies
from strongroom.clock import real_now
from strongroom.hosting.children import CAUGHT_BY_PARENT, READY, Child, Duty, Nursery
from strongroom.hosting.crew import Crew
from strongroom.hosting.limits import KILL_MARGIN_SECONDS, Limits
from strongroom.hosting.notification import READY as SERVING
from strongroom.hosting.notification import STOPPING, notify, reloading
from strongroom.hosting.tls import CertificateUnusable, ServerTls
from strongroom.hosting.worker import WORKER, MakeApp, Site, run_worker
from strongroom.meters import SUPERVISOR, Meters

STOPPED, FAILED, FORCED = 0, 1, 130
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
    meters: Meters | None = None,
    beside: Sequence[Duty] = (),
    trusted: Proxies = NOBODY,
    proxy_protocol: bool = False,
) -> int:
    """Serve until told to stop; return the exit code: 0 after a stop in good order, 1 when a worker cannot start.

    make_app: called once in each worker, after the fork; the application's own tasks begin and end with its lifespan.
    sockets: from `bind`, closed here at the end. on_ready: called once, in this process, when every child serves; it
    must start no thread, since workers may be forked again later. meters: with as many rows as `rows_needed` says.
    beside: what children do that workers need; they stop last. trusted, proxy_protocol: as `Site` has them. SIGINT or
    SIGTERM: a stop in good order, a second SIGINT: at once (130); SIGHUP reloads unless it is ignored.
    """
    kinds = (WORKER, *(duty.name for duty in beside))
    meters = meters or Meters({}, kinds=kinds, rows=rows_needed(workers, len(beside)))
    site = Site(
        make_app=make_app,
        listeners=tuple(sockets),
        proxies=tuple(proxy_sockets),
        tls=tls,
        domain=domain,
        limits=limits,
        meters=meters,
        trusted=trusted,
        proxy_protocol=proxy_protocol,
    )
    duty = Duty(
        name=WORKER,
        count=workers,
        work=lambda post: run_worker(site, post),
        leave_seconds=limits.leaving_seconds + limits.graceful_seconds + KILL_MARGIN_SECONDS,
        turns=True,
    )
    supervisor = _Supervisor(
        (duty, *beside),
        meters,
        reload=lambda: _read_certificates(tls),
        on_ready=on_ready,
        stop_seconds=limits.graceful_seconds + KILL_MARGIN_SECONDS,
    )
    try:
        return supervisor.run()
    finally:
        for listener in (*sockets, *proxy_sockets):
            listener.close()


def rows_needed(workers: int, beside: int = 0) -> int:
    """Return how many processes of a server count at a time: its own, two generations of workers, those beside them."""
    return 1 + 2 * workers + beside


def _read_certificates(tls: ServerTls) -> None:
    try:
        tls.reload(real_now())
    except CertificateUnusable as error:
        log.error("the new certificate is not taken, the old one is served on", reason=error.message)  # noqa: TRY400


class _Supervisor:
    """The parent's loop: signals, readiness and deaths, one at a time.

    reload: reads anew what children take from this process. stop_seconds: how long they may take to stop.
    """

    def __init__(
        self,
        duties: Iterable[Duty],
        meters: Meters,
        *,
        reload: Callable[[], None],
        on_ready: Callable[[], None],
        stop_seconds: float,
    ) -> None:
        self._meters = meters
        self._free_rows = list(reversed(range(SUPERVISOR + 1, meters.rows)))
        self._crews = [self._make_crew(duty) for duty in duties]
        self._rolling = [crew for crew in self._crews if crew.duty.leave_seconds is not None]
        self._others = [crew for crew in self._crews if crew not in self._rolling]
        self._crew_of: dict[int, tuple[Crew, Child]] = {}  # by ready pipe
        self._reload = reload
        self._on_ready = on_ready
        self._stop_seconds = stop_seconds
        self._announced = False
        self._reload_wanted = False
        self._reloading = False
        self._stopping = False
        self._exit_code = STOPPED
        self._kill_at = inf
        self._selector = selectors.DefaultSelector()

    def run(self) -> int:
        self._nursery = Nursery(self._settle)
        self._signals, self._signals_in = os.pipe()
        os.set_blocking(self._signals_in, False)
        os.set_blocking(self._signals, False)
        self._had_terminal = _has_terminal()
        previous = self._catch_signals()
        self._selector.register(self._signals, selectors.EVENT_READ)
        try:
            for crew in self._crews:
                crew.begin()
            while not all(crew.is_empty for crew in self._crews):
                self._turn()
        finally:
            self._end_all()
            self._release_signals(previous)
            self._selector.close()
            self._nursery.close()
            for handle in (self._signals, self._signals_in):
                os.close(handle)
        return self._exit_code

    def _turn(self) -> None:
        """Wait for the next thing to happen and see to it."""
        wake = min([self._kill_at, *(crew.wakes_at for crew in self._crews)])
        for key, _ in self._selector.select(None if wake == inf else max(0.0, wake - time.monotonic())):
            if key.fd == self._signals:
                for number in os.read(self._signals, 64):
                    self._on_signal(number)
            else:
                self._hear(*self._crew_of[key.fd])
        now = time.monotonic()
        if now >= self._kill_at:
            log.warning("child processes did not stop in time and are ended")
            self._kill_all()
        for crew in self._crews:
            crew.tick(now)
            self._meters.set(("serving", crew.duty.name), crew.serving)
        self._see_to_reload()
        if self._stopping and all(crew.is_empty for crew in self._rolling):
            self._stop_others()

    # --- children

    def _make_crew(self, duty: Duty) -> Crew:
        def fork(generation: int) -> Child:
            child = self._nursery.fork(duty, generation, self._free_rows[-1])
            self._free_rows.remove(child.row)
            self._meters.add(("children-started", duty.name))
            self._crew_of[child.pipe] = crew, child
            self._selector.register(child.pipe, selectors.EVENT_READ)
            return child

        crew = Crew(duty, fork, lambda child: self._meters.of(child.row, ("turns", duty.name)))
        return crew

    def _settle(self, row: int) -> None:
        """Be a child: count in a row of its own, and let go of what is the parent's."""
        self._meters.sit(row)
        self._selector.close()
        for handle in (self._signals, self._signals_in, *self._crew_of):
            os.close(handle)

    def _hear(self, crew: Crew, child: Child) -> None:
        if os.read(child.pipe, 1) == READY:
            crew.hear_ready(child)
            self._announce()
        else:
            self._bury(crew, child)

    def _announce(self) -> None:
        if not self._announced and not self._stopping and all(crew.is_complete for crew in self._crews):
            self._announced = True
            self._on_ready()
            notify(SERVING)

    def _bury(self, crew: Crew, child: Child) -> None:
        self._selector.unregister(child.pipe)
        os.close(child.pipe)
        del self._crew_of[child.pipe]
        code = crew.bury(child)
        self._meters.end(child.row)
        self._free_rows.append(child.row)
        if self._stopping:
            return
        if self._announced:
            if not child.leaving:
                self._meters.add(("children-died", crew.duty.name))
            crew.replace(child, code)
        else:
            log.error("a child process could not start; stopping", kind=crew.duty.name, pid=child.pid, code=code)
            self._stop(FAILED)

    # --- reloading

    def _see_to_reload(self) -> None:
        """Begin a reload that was asked for, one at a time: at most two generations are there at once."""
        if self._stopping or not self._announced:
            return
        if self._reloading and all(crew.is_complete for crew in self._rolling):
            self._reloading = False
            log.info("reloaded: new workers answer")
            self._meters.add(("reloads",))
            notify(SERVING)
        if self._reload_wanted and not self._reloading and not any(crew.has_older for crew in self._rolling):
            self._reload_wanted = False
            self._reloading = True
            notify(reloading())
            self._reload()
            for crew in self._rolling:
                crew.roll()

    # --- stopping

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGHUP and not (self._had_terminal and not _has_terminal()):
            self._reload_wanted = True
        elif self._stopping and number == signal.SIGINT:
            self._exit_code = FORCED
            self._kill_all()
        elif not self._stopping:
            self._stop(STOPPED)

    def _stop(self, exit_code: int) -> None:
        notify(STOPPING)
        self._stopping = True
        self._exit_code = exit_code
        self._kill_at = time.monotonic() + self._stop_seconds
        for crew in self._rolling:
            crew.stop()

    def _stop_others(self) -> None:
        """Stop those who serve the workers, once: the last request of a worker may need them."""
        for crew in self._others:
            crew.stop()
        self._others = []

    def _end_all(self) -> None:
        """Leave nothing behind when the loop ended by an error; after a stop there is nothing left."""
        self._kill_all()
        for crew, child in tuple(self._crew_of.values()):
            os.close(child.pipe)
            crew.bury(child)
        self._crew_of.clear()

    def _kill_all(self) -> None:
        self._kill_at = inf
        for crew in self._crews:
            crew.signal(signal.SIGKILL)

    def _catch_signals(self) -> list[tuple[signal.Signals, object]]:
        """Turn the signals into bytes on a pipe; a SIGHUP that is ignored (nohup) stays ignored."""
        signal.set_wakeup_fd(self._signals_in, warn_on_full_buffer=False)
        caught = [s for s in CAUGHT_BY_PARENT if s != signal.SIGHUP or signal.getsignal(s) != signal.SIG_IGN]
        return [(number, signal.signal(number, _noted)) for number in caught]

    def _release_signals(self, previous: list[tuple[signal.Signals, object]]) -> None:
        signal.set_wakeup_fd(-1)
        for number, handler in previous:
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal gave back


def _noted(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the wake-up pipe has the signal's number."""


def _has_terminal() -> bool:
    """Answer whether this process has a controlling terminal, and it is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
