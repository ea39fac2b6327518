"""Giving and taking roles: the rules behind `strongroom role` now, behind the role assignment API later."""

from datetime import datetime

from strongroom.access.authorization.model import RoleAssignment, RoleDefinition
from strongroom.access.authorization.roles import find_role
from strongroom.access.authorization.store import AssignmentStore
from strongroom.access.identity.model import PrincipalType
from strongroom.clock import whole_seconds
from strongroom.errors import BadRequest, NotFound
from strongroom.ids import Scope, is_guid, new_guid
from strongroom.resources.store import ResourceStore
from strongroom.vaults.store import VaultStore


async def assign_role(
    assignments: AssignmentStore,
    resources: ResourceStore,
    vaults: VaultStore,
    *,
    principal_id: str,
    role: str,
    scope: str,
    now: datetime,
    principal_type: PrincipalType = PrincipalType.SERVICE_PRINCIPAL,
) -> RoleAssignment:
    """Give a principal a role, named or by id, at a scope; return the assignment.

    Raises NotFound (RoleDefinitionDoesNotExist, or the code of the missing scope), BadRequest (InvalidScope,
    InvalidPrincipalId), Conflict (RoleAssignmentExists). Whether the principal exists is the caller's to know.
    """
    definition = require_role(role)
    if not is_guid(principal_id):
        raise BadRequest(f"The principal id '{principal_id}' is not a GUID.", code="InvalidPrincipalId")
    place = await require_scope(resources, vaults, scope)
    assignment = RoleAssignment(
        assignment_id=new_guid(),
        scope=place.path,
        role_id=definition.role_id,
        principal_id=principal_id.lower(),
        principal_type=principal_type,
        created=whole_seconds(now),
    )
    await assignments.add(assignment)
    return assignment


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


def require_role(name_or_id: str) -> RoleDefinition:
    """Return a role by its name or id; NotFound (RoleDefinitionDoesNotExist) when there is none."""
    role = find_role(name_or_id)
    if role is None:
        raise NotFound(
            f"The specified role definition '{name_or_id}' does not exist.", code="RoleDefinitionDoesNotExist"
        )
    return role


async def require_scope(resources: ResourceStore, vaults: VaultStore, text: str) -> Scope:
    """Return the scope that `text` names: a subscription, a resource group, or a living vault, that exists.

    Raises BadRequest (InvalidScope) for any other form, NotFound for one that is not there.
    """
    scope = Scope.parse(text)
    match scope.path.split("/")[1:]:
        case ["subscriptions", subscription]:
            await _require_subscription(resources, subscription)
        case ["subscriptions", subscription, "resourcegroups", group]:
            await _require_group(resources, subscription, group)
        case [
            "subscriptions",
            subscription,
            "resourcegroups",
            group,
            "providers",
            "microsoft.keyvault",
            "vaults",
            name,
        ]:
            await _require_group(resources, subscription, group)
            vault = await vaults.find(name)
            placed = vault and (vault.subscription_id, vault.resource_group.lower()) == (subscription, group)
            if vault is None or not placed or vault.deletion is not None:
                raise NotFound(
                    f"The vault '{name}' was not found in resource group '{group}'.", code="ResourceNotFound"
                )
        case _:
            raise BadRequest(
                f"The scope '{text}' is none at which a role may be assigned here: give the resource id of a "
                "subscription, a resource group or a vault.",
                code="InvalidScope",
            )
    return scope


async def _require_subscription(resources: ResourceStore, subscription: str) -> None:
    if await resources.find_subscription(subscription) is None:
        raise NotFound(f"The subscription '{subscription}' could not be found.", code="SubscriptionNotFound")


async def _require_group(resources: ResourceStore, subscription: str, group: str) -> None:
    await _require_subscription(resources, subscription)
    if await resources.find_group(subscription, group) is None:
        raise NotFound(f"Resource group '{group}' could not be found.", code="ResourceGroupNotFound")
