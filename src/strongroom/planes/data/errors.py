"""The tree of errors as the data plane writes it: `{"error":{"code","message","innererror"?}}`."""

import msgspec

from strongroom.errors import StrongroomError
from strongroom.planes.http import JSON, Headers, Response


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
    inner = _Inner(error.inner) if error.inner else None
    body = _encode(_Body(_Error(error.code, error.message, inner)))
    return Response(error.status, body, (JSON, *headers))
