"""What kinds of resource are there? The providers of this server; all are registered, always."""

import re
from functools import partial
from typing import Any

from strongroom.access.authorization import actions
from strongroom.access.authorization.model import Action
from strongroom.errors import BadRequest, NotFound
from strongroom.planes.call import Call
from strongroom.planes.http import Response
from strongroom.planes.management.answers import Page, render_list
from strongroom.planes.management.places import subscription_id
from strongroom.planes.management.versions import (
    ACTIVITY,
    AUTHORIZATION,
    KEY_VAULT,
    KEYS_SINCE,
    LINKS_SINCE,
    LOCKS,
    NETWORK,
    RESOURCES,
    SOFT_DELETE_SINCE,
    provider_of,
    versions_since,
)
from strongroom.planes.management.wire import Wire, render
from strongroom.planes.operation import Operation
from strongroom.resources.locations import Locations

NAMESPACE = re.compile(r"[A-Za-z0-9]+(\.[A-Za-z0-9]+)*\Z", re.ASCII)
# Types by provider, with the api-versions that they speak; those that live in a location first.
PROVIDERS: dict[str, tuple[tuple[str, tuple[str, ...], bool], ...]] = {
    "Microsoft.KeyVault": (
        ("vaults", KEY_VAULT, True),
        ("vaults/accessPolicies", KEY_VAULT, True),
        ("vaults/secrets", KEY_VAULT, True),
        ("vaults/keys", versions_since(KEY_VAULT, KEYS_SINCE), True),
        ("vaults/keys/versions", versions_since(KEY_VAULT, KEYS_SINCE), True),
        ("vaults/privateEndpointConnections", versions_since(KEY_VAULT, LINKS_SINCE), False),
        ("vaults/privateLinkResources", versions_since(KEY_VAULT, LINKS_SINCE), False),
        ("managedHSMs", KEY_VAULT, True),
        ("operations", KEY_VAULT, False),
        ("checkNameAvailability", KEY_VAULT, False),
        ("checkMhsmNameAvailability", KEY_VAULT, False),
        ("deletedVaults", versions_since(KEY_VAULT, SOFT_DELETE_SINCE), False),
        ("deletedManagedHSMs", KEY_VAULT, False),
        ("locations", versions_since(KEY_VAULT, SOFT_DELETE_SINCE), False),
        ("locations/deletedVaults", versions_since(KEY_VAULT, SOFT_DELETE_SINCE), False),
        ("locations/deletedManagedHSMs", KEY_VAULT, False),
        ("locations/operationResults", versions_since(KEY_VAULT, SOFT_DELETE_SINCE), False),
    ),
    "Microsoft.Resources": (
        ("tenants", RESOURCES, False),
        ("providers", RESOURCES, False),
        ("subscriptions", RESOURCES, False),
        ("subscriptions/resources", RESOURCES, False),
        ("subscriptions/providers", RESOURCES, False),
        ("subscriptions/operationresults", RESOURCES, False),
        ("resourceGroups", RESOURCES, False),
        ("subscriptions/resourceGroups", RESOURCES, False),
        ("subscriptions/resourcegroups/resources", RESOURCES, False),
        ("subscriptions/locations", RESOURCES, False),
        ("tags", RESOURCES, False),
    ),
    "Microsoft.Network": (
        ("virtualNetworks", NETWORK, True),
        ("virtualNetworks/subnets", NETWORK, False),
        ("operations", NETWORK, False),
    ),
    "Microsoft.Insights": (("eventtypes/values", ACTIVITY, False),),
    "Microsoft.Authorization": (
        ("roleDefinitions", AUTHORIZATION, False),
        ("roleAssignments", AUTHORIZATION, False),
        ("permissions", AUTHORIZATION, False),
        ("denyAssignments", AUTHORIZATION, False),
        ("classicAdministrators", AUTHORIZATION, False),
        ("providerOperations", AUTHORIZATION, False),
        ("locks", LOCKS, False),
    ),
}
REGISTERED = frozenset({"Microsoft.KeyVault", "Microsoft.Network"})
_BY_NAME = {name.lower(): name for name in PROVIDERS}
_TYPES = {name: frozenset([kind.lower() for kind, _, _ in types]) for name, types in PROVIDERS.items()}

CONTROL_ACTIONS = (
    ("Microsoft.KeyVault/register/action", "Register a subscription"),
    ("Microsoft.KeyVault/unregister/action", "Unregister a subscription"),
    ("Microsoft.KeyVault/checkNameAvailability/read", "Check Name Availability"),
    ("Microsoft.KeyVault/checkMhsmNameAvailability/read", "Check Managed HSM Name Availability"),
    ("Microsoft.KeyVault/deletedVaults/read", "List Soft Deleted Vaults"),
    ("Microsoft.KeyVault/locations/deletedVaults/read", "View Soft Deleted Vault"),
    ("Microsoft.KeyVault/locations/deletedVaults/purge/action", "Purge Soft Deleted Vault"),
    ("Microsoft.KeyVault/locations/operationResults/read", "Check Operation Result"),
    ("Microsoft.KeyVault/operations/read", "List Operations"),
    ("Microsoft.KeyVault/vaults/read", "View Vault"),
    ("Microsoft.KeyVault/vaults/write", "Create or Update Vault"),
    ("Microsoft.KeyVault/vaults/delete", "Delete Vault"),
    ("Microsoft.KeyVault/vaults/accessPolicies/write", "Update Access Policy"),
    ("Microsoft.KeyVault/vaults/secrets/read", "View Secret Properties"),
    ("Microsoft.KeyVault/vaults/secrets/write", "Write Secret"),
    ("Microsoft.KeyVault/vaults/keys/read", "View Key Properties"),
    ("Microsoft.KeyVault/vaults/keys/write", "Create Key"),
    ("Microsoft.KeyVault/vaults/keys/versions/read", "View Key Versions"),
    ("Microsoft.KeyVault/vaults/privateLinkResources/read", "List Private Link Resources"),
    ("Microsoft.KeyVault/vaults/privateEndpointConnections/read", "View Private Endpoint Connection"),
    ("Microsoft.KeyVault/vaults/privateEndpointConnections/write", "Change Private Endpoint Connection"),
    ("Microsoft.KeyVault/vaults/privateEndpointConnections/delete", "Delete Private Endpoint Connection"),
)
DATA_ACTIONS = tuple(sorted({action.data_action for action in vars(actions).values() if isinstance(action, Action)}))


class ProviderType(Wire, kw_only=True):
    """A type of resource."""

    resource_type: str
    locations: list[str]
    api_versions: tuple[str, ...]
    default_api_version: str
    capabilities: str


class Provider(Wire, kw_only=True):
    """A resource provider."""

    id: str
    namespace: str
    registration_state: str = "Registered"
    registration_policy: str
    resource_types: list[ProviderType]


class ActionDisplay(Wire, kw_only=True):
    """How an action is shown to people."""

    provider: str = "Microsoft Key Vault"
    resource: str
    operation: str
    description: str


class ActionAnswer(Wire, kw_only=True):
    """An action that roles may grant."""

    name: str
    is_data_action: bool
    display: ActionDisplay


async def list_providers(call: Call, locations: Locations) -> Response:
    """List the providers, of a subscription or of the tenant."""
    return render_list([_provider(name, call, locations) for name in PROVIDERS])


async def get_provider(call: Call, locations: Locations) -> Response:
    """Return a provider; NotFound (InvalidResourceNamespace) when there is none of that name."""
    return render(_provider(_named(call), call, locations))


async def list_types(call: Call, locations: Locations) -> Response:
    """List the types of resource that a provider has."""
    return render_list(_provider(_named(call), call, locations).resource_types)


async def register(call: Call, locations: Locations) -> Response:
    """Return a provider: it is registered, whatever was asked."""
    return render(_provider(_named(call), call, locations))


async def list_network_operations(call: Call) -> Response:  # noqa: ARG001 - the same for everyone
    """List the actions of Microsoft.Network that roles may grant here."""
    return render_list([_network_operation(name) for name in actions.NETWORK_ACTIONS])


async def list_operations(call: Call) -> Response:  # noqa: ARG001 - the same for everyone
    """List the actions of Microsoft.KeyVault that roles may grant here."""
    control = [_operation(name, text, data=False) for name, text in CONTROL_ACTIONS]
    return render_list(control + [_operation(name, name.split("/", 2)[2], data=True) for name in DATA_ACTIONS])


def find_unknown_type(path: str, version: str) -> NotFound | None:
    """Return the refusal of a path below one of our providers that names no type of it; None where it names one.

    version: the api-version that was asked for. Source: Azure/azure-rest-api-specs#14807, cloudquery/cloudquery#6629;
    what is there is told by us alone.
    """
    provider, kind = provider_of(path)
    name = _BY_NAME.get(provider)
    if name is None or kind.lower() in _TYPES[name]:
        return None
    return NotFound(
        f"The resource type could not be found in the namespace '{name}' for api version '{version}'. This server has "
        f"of that namespace: {', '.join([each for each, _, _ in PROVIDERS[name]])}.",
        code="InvalidResourceType",
    )


def _named(call: Call) -> str:
    asked = call.parameters["namespace"]
    if not NAMESPACE.match(asked):
        raise BadRequest("The resource namespace is no name.", code="InvalidResourceNamespace")
    found = _BY_NAME.get(asked.lower())
    if found is None:
        raise NotFound(f"The resource namespace '{asked}' is invalid.", code="InvalidResourceNamespace")
    return found


def _provider(name: str, call: Call, locations: Locations) -> Provider:
    place = f"/subscriptions/{subscription_id(call)}" if "subscription" in call.parameters else ""
    shown = [location.display_name for location in locations.all]
    return Provider(
        id=f"{place}/providers/{name}",
        namespace=name,
        registration_policy="RegistrationRequired" if name in REGISTERED else "RegistrationFree",
        resource_types=[
            ProviderType(
                resource_type=kind,
                locations=shown if located else [],
                api_versions=versions,
                default_api_version=next(version for version in versions if not version.endswith("preview")),
                capabilities="SupportsTags, SupportsLocation" if located else "None",
            )
            for kind, versions, located in PROVIDERS[name]
        ],
    )


def _operation(name: str, text: str, *, data: bool) -> ActionAnswer:
    display = ActionDisplay(resource=name.split("/")[1], operation=text, description=text)
    return ActionAnswer(name=name, is_data_action=data, display=display)


def _network_operation(name: str) -> ActionAnswer:
    text = name.split("/", 1)[1]
    display = ActionDisplay(provider="Microsoft Network", resource=text, operation=text, description=text)
    return ActionAnswer(name=name, is_data_action=False, display=display)


IN_SUBSCRIPTION = "/subscriptions/{subscription}/providers"
NAMED = "/{namespace}"
READ = partial(Operation, method="GET", log="Microsoft.Resources/providers/read")
READ_IN_SUBSCRIPTION = partial(
    READ,
    needs="Microsoft.Resources/subscriptions/providers/read",
    log="Microsoft.Resources/subscriptions/providers/read",
)


def operations(locations: Locations) -> tuple[Operation, ...]:
    """Return the rows of this module; locations: those that the server knows."""
    every: dict[str, Any] = {"handler": partial(list_providers, locations=locations), "gives": Page[Provider]}
    one: dict[str, Any] = {"handler": partial(get_provider, locations=locations), "gives": Provider}
    return (
        READ(path="/providers", name="list_providers_of_tenant", **every),
        READ(path="/providers" + NAMED, name="get_provider_of_tenant", **one),
        READ_IN_SUBSCRIPTION(path=IN_SUBSCRIPTION, **every),
        READ_IN_SUBSCRIPTION(path=IN_SUBSCRIPTION + NAMED, **one),
        READ_IN_SUBSCRIPTION(
            path=IN_SUBSCRIPTION + NAMED + "/resourceTypes",
            handler=partial(list_types, locations=locations),
            gives=Page[ProviderType],
        ),
        Operation(
            method="GET",
            path="/providers/Microsoft.KeyVault/operations",
            handler=list_operations,
            log="Microsoft.KeyVault/operations/read",
            gives=Page[ActionAnswer],
        ),
        Operation(
            method="GET",
            path="/providers/Microsoft.Network/operations",
            handler=list_network_operations,
            log="Microsoft.Network/operations/read",
            gives=Page[ActionAnswer],
        ),
        *(
            Operation(
                method="POST",
                path=f"{IN_SUBSCRIPTION}{NAMED}/{verb}",
                handler=partial(register, locations=locations),
                needs="{namespace}/" + verb + "/action",
                log=f"Microsoft.Resources/subscriptions/providers/{verb}/action",
                gives=Provider,
                name=f"{verb}_provider",
            )
            for verb in ("register", "unregister")
        ),
    )
