"""The identity plane's bodies, by the names that the wire uses: the only place where those names stand.

Sources: OpenID Connect Discovery 1.0; RFC 6749 and RFC 7517; the shapes that MSAL for Python and for JavaScript read.
"""

import base64
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from strongroom.access.identity.model import SigningKey
from strongroom.access.identity.signing import load_public_key
from strongroom.access.identity.tokens import ALGORITHM, EXPIRES_IN_SECONDS, Claims, issuer_of
from strongroom.errors import SignInFailed

ANY_TENANT: Final = "{tenantid}"
CLAIMS_SUPPORTED: Final = ["sub", "iss", "aud", "exp", "iat", "nonce", "preferred_username", "name", "tid", "ver"]


def configuration(*, base: str, domain: str, segment: str, tenant_id: str | None, second: bool) -> dict[str, Any]:
    """Return the openid-configuration of a tenant.

    base: the URL of this host as the client wrote it. segment: the tenant in the URLs. tenant_id: None for `common` and
    `organizations`, whose issuer is a template. second: for the v2.0 endpoints.
    """
    authority = f"{base}/{segment}"
    version = "/v2.0" if second else ""
    tenant = tenant_id or ANY_TENANT
    return {
        "token_endpoint": f"{authority}/oauth2{version}/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": f"{authority}/discovery{version}/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": f"{base}/{tenant}/v2.0" if second else issuer_of(tenant, domain),
        "request_uri_parameter_supported": False,
        "authorization_endpoint": f"{authority}/oauth2{version}/authorize",
        "device_authorization_endpoint": f"{authority}/oauth2{version}/devicecode",
        "http_logout_supported": True,
        "frontchannel_logout_supported": True,
        "end_session_endpoint": f"{authority}/oauth2{version}/logout",
        "claims_supported": CLAIMS_SUPPORTED,
        "tenant_region_scope": None,
        "cloud_instance_name": domain,
        "cloud_graph_host_name": f"graph.{domain}",
        "msgraph_host": base.removeprefix("https://").replace("login.", "graph.", 1),
    }


def key_set(keys: Iterable[SigningKey]) -> dict[str, Any]:
    """Return signing keys as a JSON Web Key Set."""
    return {"keys": [_web_key(key) for key in keys]}


def _web_key(key: SigningKey) -> dict[str, Any]:
    numbers = load_public_key(key).public_numbers()
    return {
        "kty": "RSA",
        "use": "sig",
        "kid": key.kid,
        "alg": ALGORITHM,
        "n": _base64url_integer(numbers.n),
        "e": _base64url_integer(numbers.e),
    }


def _base64url_integer(number: int) -> str:
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def instance(*, base: str, segment: str) -> dict[str, Any]:
    """Return the answer of instance discovery: this host is its own cloud."""
    host = base.removeprefix("https://")
    return {
        "tenant_discovery_endpoint": f"{base}/{segment}/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    }


def user_realm(*, host: str, name: str) -> dict[str, Any]:
    """Return the answer of the user-realm look-up: nobody is federated, whoever is asked about."""
    return {
        "ver": "1.0",
        "account_type": "Managed",
        "domain_name": name.rpartition("@")[2],
        "cloud_instance_name": host,
        "cloud_audience_urn": "urn:federation:MicrosoftOnline",
    }


def token_answer(token: str) -> dict[str, Any]:
    """Return the v2.0 endpoint's answer."""
    return {
        "token_type": "Bearer",
        "expires_in": EXPIRES_IN_SECONDS,
        "ext_expires_in": EXPIRES_IN_SECONDS,
        "access_token": token,
    }


def first_token_answer(token: str, claims: Claims) -> dict[str, Any]:
    """Return the v1 endpoint's answer: its numbers are text."""
    return {
        "token_type": "Bearer",
        "expires_in": str(EXPIRES_IN_SECONDS),
        "ext_expires_in": str(EXPIRES_IN_SECONDS),
        "expires_on": str(claims.exp),
        "not_before": str(claims.nbf),
        "resource": claims.aud,
        "access_token": token,
    }


def refusal(error: SignInFailed, *, base: str, now: datetime, trace_id: str, correlation_id: str) -> dict[str, Any]:
    """Return the body of a refusal, its description as people search for it."""
    moment = f"{now:%Y-%m-%d %H:%M:%S}Z"
    return {
        "error": error.code,
        "error_description": (
            f"AADSTS{error.number}: {error.message} "
            f"Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {moment}"
        ),
        "error_codes": [error.number],
        "timestamp": moment,
        "trace_id": trace_id,
        "correlation_id": correlation_id,
        "error_uri": f"{base}/error?code={error.number}",
    }
