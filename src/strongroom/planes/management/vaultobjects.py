"""What the objects in a vault have in common as resources: their vault, its limit, their ids and their pages.

The resource manager speaks for the vault here: who may is decided by its control actions, whatever the vault's
permission model, and what is asked counts towards the limit of the vault as the same question to the vault does.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from strongroom.objects.model import Held, V
from strongroom.planes.call import Call
from strongroom.planes.data.throttling import count
from strongroom.planes.http import Response
from strongroom.planes.management.listing import page_of, read_window
from strongroom.planes.management.places import subscription_id, vault_uri
from strongroom.vaults.model import Vault, id_of_vault
from strongroom.vaults.service import get_vault

Find = Callable[[str | None, int], Awaitable[Sequence[Held[V]]]]


async def find_vault(call: Call) -> Vault:
    """Return the living vault that the path names, noted in the call; NotFound when there is none."""
    vault = await get_vault(call.stores, subscription_id(call), call.parameters["group"], call.parameters["vault"])
    call.vault, call.object_id = vault, vault_uri(call, vault.name)
    return vault


async def ask_vault(call: Call) -> Vault:
    """Return the living vault that the path names, and count a transaction of it; Throttled past its limit."""
    vault = await find_vault(call)
    assert call.limiter is not None  # the gate has asked the plane to throttle before it comes here
    count(call.limiter, vault, call.real_now)
    return vault


def resource_id(vault: Vault, held: Held[V]) -> str:
    """Return the resource id of an object in a vault."""
    return f"{id_of_vault(vault)}/{held.state.kind.value}/{held.state.name}"


def object_uri(call: Call, held: Held[V]) -> str:
    """Return where the vault itself tells an object, as this client reaches it; its versions lie below."""
    vault = call.known_vault()
    return f"{vault_uri(call, vault.name)}{held.state.kind.value}/{held.state.name}"


def note_version(call: Call, held: Held[V]) -> None:
    """Note in the record which version of an object the request was about."""
    call.object_id = f"{object_uri(call, held)}/{held.version.version}"


async def page_of_objects(
    call: Call, find: "Find[V]", name_of: Callable[[Held[V]], str], write: Callable[[Held[V]], Any]
) -> Response:
    """Return the page of a list that the query asks for. find: returns up to so many past a name."""
    window = await read_window(call)
    return await page_of(call, window, await find(window.after or None, window.enough), name_of, write)
