"""Where a management request happens: the scope that its path names, in the words of its operation row.

Placeholders mean the same in every row: subscription, group, vault, secret, key, certificate, location, deleted, hsm,
lock, network, subnet, connection; collection and object where a row is for objects of every kind.
"""

from collections.abc import Mapping

from strongroom.access.identity.model import Caller, PrincipalType
from strongroom.errors import BadRequest
from strongroom.ids import group_scope, subscription_scope, vault_scope
from strongroom.planes.call import Call
from strongroom.planes.operation import split_path
from strongroom.resources.networks.model import network_scope
from strongroom.resources.service import Author

OBJECTS = ("secret", "key", "certificate")
SUBSCRIPTION = "/subscriptions/{subscription}"
GROUP = SUBSCRIPTION + "/resourceGroups/{group}"
VAULT = GROUP + "/providers/Microsoft.KeyVault/vaults/{vault}"
PLACES = {"subscription": SUBSCRIPTION, "group": GROUP, "vault": VAULT}
"""Paths of what locks and tags are set on, and roles given at, by the words that names of operations end in."""
NETWORK = GROUP + "/providers/Microsoft.Network/virtualNetworks/{network}"
SUBNET = NETWORK + "/subnets/{subnet}"
RESOURCE_PLACES = PLACES | {"network": NETWORK}
"""The same for locks and tags, which are set on virtual networks too."""
SCOPES = (*RESOURCE_PLACES.values(), SUBNET)
"""Paths of what is deleted with all that lies below it."""
OBJECT_SCOPES = tuple(f"{VAULT}/{kind}s/{{{kind}}}" for kind in OBJECTS)
"""Paths of the objects in a vault, by their kind."""
OBJECT = VAULT + "/{collection}/{object}"
"""The path of an object in a vault, of whichever kind."""
ROLE_PLACES = PLACES | {"object": OBJECT}
"""The same for roles, which are given at objects too."""


def scope_of(parameters: Mapping[str, str]) -> str:
    """Return the resource id that the path parameters name, as written; "" when they name no place."""
    place = _place(parameters)
    return f"{place}/providers/Microsoft.Authorization/locks/{parameters['lock']}" if "lock" in parameters else place


def _place(parameters: Mapping[str, str]) -> str:
    subscription = parameters.get("subscription")
    if subscription is None:
        return ""
    if "location" in parameters:
        place = f"{subscription_scope(subscription)}/providers/Microsoft.KeyVault/locations/{parameters['location']}"
        return f"{place}/deletedVaults/{parameters['deleted']}" if "deleted" in parameters else place
    group = parameters.get("group")
    if group is None:
        return subscription_scope(subscription)
    if "vault" in parameters:
        return vault_scope(subscription, group, parameters["vault"]) + _object_in(parameters)
    if "network" in parameters:
        place = network_scope(subscription, group, parameters["network"])
        return f"{place}/subnets/{parameters['subnet']}" if "subnet" in parameters else place
    hsm = f"/providers/Microsoft.KeyVault/managedHSMs/{parameters['hsm']}" if "hsm" in parameters else ""
    return group_scope(subscription, group) + hsm


def _object_in(parameters: Mapping[str, str]) -> str:
    if "object" in parameters:
        return f"/{parameters['collection']}/{parameters['object']}"
    named = next((kind for kind in OBJECTS if kind in parameters), None)
    return "" if named is None else f"/{named}s/{parameters[named]}"


def split_resource_path(path: str) -> list[str]:
    """Return the decoded segments of a raw path, without the empty one that stands for no parent of a resource.

    SDKs write `…/providers/{namespace}/{parent}/{type}/{name}`, and so two slashes where there is no parent.
    """
    segments = split_path(path)
    return [
        segment
        for place, segment in enumerate(segments)
        if segment or place < 2 or segments[place - 2].lower() != "providers"
    ]


def require_plain(parameters: Mapping[str, str]) -> None:
    """Raise BadRequest when a path segment hides another one: a scope is never built from it."""
    for value in parameters.values():
        if not value or "/" in value or "\\" in value or not value.isprintable():
            raise BadRequest("The request path has a segment that is empty or no name.", code="InvalidRequestUri")


def subscription_id(call: Call) -> str:
    """Return the subscription that the path names, as stores have it."""
    return call.parameters["subscription"].lower()


def author(caller: Caller) -> Author:
    """Return how `systemData` names the caller."""
    if caller.type is PrincipalType.USER:
        return Author(caller.user_principal_name or caller.object_id, "User")
    return Author(caller.app_id, "Application")


def domain_with_port(call: Call) -> str:
    """Return the base domain as this client reaches it: the host without its first label, with its port."""
    host = call.request.host
    return host.removeprefix("management.")


def vault_uri(call: Call, name: str) -> str:
    """Return the base URL of a vault's data plane as this client reaches it."""
    return f"https://{name.lower()}.vault.{domain_with_port(call)}/"
