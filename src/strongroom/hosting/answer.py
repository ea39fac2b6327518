"""One request and its answer on a connection: uvicorn's cycle, but for how an answer is written.

uvicorn writes head and body apart: two TLS records, two system calls, and a client that wakes twice for one answer.
Here the head waits for the first part of the body, and both leave together.
"""

from collections.abc import Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

STATUS_LINES = {each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\n".encode() for each in HTTPStatus}
BODILESS = frozenset({204, 304})

Headers = tuple[tuple[bytes, bytes], ...]


class Answer(RequestResponseCycle):
    """A request under way, and ASGI's `send` for it: it takes the application's messages, in the order of ASGI.

    An application that has its whole answer may give it in one call instead (`at_once`).
    """

    _head: bytes = b""

    @property
    def send(self) -> "Answer":
        """What an application sends its messages to."""
        return self

    async def __call__(self, message: Any) -> None:
        """Write a part of an answer; what the application does out of order raises RuntimeError."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if self.response_complete:
            raise RuntimeError(f"'{message['type']}' was sent after the answer was complete")
        if not self.response_started:
            self._begin(message)
        else:
            self._go_on(message)

    def at_once(self, status: int, headers: Headers, always: Headers, body: bytes) -> bool:
        """Write a whole answer that has a body; False where it must be sent in messages, and nothing was written.

        headers: of this answer; always: those that stand in many answers alike, and are encoded once for all of them.
        """
        if self.disconnected or self.response_started or self.flow.write_paused or not self.keep_alive:
            return False
        if status in BODILESS or self.scope["method"] == "HEAD":
            return False
        lines = b"%bcontent-length: %d\r\n" % (_encode_lines((*self.default_headers, *headers)), len(body))
        written = b"".join((STATUS_LINES[status], lines, _remembered_lines(always), b"\r\n", body))
        self.response_started = True
        self.waiting_for_100_continue = False
        self.transport.write(written)
        self._complete()
        return True

    def _begin(self, message: Any) -> None:
        if message["type"] != "http.response.start":
            raise RuntimeError(f"an answer does not begin with '{message['type']}'")
        self.response_started = True
        self.waiting_for_100_continue = False
        self._head = self._encode_head(message["status"], [*self.default_headers, *message.get("headers", ())])

    def _encode_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
        for name, value in headers:
            if name == b"content-length":
                self.expected_content_length, self.chunked_encoding = int(value), False
            elif name == b"connection" and value == b"close":
                self.keep_alive = False
        if self.chunked_encoding is None and status not in BODILESS and self.scope["method"] != "HEAD":
            raise RuntimeError("an answer says how long it is")
        if not self.keep_alive and (b"connection", b"close") not in headers:
            headers.append((b"connection", b"close"))
        return STATUS_LINES[status] + _encode_lines(headers) + b"\r\n"

    def _go_on(self, message: Any) -> None:
        if message["type"] != "http.response.body":
            raise RuntimeError(f"an answer does not go on with '{message['type']}'")
        body, more = message.get("body", b""), message.get("more_body", False)
        if self.scope["method"] == "HEAD":
            self.expected_content_length, body = 0, b""
        self.expected_content_length -= len(body)
        if self.expected_content_length < 0 or (self.expected_content_length and not more):
            raise RuntimeError("the body of an answer is not as long as its head says")
        self.transport.write(self._head + body)
        self._head = b""
        if not more:
            self._complete()

    def _complete(self) -> None:
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


def _encode_lines(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return the lines of headers, each with its end; RuntimeError where one holds a line end of its own."""
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    if lines.count(b"\n") != len(headers) or lines.count(b"\r") != len(headers) or b"\0" in lines:
        raise RuntimeError("a header of an answer holds a line end")
    return lines


_remembered_lines = lru_cache(maxsize=256)(_encode_lines)
