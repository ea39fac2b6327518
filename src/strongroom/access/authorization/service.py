"""May this caller do this, here? Asked once for every request, before anything looks whether what it names exists.

Texts: as the service writes them, see `docs/errors.md`. Lines end in CRLF.
"""

from datetime import datetime

from strongroom.access.authorization.evaluation import NO_ATTRIBUTES, Attributes, Holdings, decide, decide_on_data
from strongroom.access.authorization.model import Action, Decision
from strongroom.access.authorization.store import Grants, RoleStore
from strongroom.access.identity.model import Caller
from strongroom.errors import AuthorizationFailed, ForbiddenByPolicy, ForbiddenByRbac
from strongroom.vaults.model import Vault

PROPAGATION = (
    "If role assignments, deny assignments or role definitions were changed recently, please observe propagation time."
)


async def find_data_decision(
    grants: Grants, vault: Vault, caller: Caller, action: Action, object_scope: str, *, now: datetime
) -> Decision:
    """Return whether the caller may do a data action: by an access policy, or by RBAC where the vault has that.

    object_scope: the resource id of what the action touches, in any case: the vault's own, for its lists and a
    restore, or that of an object in it (`{vault id}/secrets/{name}`).
    """
    holders = await holdings_of(grants, caller) if vault.rbac else ()
    roles = await grants.roles.roles()
    return decide_on_data(vault, caller, holders, roles, action=action, object_scope=object_scope.lower(), now=now)


async def find_management_decision(
    grants: Grants, caller: Caller, action: str, scope: str, *, now: datetime, attributes: Attributes = NO_ATTRIBUTES
) -> Decision:
    """Return whether a role assignment grants the caller a control action at `scope`, a resource id in any case.

    attributes: what conditions may ask of beside action, scope and time.
    """
    holders, roles = await holdings_of(grants, caller), await grants.roles.roles()
    return decide(holders, roles, action, scope.lower(), data=False, now=now, attributes=attributes)


async def reason_of(decision: Decision, roles: RoleStore) -> str:
    """Return why a decision is as it is, in words."""
    if decision.policy_of is not None:
        return f"the access policy of '{decision.policy_of}' allows it"
    found = decision.assignment or decision.unmet
    if found is None:
        return "nothing that the caller or one of its groups was given allows it"
    role = (await roles.roles()).find(found.role_id)
    held = f"role '{role.name if role else found.role_id}', given to '{found.principal_id}' at '{found.scope}'"
    if decision.allowed:
        return f"the {held}, allows it"
    if decision.undecided:
        return f"the {held}, would allow it, but the request does not tell what its condition asks"
    return f"the {held}, would allow it, but its condition does not hold"


def management_refusal(caller: Caller, action: str, scope: str) -> AuthorizationFailed:
    """Return the resource manager's refusal; it says the same whether or not the scope exists."""
    client = caller.user_principal_name or caller.app_id
    return AuthorizationFailed(
        f"The client '{client}' with object id '{caller.object_id}' does not have authorization to perform action "
        f"'{action}' over scope '{scope}' or the scope is invalid. "
        "If access was recently granted, please refresh your credentials."
    )


async def holdings_of(grants: Grants, caller: Caller) -> list[Holdings]:
    """Return what the caller holds, then what each of its groups does."""
    others = caller.principals - {caller.object_id}
    return [await grants.assignments.held_by(each) for each in (caller.object_id, *sorted(others))]


def data_refusal(
    vault: Vault, caller: Caller, action: Action, object_scope: str
) -> ForbiddenByPolicy | ForbiddenByRbac:
    """Return the data plane's refusal, in the words of the vault's permission model."""
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
