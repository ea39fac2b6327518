"""Discovery: where a tenant's endpoints are, and which keys sign its tokens. Asked before there is any token."""

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from strongroom.access.identity import refusals
from strongroom.access.identity.signing import verifying_keys
from strongroom.planes.call import Call
from strongroom.planes.http import JSON, Response
from strongroom.planes.identity import wire
from strongroom.planes.identity.tenants import find_tenant, get_tenant
from strongroom.planes.operation import Parameter

AUTHORITY = re.compile(r"https://(?P<host>[^/?#]+)/+(?P<tenant>[^/?#]+)")

AUTHORITY_ASKED = Parameter(
    name="authorization_endpoint",
    kind=Annotated[str, Meta(extra_json_schema={"format": "uri"})],
    text="The authority that is asked about: `https://{host}/{tenant}`, and what may follow.",
    required=True,
)

# Clients keep discovery documents for a day whatever we say; saying so spares the others the same question.
KEPT = (b"cache-control", b"max-age=86400, private")
FRESH = (b"cache-control", b"no-store, no-cache")


async def configuration(call: Call) -> Response:
    """Answer the openid-configuration of the v2.0 endpoints."""
    return await _configuration(call, second=True)


async def first_configuration(call: Call) -> Response:
    """Answer the openid-configuration of the v1 endpoints."""
    return await _configuration(call, second=False)


async def _configuration(call: Call, *, second: bool) -> Response:
    named = await get_tenant(call, discovery=True)
    return _kept(
        wire.configuration(
            base=call.request.base,
            domain=call.domain,
            segment=named.segment,
            tenant_id=named.tenant.tenant_id if named.tenant else None,
            second=second,
        )
    )


async def keys(call: Call) -> Response:
    """Answer the public halves of the keys whose tokens may be alive."""
    await get_tenant(call, discovery=True)
    signing_keys = await call.stores.identity.list_signing_keys()
    body = wire.key_set(verifying_keys(signing_keys, call.real_now))
    return Response(200, msgspec.json.encode(body), (JSON, FRESH))


async def instance(call: Call) -> Response:
    """Answer which cloud an authority belongs to: this host to its own, any other to none that we know."""
    authority = AUTHORITY.match(call.request.query.get("authorization_endpoint", ""))
    if authority is None or authority["host"].lower() != call.request.host:
        raise refusals.instance_unknown()
    named = await find_tenant(call, authority["tenant"])
    if named is None:
        raise refusals.instance_unknown()
    return _kept(wire.instance(base=call.request.base, segment=named.segment))


async def user_realm(call: Call) -> Response:
    """Answer that a user signs in here: the same for everyone, whether there or not."""
    host = call.request.host.partition(":")[0]
    return _kept(wire.user_realm(host=host, name=call.parameters["upn"]))


def _kept(body: msgspec.Struct) -> Response:
    return Response(200, msgspec.json.encode(body), (JSON, KEPT))
