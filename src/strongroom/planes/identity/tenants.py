"""Which tenant a path speaks of: its id, the base domain for the first one, or a word for any."""

from dataclasses import dataclass

from strongroom.access.identity import refusals
from strongroom.access.identity.model import Tenant
from strongroom.planes.call import Call

ANY = frozenset({"common", "organizations"})


@dataclass(frozen=True, slots=True)
class Named:
    """The tenant of a request. segment: as URLs write it; tenant: None where any is meant."""

    segment: str
    tenant: Tenant | None


async def find_tenant(call: Call, unverified_segment: str) -> Named | None:
    """Return what a path's first segment names, None when it names no tenant of this server."""
    segment = unverified_segment.lower()
    if segment in ANY:
        return Named(segment, None)
    tenants = await call.stores.identity.list_tenants()
    for place, tenant in enumerate(tenants):
        if segment == tenant.tenant_id or (place == 0 and segment == call.domain):
            return Named(tenant.tenant_id, tenant)
    return None


async def get_tenant(call: Call, *, discovery: bool) -> Named:
    """Return the tenant that the call's path names; SignInFailed when there is none."""
    named = await find_tenant(call, call.parameters["tenant"])
    if named is None:
        raise refusals.tenant_unknown(discovery=discovery)
    if named.tenant is not None:
        call.notes["tenantId"] = named.tenant.tenant_id
    return named
