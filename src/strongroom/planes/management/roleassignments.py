"""Role assignments: parse, make one call, render. Who gains and who loses which role goes into the record."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from strongroom.access.authorization import assignments as service
from strongroom.access.authorization.actions import (
    ROLE_ASSIGNMENT_DELETE,
    ROLE_ASSIGNMENT_READ,
    ROLE_ASSIGNMENT_WRITE,
)
from strongroom.access.authorization.conditions import assignment_attributes
from strongroom.access.authorization.evaluation import ancestors
from strongroom.access.authorization.model import RoleAssignment
from strongroom.access.identity.directory import Directory
from strongroom.access.identity.model import PrincipalType
from strongroom.errors import BadRequest, NotFound
from strongroom.ids import Scope, is_guid
from strongroom.planes.call import Call
from strongroom.planes.http import Response
from strongroom.planes.management import rolewire
from strongroom.planes.management.answers import Page
from strongroom.planes.management.filters import bad_filter, read_terms
from strongroom.planes.management.listing import PAGE, page, page_of, read_window
from strongroom.planes.management.permission import require_allowed
from strongroom.planes.management.places import ROLE_PLACES, scope_of
from strongroom.planes.management.scopes import get_scope
from strongroom.planes.management.selfgranting import held_by_caller, note_role_change
from strongroom.planes.management.wire import render
from strongroom.planes.operation import Operation, Parameter

ASSIGNMENTS = "/providers/" + rolewire.ASSIGNMENTS
TERM = re.compile(
    r"\s*(?:(?P<above>atScope)\s*\(\s*\)|assignedTo\s*\(\s*'(?P<through>[^']*)'\s*\)"
    r"|principalId\s+eq\s+'(?P<own>[^']*)')\s*",
    re.IGNORECASE,
)
FILTER = Parameter(
    name="$filter",
    kind=str,
    text="What to keep: `atScope()` those at the scope and above, `principalId eq 'id'` one principal's, "
    "`assignedTo('id')` its groups' too; joined by `and`.",
)


@dataclass(frozen=True, slots=True)
class Filter:
    """What `$filter` asks for: only at the scope and above; only what these were given, None for all."""

    above: bool
    principals: frozenset[str] | None


async def list_assignments(call: Call) -> Response:
    """List the role assignments at a scope, above it and below."""
    scope = await get_scope(call)
    kept = await _read_filter(call)
    if kept.principals is not None:
        found: Sequence[RoleAssignment] = await _held_around(call, scope, kept.principals, below=not kept.above)
        return await page(call, found, lambda each: each.assignment_id, rolewire.assignment)
    window, assignments = await read_window(call), call.stores.assignments
    found = await assignments.list_around(scope.path, below=not kept.above, after=window.after, limit=window.enough)
    return await page_of(call, window, found, lambda each: each.assignment_id, rolewire.assignment)


async def get_assignment(call: Call) -> Response:
    """Return a role assignment of a scope by its id."""
    found = await _find_here(call)
    if found is None:
        raise NotFound(
            f"The role assignment '{call.parameters['assignment']}' is not found.", code="RoleAssignmentNotFound"
        )
    return render(rolewire.assignment(found))


async def put_assignment(call: Call) -> Response:
    """Give a role, or change description and condition of an assignment."""
    name, scope, asked = _named(call), scope_of(call.parameters), call.body.properties
    if not is_guid(asked.role_definition_id.rstrip("/").rsplit("/", 1)[-1]):
        raise BadRequest("The roleDefinitionId is no resource id of a role.", code="InvalidRoleDefinitionId")
    kind = await _principal_type(call)
    request = rolewire.assignment_request(call.body, scope, kind)
    role = await service.require_role(call.stores.roles, request.role)
    said = assignment_attributes(
        "request", role_id=role.role_id, principal_id=request.principal_id, principal_type=kind
    )
    await require_allowed(call, ROLE_ASSIGNMENT_WRITE, scope, said)
    before, held = await call.stores.assignments.find(name), await held_by_caller(call)
    made = await service.assign_role(
        call.stores, request, now=call.now, author=call.known_caller().object_id, assignment_id=name
    )
    _note(call, made)
    if before is None or before.condition != made.condition:  # what another condition lets in cannot be compared
        note_role_change(call, held.without(before), await held_by_caller(call), [made.scope])
    return render(rolewire.assignment(made), 201 if before is None else 200)


async def delete_assignment(call: Call) -> Response:
    """Take a role back and return what was given; 204 when there is no such assignment."""
    found = await _find_here(call)
    if found is None:
        return Response(204)
    said = assignment_attributes(
        "resource",
        role_id=found.role_id,
        principal_id=found.principal_id,
        principal_type=found.principal_type,
    )
    await require_allowed(call, ROLE_ASSIGNMENT_DELETE, found.scope, said)
    await service.remove_assignment(call.stores.assignments, found.assignment_id)
    _note(call, found)
    return render(rolewire.assignment(found))


def _named(call: Call) -> str:
    name = call.parameters["assignment"]
    if not is_guid(name):
        raise BadRequest(f"The role assignment ID '{name}' is not a GUID.", code="InvalidRoleAssignmentId")
    return name


async def _find_here(call: Call) -> RoleAssignment | None:
    scope = await get_scope(call)
    found = await call.stores.assignments.find(_named(call))
    return found if found and found.scope == scope.path else None


async def _read_filter(call: Call) -> Filter:
    text = call.request.query.get("$filter", "")
    above, principals = False, None
    for _, found in read_terms(text, TERM):
        above = above or bool(found["above"])
        if found["above"]:
            continue
        principal = (found["through"] or found["own"] or "").lower()
        if principals is not None or not is_guid(principal):
            raise bad_filter(text)
        principals = frozenset({principal})
        if found["through"]:
            principals |= await call.stores.identity.groups_of(principal)
    return Filter(above, principals)


async def _held_around(call: Call, scope: Scope, principals: frozenset[str], *, below: bool) -> list[RoleAssignment]:
    """Return what some principals hold at a scope and above it, and below it if asked for."""
    assignments, above = call.stores.assignments, frozenset(ancestors(scope.path))
    return [
        each
        for principal in sorted(principals)
        for each in await assignments.list_for(principal)
        if each.scope in above or (below and Scope(each.scope).within(scope))
    ]


async def _principal_type(call: Call) -> PrincipalType:
    """Return of which type the principal of the body is: as the directory has it, else as the body says."""
    asked = call.body.properties
    said = next((kind for kind in PrincipalType if kind.lower() == (asked.principal_type or "").lower()), None)
    if asked.principal_type is not None and said is None:
        raise BadRequest(f"'{asked.principal_type}' is no type of principal.", code="InvalidPrincipalType")
    known = await Directory(call.stores.identity).find_principal(asked.principal_id.lower())
    if known is None:
        if said is None:
            raise _no_principal(asked.principal_id, call.known_caller().tenant_id)
        return said
    if said not in {None, known.type}:
        raise BadRequest(
            f"The PrincipalId '{asked.principal_id}' has type '{known.type}', which is different from the specified "
            f"PrincipalType '{said}'.",
            code="UnmatchedPrincipalType",
        )
    return known.type


def _no_principal(principal_id: str, tenant_id: str) -> BadRequest:
    return BadRequest(
        f"Principal {principal_id.replace('-', '')} does not exist in the directory {tenant_id}. Check that you have "
        "the correct principal ID, or say its principalType.",
        code="PrincipalNotFound",
    )


def _note(call: Call, changed: RoleAssignment) -> None:
    call.notes["assignmentId"] = changed.assignment_id
    call.notes["principalId"] = changed.principal_id
    call.notes["roleId"] = changed.role_id
    if changed.condition is not None:
        call.notes["condition"] = changed.condition


LIST = partial(
    Operation,
    method="GET",
    handler=list_assignments,
    needs=ROLE_ASSIGNMENT_READ,
    log=ROLE_ASSIGNMENT_READ,
    gives=Page[rolewire.AssignmentAnswer],
    query=(*PAGE, FILTER),
)
GET = partial(
    Operation,
    method="GET",
    handler=get_assignment,
    needs=ROLE_ASSIGNMENT_READ,
    log=ROLE_ASSIGNMENT_READ,
    gives=rolewire.AssignmentAnswer,
)
PUT = partial(
    Operation,
    method="PUT",
    handler=put_assignment,
    needs=ROLE_ASSIGNMENT_WRITE,
    log=ROLE_ASSIGNMENT_WRITE,
    takes=rolewire.AssignmentBody,
    gives=rolewire.AssignmentAnswer,
    success=(200, 201),
    refuses=(409,),
    changes=True,
)
DELETE = partial(
    Operation,
    method="DELETE",
    handler=delete_assignment,
    needs=ROLE_ASSIGNMENT_DELETE,
    log=ROLE_ASSIGNMENT_DELETE,
    gives=rolewire.AssignmentAnswer,
    success=(200, 204),
    changes=True,
)
NAMED = ASSIGNMENTS + "/{assignment}"

OPERATIONS = (
    *(LIST(path=place + ASSIGNMENTS, name=f"list_assignments_at_{name}") for name, place in ROLE_PLACES.items()),
    *(
        row(path=place + NAMED, name=f"{verb}_assignment_at_{name}")
        for name, place in ROLE_PLACES.items()
        for verb, row in (("get", GET), ("put", PUT), ("delete", DELETE))
    ),
)
