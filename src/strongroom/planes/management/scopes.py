"""What stands at the scope that a path names, for what is set on scopes: locks, tags, roles."""

from strongroom.access.authorization.assignments import require_scope
from strongroom.ids import Scope, group_scope, subscription_scope
from strongroom.planes.call import Call
from strongroom.planes.management.places import scope_of, subscription_id
from strongroom.resources.model import ResourceGroup, Subscription
from strongroom.resources.networks.model import VirtualNetwork, id_of_network
from strongroom.resources.networks.service import get_network
from strongroom.resources.service import get_group, require_subscription
from strongroom.vaults.model import Vault, id_of_vault
from strongroom.vaults.service import get_vault

Place = Subscription | ResourceGroup | Vault | VirtualNetwork


async def get_place(call: Call) -> Place:
    """Return the subscription, group, vault or network of the path; NotFound with the code of what is missing."""
    stores, subscription, group = call.stores, subscription_id(call), call.parameters.get("group")
    if group is None:
        return await require_subscription(stores.resources, subscription)
    if "network" in call.parameters:
        return await get_network(stores, subscription, group, call.parameters["network"])
    if "vault" not in call.parameters:
        return await get_group(stores.resources, subscription, group)
    return await get_vault(stores, subscription, group, call.parameters["vault"])


async def get_scope(call: Call) -> Scope:
    """Return the scope that the path names, one at which roles may be given; raises as `require_scope` does."""
    return await require_scope(call.stores.resources, call.stores.vaults, scope_of(call.parameters))


def id_of(place: Place) -> str:
    """Return the resource id of a place, as resources write it."""
    if isinstance(place, Subscription):
        return subscription_scope(place.subscription_id)
    if isinstance(place, ResourceGroup):
        return group_scope(place.subscription_id, place.name)
    if isinstance(place, VirtualNetwork):
        return id_of_network(place)
    return id_of_vault(place)
