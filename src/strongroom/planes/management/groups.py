"""Resource groups, and what lies in them: parse, make one call, render."""

from collections.abc import Sequence
from functools import partial

from strongroom.access.authorization.actions import NETWORK_READ
from strongroom.errors import NotFound
from strongroom.planes.call import Call
from strongroom.planes.http import Response
from strongroom.planes.management import answers, wire
from strongroom.planes.management.filters import parse_filter
from strongroom.planes.management.listing import FILTER, PAGE, Located, key_of, page, page_of, read_enough, read_window
from strongroom.planes.management.places import GROUP, author, subscription_id
from strongroom.planes.management.progress import accepted, operation_result
from strongroom.planes.management.sight import find_sight, read_networks, read_seen
from strongroom.planes.operation import Operation, Parameter
from strongroom.resources import service
from strongroom.resources.locations import Locations
from strongroom.vaults.model import id_of_vault
from strongroom.vaults.service import delete_group

GROUP_FIELDS = frozenset({"tagname", "tagvalue"})
RESOURCE_FIELDS = frozenset({"resourcetype", "name", "resourcegroup", "location", "tagname", "tagvalue"})


async def put(call: Call, locations: Locations) -> Response:
    """Make or replace a resource group."""
    group, is_new = await service.put_group(
        call.stores.resources,
        locations,
        subscription_id=subscription_id(call),
        name=call.parameters["group"],
        location=call.body.location,
        tags=call.body.tags or {},
        author=author(call.known_caller()),
        now=call.now,
    )
    return wire.render(answers.group(group), 201 if is_new else 200)


async def patch(call: Call) -> Response:
    """Change a resource group's tags."""
    group = await service.update_group(
        call.stores.resources,
        subscription_id=subscription_id(call),
        name=call.parameters["group"],
        tags=call.body.tags,
        author=author(call.known_caller()),
        now=call.now,
    )
    return wire.render(answers.group(group))


async def get(call: Call) -> Response:
    """Return a resource group."""
    return wire.render(
        answers.group(await service.get_group(call.stores.resources, subscription_id(call), call.parameters["group"]))
    )


async def exists(call: Call) -> Response:
    """Say whether a resource group exists."""
    found = await call.stores.resources.find_group(subscription_id(call), call.parameters["group"])
    if found is None:
        raise NotFound(f"Resource group '{call.parameters['group']}' could not be found.", code="ResourceGroupNotFound")
    return Response(204)


async def delete(call: Call) -> Response:
    """Remove a resource group; its vaults are deleted softly."""
    subscription = subscription_id(call)
    deleted = await delete_group(call.stores, subscription, call.parameters["group"], call.now)
    call.notes["deletedVaults"] = [id_of_vault(vault) for vault in deleted]
    return await accepted(call, f"/subscriptions/{subscription}/operationresults")


async def list_groups(call: Call) -> Response:
    """List the resource groups of a subscription."""
    kept = parse_filter(call.request.query.get("$filter", ""), GROUP_FIELDS)
    groups = await call.stores.resources.list_groups(subscription_id(call))
    return await page(
        call, [group for group in groups if kept.keeps({}, dict(group.tags))], lambda g: g.name, answers.group
    )


async def list_resources(call: Call) -> Response:
    """List the resources that the caller may read, of a subscription or of one resource group."""
    query = call.request.query
    kept = parse_filter(query.get("$filter", ""), RESOURCE_FIELDS)
    expand = frozenset(name.strip().lower() for name in query.get("$expand", "").split(","))
    group = call.parameters.get("group")
    if group is not None:
        await service.get_group(call.stores.resources, subscription_id(call), group)
    window = await read_window(call)

    vaults, networks = await find_sight(call), await find_sight(call, NETWORK_READ)

    async def read(after: str, limit: int) -> Sequence[Located]:
        found: list[Located] = [*await read_seen(call, vaults, after, limit)]
        found += await read_networks(call, networks, after, limit)
        return sorted(found, key=key_of)[:limit]

    def keep(resources: Sequence[Located]) -> Sequence[Located]:
        return [each for each in resources if kept.keeps(_fields(each), dict(each.tags))]

    listed = await read_enough(window, read, keep)
    return await page_of(call, window, listed, key_of, lambda each: answers.resource(each, expand))


def _fields(resource: Located) -> dict[str, str]:
    return {
        "resourcetype": answers.type_of(resource),
        "name": resource.name,
        "resourcegroup": resource.resource_group,
        "location": resource.location,
    }


GROUPS = GROUP.rpartition("/")[0]
_ACTION = "Microsoft.Resources/subscriptions/resourceGroups/"
READ = partial(Operation, needs=_ACTION + "read", log=_ACTION + "read")
WRITE = partial(
    Operation,
    needs=_ACTION + "write",
    log=_ACTION + "write",
    takes=wire.GroupBody,
    gives=answers.GroupAnswer,
    changes=True,
)
EXPAND = Parameter(
    name="$expand", kind=str, text="Fields to add, joined by commas: createdTime, changedTime, provisioningState."
)
LIST_RESOURCES = partial(
    Operation,
    method="GET",
    handler=list_resources,
    gives=answers.Page[answers.Resource],
    query=(*PAGE, FILTER, EXPAND),
)


def operations(locations: Locations) -> tuple[Operation, ...]:
    """Return the rows of this module; locations: those that the server knows."""
    return (
        WRITE(
            method="PUT",
            path=GROUP,
            handler=partial(put, locations=locations),
            success=(200, 201),
            refuses=(409,),
            name="put_group",
        ),
        *OPERATIONS,
    )


OPERATIONS = (
    WRITE(method="PATCH", path=GROUP, handler=patch, name="update_group"),
    READ(method="GET", path=GROUP, handler=get, gives=answers.GroupAnswer, name="get_group"),
    READ(method="HEAD", path=GROUP, handler=exists, gives=None, success=(204,), name="check_group"),
    Operation(
        method="DELETE",
        path=GROUP,
        handler=delete,
        needs=_ACTION + "delete",
        log=_ACTION + "delete",
        gives=None,
        name="delete_group",
        success=(202,),
        changes=True,
    ),
    READ(
        method="GET",
        path=GROUPS,
        handler=list_groups,
        gives=answers.Page[answers.GroupAnswer],
        query=(*PAGE, FILTER),
    ),
    LIST_RESOURCES(
        path="/subscriptions/{subscription}/resources",
        log="Microsoft.Resources/subscriptions/resources/read",
        name="list_resources",
    ),
    LIST_RESOURCES(
        path=GROUP + "/resources",
        log="Microsoft.Resources/subscriptions/resourceGroups/resources/read",
        name="list_resources_of_group",
    ),
    Operation(
        method="GET",
        path="/subscriptions/{subscription}/operationresults/{operation}",
        handler=operation_result,
        log="Microsoft.Resources/subscriptions/operationresults/read",
        gives=None,
        name="get_delete_result",
    ),
)
