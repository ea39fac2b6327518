"""HTTP/1.1 on one connection: uvicorn's protocol on httptools, with the bounds and refusals that it leaves to others.

uvicorn buffers a head of any size, waits for one as long as it takes, merges trailers into the headers, stumbles over
upgrades and answers a broken pipelined request in the middle of another one's response. Here every part of a request
has a bound in bytes and in time (`limits.py`), whatever could be read in two ways is refused, and a refusal waits its
turn.

The parser (llhttp, strict) already refuses: Content-Length beside Transfer-Encoding, either of them twice or malformed,
bare CR or LF, folded headers, blanks before a colon, control characters.
"""

import asyncio
import contextlib
import socket
import urllib.parse
from enum import Enum, auto
from http import HTTPStatus
from math import inf
from typing import Any

import httptools
from uvicorn import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from strongroom.hosting.answer import Answer
from strongroom.hosting.arrival import DIRECT, Arrival
from strongroom.hosting.connections import GONE, Connections
from strongroom.hosting.limits import Limits
from strongroom.hosting.refusal import MALFORMED, Refusal, body_too_large, head_too_large
from strongroom.hosting.tls import asked_name

VERSIONS = frozenset({"1.0", "1.1"})
GUARDED = frozenset({b"host", b"content-length", b"transfer-encoding"})
QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux only
OVERHEAD_FACTOR = 2
"""A chunked body may take this many times its size on the wire; a chunk of one byte takes six."""
FORCE_CLOSE_SECONDS = 0.5


class Part(Enum):
    """Which part of a request the connection is reading."""

    BETWEEN = auto()
    HEAD = auto()
    BODY = auto()


# By their bare names, since these are looked at some fifteen times a request and an enum's attribute is a slow look-up.
BETWEEN, HEAD, BODY = Part


class HttpProtocol(HttpToolsProtocol):
    """One connection. `deadline` is on the loop's clock; the worker's sweep calls `check_deadline` (`worker.py`)."""

    cycle: RequestResponseCycle | None  # type: ignore[assignment]  # uvicorn leaves out that it starts as None
    transport: asyncio.Transport
    server_state: Connections

    def __init__(
        self,
        config: Config,
        server_state: Connections,
        app_state: dict[str, Any],
        limits: Limits,
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        arrival: Arrival = DIRECT,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = limits
        self._arrival = arrival
        self._is_relayed = False
        self.deadline = inf
        self._unread_since = inf
        self._part = BETWEEN
        self._chunk_bytes = 0
        self._head_bytes = 0
        self._body_bytes = 0
        self._body_began = 0.0
        self._content_bytes = 0
        self._hosts = 0
        self._refusal: Refusal | None = None
        self._stopping = False
        self._leaving = False
        self._last: RequestResponseCycle | None = None
        self._extensions: dict[str, Any] = {}
        server_state.opening[self] = self.loop.time()
        server_state.tell()

    # --- the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; past the limit of connections, or when the worker stops, end at once."""
        crowded = len(self.connections) >= self._limits.connections
        super().connection_made(transport)
        self.server_state.opening.pop(self, None)
        self.server_state.meters.add(("connections-accepted",))
        self._leaving = self.server_state.leaving
        if crowded or self.server_state.stopping:
            transport.abort()
            return
        self.client, self.server = self._arrival.settle(self.client, self.server)
        self._is_relayed = self._arrival.proxies.hold(self.client[0])
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self._extensions = {"tls": {"version": tls.version(), "server_name": asked_name(tls)}}
        self.deadline = self.loop.time() + self._limits.head_seconds

    def connection_lost(self, exc: Exception | None) -> None:
        """End; what still runs learns that nobody listens."""
        for cycle, _ in self.pipeline:
            cycle.disconnected = True
        self.pipeline.clear()
        super().connection_lost(exc)
        self.server_state.tell()
        # Buffers of a megabyte hang on what these refer to in a circle; the collector would come for it much later.
        self.transport, self.cycle, self.flow = GONE, None, FlowControl(GONE)

    def data_received(self, data: bytes) -> None:
        """Take what came and see to the bounds of the part it ends in."""
        if self._refusal is not None or self.parser is None:
            return  # whatever follows a refusal is thrown away
        self._chunk_bytes = len(data)
        try:
            began = self._part
            self.parser.feed_data(data)
            if self._part is not BETWEEN:
                self._count(began)
            if self._part is BODY:
                self._acknowledge()
        except Refusal as refusal:
            self._refuse(refusal)
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause if isinstance(cause, Refusal) else MALFORMED)

    def _acknowledge(self) -> None:
        """Acknowledge a head at once: a client that sends its body apart, with Nagle's algorithm on, waits for that.

        The kernel's own delayed acknowledgement would cost each change of such a client 40 ms.
        """
        connection = self.transport.get_extra_info("socket")
        if connection is not None and QUICKACK is not None:
            connection.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)

    def _count(self, began: Part) -> None:
        """Count the bytes of a part that did not end with this chunk."""
        if self._part is HEAD:
            # A head that begins in this chunk may share it with the request before; its size is checked at its end.
            self._head_bytes += self._chunk_bytes if began is HEAD else 1
            if self._head_bytes > self._limits.head_bytes:
                raise head_too_large(self._limits)
        else:
            self._body_bytes += self._chunk_bytes
            if self._body_bytes > OVERHEAD_FACTOR * self._limits.body_bytes:
                raise body_too_large(self._limits)
            self.deadline = self._body_began + self._limits.body_seconds + self._body_bytes / self._limits.body_rate

    def pause_writing(self) -> None:
        """Hold the application back, and give the client a limited time to read."""
        self._unread_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Let the application write on."""
        self._unread_since = inf
        super().resume_writing()

    # --- what the parser tells

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.scope["extensions"] = self._extensions
        self._part = HEAD
        self._head_bytes = self._body_bytes = self._content_bytes = self._hosts = 0
        self.deadline = self.loop.time() + self._limits.head_seconds

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; a trailer is no header and is dropped."""
        if self._part is not HEAD:
            return
        name = name.lower()
        if name in GUARDED:
            self._guard(name, value)
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def _guard(self, name: bytes, value: bytes) -> None:
        if name == b"host":
            self._hosts += 1
        elif name == b"content-length":
            if int(value) > self._limits.body_bytes:
                raise body_too_large(self._limits)
        elif value.lower() != b"chunked" or self.parser.get_http_version() != "1.1":
            raise Refusal(HTTPStatus.NOT_IMPLEMENTED, "NotImplemented", "The one transfer coding taken is 'chunked'.")

    def on_headers_complete(self) -> None:
        """The head is whole: refuse what could be read in two ways, then let the application have it."""
        self._require_sound_head()
        if len(self.pipeline) >= self._limits.pipelined:
            raise Refusal(HTTPStatus.TOO_MANY_REQUESTS, "TooManyRequests", "Too many requests wait on this connection.")
        if self._is_relayed and self.client is not None:
            self.scope["client"] = self._arrival.find_caller(self.headers, self.client)
        self._part = BODY
        self._body_began = self.loop.time()
        version = self.parser.get_http_version()
        path, _, query = self.url.partition(b"#")[0].partition(b"?")
        text = path.decode("ascii")
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]  # its type leaves out what is set late
        scope["method"] = self.parser.get_method().decode("ascii")
        scope["http_version"] = version
        scope["path"] = urllib.parse.unquote(text) if "%" in text else text
        scope["raw_path"] = path
        scope["query_string"] = query
        self._begin_answer(keep_alive=version != "1.0" and self.parser.should_keep_alive())

    def _begin_answer(self, *, keep_alive: bool) -> None:
        """Hand the request to the application, or let it wait for those before it."""
        before = self.cycle
        self.cycle = cycle = Answer(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )
        if before is None or before.response_complete:
            self._start_asgi_task(cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))
        if self._leaving:
            self._end_after_this(before)

    def _require_sound_head(self) -> None:
        limits = self._limits
        if len(self.url) > limits.url_bytes:
            raise Refusal(
                HTTPStatus.REQUEST_URI_TOO_LONG, "UriTooLong", f"A URL here has at most {limits.url_bytes} bytes."
            )
        if len(self.headers) > limits.header_count or (self._is_large() and self._head_size() > limits.head_bytes):
            raise head_too_large(limits)
        version = self.parser.get_http_version()
        if version not in VERSIONS:
            raise Refusal(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "VersionNotSupported", "HTTP/1.1 is spoken here.")
        if self.parser.should_upgrade():  # CONNECT counts as one
            raise Refusal(
                HTTPStatus.BAD_REQUEST, "UpgradeNotSupported", "Connections are neither upgraded nor tunnelled here."
            )
        if self.url[:1] != b"/":
            raise Refusal(HTTPStatus.BAD_REQUEST, "BadRequest", "The request target must be a path.")
        if self._hosts > 1 or (self._hosts == 0 and version == "1.1"):
            raise Refusal(HTTPStatus.BAD_REQUEST, "BadRequest", "A request names its host exactly once.")

    def _is_large(self) -> bool:
        """Answer whether the head can be over its bound at all: it took several chunks or a large one."""
        return self._head_bytes > 0 or self._chunk_bytes > self._limits.head_bytes

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._content_bytes += len(body)
        if self._content_bytes > self._limits.body_bytes:
            raise body_too_large(self._limits)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole: from here its time is the application's, unless that has answered already."""
        self._part = BETWEEN
        assert self.cycle is not None  # a message has headers before it has an end
        answered = self.cycle.response_complete
        self.deadline = self.loop.time() + self._limits.keep_alive_seconds if answered else inf
        super().on_message_complete()

    # --- answers

    def on_response_complete(self) -> None:
        """An answer has left: go on to the next request, to a refusal that waited, or to rest."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            if self._stopping:
                self._end_soon()
            return
        self.flow.resume_reading()
        if self._part is BODY and self.expect_100_continue:
            self.transport.close()  # whether the body still comes is the client's choice: what follows could be either
        elif self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._refusal is not None:
            self._end_with(self._refusal)
        elif self._part is BETWEEN:
            self.deadline = self.loop.time() + self._limits.keep_alive_seconds

    def _refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal and end the connection; answers that are due before it go first."""
        self._refusal = refusal.with_traceback(None)  # its frames refer back to this connection, and to what it sent
        self.server_state.meters.add(("malformed", str(refusal.status.value)))
        self.deadline = inf
        cycle = self.cycle
        if cycle is not None and self._part is BODY and not cycle.response_complete:
            self._abandon(cycle)
        if self.pipeline or (cycle is not None and not cycle.response_complete and not cycle.disconnected):
            return
        self._end_with(refusal)

    def _abandon(self, cycle: RequestResponseCycle) -> None:
        """Tell the application, if it is at this request, that the rest of it will not come."""
        if self.pipeline:
            self.pipeline.popleft()  # it waited behind others and never began
        else:
            cycle.disconnected = True
            cycle.message_event.set()

    def _end_with(self, refusal: Refusal) -> None:
        # An answer that has begun cannot become another one: then the connection just ends.
        if not self.transport.is_closing():
            begun = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
            if not begun:
                self.transport.write(refusal.encode(self.server_state.default_headers))
            self.flow.resume_reading()
            self.transport.close()

    # --- time

    def check_deadline(self, now: float) -> None:
        """End what has used up its time. Called a few times in `head_seconds`, with the loop's clock."""
        if self._unread_since + self._limits.write_seconds < now:
            self.transport.abort()
        elif self.deadline < now and not self.transport.is_closing():
            self._expire(now)

    def _expire(self, now: float) -> None:
        waiting_for_us = self.flow.read_paused or (self.cycle is not None and self.cycle.waiting_for_100_continue)
        if self._part is BETWEEN:
            self.transport.close()
        elif waiting_for_us:  # the client would send, had the application asked for it
            self._body_began = now
            self.deadline = now + self._limits.body_seconds
        else:
            part = "headers" if self._part is HEAD else "body"
            self._refuse(
                Refusal(HTTPStatus.REQUEST_TIMEOUT, "RequestTimeout", f"The {part} of the request came too slowly.")
            )

    def leave(self) -> None:
        """Let the next answer be the last and say so; a connection at rest stays until it is asked or its time is up.

        To close one at rest would lose the request that its client may be sending at this moment.
        """
        self._leaving = True
        if self.cycle is not None and not self.cycle.response_started:
            self._end_after_this(None)

    def _end_after_this(self, before: RequestResponseCycle | None) -> None:
        """Let the newest request's answer be the last; the one before, if it was to be and has not begun, is not."""
        assert self.cycle is not None  # a request has come
        if before is not None and before is self._last and not before.response_started:
            before.keep_alive = True
        if self.cycle.keep_alive:
            self.cycle.keep_alive = False
            self._last = self.cycle

    def shutdown(self) -> None:
        """Stop when what is under way is answered; a connection at rest ends now."""
        self._stopping = True
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
            self._end_soon()
        else:
            self.cycle.keep_alive = False

    def _end_soon(self) -> None:
        """End a closing connection whose client does not answer TLS's good-bye, once nothing is left to send."""

        def end() -> None:
            with contextlib.suppress(AttributeError):  # the transport has let go of its socket meanwhile
                if self.transport.get_write_buffer_size() > 0:
                    self._end_soon()
                else:
                    self.transport.abort()

        self.loop.call_later(FORCE_CLOSE_SECONDS, end)
