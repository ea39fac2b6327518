"""The identity plane's bodies, by the names that the wire uses: the only place where those names stand.

Sources: OpenID Connect Discovery 1.0; RFC 6749 and RFC 7517; the shapes that MSAL for Python and for JavaScript read.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from strongroom.access.identity.model import SigningKey
from strongroom.access.identity.signing import load_public_key
from strongroom.access.identity.tokens import ALGORITHM, EXPIRES_IN_SECONDS, Claims, issuer_of
from strongroom.errors import SignInFailed
from strongroom.octets import encode_octets

ANY_TENANT: Final = "{tenantid}"
CLAIMS_SUPPORTED: Final = ("sub", "iss", "aud", "exp", "iat", "nonce", "preferred_username", "name", "tid", "ver")

Secret = Annotated[str, Meta(extra_json_schema={"format": "password"})]


class GrantForm(msgspec.Struct, kw_only=True):
    """What every token request says: a grant, and the client's proof in one way. `identity/form.py` reads it."""

    grant_type: Literal["client_credentials"]
    client_id: str | None = None
    client_secret: Secret | None = None
    client_assertion: Secret | None = None
    client_assertion_type: Literal["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"] | None = None


class TokenForm(GrantForm, kw_only=True):
    """The form of a token request; client_id and client_secret may come by HTTP Basic instead."""

    scope: Annotated[str, Meta(description="A resource followed by `/.default`.", pattern=r"/\.default *$")]


class FirstTokenForm(GrantForm, kw_only=True):
    """The form of a token request to the v1 endpoint, with a resource instead of a scope; else as the newer one."""

    resource: Annotated[str, Meta(description="The service that the token is for.")]


class Configuration(msgspec.Struct, kw_only=True):
    """The openid-configuration of a tenant."""

    token_endpoint: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = (
        "client_secret_post",
        "private_key_jwt",
        "client_secret_basic",
    )
    jwks_uri: str
    response_modes_supported: tuple[str, ...] = ("query", "fragment", "form_post")
    subject_types_supported: tuple[str, ...] = ("pairwise",)
    id_token_signing_alg_values_supported: tuple[str, ...] = (ALGORITHM,)
    response_types_supported: tuple[str, ...] = ("code", "id_token", "code id_token", "id_token token")
    scopes_supported: tuple[str, ...] = ("openid", "profile", "email", "offline_access")
    issuer: str
    request_uri_parameter_supported: bool = False
    authorization_endpoint: str
    device_authorization_endpoint: str
    http_logout_supported: bool = True
    frontchannel_logout_supported: bool = True
    end_session_endpoint: str
    claims_supported: tuple[str, ...] = CLAIMS_SUPPORTED
    tenant_region_scope: None = None
    cloud_instance_name: str
    cloud_graph_host_name: str
    msgraph_host: str


class WebKey(msgspec.Struct, kw_only=True):
    """The public half of a signing key."""

    kty: Literal["RSA"] = "RSA"
    use: Literal["sig"] = "sig"
    kid: str
    alg: str = ALGORITHM
    n: str
    e: str


class KeySet(msgspec.Struct):
    """The keys whose tokens may be alive."""

    keys: list[WebKey]


class Metadata(msgspec.Struct):
    """The names of one cloud."""

    preferred_network: str
    preferred_cache: str
    aliases: list[str]


class Instance(msgspec.Struct, kw_only=True):
    """Which cloud an authority belongs to."""

    tenant_discovery_endpoint: str
    api_version: str = msgspec.field(name="api-version", default="1.1")
    metadata: list[Metadata]


class UserRealm(msgspec.Struct, kw_only=True):
    """How a user signs in."""

    ver: str = "1.0"
    account_type: str = "Managed"
    domain_name: str
    cloud_instance_name: str
    cloud_audience_urn: str = "urn:federation:MicrosoftOnline"


class TokenAnswer(msgspec.Struct, kw_only=True):
    """A token."""

    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in: int = EXPIRES_IN_SECONDS
    ext_expires_in: int = EXPIRES_IN_SECONDS
    access_token: Secret


class FirstTokenAnswer(msgspec.Struct, kw_only=True):
    """A token, as the v1 endpoint gives it: its numbers are text."""

    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in: str = str(EXPIRES_IN_SECONDS)
    ext_expires_in: str = str(EXPIRES_IN_SECONDS)
    expires_on: str
    not_before: str
    resource: str
    access_token: Secret


class SignInRefusal(msgspec.Struct, kw_only=True):
    """An OAuth error with its AADSTS number."""

    error: str
    error_description: str
    error_codes: list[int]
    timestamp: str
    trace_id: str
    correlation_id: str
    error_uri: str


class PlainRefusal(msgspec.Struct):
    """A refusal that is no OAuth error."""

    error: str
    error_description: str


def configuration(*, base: str, domain: str, segment: str, tenant_id: str | None, second: bool) -> Configuration:
    """Return the openid-configuration of a tenant.

    base: the URL of this host as the client wrote it. segment: the tenant in the URLs. tenant_id: None for `common` and
    `organizations`, whose issuer is a template. second: for the v2.0 endpoints.
    """
    authority = f"{base}/{segment}"
    version = "/v2.0" if second else ""
    tenant = tenant_id or ANY_TENANT
    return Configuration(
        token_endpoint=f"{authority}/oauth2{version}/token",
        jwks_uri=f"{authority}/discovery{version}/keys",
        issuer=f"{base}/{tenant}/v2.0" if second else issuer_of(tenant, domain),
        authorization_endpoint=f"{authority}/oauth2{version}/authorize",
        device_authorization_endpoint=f"{authority}/oauth2{version}/devicecode",
        end_session_endpoint=f"{authority}/oauth2{version}/logout",
        cloud_instance_name=domain,
        cloud_graph_host_name=f"graph.{domain}",
        msgraph_host=base.removeprefix("https://").replace("login.", "graph.", 1),
    )


def key_set(keys: Iterable[SigningKey]) -> KeySet:
    """Return signing keys as a JSON Web Key Set."""
    return KeySet([_web_key(key) for key in keys])


def _web_key(key: SigningKey) -> WebKey:
    numbers = load_public_key(key).public_numbers()
    return WebKey(kid=key.kid, n=_base64url_integer(numbers.n), e=_base64url_integer(numbers.e))


def _base64url_integer(number: int) -> str:
    return encode_octets(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def instance(*, base: str, segment: str) -> Instance:
    """Return the answer of instance discovery: this host is its own cloud."""
    host = base.removeprefix("https://")
    return Instance(
        tenant_discovery_endpoint=f"{base}/{segment}/v2.0/.well-known/openid-configuration",
        metadata=[Metadata(preferred_network=host, preferred_cache=host, aliases=[host])],
    )


def user_realm(*, host: str, name: str) -> UserRealm:
    """Return the answer of the user-realm look-up: nobody is federated, whoever is asked about."""
    return UserRealm(domain_name=name.rpartition("@")[2], cloud_instance_name=host)


def token_answer(token: str) -> TokenAnswer:
    """Return the v2.0 endpoint's answer."""
    return TokenAnswer(access_token=token)


def first_token_answer(token: str, claims: Claims) -> FirstTokenAnswer:
    """Return the v1 endpoint's answer."""
    return FirstTokenAnswer(
        expires_on=str(claims.exp), not_before=str(claims.nbf), resource=claims.aud, access_token=token
    )


def refusal(error: SignInFailed, *, base: str, now: datetime, trace_id: str, correlation_id: str) -> SignInRefusal:
    """Return the body of a refusal, its description as people search for it."""
    moment = f"{now:%Y-%m-%d %H:%M:%S}Z"
    return SignInRefusal(
        error=error.code,
        error_description=(
            f"AADSTS{error.number}: {error.message} "
            f"Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {moment}"
        ),
        error_codes=[error.number],
        timestamp=moment,
        trace_id=trace_id,
        correlation_id=correlation_id,
        error_uri=f"{base}/error?code={error.number}",
    )
