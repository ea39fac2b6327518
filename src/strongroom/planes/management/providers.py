"""What kinds of resource are there? The providers of this server; all are registered, always."""

import re
from functools import partial
from typing import Any

from strongroom.access.authorization import actions
from strongroom.access.authorization.model import Action
from strongroom.errors import BadRequest, NotFound
from strongroom.planes.call import Call
from strongroom.planes.http import Response
from strongroom.planes.management import wire
from strongroom.planes.management.places import subscription_id
from strongroom.planes.management.versions import KEY_VAULT, RESOURCES
from strongroom.planes.operation import Operation
from strongroom.resources.locations import Locations

NAMESPACE = re.compile(r"[A-Za-z0-9]+(\.[A-Za-z0-9]+)*\Z", re.ASCII)
# Types by provider, with the api-versions that they speak; those that live in a location first.
PROVIDERS: dict[str, tuple[tuple[str, tuple[str, ...], bool], ...]] = {
    "Microsoft.KeyVault": (
        ("vaults", KEY_VAULT, True),
        ("vaults/accessPolicies", KEY_VAULT, True),
        ("managedHSMs", KEY_VAULT, True),
        ("operations", KEY_VAULT, False),
        ("checkNameAvailability", KEY_VAULT, False),
        ("checkMhsmNameAvailability", KEY_VAULT, False),
        ("deletedVaults", KEY_VAULT, False),
        ("deletedManagedHSMs", KEY_VAULT, False),
        ("locations", KEY_VAULT, False),
        ("locations/deletedVaults", KEY_VAULT, False),
        ("locations/deletedManagedHSMs", KEY_VAULT, False),
        ("locations/operationResults", KEY_VAULT, False),
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
    ),
}
_BY_NAME = {name.lower(): name for name in PROVIDERS}

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
)
DATA_ACTIONS = tuple(sorted({action.data_action for action in vars(actions).values() if isinstance(action, Action)}))


async def list_providers(call: Call, locations: Locations) -> Response:
    """List the providers, of a subscription or of the tenant."""
    return wire.render_list([_provider(name, call, locations) for name in PROVIDERS])


async def get_provider(call: Call, locations: Locations) -> Response:
    """Return a provider; NotFound (InvalidResourceNamespace) when there is none of that name."""
    return wire.render(_provider(_named(call), call, locations))


async def register(call: Call, locations: Locations) -> Response:
    """Return a provider: it is registered, whatever was asked."""
    return wire.render(_provider(_named(call), call, locations))


async def list_operations(call: Call) -> Response:  # noqa: ARG001 - the same for everyone
    """List the actions of Microsoft.KeyVault that roles may grant here."""
    control = [_operation(name, text, data=False) for name, text in CONTROL_ACTIONS]
    return wire.render_list(control + [_operation(name, name.split("/", 2)[2], data=True) for name in DATA_ACTIONS])


def _named(call: Call) -> str:
    asked = call.parameters["namespace"]
    if not NAMESPACE.match(asked):
        raise BadRequest("The resource namespace is no name.", code="InvalidResourceNamespace")
    found = _BY_NAME.get(asked.lower())
    if found is None:
        raise NotFound(f"The resource namespace '{asked}' is invalid.", code="InvalidResourceNamespace")
    return found


def _provider(name: str, call: Call, locations: Locations) -> dict[str, Any]:
    place = f"/subscriptions/{subscription_id(call)}" if "subscription" in call.parameters else ""
    shown = [location.display_name for location in locations.all]
    return {
        "id": f"{place}/providers/{name}",
        "namespace": name,
        "registrationState": "Registered",
        "registrationPolicy": "RegistrationRequired" if name == "Microsoft.KeyVault" else "RegistrationFree",
        "resourceTypes": [
            {
                "resourceType": kind,
                "locations": shown if located else [],
                "apiVersions": list(versions),
                "defaultApiVersion": next(version for version in versions if not version.endswith("preview")),
                "capabilities": "SupportsTags, SupportsLocation" if located else "None",
            }
            for kind, versions, located in PROVIDERS[name]
        ],
    }


def _operation(name: str, text: str, *, data: bool) -> dict[str, Any]:
    return {
        "name": name,
        "isDataAction": data,
        "display": {
            "provider": "Microsoft Key Vault",
            "resource": name.split("/")[1],
            "operation": text,
            "description": text,
        },
    }


def operations(locations: Locations) -> tuple[Operation, ...]:
    """Return the rows of this module; locations: those that the server knows."""
    listing = partial(list_providers, locations=locations)
    getting = partial(get_provider, locations=locations)
    registering = partial(register, locations=locations)
    read = "Microsoft.Resources/subscriptions/providers/read"
    return (
        Operation(method="GET", path="/providers", handler=listing, log="Microsoft.Resources/providers/read"),
        Operation(
            method="GET", path="/providers/{namespace}", handler=getting, log="Microsoft.Resources/providers/read"
        ),
        Operation(
            method="GET",
            path="/providers/Microsoft.KeyVault/operations",
            handler=list_operations,
            log="Microsoft.KeyVault/operations/read",
        ),
        Operation(method="GET", path="/subscriptions/{subscription}/providers", handler=listing, needs=read, log=read),
        Operation(
            method="GET",
            path="/subscriptions/{subscription}/providers/{namespace}",
            handler=getting,
            needs=read,
            log=read,
        ),
        *(
            Operation(
                method="POST",
                path="/subscriptions/{subscription}/providers/{namespace}/" + verb,
                handler=registering,
                needs="{namespace}/" + verb + "/action",
                log=f"Microsoft.Resources/subscriptions/providers/{verb}/action",
            )
            for verb in ("register", "unregister")
        ),
    )
