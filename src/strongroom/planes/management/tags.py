"""Tags of subscriptions, resource groups and vaults, at one path for all: parse, make one call, render."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Literal

from msgspec import Meta

from strongroom.planes.call import Call
from strongroom.planes.http import Response
from strongroom.planes.management import wire
from strongroom.planes.management.places import RESOURCE_PLACES, author, subscription_id
from strongroom.planes.management.scopes import Place, get_place, id_of
from strongroom.planes.management.wire import Wire, render
from strongroom.planes.operation import Operation
from strongroom.resources.model import ResourceGroup, Subscription
from strongroom.resources.networks import service as networks
from strongroom.resources.networks.model import VirtualNetwork
from strongroom.resources.networks.service import update_tags
from strongroom.resources.service import update_group
from strongroom.resources.tags import TagChange, change_tags, require_tag_change
from strongroom.vaults.request import VaultRequest
from strongroom.vaults.service import VaultChange, update_vault

EXTENSION = "/providers/Microsoft.Resources/tags/default"
OPERATION = "Microsoft.Resources/tags/"
ChangeName = Annotated[str, Meta(extra_json_schema={"enum": ["Merge", "Replace", "Delete"]})]


class TagsProperties(Wire):
    """Tags by their names."""

    tags: wire.Tags | None = None


class TagsBody(Wire):
    """The tags that something shall have, and no others."""

    properties: TagsProperties


class TagsPatch(Wire):
    """Tags that are merged with those of something, replace them, or are taken from them."""

    operation: ChangeName
    properties: TagsProperties | None = None


class TagsAnswerProperties(Wire, kw_only=True):
    """Tags by their names."""

    tags: dict[str, str]


class TagsAnswer(Wire, kw_only=True):
    """The tags of something."""

    id: str
    name: Literal["default"] = "default"
    type: Literal["Microsoft.Resources/tags"] = "Microsoft.Resources/tags"
    properties: TagsAnswerProperties


async def get(call: Call) -> Response:
    """Return the tags of a scope."""
    return render(_tags(await get_place(call)))


async def put(call: Call) -> Response:
    """Give a scope these tags and no others."""
    return await _change(call, TagChange.REPLACE, call.body.properties.tags or {})


async def patch(call: Call) -> Response:
    """Merge, replace or delete tags of a scope."""
    given = call.body.properties.tags if call.body.properties else None
    return await _change(call, require_tag_change(call.body.operation), given or {})


async def delete(call: Call) -> Response:
    """Take all tags from a scope."""
    await _change(call, TagChange.REPLACE, {})
    return Response(200)


async def _change(call: Call, change: TagChange, given: Mapping[str, str]) -> Response:
    before = await get_place(call)
    return render(_tags(await _keep(call, before, dict(change_tags(before.tags, change, given)))))


async def _keep(call: Call, place: Place, tags: Mapping[str, str]) -> Place:
    stores, caller = call.stores, call.known_caller()
    if isinstance(place, Subscription):
        changed = replace(place, tags=tuple(tags.items()))
        await stores.resources.replace_subscription(changed)
        return changed
    if isinstance(place, ResourceGroup):
        return await update_group(
            stores.resources,
            subscription_id=place.subscription_id,
            name=place.name,
            tags=tags,
            author=author(caller),
            now=call.now,
        )
    if isinstance(place, VirtualNetwork):
        return await update_tags(stores, place, tags, networks.NetworkChange(author=author(caller), now=call.now))
    vault, _ = await update_vault(
        stores,
        subscription_id=subscription_id(call),
        group=place.resource_group,
        name=place.name,
        request=VaultRequest(tags=tags),
        change=VaultChange(author=author(caller), object_id=caller.object_id, may_assign_roles=False, now=call.now),
    )
    return vault


def _tags(place: Place) -> TagsAnswer:
    return TagsAnswer(id=id_of(place) + EXTENSION, properties=TagsAnswerProperties(tags=dict(place.tags)))


def _rows(path: str, kind: str) -> tuple[Operation, ...]:
    row: Any = partial(_row, path, kind)
    return (
        row("GET", get, "read", gives=TagsAnswer),
        row("PUT", put, "write", takes=TagsBody, gives=TagsAnswer),
        row("PATCH", patch, "write", takes=TagsPatch, gives=TagsAnswer),
        row("DELETE", delete, "delete", gives=None),
    )


def _row(path: str, kind: str, method: str, handler: Any, verb: str, **said: Any) -> Operation:
    said |= {"needs": OPERATION + verb, "log": OPERATION + verb, "changes": verb != "read"}
    return Operation(method=method, path=path, handler=handler, name=f"{handler.__name__}_tags_of_{kind}", **said)


OPERATIONS = tuple(row for kind, path in RESOURCE_PLACES.items() for row in _rows(path + EXTENSION, kind))
