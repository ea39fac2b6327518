"""Where everything meets: a storage, a custodian and a domain in, one ASGI application out."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from functools import lru_cache, partial
from typing import Any

import structlog

from strongroom.access.identity.attestation import Authorities
from strongroom.access.identity.verifier import Verifier
from strongroom.access.network.strangers import Strangers
from strongroom.custody.sealing import Custodian
from strongroom.errors import BadRequest, PayloadTooLarge, StrongroomError
from strongroom.meters import UNKNOWN, Meters, RequestMeter
from strongroom.objects.keys.keepers import Keepers
from strongroom.planes.data.plane import DataPlane
from strongroom.planes.data.throttling import Limiter
from strongroom.planes.documents import find_document
from strongroom.planes.gate import Gate, Plane
from strongroom.planes.graph.plane import GraphPlane
from strongroom.planes.http import JSON, Headers, Request, Response
from strongroom.planes.identity.plane import IdentityPlane
from strongroom.planes.management.plane import ManagementPlane
from strongroom.planes.management.site import Site
from strongroom.planes.operation import BODILESS
from strongroom.planes.stores import Storage

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SWEEP_SECONDS = 60
FOLLOW_SECONDS = 1
NO_PLANE, SERVER = "none", "Server"  # how counts name what lies outside the planes
HOST_LENGTH = 253 + len(":65535")  # RFC 1035, and a port
REMEMBERED_HOSTS = 1024
LIVE = "/health/live"
READY = "/health/ready"
READY_SECONDS = 1.0
TLS_NAMES = {"TLSv1.2": "TLS1_2", "TLSv1.3": "TLS1_3"}
NO_TLS: Mapping[str, str] = {}
SINGLE_HEADERS = frozenset({b"authorization", b"host", b"content-type"})

log = structlog.get_logger(__name__)


def create_app(
    storage: Storage,
    custodian: Custodian,
    *,
    domain: str,
    site: Site,
    limiter: Limiter,
    keepers: Keepers,
    strangers: Strangers,
    sweep: Callable[[], Awaitable[None]],
    follow: Callable[[], Awaitable[None]],
    is_ready: Callable[[], Awaitable[bool]],
    room: Callable[[], str],
    close: Callable[[], Awaitable[None]],
    meters: Meters | None = None,
    note_request: Callable[[], None] | None = None,
    authorities: Authorities | None = None,
) -> "Application":
    """Return the application of one worker: every plane behind its gate, on one storage.

    sweep: what is due now and again, run every minute. follow: what must be seen to soon, run every second.
    room: how full the disk is, in a word. close: called when the worker ends. keepers: who keeps the keys of
    vaults. meters: what is counted, as `new_meters` makes them. note_request: hears of every request when it comes.
    authorities: who may attest environments that keys are released to, None for nobody.
    """
    planes = make_planes(
        custodian,
        domain=domain,
        site=site,
        limiter=limiter,
        keepers=keepers,
        authorities=authorities,
    )
    counted = meters or new_meters(planes)
    gates = {
        label: Gate(plane, storage, custodian, domain, meter=RequestMeter(counted, label), strangers=strangers)
        for label, plane in planes.items()
    }
    return Application(
        domain=domain,
        vaults=gates["data"],
        hosts={"login": gates["identity"], "management": gates["management"], "graph": gates["graph"]},
        elsewhere=RequestMeter(counted, NO_PLANE),
        is_ready=is_ready,
        room=room,
        background=lambda: _beside(_repeat(sweep), _repeat(follow, FOLLOW_SECONDS)),
        close=close,
        note_request=note_request,
    )


def make_planes(
    custodian: Custodian,
    *,
    domain: str,
    site: Site,
    limiter: Limiter,
    keepers: Keepers,
    authorities: Authorities | None = None,
) -> dict[str, Plane]:
    """Return every plane by its name. authorities: as `create_app` has them."""
    verifier = Verifier(domain)
    return {
        "identity": IdentityPlane(custodian),
        "graph": GraphPlane(verifier),
        "management": ManagementPlane(verifier, site, keepers, limiter),
        "data": DataPlane(verifier, limiter, keepers, authorities),
    }


def new_meters(planes: Mapping[str, Plane], *, kinds: Sequence[str] = (), rows: int = 1) -> Meters:
    """Return counts for every operation of these planes, and for what is on none. kinds, rows: as `Meters` has them."""
    operations = {
        name: (plane.unauthenticated, *(row.log for row in plane.table.operations)) for name, plane in planes.items()
    }
    return Meters(operations | {NO_PLANE: (SERVER,)}, kinds=kinds, rows=rows)


async def _beside(*works: Awaitable[None]) -> None:
    await asyncio.gather(*works)


async def _repeat(sweep: Callable[[], Awaitable[None]], seconds: float | None = None) -> None:
    """Sweep again and again; one that fails is told, and the next one tries anew: retention must not end unnoticed."""
    while True:
        try:
            await sweep()
        except StrongroomError as error:
            log.error("a sweep failed", error=type(error).__name__, reason=error.message)  # noqa: TRY400
        except Exception:
            log.exception("a sweep failed")
        await asyncio.sleep(SWEEP_SECONDS if seconds is None else seconds)


class Application:
    """One ASGI application: the host's suffix picks the plane, its first label the vault.

    domain: the base domain. hosts: a gate for each first label (`login`, `management`, `graph`); vaults: the one for
    all vaults. elsewhere: counts what is on no plane.
    is_ready: answers whether the storage can be written; room: how full the disk is, in a word.
    background: what runs beside the requests of this worker. close: called when the worker ends. note_request: hears
    of every request when it comes.
    """

    def __init__(
        self,
        *,
        domain: str,
        hosts: dict[str, Gate],
        vaults: Gate,
        is_ready: Callable[[], Awaitable[bool]],
        room: Callable[[], str],
        background: Callable[[], Awaitable[None]] | None,
        close: Callable[[], Awaitable[None]],
        elsewhere: RequestMeter | None = None,
        note_request: Callable[[], None] | None = None,
    ) -> None:
        self._domain = domain
        self._hosts = {f"{label}.{domain}": gate for label, gate in hosts.items()}
        self._vaults = vaults
        self._elsewhere = elsewhere
        self._vault_suffix = f".vault.{domain}"
        self._find_gate = lru_cache(maxsize=REMEMBERED_HOSTS)(self._search_gate)
        self._own_names = {domain, "localhost", "127.0.0.1", "[::1]"}
        self._is_ready = is_ready
        self._room = room
        self._background = background
        self._close = close
        self._note_request = note_request or _note_nothing
        self._asked_again = 0.0
        self._was_ready = False

    def __call__(self, scope: Message, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one ASGI scope: HTTP's, or the life of the worker. Others end at once, as ASGI wants it."""
        match scope["type"]:
            case "http":
                return self._serve(scope, receive, send)
            case "lifespan":
                return self._live(receive, send)
            case _:
                return _serve_nothing()

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        self._note_request()
        tls = _tls_of(scope)
        request = make_request(scope, tls)
        # A longer host is no name, and is not kept.
        gate = self._find_gate(request.host[: HOST_LENGTH + 1], tls.get("server_name", ""))
        if gate is None:
            response = await self._serve_elsewhere(host_name(request.host), request)
            if self._elsewhere is not None:
                operation = SERVER if response.status in {200, 503} else UNKNOWN
                self._elsewhere.count(operation, response.status, time.perf_counter() - began)
        else:
            # One that comes all the same says nothing, and the connection throws it away.
            read = None if request.method in BODILESS else partial(read_body, receive)
            response = await gate.serve(request, read)
        at_once = getattr(send, "at_once", None)  # `hosting.answer` has it, other servers need not
        if at_once is None or not at_once(response.status, response.headers, response.always, response.body):
            await _send(send, request.method, response)

    def _search_gate(self, host: str, asked: str) -> Gate | None:
        """Return the gate of a Host header, None where none of ours serves it on a connection that asked for a host."""
        name = host_name(host)
        return None if self._is_misdirected(name, asked) else self._gate_of(name)

    def _gate_of(self, name: str) -> Gate | None:
        gate = self._hosts.get(name)
        if gate is None and name.endswith(self._vault_suffix) and "." not in name[: -len(self._vault_suffix)]:
            return self._vaults
        return gate

    def _is_misdirected(self, name: str, asked: str) -> bool:
        """Answer whether a connection was opened for one host of ours and is used for another (RFC 9110, 7.4).

        What lies between may have let it pass for its first name. A connection that named no host of ours says nothing.
        """
        return asked not in (name, "") and self._gate_of(asked) is not None

    async def _serve_elsewhere(self, name: str, request: Request) -> Response:
        """Answer on the server's own names; any other is none of ours."""
        found = await self._serve_itself(request) if name in self._own_names else None
        if found is not None:
            return found
        message = b'{"error":{"code":"UnknownHost","message":"This connection leads to no service of this host name."}}'
        return Response(421 if name not in self._own_names else 404, message, (JSON,))

    async def _serve_itself(self, request: Request) -> Response | None:
        """Tell the server's health and its documents; nothing else lives outside the planes."""
        if request.method not in {"GET", "HEAD"}:
            return None
        if request.path == LIVE:
            return Response(200, b'{"status":"live"}', (JSON,))
        if request.path == READY:
            return await self._tell_ready()
        return find_document(request, self._domain)

    async def _tell_ready(self) -> Response:
        ready = await self._ready()
        body = f'{{"status":"{"ready" if ready else "busy"}","disk":"{self._room()}"}}'
        return Response(200 if ready else 503, body.encode(), (JSON,))

    async def _ready(self) -> bool:
        """Answer whether the storage can be written, which writes: asked once a second, whoever asks how often."""
        now = time.perf_counter()
        if now >= self._asked_again:
            self._asked_again = now + READY_SECONDS
            self._was_ready = await self._is_ready()
        return self._was_ready

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        task = asyncio.create_task(_run(self._background)) if self._background else None
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if task:
            task.cancel()
            await asyncio.wait([task])
        await self._close()
        await send({"type": "lifespan.shutdown.complete"})


def _note_nothing() -> None:
    pass


async def _serve_nothing() -> None:
    pass


async def _run(background: Callable[[], Awaitable[None]]) -> None:
    await background()


def host_name(host: str) -> str:
    """Return the name in a Host header, without its port; "" when it can be no name or the port is none."""
    if len(host) > HOST_LENGTH:
        return ""
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        return host
    return name if port.isascii() and port.isdigit() and int(port) < 65536 else ""


def make_request(scope: Message, tls: Mapping[str, str] = NO_TLS) -> Request:
    """Return the request of an ASGI scope; its body is read apart. tls: what is known of its connection's."""
    pairs = scope["headers"]
    headers: dict[bytes, bytes] = dict(pairs)
    repeated: frozenset[bytes] = frozenset()
    if len(headers) != len(pairs):
        headers = dict(reversed(pairs))
        names = [name for name, _ in pairs]
        repeated = frozenset(name for name in SINGLE_HEADERS if names.count(name) > 1)
    client, server = scope.get("client"), scope.get("server")
    return Request(
        scope["method"],
        headers.get(b"host", b"").decode("latin-1").lower(),
        scope["raw_path"].decode("latin-1"),
        scope["query_string"],
        headers,
        client[0] if client else "",
        TLS_NAMES.get(tls.get("version", ""), ""),
        repeated,
        b"",
        server[0] if server else "",
        server[1] or 0 if server else 0,
    )


def _tls_of(scope: Message) -> Mapping[str, str]:
    extensions = scope.get("extensions")
    return extensions.get("tls", NO_TLS) if extensions else NO_TLS


async def read_body(receive: Receive, limit: int) -> bytes:
    """Return the body of a request; PayloadTooLarge past `limit` bytes, BadRequest when it ends before its time."""
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await _receive_part(receive)
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise PayloadTooLarge(f"The request body is too large; this operation takes at most {limit} bytes.")
        more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _receive_part(receive: Receive) -> Message:
    """Return the next part of a body: what a client left off halfway is not to be taken for the whole."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise BadRequest("The connection ended before the body of the request did.")
    return message


async def _send(send: Send, method: str, response: Response) -> None:
    body = b"" if method == "HEAD" else response.body
    headers: Headers = (*response.headers, *response.always)
    if response.status not in {204, 304}:
        headers = (*headers, (b"content-length", b"%d" % len(response.body)))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
