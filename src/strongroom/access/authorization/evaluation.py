"""The decision on one request: pure rules over assignments, roles and policies.

A role grants an action when one of its patterns matches and none of its `not_*` patterns does; `*` stands for any run
of characters, slashes too, and case does not matter. What several assignments grant is joined: `not_*` is no deny.
Source: Azure RBAC, "Understand role definitions".
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from strongroom.access.authorization.model import Decision, RoleAssignment, RoleDefinition
from strongroom.access.authorization.roles import BUILT_IN
from strongroom.access.identity.model import Caller, PrincipalType
from strongroom.vaults.model import AccessPolicy, Vault
from strongroom.vaults.policies import ALL, NOT_IN_ALL

REFUSED = Decision(allowed=False)
REMEMBERED = 8192


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    """Return what an action of a role matches: `*` stands for anything, and `/*/` for a single `/` too.

    So `vaults/*/read` reads the vault itself: the roles that have nothing else are there to let people see it, as is
    Virtual Machine User Login with its only `virtualMachines/*/read`.
    """
    around = [".*".join(map(re.escape, piece.split("*"))) for piece in text.lower().split("/*/")]
    return re.compile("/(?:.*/)?".join(around), re.DOTALL)


def _matches(patterns: Iterable[str], action: str) -> bool:
    return any(_pattern(pattern).fullmatch(action) for pattern in patterns)


def role_grants(role: RoleDefinition, action: str, *, data: bool) -> bool:
    """Answer whether a role grants a control action, or a data action; the two are different even where names agree."""
    lowered = action.lower()
    if data:
        return _matches(role.data_actions, lowered) and not _matches(role.not_data_actions, lowered)
    return _matches(role.actions, lowered) and not _matches(role.not_actions, lowered)


class Roles:
    """Role definitions by id, with the answers they gave: the data plane asks the same question all day."""

    def __init__(self, definitions: Iterable[RoleDefinition]) -> None:
        self._definitions = {role.role_id: role for role in definitions}
        self._answers: dict[tuple[str, str, bool], bool] = {}

    def grants(self, role_id: str, action: str, data: bool) -> bool:  # noqa: FBT001 - keywords cost a tenth of this path
        """Answer whether the role grants the action; an unknown role grants nothing."""
        answer = self._answers.get((role_id, action, data))
        return self._decide(role_id, action, data) if answer is None else answer

    def _decide(self, role_id: str, action: str, data: bool) -> bool:  # noqa: FBT001
        role = self._definitions.get(role_id)
        answer = role is not None and role_grants(role, action, data=data)
        if len(self._answers) >= REMEMBERED:
            self._answers.clear()
        self._answers[(role_id, action, data)] = answer
        return answer


BUILT_IN_ROLES = Roles(BUILT_IN)


def decide(assignments: Iterable[RoleAssignment], roles: Roles, action: str, scope: str, *, data: bool) -> Decision:
    """Return whether one of the caller's assignments grants `action` at `scope` (a resource id in lower case)."""
    for assignment in assignments:
        held = assignment.scope
        within = held in (scope, "/") or (scope.startswith(held) and scope[len(held)] == "/")
        if within and roles.grants(assignment.role_id, action, data):
            return Decision(allowed=True, assignment_id=assignment.assignment_id)
    return REFUSED


def policy_allows(vault: Vault, caller: Caller, kind: str, permission: str) -> bool:
    """Answer whether an access policy of the vault gives the caller a permission, such as `secrets`, `get`.

    A policy with an application id counts only for a user who comes through that application.
    """
    for policy in vault.access_policies:
        if policy.object_id != caller.object_id and policy.object_id not in caller.principals:
            continue
        granted: frozenset[str] = getattr(policy, kind)
        if permission not in granted and (ALL not in granted or permission in NOT_IN_ALL):
            continue
        if policy.tenant_id == caller.tenant_id and _fits_application(policy, caller):
            return True
    return False


def _fits_application(policy: AccessPolicy, caller: Caller) -> bool:
    if policy.application_id is None:
        return True
    return caller.type is PrincipalType.USER and policy.application_id == caller.app_id
