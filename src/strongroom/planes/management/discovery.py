"""Where am I, and what may I see? Cloud metadata, tenants, subscriptions, locations."""

from functools import partial

from msgspec import UNSET, UnsetType

from strongroom.access.authorization.service import management_refusal
from strongroom.errors import BadRequest
from strongroom.ids import Scope, subscription_scope
from strongroom.planes.call import Call
from strongroom.planes.http import Response
from strongroom.planes.management.answers import Page, render_list
from strongroom.planes.management.listing import PAGE, page
from strongroom.planes.management.places import domain_with_port, subscription_id
from strongroom.planes.management.versions import API_VERSION, METADATA_AS_OBJECT_SINCE
from strongroom.planes.management.wire import Wire, render
from strongroom.planes.operation import Operation
from strongroom.resources.locations import Location, Locations
from strongroom.resources.model import Subscription
from strongroom.resources.service import require_subscription


class Authentication(Wire, kw_only=True):
    """Where to sign in to a cloud."""

    login_endpoint: str
    audiences: list[str]
    tenant: str = "common"
    identity_provider: str = "AAD"


class Suffixes(Wire, kw_only=True):
    """Under which names the services of a cloud are found."""

    key_vault_dns: str
    mhsm_dns: str


class Cloud(Wire, kw_only=True):
    """What a client must know of a cloud."""

    name: str
    portal: str
    authentication: Authentication
    graph: str
    graph_audience: str
    microsoft_graph_resource_id: str
    resource_manager: str
    suffixes: Suffixes


class TenantAnswer(Wire, kw_only=True):
    """A tenant."""

    id: str
    tenant_id: str
    tenant_category: str = "Home"
    display_name: str
    domains: list[str]
    default_domain: str
    tenant_type: str = "AAD"


class SubscriptionPolicies(Wire, kw_only=True):
    """What a subscription is entitled to; kept for clients that read it."""

    location_placement_id: str = "Public_2014-09-01"
    quota_id: str = "PayAsYouGo_2014-09-01"
    spending_limit: str = "Off"


class SubscriptionAnswer(Wire, kw_only=True):
    """A subscription."""

    id: str
    authorization_source: str = "RoleBased"
    managed_by_tenants: tuple[()] = ()
    subscription_id: str
    tenant_id: str
    display_name: str
    state: str = "Enabled"
    subscription_policies: SubscriptionPolicies
    tags: dict[str, str] | UnsetType = UNSET


class LocationMetadata(Wire, kw_only=True):
    """What kind of place a location is."""

    region_type: str = "Physical"
    region_category: str = "Recommended"


class LocationAnswer(Wire, kw_only=True):
    """A location that a resource may say."""

    id: str
    subscription_id: str
    name: str
    type: str = "Region"
    display_name: str
    regional_display_name: str
    metadata: LocationMetadata


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
    return render(cloud if version >= METADATA_AS_OBJECT_SINCE else [cloud])


def _cloud(domain: str) -> Cloud:
    """Return the endpoints of this cloud; services that it does not have are left out."""
    management, graph = f"https://management.{domain}", f"https://graph.{domain}/"
    return Cloud(
        name="Strongroom",
        portal=f"https://portal.{domain}",
        authentication=Authentication(
            login_endpoint=f"https://login.{domain}",
            audiences=[management, "https://management.azure.com/", "https://management.core.windows.net/"],
        ),
        graph=graph,
        graph_audience=graph,
        microsoft_graph_resource_id=graph,
        resource_manager=management,
        suffixes=Suffixes(key_vault_dns=f"vault.{domain}", mhsm_dns=f"managedhsm.{domain}"),
    )


async def list_tenants(call: Call) -> Response:
    """List the tenants that the caller belongs to."""
    caller = call.known_caller()
    tenants = [t for t in await call.stores.identity.list_tenants() if t.tenant_id == caller.tenant_id]
    return render_list(
        [
            TenantAnswer(
                id=f"/tenants/{tenant.tenant_id}",
                tenant_id=tenant.tenant_id,
                display_name=tenant.display_name,
                domains=[call.domain],
                default_domain=call.domain,
            )
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
    return render(_subscription(found))


async def _may_see(call: Call, subscription: Subscription) -> bool:
    caller = call.known_caller()
    if subscription.tenant_id != caller.tenant_id:
        return False
    place = Scope.parse(subscription_scope(subscription.subscription_id)).path
    holders = await call.stores.assignments.held_by(caller.object_id, caller.principals)
    return any(held.touches(place) for held in holders)


def _subscription(value: Subscription) -> SubscriptionAnswer:
    return SubscriptionAnswer(
        id=subscription_scope(value.subscription_id),
        subscription_id=value.subscription_id,
        tenant_id=value.tenant_id,
        display_name=value.display_name,
        subscription_policies=SubscriptionPolicies(),
        tags=dict(value.tags) or UNSET,
    )


async def list_locations(call: Call, locations: Locations) -> Response:
    """List the locations that a resource may say; all of them are this server."""
    subscription = subscription_id(call)
    return render_list([_location(location, subscription) for location in locations.all])


def _location(value: Location, subscription: str) -> LocationAnswer:
    return LocationAnswer(
        id=f"/subscriptions/{subscription}/locations/{value.name}",
        subscription_id=subscription,
        name=value.name,
        display_name=value.display_name,
        regional_display_name=value.display_name,
        metadata=LocationMetadata(),
    )


READ = partial(Operation, method="GET")
OPERATIONS = (
    READ(
        path="/metadata/endpoints",
        handler=metadata,
        log="metadata/endpoints/read",
        gives=Cloud | list[Cloud],
        anonymous=True,
        name="get_metadata",
    ),
    READ(path="/tenants", handler=list_tenants, log="Microsoft.Resources/tenants/read", gives=Page[TenantAnswer]),
    READ(
        path="/subscriptions",
        handler=list_subscriptions,
        log="Microsoft.Resources/subscriptions/read",
        gives=Page[SubscriptionAnswer],
        query=PAGE,
    ),
    READ(
        path="/subscriptions/{subscription}",
        handler=get_subscription,
        log="Microsoft.Resources/subscriptions/read",
        gives=SubscriptionAnswer,
        refuses=(403,),
    ),
)


def operations(locations: Locations) -> tuple[Operation, ...]:
    """Return the rows of this module; locations: those that the server knows."""
    return (
        *OPERATIONS,
        READ(
            path="/subscriptions/{subscription}/locations",
            handler=partial(list_locations, locations=locations),
            log="Microsoft.Resources/subscriptions/locations/read",
            needs="Microsoft.Resources/subscriptions/locations/read",
            gives=Page[LocationAnswer],
        ),
    )
