"""May this caller do this, here? Asked once for every request, before anything looks whether what it names exists.

Texts: as the service writes them, see `docs/errors.md`. Lines end in CRLF.
"""

from strongroom.access.authorization.evaluation import BUILT_IN_ROLES, REFUSED, decide, policy_allows
from strongroom.access.authorization.model import Action, Decision
from strongroom.access.authorization.store import AssignmentStore
from strongroom.access.identity.model import Caller
from strongroom.errors import AuthorizationFailed, ForbiddenByPolicy, ForbiddenByRbac
from strongroom.vaults.model import Vault

PROPAGATION = (
    "If role assignments, deny assignments or role definitions were changed recently, please observe propagation time."
)
ALLOWED_BY_POLICY = Decision(allowed=True, policy=True)


async def authorize_data(
    assignments: AssignmentStore, vault: Vault, caller: Caller, action: Action, object_scope: str
) -> Decision:
    """Return why the caller may do `action`; ForbiddenByPolicy or ForbiddenByRbac when it may not.

    object_scope: the resource id of what the action touches, in any case: the vault's own, for its lists and a
    restore, or that of an object in it (`{vault id}/secrets/{name}`).
    """
    if caller.tenant_id == vault.tenant_id:
        if not vault.rbac:
            if policy_allows(vault, caller, *action.policy):
                return ALLOWED_BY_POLICY
        else:
            decision = await _decide(assignments, caller, action.data_action, object_scope.lower(), data=True)
            if decision.allowed:
                return decision
    raise _refusal(vault, caller, action, object_scope)


async def find_management_decision(assignments: AssignmentStore, caller: Caller, action: str, scope: str) -> Decision:
    """Return whether a role assignment grants the caller a control action at `scope`, a resource id in any case."""
    return await _decide(assignments, caller, action, scope.lower(), data=False)


async def authorize_management(assignments: AssignmentStore, caller: Caller, action: str, scope: str) -> Decision:
    """Return why the caller may do a control action at `scope`, a resource id; AuthorizationFailed when it may not."""
    decision = await find_management_decision(assignments, caller, action, scope)
    if not decision.allowed:
        raise management_refusal(caller, action, scope)
    return decision


def management_refusal(caller: Caller, action: str, scope: str) -> AuthorizationFailed:
    """Return the resource manager's refusal; it says the same whether or not the scope exists."""
    client = caller.user_principal_name or caller.app_id
    return AuthorizationFailed(
        f"The client '{client}' with object id '{caller.object_id}' does not have authorization to perform action "
        f"'{action}' over scope '{scope}' or the scope is invalid. "
        "If access was recently granted, please refresh your credentials."
    )


async def _decide(assignments: AssignmentStore, caller: Caller, action: str, scope: str, *, data: bool) -> Decision:
    decision = decide(await assignments.list_for(caller.object_id), BUILT_IN_ROLES, action, scope, data=data)
    if decision.allowed:
        return decision
    for principal in caller.principals:
        if principal != caller.object_id:
            decision = decide(await assignments.list_for(principal), BUILT_IN_ROLES, action, scope, data=data)
            if decision.allowed:
                return decision
    return REFUSED


def _refusal(vault: Vault, caller: Caller, action: Action, object_scope: str) -> ForbiddenByPolicy | ForbiddenByRbac:
    who = f"appid={caller.app_id};oid={caller.object_id};iss={caller.issuer}"
    where = f"{vault.name};location={vault.location}"
    if not vault.rbac:
        kind, permission = action.policy
        return ForbiddenByPolicy(
            f"The user, group or application '{who}' does not have {kind} {permission} permission on key vault "
            f"'{where}'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287"
        )
    lines = (
        "Caller is not authorized to perform action on resource.",
        PROPAGATION,
        f"Caller: {who}",
        f"Action: '{action.data_action}'",
        f"Resource: '{object_scope.lower()}'",
        "Assignment: (not found)",
        "DenyAssignmentId: null",
        "DecisionReason: null ",
        f"Vault: {where}",
    )
    return ForbiddenByRbac("".join(line + "\r\n" for line in lines))
