"""What would a change change? `strongroom access preview` over the API, for whoever may read role assignments there.

Our own, like `access`: nothing is written, and what is told is of the vaults at the scope of the path and below it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from strongroom.access.authorization.actions import ROLE_ASSIGNMENT_READ
from strongroom.access.authorization.assignments import AssignmentRequest, make_assignment
from strongroom.access.authorization.evaluation import ancestors
from strongroom.access.authorization.preview import (
    compare,
    with_assignment,
    with_membership,
    with_model,
    with_policies,
    without_assignment,
    without_membership,
)
from strongroom.access.authorization.world import World, path_of, read_world
from strongroom.access.identity.directory import Directory, principal_of
from strongroom.access.identity.membership import make_membership
from strongroom.access.identity.model import Principal, Relation
from strongroom.errors import BadRequest, NotFound
from strongroom.ids import Scope
from strongroom.planes.call import Call
from strongroom.planes.http import Response
from strongroom.planes.management.access import PROVIDER
from strongroom.planes.management.places import PLACES, scope_of
from strongroom.planes.management.previewwire import (
    AssignmentPreview,
    MembershipChange,
    MembershipPreview,
    PoliciesPreview,
    PreviewAnswer,
    PreviewBody,
    RemovalPreview,
    preview_answer,
)
from strongroom.planes.management.scopes import get_scope
from strongroom.planes.management.wire import policies_of, render
from strongroom.planes.operation import Operation
from strongroom.vaults.model import Vault
from strongroom.vaults.policies import PolicyChange, require_tenant

BODY_LIMIT = 4 * 1024 * 1024  # as many policies as a vault may be given


async def preview_change(call: Call) -> Response:
    """Tell who would gain and who would lose what by a change, which is not made."""
    scope = await get_scope(call)
    whole = await read_world(call.stores, now=call.now)
    world = replace(whole, vaults=tuple(each for each in whole.vaults if Scope(path_of(each)).within(scope)))
    asked = [(name, said) for name in CHANGES if (said := getattr(call.body, name)) is not None]
    if len(asked) != 1:
        raise BadRequest("A preview is of exactly one change.", code="InvalidRequestContent")
    ((name, said),) = asked
    after = await CHANGES[name](call, world, said)
    found = await asyncio.to_thread(compare, world, after)
    return render(preview_answer(found, scope_of(call.parameters)))


async def _assigned(call: Call, world: World, said: AssignmentPreview) -> World:
    who = await _principal(call, said.principal_id)
    asked = AssignmentRequest(
        principal_id=who.object_id,
        principal_type=who.type,
        role=said.role_definition_id,
        scope=scope_of(call.parameters),
        condition=said.condition,
    )
    return with_assignment(world, await make_assignment(call.stores, asked, now=call.now))


async def _unassigned(call: Call, world: World, said: RemovalPreview) -> World:
    """Return a world without an assignment that counts at the scope, or that lies below it."""
    scope, found = await get_scope(call), await call.stores.assignments.find(said.name)
    if found is None or not (found.scope in ancestors(scope.path) or Scope(found.scope).within(scope)):
        raise NotFound(f"The role assignment '{said.name}' is not found.", code="RoleAssignmentNotFound")
    return without_assignment(world, found)


async def _joined(call: Call, world: World, said: MembershipPreview) -> World:
    who, group = await _principal(call, said.member_id), await call.stores.identity.find_group(said.group_id.lower())
    if group is None or group.tenant_id != call.known_caller().tenant_id:
        raise NotFound(f"There is no group '{said.group_id}'.", code="PrincipalNotFound")
    joining = make_membership(group, Relation.MEMBER, who, call.now)
    if said.change is MembershipChange.REMOVE:
        return without_membership(world, group.object_id, who.object_id)
    return with_membership(world, joining)


async def _permitted(call: Call, world: World, said: PoliciesPreview) -> World:
    vault, policies = _only_vault(call, world), policies_of(said.access_policies)
    if said.change is not PolicyChange.REMOVE:
        require_tenant(policies, vault.tenant_id)
    return with_policies(world, vault, said.change, *policies)


async def _switched(call: Call, world: World, rbac: bool) -> World:  # noqa: FBT001 - the member of the body
    return with_model(world, _only_vault(call, world), rbac=rbac)


CHANGES: Mapping[str, Callable[..., Awaitable[World]]] = {
    "role_assignment": _assigned,
    "removed_role_assignment": _unassigned,
    "membership": _joined,
    "access_policies": _permitted,
    "enable_rbac_authorization": _switched,
}
"""How the world after each change is made, by the member of the body that asks for it."""


def _only_vault(call: Call, world: World) -> Vault:
    if "vault" not in call.parameters:
        raise BadRequest("What one vault is set to is asked about at that vault.", code="InvalidScope")
    return world.vaults[0]


async def _principal(call: Call, object_id: str) -> Principal:
    """Return a principal of the caller's tenant; NotFound for others, as for those that nobody has."""
    found = await Directory(call.stores.identity).find_object(object_id.lower())
    if found is None or found.tenant_id != call.known_caller().tenant_id:
        raise NotFound(f"There is no principal '{object_id}'.", code="PrincipalNotFound")
    return principal_of(found)


OPERATIONS = tuple(
    Operation(
        method="POST",
        path=f"{place}{PROVIDER}/preview",
        handler=preview_change,
        needs=ROLE_ASSIGNMENT_READ,
        log="Strongroom.Access/preview/read",
        takes=PreviewBody,
        gives=PreviewAnswer,
        body_limit=BODY_LIMIT,
        refuses=(409,),
        name=f"preview_change_at_{name}",
    )
    for name, place in PLACES.items()
)
