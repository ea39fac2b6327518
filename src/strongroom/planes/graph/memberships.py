"""Who belongs to which group, and many objects at once by their ids."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from strongroom.access.identity.directory import Directory
from strongroom.access.identity.model import Relation
from strongroom.errors import BadRequest
from strongroom.ids import is_guid
from strongroom.planes.call import Call
from strongroom.planes.graph import wire
from strongroom.planes.graph.entities import find_group, find_object, find_service_principal, find_user
from strongroom.planes.graph.kinds import ANY, kind_of
from strongroom.planes.graph.listing import PAGE, context, render_list, require_heard, require_own
from strongroom.planes.http import Response
from strongroom.planes.operation import Operation

ObjectPage = wire.Page[wire.DirectoryObject]
IdPage = wire.Page[str]

Find = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Member:
    """What may be in groups. path: its collection; place: the placeholder of its id; word: as rows are called."""

    path: str
    place: str
    word: str
    find: Find

    async def object_id(self, call: Call) -> str:
        """Return the object id of what the path names; NotFound when it is not there."""
        found = require_own(call, await self.find(call), call.parameters[self.place])
        return str(found.object_id)


USER = Member("users", "user", "user", find_user)
GROUP = Member("groups", "group", "group", find_group)
SERVICE_PRINCIPAL = Member("servicePrincipals", "servicePrincipal", "service_principal", find_service_principal)
OBJECT = Member("directoryObjects", "object", "object", find_object)


async def list_members(call: Call, relation: Relation) -> Response:
    """List those that are in a group itself."""
    found = await call.stores.identity.list_memberships(await GROUP.object_id(call), relation)
    return await _render_objects(call, [each.member_id for each in found])


async def list_transitive_members(call: Call) -> Response:
    """List all that are in a group or in groups in it, to their end."""
    directory = Directory(call.stores.identity)
    return await _render_objects(call, await directory.reached(await GROUP.object_id(call)))


async def list_member_of(call: Call, member: Member) -> Response:
    """List the groups that a principal is in itself."""
    found = await call.stores.identity.list_memberships_of(await member.object_id(call), Relation.MEMBER)
    return await _render_objects(call, [each.group_id for each in found])


async def list_transitive_member_of(call: Call, member: Member) -> Response:
    """List all groups that a principal is in, through others too."""
    return await _render_objects(call, await call.stores.identity.groups_of(await member.object_id(call)))


async def get_member_groups(call: Call, member: Member) -> Response:
    """Return the ids of all groups that a principal is in, through others too."""
    require_heard(call)
    found = await call.stores.identity.groups_of(await member.object_id(call))
    page = wire.Page(odata_context=context(call, "Collection(Edm.String)"), value=sorted(found))
    return wire.render(page)


async def check_member_groups(call: Call, member: Member) -> Response:
    """Return which of some groups a principal is in, through others too."""
    require_heard(call)
    asked = _ids(call.body.group_ids, "groupIds", wire.MAX_CHECKED)
    found = await call.stores.identity.groups_of(await member.object_id(call))
    page = wire.Page(
        odata_context=context(call, "Collection(Edm.String)"), value=[each for each in asked if each in found]
    )
    return wire.render(page)


async def get_by_ids(call: Call) -> Response:
    """Return the objects of these ids that there are, of the kinds that are asked for."""
    require_heard(call)
    ids = _ids(call.body.ids, "ids", wire.MAX_IDS)
    asked = None if call.body.types is None else {each.lower() for each in call.body.types}
    everything = asked is None or ANY.word.lower() in asked
    tenant_id = call.known_caller().tenant_id
    found = [
        each
        for each in await Directory(call.stores.identity).objects(ids)
        if each.tenant_id == tenant_id and (everything or kind_of(each).word.lower() in (asked or ()))
    ]
    value = [ANY.shown(ANY.properties(each)) for each in found]
    return wire.render({"@odata.context": context(call, ANY.collection), "value": value})


def _ids(unverified: list[str], name: str, most: int) -> tuple[str, ...]:
    """Return ids in lower case, each once; BadRequest when one is no GUID, or they are too many."""
    wrong = next((each for each in unverified if not is_guid(each)), None)
    if wrong is not None or len(unverified) > most:
        said = f"at most {most} ids" if wrong is None else f"ids that are GUIDs, unlike '{wrong}'"
        raise BadRequest(f"The property '{name}' takes {said}.", code="Request_BadRequest")
    return tuple(dict.fromkeys(map(str.lower, unverified)))


async def _render_objects(call: Call, ids: Any) -> Response:
    return await render_list(call, ANY, await Directory(call.stores.identity).objects(ids))


LIST = partial(Operation, method="GET", query=PAGE, gives=ObjectPage)
IN_GROUP = "Microsoft.Directory/groups/{}/read"


def _lists_of(member: Member) -> tuple[Operation, ...]:
    """Return the rows that list the groups that something is in."""
    one, log = f"/v1.0/{member.path}/{{{member.place}}}", f"Microsoft.Directory/{member.path}/memberOf/read"
    return (
        LIST(
            path=f"{one}/memberOf",
            handler=partial(list_member_of, member=member),
            log=log,
            name=f"list_groups_of_{member.word}",
        ),
        LIST(
            path=f"{one}/transitiveMemberOf",
            handler=partial(list_transitive_member_of, member=member),
            log=log,
            name=f"list_all_groups_of_{member.word}",
        ),
    )


def _questions_of(member: Member) -> tuple[Operation, ...]:
    """Return the rows that tell the ids of the groups that something is in."""
    one, log = f"/v1.0/{member.path}/{{{member.place}}}", f"Microsoft.Directory/{member.path}/memberOf/read"
    ask = partial(Operation, method="POST", gives=IdPage, log=log)
    tell = partial(ask, handler=partial(get_member_groups, member=member), takes=wire.GroupsBody)
    return (
        tell(path=f"{one}/getMemberGroups", name=f"get_member_groups_of_{member.word}"),
        tell(path=f"{one}/getMemberObjects", name=f"get_member_objects_of_{member.word}"),
        ask(
            path=f"{one}/checkMemberGroups",
            handler=partial(check_member_groups, member=member),
            takes=wire.CheckBody,
            name=f"check_member_groups_of_{member.word}",
        ),
    )


OPERATIONS = (
    LIST(
        path="/v1.0/groups/{group}/members",
        handler=partial(list_members, relation=Relation.MEMBER),
        log=IN_GROUP.format("members"),
        name="list_members",
    ),
    LIST(
        path="/v1.0/groups/{group}/transitiveMembers",
        handler=list_transitive_members,
        log=IN_GROUP.format("members"),
    ),
    LIST(
        path="/v1.0/groups/{group}/owners",
        handler=partial(list_members, relation=Relation.OWNER),
        log=IN_GROUP.format("owners"),
        name="list_owners",
    ),
    *(row for member in (USER, GROUP, SERVICE_PRINCIPAL) for row in _lists_of(member)),
    *(row for member in (USER, GROUP, SERVICE_PRINCIPAL, OBJECT) for row in _questions_of(member)),
    Operation(
        method="POST",
        path="/v1.0/directoryObjects/getByIds",
        handler=get_by_ids,
        takes=wire.IdsBody,
        gives=ObjectPage,
        log="Microsoft.Directory/directoryObjects/read",
    ),
)
