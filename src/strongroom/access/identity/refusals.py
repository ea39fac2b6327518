"""Every refusal of the token endpoint: AADSTS number, OAuth error, status and text.

Numbers, errors and statuses are the directory's (Entra "authentication and authorization error codes", and its answers
as quoted in public issues); the texts are our own and repeat nothing that the client sent but identifiers.
"""

from strongroom.errors import SignInFailed


def tenant_unknown(*, discovery: bool = False) -> SignInFailed:
    """No such tenant; discovery documents say so with another OAuth error than the token endpoint."""
    error = "invalid_tenant" if discovery else "invalid_request"
    return SignInFailed(90002, error, "Tenant not found. Check the tenant's id, and that this is the right server.")


def too_many() -> SignInFailed:
    """One address sent too many requests that proved nobody (RFC 6749, section 4.1.2.1, has the error)."""
    text = "Too many requests without valid credentials came from this address. Try again later."
    return SignInFailed(90055, "temporarily_unavailable", text, status=429)


def tenant_unnamed() -> SignInFailed:
    """`common` and `organizations` name no tenant, and an application belongs to one."""
    return SignInFailed(50059, "invalid_request", "An application signs in at its own tenant: name it by its id.")


def parameter_missing(name: str) -> SignInFailed:
    """A parameter that the grant needs is not in the form."""
    return SignInFailed(900144, "invalid_request", f"The request body must have the parameter '{name}'.")


def parameter_repeated(name: str) -> SignInFailed:
    """A parameter stands twice in the form."""
    return SignInFailed(9000411, "invalid_request", f"The parameter '{name}' is given more than once.")


def form_unreadable() -> SignInFailed:
    """The form is no form, or not one of this size."""
    return SignInFailed(90013, "invalid_request", "The request body is no readable form.")


def credentials_doubled() -> SignInFailed:
    """More than one way of proving oneself: which one counts must not be left open (RFC 6749, section 2.3)."""
    return SignInFailed(90023, "invalid_request", "A request proves the client in one way only.")


def grant_unsupported() -> SignInFailed:
    """A grant type that this server does not have."""
    return SignInFailed(70003, "unsupported_grant_type", "This server has the grant 'client_credentials' only.")


def scope_invalid() -> SignInFailed:
    """A scope that is not one resource with `/.default`."""
    text = "The scope of a client-credentials request is one resource followed by '/.default'."
    return SignInFailed(1002012, "invalid_scope", text)


def resource_unknown(own: str) -> SignInFailed:
    """A resource that is no service of this server; own: one that is."""
    text = f"The resource asked for was not found in this tenant. One that is there: {own}."
    return SignInFailed(500011, "invalid_resource", text)


def application_unknown(app_id: str) -> SignInFailed:
    """No such application in the tenant; app_id: "" when what was sent is no identifier."""
    named = f" with identifier '{app_id}'" if app_id else ""
    return SignInFailed(700016, "unauthorized_client", f"An application{named} was not found in this tenant.")


def application_disabled(app_id: str) -> SignInFailed:
    """The application proved itself and may not sign in."""
    return SignInFailed(7000112, "unauthorized_client", f"Application '{app_id}' is disabled.")


def credential_missing() -> SignInFailed:
    """Neither a secret nor an assertion."""
    text = "The grant 'client_credentials' needs 'client_secret' or 'client_assertion'."
    return SignInFailed(7000216, "invalid_client", text, status=401)


def secret_wrong(app_id: str) -> SignInFailed:
    """The secret is none of the application's."""
    text = f"Invalid client secret for application '{app_id}'. Send the secret's value, not its id."
    return SignInFailed(7000215, "invalid_client", text, status=401)


def secret_expired(app_id: str) -> SignInFailed:
    """The secret was right once."""
    text = f"The client secret of application '{app_id}' has expired. Make a new one: strongroom app reset-secret."
    return SignInFailed(7000222, "invalid_client", text, status=401)


def assertion_type_unsupported() -> SignInFailed:
    """`client_assertion_type` is not jwt-bearer."""
    return SignInFailed(90023, "invalid_request", "The client assertion type is not supported; send a JWT.")


def assertion_malformed() -> SignInFailed:
    """The assertion is no signed JWT with the claims that it needs."""
    return SignInFailed(50027, "invalid_request", "The client assertion is malformed or lacks a claim.")


def assertion_unsigned(reason: str) -> SignInFailed:
    """The signature does not prove the application; reason: why."""
    text = f"The client assertion's signature is not valid: {reason}."
    return SignInFailed(700027, "invalid_client", text, status=401)


def assertion_foreign() -> SignInFailed:
    """Issuer or subject of the assertion is another application."""
    return SignInFailed(700021, "invalid_client", "The client assertion is not about this client.", status=401)


def assertion_misdirected(endpoint: str) -> SignInFailed:
    """The assertion was made for another endpoint; endpoint: ours."""
    text = f"The client assertion's audience is not this token endpoint, {endpoint}."
    return SignInFailed(700023, "invalid_client", text, status=401)


def assertion_out_of_time() -> SignInFailed:
    """The assertion is expired, not yet valid, or valid for too long."""
    text = "The client assertion is not within its valid time range, which is at most an hour."
    return SignInFailed(700024, "invalid_client", text, status=401)


def instance_unknown() -> SignInFailed:
    """Instance discovery was asked about an authority that is not here."""
    return SignInFailed(50049, "invalid_instance", "The authority asked about is not this server.")
