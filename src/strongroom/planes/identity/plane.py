"""The identity plane: its operations, and how its answers look. Nothing here asks for a token: tokens begin here."""

import re
import uuid
from functools import partial

import msgspec

from strongroom.access.identity import refusals
from strongroom.access.identity.model import Caller
from strongroom.audit.event import Category
from strongroom.custody.sealing import Custodian
from strongroom.errors import SignInFailed, StrongroomError, TooManyUnauthenticated
from strongroom.ids import is_guid
from strongroom.planes.call import Call
from strongroom.planes.http import JSON, Response, headers_of
from strongroom.planes.identity import discovery, wire
from strongroom.planes.identity.token import NEVER_KEPT, TokenEndpoint
from strongroom.planes.operation import FORM_BODY, Match, Operation, Table

SIGN_IN = "Sign-in activity"
DISCOVERY = "Discovery"
SLASHES = re.compile("//+")
DISCOVER = partial(Operation, method="GET", log=DISCOVERY, anonymous=True)
OF_TENANT = partial(DISCOVER, refuses=(400,))
GRANT = partial(Operation, method="POST", log=SIGN_IN, media=FORM_BODY, refuses=(400, 401), anonymous=True)

ALWAYS = (
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"x-content-type-options", b"nosniff"),
)


def operations(tokens: TokenEndpoint) -> tuple[Operation, ...]:
    """Return the operations of the plane."""
    return (
        OF_TENANT(
            path="/{tenant}/v2.0/.well-known/openid-configuration",
            handler=discovery.configuration,
            gives=wire.Configuration,
            name="get_configuration",
        ),
        OF_TENANT(
            path="/{tenant}/.well-known/openid-configuration",
            handler=discovery.first_configuration,
            gives=wire.Configuration,
            name="get_first_configuration",
        ),
        OF_TENANT(path="/{tenant}/discovery/v2.0/keys", handler=discovery.keys, gives=wire.KeySet, name="get_keys"),
        OF_TENANT(path="/{tenant}/discovery/keys", handler=discovery.keys, gives=wire.KeySet, name="get_first_keys"),
        DISCOVER(
            path="/common/discovery/instance",
            handler=discovery.instance,
            gives=wire.Instance,
            query=(discovery.AUTHORITY_ASKED,),
            refuses=(400,),
            name="discover_instance",
        ),
        DISCOVER(path="/common/userrealm/{upn}", handler=discovery.user_realm, gives=wire.UserRealm),
        GRANT(
            path="/{tenant}/oauth2/v2.0/token",
            handler=tokens.grant,
            takes=wire.TokenForm,
            gives=wire.TokenAnswer,
            name="grant_token",
        ),
        GRANT(
            path="/{tenant}/oauth2/token",
            handler=tokens.first_grant,
            takes=wire.FirstTokenForm,
            gives=wire.FirstTokenAnswer,
            name="grant_first_token",
        ),
    )


class TolerantTable(Table):
    """A table that reads doubled slashes as one: authorities are often written with a slash at their end."""

    def match(self, method: str, path: str) -> Match:
        """Return the operation of a path, as `Table.match` does."""
        return super().match(method, SLASHES.sub("/", path))


class IdentityPlane:
    """The plane of `login.`: satisfies `planes.gate.Plane`."""

    category = Category.SIGN_IN
    unauthenticated = "Unknown"

    def __init__(self, custodian: Custodian) -> None:
        self.table: Table = TolerantTable(operations(TokenEndpoint(custodian)))

    async def locate(self, call: Call) -> None:
        """Keep the query, where careless clients put secrets, out of the record; note the client's request id."""
        call.notes["requestUri"] = call.request.base + call.request.path
        call.notes["correlationId"] = _correlation_id(call)

    async def authenticate(self, call: Call) -> Caller:
        """Raise what the table says of a path that it has not: only such paths come here."""
        self.table.match(call.request.method, call.request.path)
        raise StrongroomError("No operation of this plane asks for a token.")

    def explain_unknown(self, error: StrongroomError, call: Call) -> StrongroomError:  # noqa: ARG002 - as the table says it
        """Return what the table says of a path that it has not."""
        return error

    def require_version(self, call: Call) -> None:
        """Nothing here has an api-version that counts."""

    async def authorize(self, call: Call) -> None:
        """Nothing here needs a permission."""

    def throttle(self, call: Call) -> None:
        """Nothing here has a limit for those who may."""

    async def confirm(self, call: Call) -> None:
        """Nothing is changed here."""

    def parse_body(self, call: Call) -> None:
        """Leave the body to its handler: forms are not of a type."""

    def resource_id(self, call: Call) -> str:
        """Return the id of the tenant's directory, as sign-in records name it."""
        tenant_id = call.notes.get("tenantId")
        return f"/tenants/{tenant_id}/providers/Microsoft.aadiam" if tenant_id else ""

    def render_error(self, error: StrongroomError, call: Call) -> Response:
        """Return an OAuth error with its AADSTS number; other errors by their plain code."""
        if isinstance(error, TooManyUnauthenticated):
            error = refusals.too_many()
        if not isinstance(error, SignInFailed):
            body = msgspec.json.encode(wire.PlainRefusal(error.code, error.message))
            return Response(error.status, body, (JSON, *headers_of(error), *NEVER_KEPT))
        call.notes["errorCode"] = error.number
        refusal = wire.refusal(
            error,
            base=call.request.base,
            now=call.real_now,
            trace_id=call.request_id,
            correlation_id=call.notes["correlationId"],
        )
        return Response(error.status, msgspec.json.encode(refusal), (JSON, *NEVER_KEPT))

    def finish(self, response: Response, call: Call) -> Response:
        """Return the response with the headers that every answer carries."""
        request_id = (b"x-ms-request-id", call.request_id.encode())
        return Response(response.status, response.body, (*response.headers, request_id), ALWAYS)


def _correlation_id(call: Call) -> str:
    """Return the id that the client gave the request, in its header or its query; a fresh one when it is no GUID."""
    given = call.request.header(b"client-request-id")
    if not is_guid(given):
        try:
            given = call.request.query.get("client-request-id", "")
        except StrongroomError:
            given = ""
    return given.lower() if is_guid(given) else str(uuid.uuid4())
