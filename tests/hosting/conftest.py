"""A worker in the test's own loop: real sockets on loopback, real TLS, small limits."""

import asyncio
import contextlib
import gc
import json
import os
import signal
import ssl
from dataclasses import dataclass, replace

import pytest
import uvloop

from hosting.supervision import Supervised
from strongroom.access.network.origin import Proxies
from strongroom.clock import real_now
from strongroom.hosting.ca import new_authority
from strongroom.hosting.children import READY, Post
from strongroom.hosting.limits import Limits
from strongroom.hosting.sockets import bind, port_of
from strongroom.hosting.tls import ServerTls
from strongroom.hosting.worker import Site, _Server
from strongroom.meters import Meters

SMALL = Limits(
    head_bytes=4096,
    url_bytes=1024,
    header_count=20,
    head_seconds=5,
    keep_alive_seconds=5,
    body_bytes=300_000,
    body_seconds=5,
    body_rate=1_000_000,
    write_seconds=5,
    pipelined=8,
    handshake_seconds=5,
    closing_seconds=1,
    graceful_seconds=5,
    leaving_seconds=20,
    sweep_seconds=0.02,
)


def pytest_asyncio_loop_factories(config, item):
    """The server runs on uvloop only, so its tests do."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def authority():
    return new_authority("localhost", real_now())


@pytest.fixture(scope="session")
def trust(authority, tmp_path_factory):
    return authority.write_trust(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def client_context(trust):
    context = ssl.create_default_context(cafile=trust.ca)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


class App:
    """An application that says what it was asked. `/wait` waits for `gate`, `/unread` never asks for the body."""

    def __init__(self):
        self.gate = asyncio.Event()
        self.waiting = asyncio.Event()
        self.gone = asyncio.Event()
        self.live = False

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        path = scope["path"]
        size = 0
        if path == "/wait":
            self.waiting.set()
            await self.gate.wait()
        if path == "/early":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
            await send({"type": "http.response.body", "body": b"early", "more_body": True})
        if path != "/unread":
            size = await self._read(receive)
            if size is None:
                self.gone.set()
                return
        await self._answer(scope, send, size)

    async def _live(self, receive, send):
        await receive()
        self.live = True
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.live = False
        await send({"type": "lifespan.shutdown.complete"})

    async def _read(self, receive):
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            size += len(message.get("body", b""))
            if not message.get("more_body"):
                return size

    async def _answer(self, scope, send, size):
        if scope["path"] == "/fail":
            raise ValueError("canary")
        headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]]
        told = {"path": scope["path"], "size": size, "client": scope["client"], "headers": headers, "pid": os.getpid()}
        told["arrived"] = list(scope["server"])
        told["tls"] = scope["extensions"]["tls"]["version"]
        body = b"x" * 50_000_000 if scope["path"] == "/flood" else json.dumps(told).encode()
        start = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]}
        await send(start)
        for at in range(0, len(body), 65536):
            more = at + 65536 < len(body)
            await send({"type": "http.response.body", "body": body[at : at + 65536], "more_body": more})


@dataclass
class Served:
    """A worker that answers. `lifeline`: close it to be the parent that died."""

    app: App
    server: _Server
    task: asyncio.Task
    context: ssl.SSLContext
    port: int
    proxy_port: int
    lifeline: int

    async def connect(self, *, host="login.localhost"):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context, server_hostname=host)
        return Client(reader, writer)

    async def ask(self, data):
        """Return what the server answers to `data` on a connection of its own, up to the end of that connection."""
        client = await self.connect()
        client.writer.write(data)
        return await client.rest()

    @property
    def connections(self):
        return self.server.server_state.connections


@dataclass
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, data):
        self.writer.write(data)

    async def answer(self):
        """Return (status, headers, body) of the next response; its body is decoded when it is JSON."""
        async with asyncio.timeout(20):
            head = await self.reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode().strip().split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        with contextlib.suppress(ValueError):
            body = json.loads(body)
        return int(first.split()[1]), headers, body

    async def rest(self):
        """Return all that comes until the server ends the connection."""
        async with asyncio.timeout(20):
            chunks = []
            with contextlib.suppress(OSError, ssl.SSLError):
                while chunk := await self.reader.read(65536):
                    chunks.append(chunk)
            return b"".join(chunks)


async def until(condition):
    """Wait until a condition of another task holds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # what is waited for lies inside the server
            await asyncio.sleep(0.005)


@pytest.fixture
def until_true():
    return until


@pytest.fixture
def serving(serving_once):
    """Return `serving(**limits)`: a context with a worker that has these limits instead of the small ones."""
    return serving_once


@pytest.fixture(scope="session")
def serving_once(authority, client_context):

    @contextlib.asynccontextmanager
    async def serve(*, operator=None, trusted=(), proxy_protocol=False, **limits):
        listeners = bind(["127.0.0.1", "::1"], 0)
        proxies = bind(["127.0.0.1", "::1"], 0)
        app = App()
        tls = ServerTls(authority.mint, real_now(), operator)
        chosen = replace(SMALL, **limits)
        site = Site(
            make_app=lambda: app,
            listeners=listeners,
            proxies=proxies,
            tls=tls,
            domain="localhost",
            limits=chosen,
            meters=Meters({}),
            trusted=Proxies(trusted),
            proxy_protocol=proxy_protocol,
        )
        heard, told = os.pipe()
        lifeline, held = os.pipe()
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)}
        server = _Server(site, app, Post(told, lifeline))
        served = Served(app, server, None, client_context, port_of(listeners[0]), port_of(proxies[0]), held)
        served.task = asyncio.create_task(server.serve())
        try:
            await until(lambda: server.started or served.task.done())
            assert os.read(heard, 1) == READY
            yield served
        finally:
            app.gate.set()
            server.should_exit = True
            await served.task
            gc.unfreeze()
            for number, handler in before.items():
                signal.signal(number, handler)
            for handle in (heard, told, lifeline, held):
                with contextlib.suppress(OSError):
                    os.close(handle)
            for listener in (*listeners, *proxies):
                listener.close()

    return serve


@pytest.fixture
def start(tmp_path):
    """Return `start(...)`, which starts a server; all are gone at the end."""
    started = []

    def make(**asked):
        started.append(Supervised(tmp_path, **asked))
        return started[-1]

    yield make
    for server in started:
        server.end()
