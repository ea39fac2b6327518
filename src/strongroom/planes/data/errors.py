"""The tree of errors as the data plane writes it: `{"error":{"code","message","innererror"?}}`."""

import msgspec

from strongroom.errors import StrongroomError
from strongroom.planes.http import JSON, Headers, Response, headers_of


class InnerError(msgspec.Struct, frozen=True):
    """What the refusal is, more closely than its code says."""

    code: str


class Error(msgspec.Struct, frozen=True, omit_defaults=True):
    """A refusal: its code for programs, its message for people."""

    code: str
    message: str
    innererror: InnerError | None = None


class ErrorBody(msgspec.Struct, frozen=True):
    """The body of every refusal."""

    error: Error


_encode = msgspec.json.Encoder().encode


def render(error: StrongroomError, headers: Headers = ()) -> Response:
    """Return an error as an answer with `headers` beside its content type."""
    inner = InnerError(error.inner) if error.inner else None
    body = _encode(ErrorBody(Error(error.code, error.message, inner)))
    return Response(error.status, body, (JSON, *headers_of(error), *headers))
