"""Every error that a client can see, as one tree.

A plane renders the tree once (`planes/*/errors.py`); anything that is not in it becomes an opaque 500.

    StrongroomError
    ├── BadRequest              400  BadParameter, or the ARM code given
    ├── Unauthenticated         401  Unauthorized, with its challenge
    ├── Forbidden               403  Forbidden
    │   ├── ForbiddenByPolicy        inner code ForbiddenByPolicy
    │   ├── ForbiddenByRbac          inner code ForbiddenByRbac
    │   ├── ForbiddenByNetwork
    │   │   ├── ForbiddenByFirewall      inner code ForbiddenByFirewall
    │   │   └── ForbiddenByConnection    inner code ForbiddenByConnection
    │   ├── ObjectDisabled           inner code SecretDisabled
    │   ├── KeyDisabled              inner code KeyDisabled
    │   ├── KeyOperationForbidden    inner code KeyOperationForbidden
    │   ├── KeyNotYetValid           inner code KeyNotYetValid
    │   ├── KeyExpired               inner code KeyExpired
    │   └── AuthorizationFailed      ARM
    ├── NotFound                404
    ├── MethodNotAllowed        405
    ├── Conflict                409
    ├── PreconditionFailed      412
    ├── PayloadTooLarge         413
    ├── Throttled               429
    │   └── TooManyUnauthenticated   from one address
    ├── SignInFailed            400/401, an AADSTS number (identity plane)
    └── ServiceUnavailable      503
        └── StorageUnavailable

Sources of codes and texts: `docs/errors.md`.
"""


class StrongroomError(Exception):
    """An error with its place on the wire: HTTP status, outer code, inner code and a message for a person.

    retry_after: in how many seconds it is worth another try, told in the header of that name; None where nobody knows.
    """

    status: int = 500
    code: str = "InternalServerError"
    inner: str | None = None

    def __init__(
        self, message: str, *, code: str | None = None, inner: str | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after
        if code is not None:
            self.code = code
        if inner is not None:
            self.inner = inner


class BadRequest(StrongroomError):
    """The request itself is wrong; the message says which part and what would be right."""

    status = 400
    code = "BadParameter"


class Unauthenticated(StrongroomError):
    """No token, or one that does not verify. The plane adds its challenge header."""

    status = 401
    code = "Unauthorized"


class Forbidden(StrongroomError):
    """The caller is known and may not."""

    status = 403
    code = "Forbidden"


class ForbiddenByPolicy(Forbidden):
    """No access policy of the vault grants the permission."""

    inner = "ForbiddenByPolicy"


class ForbiddenByRbac(Forbidden):
    """No role assignment grants the data action."""

    inner = "ForbiddenByRbac"


class ForbiddenByNetwork(Forbidden):
    """The vault may not be reached from where the caller is."""


class ForbiddenByFirewall(ForbiddenByNetwork):
    """No network rule of the vault lets the caller's address in."""

    inner = "ForbiddenByFirewall"


class ForbiddenByConnection(ForbiddenByNetwork):
    """The request came over no private endpoint of the vault: it has no other access, or it was another vault's."""

    inner = "ForbiddenByConnection"


class ObjectDisabled(Forbidden):
    """The version is disabled."""

    inner = "SecretDisabled"


class KeyDisabled(Forbidden):
    """The version of the key is disabled."""

    inner = "KeyDisabled"


class KeyOperationForbidden(Forbidden):
    """The key is not for this operation."""

    inner = "KeyOperationForbidden"


class KeyNotYetValid(Forbidden):
    """The key makes nothing new before its time."""

    inner = "KeyNotYetValid"


class KeyExpired(Forbidden):
    """The key makes nothing new after its time."""

    inner = "KeyExpired"


class AuthorizationFailed(Forbidden):
    """No role assignment grants the management action."""

    code = "AuthorizationFailed"


class NotFound(StrongroomError):
    """What the request names is not there."""

    status = 404
    code = "NotFound"


class MethodNotAllowed(StrongroomError):
    """The path is known, the verb is not; or a rule forbids the operation for everyone.

    allowed: the verbs that the path does have, none where a rule forbids. Every 405 says them (RFC 9110, 15.5.6).
    """

    status = 405
    code = "MethodNotAllowed"

    def __init__(self, message: str, *, allowed: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.allowed = allowed


class Conflict(StrongroomError):
    """The state of what is named does not allow the operation."""

    status = 409
    code = "Conflict"


class PreconditionFailed(StrongroomError):
    """What is named is not as the request expects it: `If-Match`, `If-None-Match`."""

    status = 412
    code = "PreconditionFailed"


class PayloadTooLarge(StrongroomError):
    """The body is larger than the operation accepts."""

    status = 413
    code = "RequestEntityTooLarge"


class Throttled(StrongroomError):
    """Too many requests in the window."""

    status = 429
    code = "Throttled"


class TooManyUnauthenticated(Throttled):
    """One address sent too many requests that proved nobody; those with valid credentials are not meant."""


class SignInFailed(StrongroomError):
    """The token endpoint's refusal: an OAuth error with an AADSTS number."""

    def __init__(self, number: int, error: str, message: str, *, status: int = 400) -> None:
        super().__init__(message, code=error)
        self.number = number
        self.status = status


class ServiceUnavailable(StrongroomError):
    """The service cannot do this now; nothing was changed."""

    status = 503
    code = "ServiceUnavailable"


class StorageUnavailable(ServiceUnavailable):
    """The change or its record could not be made durable; it was rolled back."""
