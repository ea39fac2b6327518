"""What a connection answers to a request that goes no further: nothing behind it has seen that request."""

import json
from http import HTTPStatus

from strongroom.hosting.limits import Limits


class Refusal(Exception):
    """A request that goes no further: status, code and a sentence for whoever wrote the client."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def encode(self, head: list[tuple[bytes, bytes]]) -> bytes:
        """Return the whole response; it ends the connection."""
        body = json.dumps({"error": {"code": self.code, "message": self.message}}).encode()
        lines = [f"HTTP/1.1 {self.status.value} {self.status.phrase}".encode()]
        lines += [name + b": " + value for name, value in head]
        lines += [b"content-type: application/json; charset=utf-8", b"content-length: %d" % len(body)]
        return b"\r\n".join([*lines, b"connection: close", b"", body])


MALFORMED = Refusal(HTTPStatus.BAD_REQUEST, "BadRequest", "The request is not well-formed HTTP/1.1.")

UNCLEAR_CALLER = Refusal(
    HTTPStatus.BAD_REQUEST,
    "BadRequest",
    "Forwarded and X-Forwarded-For do not say clearly whose request this is: a trusted proxy writes the address that it"
    " heard at the end of one of them, and drops the other.",
)


def head_too_large(limits: Limits) -> Refusal:
    """Return the refusal of a head past its bounds."""
    return Refusal(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "RequestHeaderFieldsTooLarge",
        f"The headers of a request have at most {limits.head_bytes} bytes in {limits.header_count} lines.",
    )


def body_too_large(limits: Limits) -> Refusal:
    """Return the refusal of a body past its bound."""
    return Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "RequestEntityTooLarge",
        f"The body of a request has at most {limits.body_bytes} bytes.",
    )
