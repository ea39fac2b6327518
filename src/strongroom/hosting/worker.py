"""One worker process: an event loop, the application and every connection that it accepts from the shared sockets."""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

import structlog
import uvicorn
import uvloop

from strongroom.access.network.origin import NOBODY, Proxies
from strongroom.clock import real_now
from strongroom.errors import StrongroomError
from strongroom.hosting.accepting import Acceptor
from strongroom.hosting.arrival import DIRECT, Arrival
from strongroom.hosting.children import LEAVE, Post
from strongroom.hosting.connections import Connections
from strongroom.hosting.fronting import Front
from strongroom.hosting.limits import KILL_MARGIN_SECONDS, Limits, affordable_connections, raise_descriptor_limit
from strongroom.hosting.orphans import end_with_parent
from strongroom.hosting.protocol import HttpProtocol
from strongroom.hosting.proxy import ConnectProxy
from strongroom.hosting.sockets import port_of
from strongroom.hosting.tls import CertificateUnusable, ServerTls
from strongroom.meters import Meters

Asgi = Callable[..., Any]
MakeApp = Callable[[], Asgi]

WORKER = "worker"
START_FAILED = 3
RENEWAL_SECONDS = 600
"""How often certificates are looked at: not long after the clock was set, too."""
GC_THRESHOLDS = (10_000, 20, 50)
"""A request makes some hundred objects and no cycles: the usual 700 would look for garbage every few requests."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What all workers serve: sockets and TLS made before the fork, and how to make the application after it.

    listeners: sockets for TLS, the first of them on the port that clients are told. proxies: loopback sockets of the
    CONNECT proxy, none to have no proxy. domain: the base domain, without a port. meters: what is counted, all
    processes together. trusted: whose word counts about callers. proxy_protocol: their connections begin with a PROXY
    header.
    """

    make_app: MakeApp
    listeners: Sequence[socket.socket]
    proxies: Sequence[socket.socket]
    tls: ServerTls
    domain: str
    limits: Limits
    meters: Meters
    trusted: Proxies = NOBODY
    proxy_protocol: bool = False


def run_worker(site: Site, post: Post) -> int:
    """Serve until told to stop (SIGTERM) or to leave, or until the parent is gone; return the exit code."""
    limits = replace(site.limits, connections=affordable_connections(site.limits, raise_descriptor_limit()))
    site = replace(site, limits=limits)
    end_with_parent(post.lifeline, limits.graceful_seconds + KILL_MARGIN_SECONDS)
    try:
        app = site.make_app()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_Server(site, app, post).serve())
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else START_FAILED
    except StrongroomError as error:
        log.error("a worker failed", reason=error.message)  # noqa: TRY400  # one line says all
        return START_FAILED
    except Exception:
        log.exception("a worker failed")
        return START_FAILED
    return 0


def configure(app: Asgi, limits: Limits) -> uvicorn.Config:
    """Return uvicorn's configuration: nothing of a request is believed that the peer did not itself say."""
    return uvicorn.Config(
        app,
        http=HttpProtocol,
        ws="none",
        interface="asgi3",
        lifespan="on",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="warning",
        timeout_graceful_shutdown=int(limits.graceful_seconds),
    )


class _Server(uvicorn.Server):
    """uvicorn's server on our sockets, with our protocol, our proxy and the sweep of deadlines beside it."""

    server_state: Connections

    def __init__(self, site: Site, app: Asgi, post: Post) -> None:
        super().__init__(configure(app, site.limits))
        self.server_state = Connections(site.meters)
        self._site = site
        self._post = post
        self._chores: list[asyncio.Task[None]] = []
        self._proxy: ConnectProxy | None = None
        self._acceptor: Acceptor | None = None
        self._leaves_at: float | None = None
        self._told_to_leave = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002  # uvicorn's signature
        """Start the application, then listen, then say so."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            raise SystemExit(START_FAILED)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_log_loop_error)
        loop.add_reader(self._post.lifeline, self._stop_as_orphan)
        limits = self._site.limits
        self.servers = []  # the loop accepts nothing
        self._acceptor = self._make_acceptor()
        for listener in self._site.listeners:
            self._acceptor.listen(listener)
        self.server_state.tell()
        self._chores = [loop.create_task(self._sweep()), loop.create_task(self._renew())]
        self._proxy = ConnectProxy(
            domain=self._site.domain, port=port_of(self._site.listeners[0]), adopt=self._adopt, limits=limits
        )
        for listener in self._site.proxies:
            self._proxy.acceptor.listen(listener)
        self._tell_certificates()
        gc.collect()
        gc.set_threshold(*GC_THRESHOLDS)
        gc.freeze()  # what is alive now lives as long as the worker: collections need not look at it again
        self.started = True
        self._post.tell_ready()

    def _make_acceptor(self) -> Acceptor:
        """Return what accepts connections: those of proxies that speak first apart from others, or all alike."""
        site, state = self._site, self.server_state
        if site.proxy_protocol:
            return Front(
                proxies=site.trusted,
                adopt=self._adopt,
                limits=site.limits,
                meters=site.meters,
                has_room=self._has_room,
                is_next=state.is_next,
            ).acceptor
        arrival = Arrival(proxies=site.trusted)
        acceptor = Acceptor(
            lambda client: self._adopt(client, arrival), lambda: self._has_room(len(acceptor.opening)), state.is_next
        )
        return acceptor

    def _has_room(self, opening: int) -> bool:
        return opening + len(self.server_state.connections) < self._site.limits.connections

    async def _adopt(self, connection: socket.socket, arrival: Arrival = DIRECT) -> None:
        """Serve a connection that was accepted here, as if the loop had accepted it.

        In a tunnel of the CONNECT proxy nobody's headers are believed: its clients are who they are.
        """
        limits = self._site.limits
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: self._protocol(arrival),
            connection,
            ssl=self._site.tls.context,
            ssl_handshake_timeout=limits.handshake_seconds,
            ssl_shutdown_timeout=limits.closing_seconds,
        )

    def _protocol(self, arrival: Arrival) -> HttpProtocol:
        return HttpProtocol(self.config, self.server_state, self.lifespan.state, self._site.limits, arrival=arrival)

    def _acceptors(self) -> list[Acceptor]:
        own = [] if self._acceptor is None else [self._acceptor]
        return own + ([] if self._proxy is None else [self._proxy.acceptor])

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._site.limits.sweep_seconds)
            self._look_at_deadlines(loop.time())

    def _look_at_deadlines(self, now: float) -> None:
        for connection in self._open_connections():
            connection.check_deadline(now)
        self.server_state.forget_failed(now - self._site.limits.handshake_seconds)
        self._site.meters.add(("turns", WORKER))
        self.server_state.tell()

    def _open_connections(self) -> list[HttpProtocol]:
        return [each for each in self.server_state.connections if isinstance(each, HttpProtocol)]

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEWAL_SECONDS)
            try:
                self._site.tls.renew_if_due(real_now())
            except CertificateUnusable as error:
                log.warning("the operator's certificate could not be read again", reason=error.message)
            self._tell_certificates()

    def _tell_certificates(self) -> None:
        for which, end in self._site.tls.ends().items():
            self._site.meters.set(("certificate", which), int(end.timestamp()))

    def _stop_as_orphan(self) -> None:
        asyncio.get_running_loop().remove_reader(self._post.lifeline)
        log.warning("the parent process is gone; this worker stops")
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Answer, ten times a second, whether to stop; leave when told to."""
        if self._told_to_leave and self._leaves_at is None:
            self._begin_to_leave()
        return await super().on_tick(counter) or self._has_left()

    def _begin_to_leave(self) -> None:
        """Accept no more; who is here may finish. The sockets stay open in the workers that go on."""
        self._leaves_at = asyncio.get_running_loop().time() + self._site.limits.leaving_seconds
        self.server_state.leaving = True
        for acceptor in self._acceptors():
            acceptor.stop_accepting()
        self.server_state.tell()
        for connection in self._open_connections():
            connection.leave()

    def _has_left(self) -> bool:
        if self._leaves_at is None:
            return False
        state = self.server_state
        busy = state.connections or state.opening or state.tasks or any(each.opening for each in self._acceptors())
        return not busy or asyncio.get_running_loop().time() > self._leaves_at

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, finish what is under way within the time given, then stop the application."""
        for chore in self._chores:
            chore.cancel()
        for acceptor in self._acceptors():
            acceptor.close()
        await asyncio.gather(*self._chores, return_exceptions=True)
        self.server_state.stopping = True
        self.server_state.tell()
        end = asyncio.get_running_loop().call_later(self._site.limits.graceful_seconds, self._end_connections)
        await super().shutdown(sockets)
        end.cancel()

    def _end_connections(self) -> None:
        """End what could not be answered in time. It gets no answer, since that might say other than its record."""
        for connection in self._open_connections():
            connection.transport.abort()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM only: Ctrl-C reaches every process of a terminal, and the parent is who decides."""
        signal.signal(LEAVE, self._leave)
        signal.signal(signal.SIGTERM, self._stop)
        yield

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.should_exit = True

    def _leave(self, _number: int, _frame: FrameType | None) -> None:
        self._told_to_leave = True


def _log_loop_error(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    log.warning("a connection failed", reason=context.get("message"), error=type(error).__name__ if error else None)
