"""Custom roles: made, changed, removed. Texts and codes: as the service writes them, see `docs/errors.md`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from strongroom.access.authorization.actions import KNOWN_ACTIONS, KNOWN_DATA_ACTIONS, PROVIDER
from strongroom.access.authorization.assignments import SHOWN, no_role, require_scope, spelled_scope
from strongroom.access.authorization.model import RoleAssignment, RoleDefinition
from strongroom.access.authorization.patterns import LONGEST, matches
from strongroom.access.authorization.roles import BUILT_IN
from strongroom.access.authorization.store import AssignmentStore, Places, RoleStore
from strongroom.clock import whole_seconds
from strongroom.errors import BadRequest, Conflict, StrongroomError
from strongroom.ids import Scope, is_guid

# Source: Azure RBAC limits; "Custom role properties".
MAX_NAME = 512
MAX_DESCRIPTION = 2048
MAX_ROLES = 5000
MAX_ACTIONS = 2048
ACTION = re.compile(r"\*|[\w.*-]+(/[\w.*-]+)+\Z", re.ASCII)
BUILT_IN_IDS = frozenset(role.role_id for role in BUILT_IN)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleRequest:
    """What a custom role is asked to be."""

    name: str
    description: str = ""
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()
    assignable_scopes: tuple[str, ...] = ()


async def put_role(stores: Places, role_id: str, request: RoleRequest, *, author: str, now: datetime) -> RoleDefinition:
    """Make a custom role or replace the one of that id; return it. author: the object id of who does it.

    Raises BadRequest (RoleDefinitionNameNullOrEmpty, MissingAssignableScopes, LinkedInvalidPropertyId,
    InvalidActionOrNotAction, InvalidRoleDefinitionId), Conflict (RoleDefinitionExists for the id of a built-in role,
    RoleDefinitionWithSameNameExists, RoleDefinitionHasAssignments where one would lie outside its new scopes).
    """
    known = (await stores.roles.roles()).all
    _require_id(role_id)
    _require_words(request)
    _require_actions(request)
    await _require_scopes(stores, request.assignable_scopes)
    before = next((role for role in known if role.role_id == role_id.lower()), None)
    _require_free(known, role_id.lower(), request.name)
    if before is not None:
        await _require_assignments_inside(stores.assignments, before, request)
    moment = whole_seconds(now)
    role = RoleDefinition(
        role_id=role_id.lower(),
        name=request.name,
        description=request.description,
        actions=request.actions,
        not_actions=request.not_actions,
        data_actions=request.data_actions,
        not_data_actions=request.not_data_actions,
        assignable_scopes=request.assignable_scopes,
        custom=True,
        created=before.created if before else moment,
        created_by=before.created_by if before else author,
        updated=moment,
        updated_by=author,
    )
    await stores.roles.put(role)
    return role


async def remove_role(stores: Places, role_id: str) -> RoleDefinition | None:
    """Remove a custom role and return it, None when there is none of that id.

    Raises BadRequest (InvalidRoleDefinitionId, BuiltInRoleDefinitionCannotBeDeleted) and Conflict
    (RoleDefinitionHasAssignments).
    """
    _require_guid(role_id)
    role = (await stores.roles.roles()).find(role_id.lower())
    if role is None:
        return None
    if not role.custom:
        raise BadRequest(
            f"The role '{role.name}' is built in and cannot be deleted.", code="BuiltInRoleDefinitionCannotBeDeleted"
        )
    if await _assignments_of(stores.assignments, role):
        raise _has_assignments()
    await stores.roles.remove(role.role_id)
    return role


async def get_role(roles: RoleStore, role_id: str) -> RoleDefinition:
    """Return a role by its id; NotFound (RoleDefinitionDoesNotExist), BadRequest (InvalidRoleDefinitionId)."""
    _require_guid(role_id)
    role = (await roles.roles()).find(role_id.lower())
    if role is None:
        raise no_role(role_id)
    return role


def can_be_assigned_at(role: RoleDefinition, scope: Scope, *, or_below: bool = False) -> bool:
    """Answer whether a role may be assigned at a scope, or, when asked for, somewhere below it."""
    places = [Scope.parse(text) for text in role.assignable_scopes]
    return any(scope.within(place) or (or_below and place.within(scope)) for place in places)


def spelled_scopes(texts: Sequence[str]) -> tuple[str, ...]:
    """Return assignable scopes as they are kept, each once; BadRequest (LinkedInvalidPropertyId) for what is none."""
    spelled: dict[str, str] = {}
    for text in texts:
        try:
            written = spelled_scope(text)
        except BadRequest as error:
            raise _no_scope(text, error) from None
        spelled.setdefault(written.lower(), written)
    return tuple(spelled.values())


def _no_scope(text: str, reason: StrongroomError) -> BadRequest:
    return BadRequest(
        f"The assignable scope '{text[:SHOWN]}' is none that is here: {reason.message}", code="LinkedInvalidPropertyId"
    )


def _require_guid(role_id: str) -> None:
    if not is_guid(role_id):
        raise BadRequest(f"The role definition ID '{role_id}' is not a GUID.", code="InvalidRoleDefinitionId")


def _require_id(role_id: str) -> None:
    _require_guid(role_id)
    if role_id.lower() in BUILT_IN_IDS:
        raise Conflict("A built-in role has this ID; it cannot be changed.", code="RoleDefinitionExists")


def _require_words(request: RoleRequest) -> None:
    if not request.name.strip():
        raise BadRequest("The role definition name cannot be null or empty.", code="RoleDefinitionNameNullOrEmpty")
    if len(request.name) > MAX_NAME or len(request.description) > MAX_DESCRIPTION:
        raise BadRequest(
            f"A role's name has at most {MAX_NAME} characters, its description at most {MAX_DESCRIPTION}.",
            code="BadRequestFormat",
        )


def _require_actions(request: RoleRequest) -> None:
    """Raise BadRequest for an action that could never be asked for: a slip in it would grant, or take, nothing."""
    control = (*request.actions, *request.not_actions)
    data = (*request.data_actions, *request.not_data_actions)
    if len(control) + len(data) > MAX_ACTIONS:
        raise BadRequest(f"A role has at most {MAX_ACTIONS} actions.", code="InvalidActionOrNotAction")
    if not request.actions and not request.data_actions:
        raise BadRequest("A role needs at least one action or data action.", code="InvalidActionOrNotAction")
    for patterns, known in ((control, KNOWN_ACTIONS), (data, KNOWN_DATA_ACTIONS)):
        for pattern in patterns:
            if not _is_action(pattern, known):
                raise BadRequest(
                    f"'{pattern}' does not match any of the actions supported by the providers.",
                    code="InvalidActionOrNotAction",
                )


def _is_action(pattern: str, known: Sequence[str]) -> bool:
    if len(pattern) > LONGEST or ACTION.fullmatch(pattern) is None:
        return False
    if not pattern.lower().startswith(PROVIDER.lower() + "/"):
        return True  # of providers that are not here: nobody can tell
    return any(matches((pattern,), action.lower()) for action in known)


async def _require_scopes(stores: Places, scopes: Sequence[str]) -> None:
    if not scopes:
        raise BadRequest("A custom role needs at least one assignable scope.", code="MissingAssignableScopes")
    for text in scopes:
        try:
            await require_scope(stores.resources, stores.vaults, text)
        except StrongroomError as error:
            raise _no_scope(text, error) from None


def _require_free(known: Sequence[RoleDefinition], role_id: str, name: str) -> None:
    others = [role for role in known if role.role_id != role_id]
    if any(role.name.lower() == name.lower() for role in others):
        raise Conflict(
            "A role with the same name already exists in this directory. Use a different name.",
            code="RoleDefinitionWithSameNameExists",
        )
    if sum(role.custom for role in others) >= MAX_ROLES:
        raise Conflict(
            "Role definition limit exceeded. No more role definitions can be created.",
            code="RoleDefinitionLimitExceeded",
        )


async def _require_assignments_inside(assignments: AssignmentStore, before: RoleDefinition, asked: RoleRequest) -> None:
    places = [Scope.parse(text) for text in asked.assignable_scopes]
    for held in await _assignments_of(assignments, before):
        if not any(Scope(held.scope).within(place) for place in places):
            raise _has_assignments()


async def _assignments_of(assignments: AssignmentStore, role: RoleDefinition) -> list[RoleAssignment]:
    return [held for held in await assignments.list_all() if held.role_id == role.role_id]


def _has_assignments() -> Conflict:
    return Conflict("There are existing role assignments referencing role.", code="RoleDefinitionHasAssignments")
