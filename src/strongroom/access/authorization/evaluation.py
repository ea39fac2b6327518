"""The decision on one request: pure rules over assignments, roles and policies.

A role grants an action when one of its patterns matches and none of its `not_*` patterns does. What several assignments
grant is joined: `not_*` is no deny, and a condition takes away from its own assignment only.
Source: Azure RBAC, "Understand role definitions".
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Protocol

from strongroom.access.authorization.conditions import (
    SECRET_NAME,
    VAULT_NAME,
    Asked,
    Condition,
    Truth,
    Value,
    parse,
    time_attribute,
)
from strongroom.access.authorization.model import Action, Decision, RoleAssignment, RoleDefinition
from strongroom.access.authorization.patterns import matches
from strongroom.access.authorization.roles import BUILT_IN
from strongroom.access.identity.model import PrincipalType
from strongroom.errors import BadRequest
from strongroom.vaults.model import AccessPolicy, Vault
from strongroom.vaults.policies import ALL, NOT_IN_ALL

REFUSED = Decision(allowed=False)
REMEMBERED = 8192
REMEMBERED_LENGTH = 512
SECRETS = "microsoft.keyvault/vaults/secrets/"
VAULT_SEGMENT, OBJECT_SEGMENT = 8, 10
"""Where names stand in a resource id: /subscriptions/s/resourcegroups/g/providers/p/vaults/{8}/secrets/{10}."""
WRITTEN_BY_REQUESTS = frozenset({SECRETS + "setsecret/action", SECRETS + "restore/action"})
"""Data actions that bring the name along: their attributes are of the request, those of others of the resource."""

Attributes = Mapping[tuple[str, str], tuple[Value, ...]]
NO_ATTRIBUTES: Attributes = {}


class Who(Protocol):
    """Who asks: a caller, or somebody of whom it is asked what he might do."""

    @property
    def object_id(self) -> str: ...
    @property
    def app_id(self) -> str: ...
    @property
    def tenant_id(self) -> str: ...
    @property
    def type(self) -> PrincipalType: ...
    @property
    def principals(self) -> frozenset[str]: ...


def role_grants(role: RoleDefinition, action: str, *, data: bool) -> bool:
    """Answer whether a role grants a control action, or a data action; the two are different even where names agree."""
    lowered = action.lower()
    if data:
        return matches(role.data_actions, lowered) and not matches(role.not_data_actions, lowered)
    return matches(role.actions, lowered) and not matches(role.not_actions, lowered)


def _parsed(text: str) -> Condition:
    """Return a condition that was kept; one that cannot be read any more holds for nobody."""
    try:
        return parse(text)
    except BadRequest:
        return _never


def _never(_: Asked) -> Truth:
    return False


class Roles:
    """Role definitions by id, with the answers they gave: the data plane asks the same question all day."""

    def __init__(self, definitions: Iterable[RoleDefinition]) -> None:
        self._definitions = {role.role_id: role for role in definitions}
        self._conditions = {
            role.role_id: _parsed(role.condition) for role in self._definitions.values() if role.condition is not None
        }
        self._answers: dict[tuple[str, str, bool], bool] = {}

    @property
    def all(self) -> tuple[RoleDefinition, ...]:
        """Every role, the built-in ones first."""
        return tuple(self._definitions.values())

    def find(self, role_id: str) -> RoleDefinition | None:
        """Return a role by its GUID in lower case."""
        return self._definitions.get(role_id)

    def find_named(self, name_or_id: str) -> RoleDefinition | None:
        """Return a role by its name, its GUID or its whole resource id; case does not matter.

        Names are compared whole: a custom role may be called `team/owner`.
        """
        wanted = name_or_id.strip().lower()
        named = (role for role in self._definitions.values() if role.name.lower() == wanted)
        return self._definitions.get(wanted.strip("/").rsplit("/", 1)[-1]) or next(named, None)

    def condition_of(self, role_id: str) -> Condition | None:
        """Return what must hold for every assignment of a role, None where nothing must."""
        return self._conditions.get(role_id)

    def grants(self, role_id: str, action: str, data: bool) -> bool:  # noqa: FBT001 - keywords cost a tenth of this path
        """Answer whether the role grants the action; an unknown role grants nothing."""
        answer = self._answers.get((role_id, action, data))
        return self._decide(role_id, action, data) if answer is None else answer

    def _decide(self, role_id: str, action: str, data: bool) -> bool:  # noqa: FBT001
        role = self._definitions.get(role_id)
        answer = role is not None and role_grants(role, action, data=data)
        if len(self._answers) >= REMEMBERED:
            self._answers.clear()
        if len(action) <= REMEMBERED_LENGTH:  # a path may name a part of it
            self._answers[(role_id, action, data)] = answer
        return answer


BUILT_IN_ROLES = Roles(BUILT_IN)


class Holdings:
    """The assignments of one principal, found by scope: a decision looks at those on its way up and at no other."""

    __slots__ = ("by_scope",)

    def __init__(self, assignments: Iterable[RoleAssignment]) -> None:
        self.by_scope: dict[str, list[RoleAssignment]] = {}
        for assignment in assignments:
            self.by_scope.setdefault(assignment.scope, []).append(assignment)


def ancestors(scope: str) -> tuple[str, ...]:
    """Return a scope and all that it lies in, the root last; scopes are resource ids in lower case.

    Those of usual length are remembered; what strangers ask about must not fill the memory.
    """
    return _remembered(scope) if len(scope) <= REMEMBERED_LENGTH else _ancestors(scope)


def _ancestors(scope: str) -> tuple[str, ...]:
    ends = [position for position in range(1, len(scope)) if scope[position] == "/"]
    return (*dict.fromkeys((scope, *(scope[:end] for end in reversed(ends)), "/")),)


_remembered = lru_cache(maxsize=4096)(_ancestors)


def decide(
    holders: Iterable[Holdings],
    roles: Roles,
    action: str,
    scope: str,
    *,
    data: bool,
    now: datetime,
    attributes: Attributes = NO_ATTRIBUTES,
) -> Decision:
    """Return whether an assignment grants `action` at `scope` (a resource id in lower case).

    holders: what the caller and its groups hold. attributes: what conditions may ask of beside action, scope and time.
    """

    def asked() -> Asked:
        lowered = action.lower()
        names = _names_in(scope, lowered) if data else {}
        return Asked(lowered, {**attributes, **names, **time_attribute(now)})

    refused = REFUSED
    places = ancestors(scope)
    for held in holders:
        for place in places:
            for assignment in held.by_scope.get(place, ()):
                if not roles.grants(assignment.role_id, action, data):
                    continue
                holds = _condition_holds(assignment, roles, asked)
                if holds:
                    return Decision(allowed=True, assignment=assignment)
                if not refused.undecided:
                    refused = Decision(allowed=False, unmet=assignment, undecided=holds is None)
    return refused


def _condition_holds(assignment: RoleAssignment, roles: Roles, asked: Callable[[], Asked]) -> Truth:
    """Answer whether what must hold for an assignment does; None when that cannot be told."""
    of_role = roles.condition_of(assignment.role_id)
    if of_role is None and assignment.condition is None:
        return True
    own = None if assignment.condition is None else _parsed(assignment.condition)
    truths = [condition(asked()) for condition in (of_role, own) if condition is not None]
    return False if False in truths else (None if None in truths else True)


def _names_in(scope: str, action: str) -> dict[tuple[str, str], tuple[Value, ...]]:
    """Return what a data action on secrets says of the names it touches; other kinds have no attributes there.

    Source: Key Vault ABAC: attributes of secrets only.
    """
    if not action.startswith(SECRETS):
        return {}
    source = "request" if action in WRITTEN_BY_REQUESTS else "resource"
    segments = scope.split("/")
    places = ((VAULT_NAME, VAULT_SEGMENT), (SECRET_NAME, OBJECT_SEGMENT))
    return {(source, name): (segments[place],) for name, place in places if place < len(segments)}


def decide_on_data(
    vault: Vault,
    caller: Who,
    holders: Iterable[Holdings],
    roles: Roles,
    *,
    action: Action,
    object_scope: str,
    now: datetime,
) -> Decision:
    """Return whether a caller may do a data action in a vault: by the permission model that the vault has.

    holders: what the caller and its groups hold, of no account where access policies decide. object_scope: what the
    action touches, in lower case.
    """
    if caller.tenant_id != vault.tenant_id:
        return REFUSED
    if vault.rbac:
        return decide(holders, roles, action.data_action, object_scope, data=True, now=now)
    policy = find_policy(vault, caller, *action.policy)
    return REFUSED if policy is None else Decision(allowed=True, policy_of=policy.object_id)


def find_policy(vault: Vault, caller: Who, kind: str, permission: str) -> AccessPolicy | None:
    """Return the access policy of the vault that gives the caller a permission, such as `secrets`, `get`.

    A policy with an application id counts only for a user who comes through that application.
    """
    for policy in vault.access_policies:
        if policy.object_id != caller.object_id and policy.object_id not in caller.principals:
            continue
        granted: frozenset[str] = getattr(policy, kind)
        if permission not in granted and (ALL not in granted or permission in NOT_IN_ALL):
            continue
        if policy.tenant_id == caller.tenant_id and _fits_application(policy, caller):
            return policy
    return None


def _fits_application(policy: AccessPolicy, caller: Who) -> bool:
    if policy.application_id is None:
        return True
    return caller.type is PrincipalType.USER and policy.application_id == caller.app_id
