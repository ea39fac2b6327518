"""The tree of errors as the data plane writes it: `{"error":{"code","message","innererror"?}}`.

An error of ours that no client caused says nothing of its insides; the log has its details.
"""

import msgspec
import structlog

from strongroom.errors import ServiceUnavailable, StrongroomError
from strongroom.planes.http import JSON, Headers, Response

OPAQUE = "An internal error occurred; the log of the server has its details."

log = structlog.get_logger(__name__)


class _Inner(msgspec.Struct, frozen=True):
    code: str


class _Error(msgspec.Struct, frozen=True, omit_defaults=True):
    code: str
    message: str
    innererror: _Inner | None = None


class _Body(msgspec.Struct, frozen=True):
    error: _Error


_encode = msgspec.json.Encoder().encode


def render(error: StrongroomError, headers: Headers = ()) -> Response:
    """Return an error as an answer with `headers` beside its content type."""
    message = error.message
    if error.status >= 500 and not isinstance(error, ServiceUnavailable):
        log.error("request failed", error=type(error).__name__, reason=message)
        message = OPAQUE
    inner = _Inner(error.inner) if error.inner else None
    body = _encode(_Body(_Error(error.code, message, inner)))
    return Response(error.status, body, (JSON, *headers))
