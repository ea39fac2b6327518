"""Giving and taking roles: the rules behind `strongroom role` and the role assignment API.

Texts and codes: as the service writes them, see `docs/errors.md`.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime

from strongroom.access.authorization.conditions import VERSION, parse
from strongroom.access.authorization.model import RoleAssignment, RoleDefinition
from strongroom.access.authorization.store import AssignmentStore, Places, RoleStore
from strongroom.access.identity.model import PrincipalType
from strongroom.clock import whole_seconds
from strongroom.errors import BadRequest, Conflict, NotFound
from strongroom.ids import Scope, is_guid, new_guid
from strongroom.resources.service import get_group, require_subscription
from strongroom.resources.store import ResourceStore
from strongroom.vaults.store import VaultStore

MAX_DESCRIPTION = 1024
SHOWN = 512
"""Characters of what was sent that a refusal repeats."""
SCOPE = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)(?:/resourcegroups/(?P<group>[^/]+)"
    r"(?:/providers/microsoft\.keyvault/vaults/(?P<vault>[^/]+)"
    r"(?:/(?:secrets|keys|certificates)/[0-9a-z-]{1,127})?)?)?\Z",
    re.ASCII,
)
"""A place at which a role may be assigned, in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentRequest:
    """What is asked for: a role, by its name, GUID or resource id, for a principal at a scope, a resource id."""

    principal_id: str
    role: str
    scope: str
    principal_type: PrincipalType = PrincipalType.SERVICE_PRINCIPAL
    condition: str | None = None
    condition_version: str | None = None
    description: str | None = None


async def assign_role(
    stores: Places, request: AssignmentRequest, *, now: datetime, author: str = "", assignment_id: str | None = None
) -> RoleAssignment:
    """Give a principal a role at a scope, or change what may change of the assignment of that id; return it.

    author: the object id of who does it. assignment_id: a fresh one unless given.
    Raises what `make_assignment` does, and Conflict (RoleAssignmentUpdateNotPermitted). Whether the principal exists is
    the caller's to know.
    """
    before = None if assignment_id is None else await stores.assignments.find(assignment_id.lower())
    if before is not None:
        fresh = await _fresh(stores, request, now=now, author=author, assignment_id=before.assignment_id)
        return await _update(stores.assignments, before, fresh)
    fresh = await make_assignment(stores, request, now=now, author=author, assignment_id=assignment_id)
    await stores.assignments.add(fresh)
    return fresh


async def make_assignment(
    stores: Places, request: AssignmentRequest, *, now: datetime, author: str = "", assignment_id: str | None = None
) -> RoleAssignment:
    """Return the assignment that would be added; nothing is.

    Raises NotFound (RoleDefinitionDoesNotExist, or the code of the missing scope), BadRequest (InvalidScope,
    InvalidPrincipalId, InvalidCondition, RoleAssignmentScopeNotAssignableToRoleDefinition), Conflict
    (RoleAssignmentExists).
    """
    fresh = await _fresh(stores, request, now=now, author=author, assignment_id=assignment_id or new_guid())
    await _require_new(stores.assignments, fresh)
    return fresh


async def _fresh(
    stores: Places, request: AssignmentRequest, *, now: datetime, author: str, assignment_id: str
) -> RoleAssignment:
    definition = await require_role(stores.roles, request.role)
    if not is_guid(request.principal_id):
        raise BadRequest(f"The principal id '{request.principal_id}' is not a GUID.", code="InvalidPrincipalId")
    place = await require_scope(stores.resources, stores.vaults, request.scope)
    _require_assignable(definition, place)
    _require_sound(request)
    moment = whole_seconds(now)
    return RoleAssignment(
        assignment_id=assignment_id.lower(),
        scope=place.path,
        role_id=definition.role_id,
        principal_id=request.principal_id.lower(),
        principal_type=request.principal_type,
        created=moment,
        written=spelled_scope(request.scope),
        condition=request.condition or None,
        description=request.description,
        created_by=author,
        updated=moment,
        updated_by=author,
    )


async def list_assignments(
    assignments: AssignmentStore, *, principal_id: str | None = None, scope: str | None = None
) -> tuple[RoleAssignment, ...]:
    """Return the assignments, of one principal when given, at or below a scope when given; oldest first."""
    found = await (assignments.list_all() if principal_id is None else assignments.list_for(principal_id.lower()))
    if scope is None:
        return found
    place = Scope.parse(scope)
    return tuple(assignment for assignment in found if Scope(assignment.scope).within(place))


async def remove_assignment(assignments: AssignmentStore, assignment_id: str) -> None:
    """Take an assignment back; NotFound (RoleAssignmentNotFound) when there is none of that id."""
    await assignments.remove(assignment_id.rstrip("/").rsplit("/", 1)[-1].lower())


async def require_role(roles: RoleStore, name_or_id: str) -> RoleDefinition:
    """Return a role by its name or id; NotFound (RoleDefinitionDoesNotExist) when there is none."""
    role = (await roles.roles()).find_named(name_or_id)
    if role is None:
        raise no_role(name_or_id)
    return role


def no_role(name_or_id: str) -> NotFound:
    """Return the refusal of a role that is not there."""
    return NotFound(f"The specified role definition '{name_or_id}' does not exist.", code="RoleDefinitionDoesNotExist")


def _require_assignable(role: RoleDefinition, place: Scope) -> None:
    if not any(place.within(Scope.parse(scope)) for scope in role.assignable_scopes):
        raise BadRequest(
            f"The role '{role.name}' can be assigned at {', '.join(role.assignable_scopes)} and below only, not at "
            f"'{place}'.",
            code="RoleAssignmentScopeNotAssignableToRoleDefinition",
        )


def _require_sound(request: AssignmentRequest) -> None:
    """Raise BadRequest unless the condition is one that can be decided, and the description is short enough."""
    if request.condition_version is not None and not request.condition:
        raise BadRequest("A conditionVersion was given without a condition.", code="InvalidCondition")
    if request.condition:
        if request.condition_version not in {None, VERSION}:
            raise BadRequest(
                f"The given role assignment condition is invalid: its version '{request.condition_version}' is not "
                f"supported, use '{VERSION}'.",
                code="InvalidCondition",
            )
        parse(request.condition)
    if len(request.description or "") > MAX_DESCRIPTION:
        raise BadRequest(f"The description has more than {MAX_DESCRIPTION} characters.", code="BadRequestFormat")


async def _require_new(assignments: AssignmentStore, fresh: RoleAssignment) -> None:
    for held in await assignments.list_for(fresh.principal_id):
        if (held.scope, held.role_id) == (fresh.scope, fresh.role_id):
            raise Conflict(
                "The role assignment already exists. The ID of the existing role assignment is "
                f"{held.assignment_id.replace('-', '')}.",
                code="RoleAssignmentExists",
            )


async def _update(assignments: AssignmentStore, before: RoleAssignment, fresh: RoleAssignment) -> RoleAssignment:
    kept = (before.scope, before.role_id, before.principal_id)
    if kept != (fresh.scope, fresh.role_id, fresh.principal_id):
        raise Conflict(
            "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
            code="RoleAssignmentUpdateNotPermitted",
        )
    after = replace(fresh, created=before.created, created_by=before.created_by, written=before.written)
    await assignments.replace(after)
    return after


async def require_scope(resources: ResourceStore, vaults: VaultStore, text: str) -> Scope:
    """Return the scope that `text` names: a subscription, a resource group or a living vault that exists, or an object.

    An object of a vault need not exist. Raises BadRequest (InvalidScope, InvalidSubscriptionId) for any other form,
    NotFound for one that is not there.
    """
    found = _read_scope(text)
    subscription, group, vault = found["subscription"], found["group"], found["vault"]
    await require_subscription(resources, subscription)
    if group is not None:
        await get_group(resources, subscription, group)
    if vault is not None:
        await _require_vault(vaults, subscription, group, vault)
    return Scope(found.string)


def spelled_scope(text: str) -> str:
    """Return a scope as it is kept for people: a slash before it, none behind; BadRequest (InvalidScope) for none."""
    _read_scope(text)
    return "/" + text.strip("/")


def _read_scope(text: str) -> re.Match[str]:
    found = SCOPE.match(Scope.parse(text).path)
    if found is None:
        raise BadRequest(
            f"The scope '{text[:SHOWN]}' is none at which a role may be assigned here: give the resource id of a "
            "subscription, a resource group, a vault, or a secret, key or certificate in it.",
            code="InvalidScope",
        )
    return found


async def _require_vault(vaults: VaultStore, subscription: str, group: str, name: str) -> None:
    vault = await vaults.find(name)
    placed = vault and (vault.subscription_id, vault.resource_group.lower()) == (subscription, group)
    if vault is None or not placed or vault.deletion is not None:
        raise NotFound(f"The vault '{name}' was not found in resource group '{group}'.", code="ResourceNotFound")
