"""The token endpoint: an application proves itself and gets a token for one resource.

Order of checks: tenant, form, grant, client, credential, state of the application, resource. Whoever does not prove to
be the application learns nothing of its state. What a client sent is in no record but for ids that are known to be ids.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from strongroom.access.identity import refusals
from strongroom.access.identity.applications import Applications
from strongroom.access.identity.assertions import JWT_BEARER, Endpoint, require_assertion
from strongroom.access.identity.audiences import Service, find_service, own_audience
from strongroom.access.identity.model import Application, Tenant
from strongroom.access.identity.signing import SigningKeys
from strongroom.access.identity.tokens import Claims, Credential, claims_for, sign_token
from strongroom.custody.sealing import Custodian
from strongroom.ids import is_guid
from strongroom.planes.call import Call
from strongroom.planes.http import JSON, Response
from strongroom.planes.identity import wire
from strongroom.planes.identity.form import Form, read_form
from strongroom.planes.identity.tenants import get_tenant

CLIENT_CREDENTIALS: Final = "client_credentials"
DEFAULT_SCOPE: Final = "/.default"
OPENID_SCOPES: Final = frozenset({"openid", "profile", "email", "offline_access"})
"""What people are asked for: an application has none of it, but MSAL for Go asks for it with every token."""
NEVER_KEPT = ((b"cache-control", b"no-store, no-cache"), (b"pragma", b"no-cache"), (b"expires", b"-1"))


@dataclass(frozen=True, slots=True)
class _Proof:
    """How an application proved itself, and the id of the credential that did it."""

    credential: Credential
    key_id: str


class TokenEndpoint:
    """Grants tokens. One per process: it keeps the opened signing key."""

    def __init__(self, custodian: Custodian) -> None:
        self._keys = SigningKeys(custodian)

    async def grant(self, call: Call) -> Response:
        """Answer a request to the v2.0 endpoint."""
        token, _ = await self._grant(call, _resource_of_scope)
        return _answer(wire.token_answer(token))

    async def first_grant(self, call: Call) -> Response:
        """Answer a request to the v1 endpoint, which names a resource instead of a scope."""
        token, claims = await self._grant(call, _resource_of_parameter)
        return _answer(wire.first_token_answer(token, claims))

    async def _grant(self, call: Call, resource_of: Callable[[Form], str]) -> tuple[str, Claims]:
        named = await get_tenant(call, discovery=False)
        form = read_form(call.request)
        if form.get("grant_type") != CLIENT_CREDENTIALS:
            raise refusals.grant_unsupported()
        if named.tenant is None:
            raise refusals.tenant_unnamed()
        application, proof = await _authenticate(call, named.tenant, form)
        if not application.enabled:
            raise refusals.application_disabled(application.app_id)
        resource = _require_resource(resource_of(form), call.domain)
        claims = claims_for(application, resource, domain=call.domain, credential=proof.credential, now=call.real_now)
        call.notes |= {"resource": resource, "uniqueTokenIdentifier": claims.uti, "errorCode": 0}
        key = await self._keys.current(call.stores.identity, call.stores.keyring, call.real_now)
        call.signed_in = True
        return sign_token(claims, key), claims


async def _authenticate(call: Call, tenant: Tenant, form: Form) -> tuple[Application, _Proof]:
    client_id = form.client_id.lower()
    if not client_id:
        raise refusals.parameter_missing("client_id")
    known_id = client_id if is_guid(client_id) else ""
    if known_id:
        call.notes["appId"] = known_id
    application = await call.stores.identity.find_application(client_id)
    if application is None or application.tenant_id != tenant.tenant_id:
        raise refusals.application_unknown(known_id)
    call.notes |= {
        "servicePrincipalId": application.object_id,
        "servicePrincipalName": application.display_name,
    }
    proof = await _prove(call, tenant, application, form)
    call.notes |= {
        "clientCredentialType": "clientSecret" if proof.credential is Credential.SECRET else "certificate",
        "servicePrincipalCredentialKeyId": proof.key_id,
    }
    return application, proof


async def _prove(call: Call, tenant: Tenant, application: Application, form: Form) -> _Proof:
    if form.client_secret is not None:
        applications = Applications(call.stores.identity, call.stores.keyring, call.custodian)
        secret = await applications.require_secret(application, form.client_secret, call.real_now)
        return _Proof(Credential.SECRET, secret.key_id)
    if form.client_assertion is None:
        raise refusals.credential_missing()
    if form.get("client_assertion_type") != JWT_BEARER:
        raise refusals.assertion_type_unsupported()
    certificate = require_assertion(form.client_assertion.reveal(), application, _endpoint(call, tenant), call.real_now)
    return _Proof(Credential.CERTIFICATE, certificate.key_id)


def _endpoint(call: Call, tenant: Tenant) -> Endpoint:
    request = call.request
    return Endpoint(
        host=request.host.partition(":")[0],
        url=f"{request.base}/{tenant.tenant_id}/oauth2/v2.0/token",
        tenants=frozenset({tenant.tenant_id, call.parameters["tenant"].lower()}),
    )


def _resource_of_scope(form: Form) -> str:
    """Return the resource of a scope: the suffix is taken off once, since a resource may end in a slash itself."""
    scopes = [scope for scope in form.get("scope").split(" ") if scope and scope not in OPENID_SCOPES]
    if len(scopes) != 1 or not scopes[0].endswith(DEFAULT_SCOPE):
        raise refusals.scope_invalid()
    return scopes[0].removesuffix(DEFAULT_SCOPE)


def _resource_of_parameter(form: Form) -> str:
    return form.get("resource")


def _require_resource(resource: str, domain: str) -> str:
    if find_service(resource, domain) is None:
        raise refusals.resource_unknown(own_audience(Service.VAULT, domain))
    return resource


def _answer(body: msgspec.Struct) -> Response:
    return Response(200, msgspec.json.encode(body), (JSON, *NEVER_KEPT))
