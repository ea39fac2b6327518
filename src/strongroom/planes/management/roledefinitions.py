"""Role definitions, built-in and custom: parse, make one call, render."""

import re
from functools import partial

from strongroom.access.authorization import definitions
from strongroom.access.authorization.assignments import no_role
from strongroom.access.authorization.model import RoleDefinition
from strongroom.ids import Scope, subscription_scope
from strongroom.planes.call import Call
from strongroom.planes.http import Response
from strongroom.planes.management import rolewire
from strongroom.planes.management.answers import Page
from strongroom.planes.management.filters import bad_filter, read_terms
from strongroom.planes.management.listing import PAGE, page
from strongroom.planes.management.permission import require_allowed
from strongroom.planes.management.places import PLACES, ROLE_PLACES, scope_of
from strongroom.planes.management.selfgranting import held_by_caller, note_role_change
from strongroom.planes.management.wire import render
from strongroom.planes.operation import Operation, Parameter

ROOT = Scope("/")
DEFINITIONS = "/providers/" + rolewire.DEFINITIONS
WRITE = rolewire.DEFINITIONS + "/write"
READ = rolewire.DEFINITIONS + "/read"
DELETE = rolewire.DEFINITIONS + "/delete"
TERM = re.compile(r"\s*(?:(atScopeAndBelow)\s*\(\s*\)|(roleName|type)\s+eq\s+'((?:[^']|'')*)')\s*", re.IGNORECASE)
FILTER = Parameter(
    name="$filter",
    kind=str,
    text="What to keep: `roleName eq 'name'`, `type eq 'CustomRole'` or `'BuiltInRole'`, `atScopeAndBelow()`, joined "
    "by `and`.",
)


async def list_roles(call: Call) -> Response:
    """List the roles that can be assigned at a scope, and, if asked for, below; the root tells none of those."""
    terms = parse_filter(call.request.query.get("$filter", ""))
    scope = Scope.parse(scope_of(call.parameters))
    below = "atscopeandbelow" in terms and scope != ROOT  # at the root nobody is asked what he may read
    found = [
        role
        for role in (await call.stores.roles.roles()).all
        if definitions.can_be_assigned_at(role, scope, or_below=below) and _passes(role, terms)
    ]
    return await page(call, found, lambda role: role.role_id, lambda role: rolewire.role(role, _place(call)))


async def get_role(call: Call) -> Response:
    """Return a role by its id."""
    role = await definitions.get_role(call.stores.roles, call.parameters["role"])
    scope = Scope.parse(scope_of(call.parameters))
    if not definitions.can_be_assigned_at(role, scope, or_below=scope != ROOT):
        raise no_role(call.parameters["role"])
    return render(rolewire.role(role, _place(call)))


async def put_role(call: Call) -> Response:
    """Make or change a custom role: who does must be allowed to wherever it can be assigned, then and now."""
    request = rolewire.role_request(call.body)
    before = (await call.stores.roles.roles()).find(call.parameters["role"].lower())
    for scope in (*request.assignable_scopes, *(before.assignable_scopes if before and before.custom else ())):
        await require_allowed(call, WRITE, scope)
    held = await held_by_caller(call)
    role = await definitions.put_role(
        call.stores, call.parameters["role"], request, author=call.known_caller().object_id, now=call.now
    )
    _note(call, role)
    scopes = [scope for each in held.holders for scope in each.by_scope]
    note_role_change(call, held, await held_by_caller(call), scopes)
    return render(rolewire.role(role, _place(call)), 201)


async def delete_role(call: Call) -> Response:
    """Remove a custom role and return it; 204 when there is none."""
    found = (await call.stores.roles.roles()).find(call.parameters["role"].lower())
    for scope in found.assignable_scopes if found is not None and found.custom else ():
        await require_allowed(call, DELETE, scope)
    role = await definitions.remove_role(call.stores, call.parameters["role"])
    if role is None:
        return Response(204)
    _note(call, role)
    return render(rolewire.role(role, _place(call)))


def parse_filter(text: str) -> dict[str, str]:
    """Return the terms of a filter by their names in lower case; BadRequest (InvalidFilterInQueryString) for others."""
    terms: dict[str, str] = {}
    for _, found in read_terms(text, TERM):
        name = (found[1] or found[2]).lower()
        if name in terms:
            raise bad_filter(text)
        terms[name] = (found[3] or "").replace("''", "'")
    return terms


def _passes(role: RoleDefinition, terms: dict[str, str]) -> bool:
    kind = rolewire.CUSTOM if role.custom else rolewire.BUILT_IN
    return (
        terms.get("rolename", role.name).lower() == role.name.lower()
        and terms.get("type", kind).lower() == kind.lower()
    )


def _place(call: Call) -> str:
    """Return the subscription that roles are shown in, "" at the root."""
    subscription = call.parameters.get("subscription")
    return "" if subscription is None else subscription_scope(subscription)


def _note(call: Call, role: RoleDefinition) -> None:
    call.notes["roleId"] = role.role_id
    call.notes["roleName"] = role.name


LIST = partial(
    Operation,
    method="GET",
    handler=list_roles,
    log=READ,
    gives=Page[rolewire.RoleAnswer],
    query=(*PAGE, FILTER),
)
GET = partial(Operation, method="GET", handler=get_role, log=READ, gives=rolewire.RoleAnswer, refuses=(404,))
PUT = partial(
    Operation,
    method="PUT",
    handler=put_role,
    needs=WRITE,
    log=WRITE,
    takes=rolewire.RoleBody,
    gives=rolewire.RoleAnswer,
    success=(201,),
    refuses=(409,),
    changes=True,
)
REMOVE = partial(
    Operation,
    method="DELETE",
    handler=delete_role,
    needs=DELETE,
    log=DELETE,
    gives=rolewire.RoleAnswer,
    success=(200, 204),
    refuses=(409,),
    changes=True,
)
NAMED = DEFINITIONS + "/{role}"
WRITTEN_AT = ("subscription", "group")

OPERATIONS = (
    LIST(path=DEFINITIONS, name="list_roles_of_tenant"),
    GET(path=NAMED, name="get_role_of_tenant"),
    *(LIST(path=place + DEFINITIONS, needs=READ, name=f"list_roles_at_{name}") for name, place in ROLE_PLACES.items()),
    *(GET(path=place + NAMED, needs=READ, name=f"get_role_at_{name}") for name, place in ROLE_PLACES.items()),
    *(PUT(path=PLACES[name] + NAMED, name=f"put_role_at_{name}") for name in WRITTEN_AT),
    *(REMOVE(path=PLACES[name] + NAMED, name=f"delete_role_at_{name}") for name in WRITTEN_AT),
)
