"""The management plane: what the gate asks of it for every request to `management.{domain}`."""

from typing import Any

from strongroom.access.authorization.service import management_refusal
from strongroom.access.identity import challenges
from strongroom.access.identity.audiences import Service
from strongroom.access.identity.model import Caller
from strongroom.access.identity.verifier import EXPIRED, Verifier
from strongroom.audit.event import Category
from strongroom.errors import BadRequest, NotFound, StrongroomError, TooManyUnauthenticated, Unauthenticated
from strongroom.ids import is_guid
from strongroom.objects.keys.keepers import Keepers
from strongroom.planes.call import Call
from strongroom.planes.data.throttling import Limiter
from strongroom.planes.data.wire import make_octets
from strongroom.planes.decision import note_decision
from strongroom.planes.gate import parse_json
from strongroom.planes.http import Headers, Response, headers_of
from strongroom.planes.management import (
    access,
    activity,
    answers,
    discovery,
    groups,
    hsms,
    locks,
    networks,
    permissions,
    previews,
    privatelinks,
    providers,
    rehearsal,
    roleassignments,
    roledefinitions,
    tagnames,
    tags,
    vaultkeys,
    vaults,
    vaultsecrets,
    wire,
)
from strongroom.planes.management.permission import DECIDED_LATER, find_decision
from strongroom.planes.management.places import (
    SCOPES,
    domain_with_port,
    require_plain,
    scope_of,
    split_resource_path,
    subscription_id,
)
from strongroom.planes.management.site import Site
from strongroom.planes.management.versions import require_supported
from strongroom.planes.operation import Operation, Table
from strongroom.resources.locks import may_be_locked, require_unlocked
from strongroom.resources.service import require_subscription
from strongroom.vaults.model import id_of_vault

STANDARD: Headers = (
    (b"cache-control", b"no-cache"),
    (b"pragma", b"no-cache"),
    (b"expires", b"-1"),
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"x-content-type-options", b"nosniff"),
)
TOO_MANY = "TooManyRequests"  # as the resource manager calls what the data plane calls Throttled
# The verifier speaks in the data plane's numbers; the resource manager has codes of its own.
REFUSALS = (
    (EXPIRED, "ExpiredAuthenticationToken", "The access token has expired."),
    ("AKV10022", "InvalidAuthenticationTokenAudience", "The access token has been obtained for wrong audience."),
    ("AKV10032", "InvalidAuthenticationTokenTenant", "The access token is from the wrong issuer."),
    ("", "InvalidAuthenticationToken", "The access token is invalid."),
)


class _Challenged(Unauthenticated):
    """A refusal that says at which tenant to sign in."""

    def __init__(self, message: str, *, code: str, tenant_id: str) -> None:
        super().__init__(message, code=code)
        self.tenant_id = tenant_id


def operations(site: Site, keepers: Keepers) -> tuple[Operation, ...]:
    """Return the operations of the plane. keepers: who keeps vaults' keys."""
    locations = site.locations
    return (
        *discovery.operations(locations),
        *providers.operations(locations),
        *groups.operations(locations),
        *vaults.operations(site, keepers),
        *vaultsecrets.OPERATIONS,
        *vaultkeys.operations(keepers),
        *privatelinks.OPERATIONS,
        *hsms.OPERATIONS,
        *networks.operations(locations),
        *roledefinitions.OPERATIONS,
        *roleassignments.OPERATIONS,
        *permissions.OPERATIONS,
        *access.ROWS,
        *previews.OPERATIONS,
        *locks.OPERATIONS,
        *tags.OPERATIONS,
        *tagnames.OPERATIONS,
        *activity.operations(),
        *rehearsal.OPERATIONS,
    )


class ManagementPlane:
    """Subscriptions, resource groups and vaults. Implements `planes.gate.Plane`.

    keepers: who keeps the keys of vaults. limiter: counts what vaults are asked, here as on the data plane; one of its
    own when None.
    """

    def __init__(self, verifier: Verifier, site: Site, keepers: Keepers, limiter: Limiter | None = None) -> None:
        self._limiter = limiter or Limiter()
        self._locations = site.locations
        self._verifier = verifier
        self.table = Table(operations(site, keepers), split_resource_path)
        self.category = Category.ADMINISTRATIVE
        self.unauthenticated = "Authentication"

    async def locate(self, call: Call) -> None:
        """Nothing to find: the resource manager is one."""

    async def authenticate(self, call: Call) -> Caller:
        """Return who signed the request; Unauthenticated in the resource manager's words otherwise."""
        try:
            return await self._verifier.verify(
                _bearer_token(call), service=Service.MANAGEMENT, store=call.stores.identity, now=call.real_now
            )
        except Unauthenticated as error:
            code, message = error.code, error.message
            if code == Unauthenticated.code:
                code, message = next((c, m) for start, c, m in REFUSALS if error.message.startswith(start))
            raise _Challenged(message, code=code, tenant_id=await _tenant_to_sign_in_at(call)) from None

    def explain_unknown(self, error: StrongroomError, call: Call) -> StrongroomError:
        """Return what is told of a path that is in no table: where its provider lacks the type, what it has."""
        if isinstance(error, NotFound):
            return providers.find_unknown_type(call.request.path, call.request.api_version) or error
        return error

    def require_version(self, call: Call) -> None:
        """Refuse api-versions that what the path names does not speak, or did not at that time."""
        assert call.operation is not None  # the gate comes here with an operation only
        version, since = call.request.query.get("api-version"), call.operation.since
        require_supported(call.request.path, version, self._locations.listed(), since=since)

    async def authorize(self, call: Call) -> None:
        """Ask whether the caller may at the scope that the path names, and then whether a lock stands against it.

        A subscription that is not there is not found. That one answer comes before the permission, as the resource
        manager gives it: subscription ids are random.
        """
        operation = call.operation
        assert operation is not None  # the gate comes here with an operation only
        caller = call.known_caller()
        require_plain(call.parameters)
        if "subscription" in call.parameters:
            subscription = await require_subscription(call.stores.resources, call.parameters["subscription"])
            if subscription.tenant_id != caller.tenant_id:
                raise _Challenged(
                    "The access token is from the wrong issuer. It must match the tenant of this subscription.",
                    code="InvalidAuthenticationTokenTenant",
                    tenant_id=subscription.tenant_id,
                )
        if operation.needs is None:
            return
        assert isinstance(operation.needs, str)  # each row of this plane's table says an RBAC action
        action = operation.needs.format_map(call.parameters)
        scope = scope_of(call.parameters)
        decision = await find_decision(call, action, scope)
        call.notes["isRbacAuthorized"] = may = decision.allowed or (decision.undecided and action in DECIDED_LATER)
        await note_decision(call, decision)
        if not may:
            raise management_refusal(caller, action, scope)
        await _require_unlocked(call, operation, action)

    def throttle(self, call: Call) -> None:
        """Hand on what counts for vaults: a request is counted once its vault is found. Else nothing has a limit."""
        call.limiter = self._limiter

    async def confirm(self, call: Call) -> None:
        """Ask again: a lock that was set, or a role that was taken, before this change counts for it."""
        await self.authorize(call)

    def parse_body(self, call: Call) -> Any:
        """Return the body as the operation's wire type; BadRequest (InvalidRequestContent) when it does not fit.

        Values of secrets are sensitive from here on.
        """
        assert call.operation is not None  # the gate comes here with an operation only
        try:
            return parse_json(call.request.body, call.operation.takes, make_octets)
        except BadRequest as error:
            raise BadRequest(
                f"The request content was invalid and could not be deserialized: '{error.message}'",
                code="InvalidRequestContent",
            ) from None

    def resource_id(self, call: Call) -> str:
        """Return the resource id of what the request is about, "" when it is about none."""
        return id_of_vault(call.vault) if call.vault is not None else scope_of(call.parameters)

    def render_error(self, error: StrongroomError, call: Call) -> Response:
        """Return an error in the resource manager's form; a 401 says where to sign in.

        There is no inner code: what a vault refuses is told by it, the outer one stands in the text.
        """
        headers = headers_of(error)
        if isinstance(error, _Challenged):
            headers = ((b"www-authenticate", _challenge(call, error).encode("latin-1", "replace")),)
        code, message = TOO_MANY if isinstance(error, TooManyUnauthenticated) else error.code, error.message
        if error.inner is not None:
            code, message = error.inner, f"[{error.inner} ({error.code})] {message}"
        body = answers.ErrorBody(error=answers.ErrorAnswer(code=code, message=message))
        return wire.render(body, error.status, headers)

    def finish(self, response: Response, call: Call) -> Response:
        """Return the response with the headers that every answer carries."""
        request = call.request
        correlation = request.header(b"x-ms-correlation-request-id")
        own = call.request_id
        added: list[tuple[bytes, bytes]] = [
            (b"x-ms-request-id", own.encode()),
            (b"x-ms-correlation-request-id", (correlation if is_guid(correlation) else own).encode()),
        ]
        client = request.correlation_id
        if request.header(b"x-ms-return-client-request-id").lower() == "true" and is_guid(client):
            added.append((b"x-ms-client-request-id", client.encode()))
        return Response(response.status, response.body, (*response.headers, *added), STANDARD)


async def _require_unlocked(call: Call, operation: Operation, action: str) -> None:
    """Raise Conflict (ScopeLocked) when a lock keeps what the caller may do from being done: here, and nowhere else."""
    if "subscription" in call.parameters and may_be_locked(action):
        locked = await call.stores.locks.list_in(subscription_id(call))
        require_unlocked(locked, action, scope_of(call.parameters), whole=operation.path in SCOPES)


def _bearer_token(call: Call) -> str:
    """Return the token of the one Authorization header, unverified."""
    request = call.request
    scheme, _, token = request.header(b"authorization").partition(" ")
    if not scheme:
        raise Unauthenticated(challenges.MANAGEMENT, code="AuthenticationFailed")
    if b"authorization" in request.repeated or scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated(
            "Authentication failed. The 'Authorization' header is provided in an invalid format.",
            code="AuthenticationFailedInvalidHeader",
        )
    return token.strip()


async def _tenant_to_sign_in_at(call: Call) -> str:
    """Return the tenant of the subscription that the path names, else the first one."""
    named = call.parameters.get("subscription", "")
    subscription = await call.stores.resources.find_subscription(named.lower()) if is_guid(named) else None
    if subscription is not None:
        return subscription.tenant_id
    tenants = await call.stores.identity.list_tenants()
    return tenants[0].tenant_id if tenants else "common"


def _challenge(call: Call, error: _Challenged) -> str:
    authority = f"https://login.{domain_with_port(call)}/{error.tenant_id}"
    return f'Bearer authorization_uri="{authority}", error="invalid_token", error_description="{error.message}"'
