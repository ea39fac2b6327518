"""The Graph plane: what the gate asks of it for every request to `graph.{domain}`. It reads; nothing is changed here.

Whoever has a token of the tenant may read. Source of codes and forms: Microsoft Graph, "error resource types".
"""

from typing import Any

from strongroom.access.identity import challenges
from strongroom.access.identity.audiences import Service
from strongroom.access.identity.model import Caller
from strongroom.access.identity.verifier import EXPIRED, Verifier
from strongroom.audit.event import Category
from strongroom.errors import (
    BadRequest,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    StrongroomError,
    TooManyUnauthenticated,
    Unauthenticated,
)
from strongroom.planes.call import Call
from strongroom.planes.gate import parse_json
from strongroom.planes.graph import entities, memberships, wire
from strongroom.planes.graph.entities import no_segment
from strongroom.planes.http import Headers, Response, headers_of
from strongroom.planes.operation import Match, Operation, Table, split_path

STANDARD: Headers = (
    (b"cache-control", b"no-cache"),
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"x-content-type-options", b"nosniff"),
)
GRAPH_ID = "00000003-0000-0000-c000-000000000000"
"""The application id of Microsoft Graph, which its challenge names."""
INVALID_TOKEN = "InvalidAuthenticationToken"  # noqa: S105 - the code of an error
TOO_MANY = "TooManyRequests"
BETA, FIRST = "/beta/", "/v1.0/"
WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
READ_ONLY = (
    "Insufficient privileges to complete the operation. The directory is changed on the server itself: "
    "strongroom directory user, group or sp, strongroom app."
)
# The verifier speaks in the data plane's numbers.
REFUSALS = (
    (EXPIRED, "Lifetime validation failed, the token is expired."),
    ("AKV10022", "Access token validation failure. Invalid audience."),
    ("AKV10032", "Access token validation failure. Invalid issuer."),
    ("", "Access token validation failure."),
)

OPERATIONS: tuple[Operation, ...] = (*entities.OPERATIONS, *memberships.OPERATIONS)


class GraphTable(Table):
    """A table of what can be read; whatever would write is refused alike, and both versions of Graph are one."""

    def match(self, method: str, path: str) -> Match:
        """Return the operation of a path.

        Forbidden (Authorization_RequestDenied) for whatever would write, BadRequest for a path that names nothing,
        MethodNotAllowed for other verbs.
        """
        try:
            return super().match(method, FIRST + path[len(BETA) :] if path.startswith(BETA) else path)
        except (NotFound, MethodNotAllowed) as error:
            if method in WRITING:
                raise Forbidden(READ_ONLY, code="Authorization_RequestDenied") from None
            if isinstance(error, MethodNotAllowed):
                raise
            raise no_segment(next(iter(reversed(split_path(path))), "")) from None


class GraphPlane:
    """Users, groups and applications, to be looked up. Implements `planes.gate.Plane`."""

    category = Category.GRAPH
    unauthenticated = "Authentication"

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self.table: Table = GraphTable(OPERATIONS)

    async def locate(self, call: Call) -> None:
        """Nothing to find: the directory is one."""

    async def authenticate(self, call: Call) -> Caller:
        """Return who signed the request; Unauthenticated in Graph's words otherwise."""
        try:
            return await self._verifier.verify(
                _bearer_token(call), service=Service.GRAPH, store=call.stores.identity, now=call.real_now
            )
        except Unauthenticated as error:
            if error.code == INVALID_TOKEN:
                raise
            message = next(text for start, text in REFUSALS if error.message.startswith(start))
            raise Unauthenticated(message, code=INVALID_TOKEN) from None

    def explain_unknown(self, error: StrongroomError, call: Call) -> StrongroomError:  # noqa: ARG002 - as the table says it
        """Return what the table says of a path that it has not."""
        return error

    def require_version(self, call: Call) -> None:
        """The version stands in the path."""

    async def authorize(self, call: Call) -> None:
        """Whoever belongs to the tenant may read."""

    def throttle(self, call: Call) -> None:
        """Nothing here has a limit for those who may."""

    async def confirm(self, call: Call) -> None:
        """Nothing is changed here."""

    def parse_body(self, call: Call) -> Any:
        """Return the body as the operation's wire type; BadRequest when it does not fit."""
        assert call.operation is not None  # the gate comes here with an operation only
        try:
            return parse_json(call.request.body, call.operation.takes)
        except BadRequest as error:
            raise BadRequest(f"Unable to read JSON request payload. {error.message}", code="BadRequest") from None

    def resource_id(self, call: Call) -> str:
        """Return the id of the tenant's directory, "" while nobody is known."""
        return f"/tenants/{call.caller.tenant_id}/providers/Microsoft.aadiam" if call.caller else ""

    def render_error(self, error: StrongroomError, call: Call) -> Response:
        """Return an error in Graph's form; a 401 says where to sign in."""
        headers = headers_of(error)
        if error.status == Unauthenticated.status:
            domain = call.request.host.removeprefix("graph.")
            authority = f"https://login.{domain}/common/oauth2/authorize"
            challenge = f'Bearer realm="", authorization_uri="{authority}", client_id="{GRAPH_ID}"'
            headers = ((b"www-authenticate", challenge.encode("latin-1", "replace")),)
        inner = wire.InnerError(
            date=f"{call.real_now:%Y-%m-%dT%H:%M:%S}", request_id=call.request_id, client_request_id=_client_id(call)
        )
        code = TOO_MANY if isinstance(error, TooManyUnauthenticated) else _code(error)
        answer = wire.ErrorAnswer(code=code, message=error.message, inner_error=inner)
        return wire.render(wire.ErrorBody(error=answer), error.status, headers)

    def finish(self, response: Response, call: Call) -> Response:
        """Return the response with the headers that every answer carries."""
        own = call.request_id.encode()
        added = ((b"request-id", own), (b"x-ms-request-id", own), (b"client-request-id", _client_id(call).encode()))
        return Response(response.status, response.body, (*response.headers, *added), STANDARD)


def _code(error: StrongroomError) -> str:
    return "BadRequest" if error.code == BadRequest.code else error.code


def _client_id(call: Call) -> str:
    """Return the id that the client gave the request, ours when it gave none that fits a header."""
    given = call.request.header(b"client-request-id")[:128]
    return given if given.isascii() and given.isprintable() and given else call.request_id


def _bearer_token(call: Call) -> str:
    """Return the token of the one Authorization header, unverified."""
    request = call.request
    scheme, _, token = request.header(b"authorization").partition(" ")
    if b"authorization" in request.repeated:
        raise Unauthenticated("Request has more than one Authorization header.", code=INVALID_TOKEN)
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated(challenges.GRAPH, code=INVALID_TOKEN)
    return token.strip()
