"""Where am I, and what may I see? Cloud metadata, tenants, subscriptions, locations."""

from functools import partial
from typing import Any

from strongroom.access.authorization.service import management_refusal
from strongroom.errors import BadRequest
from strongroom.ids import Scope, subscription_scope
from strongroom.planes.call import Call
from strongroom.planes.http import Response
from strongroom.planes.management import wire
from strongroom.planes.management.listing import page
from strongroom.planes.management.places import domain_with_port, subscription_id
from strongroom.planes.management.versions import API_VERSION, METADATA_AS_OBJECT_SINCE
from strongroom.planes.operation import Operation
from strongroom.resources.locations import Location, Locations
from strongroom.resources.model import Subscription
from strongroom.resources.service import require_subscription


async def metadata(call: Call) -> Response:
    """Return what a client must know of this cloud: an object since 2022-09-01, before that a list of clouds."""
    version = call.request.query.get("api-version")
    if not version:
        raise BadRequest(
            "The api-version query parameter (?api-version=) is required for all requests.",
            code="MissingApiVersionParameter",
        )
    if not API_VERSION.match(version.lower()):
        raise BadRequest(f"The api-version '{version}' is invalid.", code="InvalidApiVersionParameter")
    cloud = _cloud(domain_with_port(call))
    return wire.render(cloud if version >= METADATA_AS_OBJECT_SINCE else [cloud])


def _cloud(domain: str) -> dict[str, Any]:
    """Return the endpoints of this cloud; services that it does not have are left out."""
    management, graph = f"https://management.{domain}", f"https://graph.{domain}/"
    return {
        "name": "Strongroom",
        "portal": f"https://portal.{domain}",
        "authentication": {
            "loginEndpoint": f"https://login.{domain}",
            "audiences": [management, "https://management.azure.com/", "https://management.core.windows.net/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "graph": graph,
        "graphAudience": graph,
        "microsoftGraphResourceId": graph,
        "resourceManager": management,
        "suffixes": {"keyVaultDns": f"vault.{domain}", "mhsmDns": f"managedhsm.{domain}"},
    }


async def list_tenants(call: Call) -> Response:
    """List the tenants that the caller belongs to."""
    caller = call.known_caller()
    tenants = [t for t in await call.stores.identity.list_tenants() if t.tenant_id == caller.tenant_id]
    return wire.render_list(
        [
            {
                "id": f"/tenants/{tenant.tenant_id}",
                "tenantId": tenant.tenant_id,
                "tenantCategory": "Home",
                "displayName": tenant.display_name,
                "domains": [call.domain],
                "defaultDomain": call.domain,
                "tenantType": "AAD",
            }
            for tenant in tenants
        ]
    )


async def list_subscriptions(call: Call) -> Response:
    """List the subscriptions in which the caller holds any role."""
    seen = [s for s in await call.stores.resources.list_subscriptions() if await _may_see(call, s)]
    return await page(call, seen, lambda s: s.subscription_id, _subscription)


async def get_subscription(call: Call) -> Response:
    """Return a subscription in which the caller holds any role."""
    found = await require_subscription(call.stores.resources, subscription_id(call))
    if not await _may_see(call, found):
        scope = subscription_scope(call.parameters["subscription"])
        raise management_refusal(call.known_caller(), "Microsoft.Resources/subscriptions/read", scope)
    return wire.render(_subscription(found))


async def _may_see(call: Call, subscription: Subscription) -> bool:
    caller = call.known_caller()
    if subscription.tenant_id != caller.tenant_id:
        return False
    place = Scope.parse(subscription_scope(subscription.subscription_id))
    for principal in {caller.object_id, *caller.principals}:
        for assignment in await call.stores.assignments.list_for(principal):
            held = Scope(assignment.scope)
            if held.within(place) or place.within(held):
                return True
    return False


def _subscription(value: Subscription) -> dict[str, Any]:
    return {
        "id": subscription_scope(value.subscription_id),
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": value.subscription_id,
        "tenantId": value.tenant_id,
        "displayName": value.display_name,
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    }


async def list_locations(call: Call, locations: Locations) -> Response:
    """List the locations that a resource may say; all of them are this server."""
    subscription = subscription_id(call)
    return wire.render_list([_location(location, subscription) for location in locations.all])


def _location(value: Location, subscription: str) -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{subscription}/locations/{value.name}",
        "subscriptionId": subscription,
        "name": value.name,
        "type": "Region",
        "displayName": value.display_name,
        "regionalDisplayName": value.display_name,
        "metadata": {"regionType": "Physical", "regionCategory": "Recommended"},
    }


def operations(locations: Locations) -> tuple[Operation, ...]:
    """Return the rows of this module; locations: those that the server knows."""
    return (
        Operation(
            method="GET", path="/metadata/endpoints", handler=metadata, log="metadata/endpoints/read", anonymous=True
        ),
        Operation(method="GET", path="/tenants", handler=list_tenants, log="Microsoft.Resources/tenants/read"),
        Operation(
            method="GET",
            path="/subscriptions",
            handler=list_subscriptions,
            log="Microsoft.Resources/subscriptions/read",
        ),
        Operation(
            method="GET",
            path="/subscriptions/{subscription}",
            handler=get_subscription,
            log="Microsoft.Resources/subscriptions/read",
        ),
        Operation(
            method="GET",
            path="/subscriptions/{subscription}/locations",
            handler=partial(list_locations, locations=locations),
            log="Microsoft.Resources/subscriptions/locations/read",
            needs="Microsoft.Resources/subscriptions/locations/read",
        ),
    )
