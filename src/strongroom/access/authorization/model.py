"""What may be granted: role definitions, role assignments, access policies; and the decision on one request."""

from dataclasses import dataclass
from datetime import datetime

from strongroom.access.identity.model import PrincipalType


@dataclass(frozen=True, slots=True)
class Action:
    """One data-plane permission, under its RBAC name and its access-policy name.

    data_action: matched case-insensitively. policy: (object kind, permission).
    """

    data_action: str
    policy: tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleDefinition:
    """A role: what it allows, less what it takes away from itself (`not_*` is no deny)."""

    role_id: str
    name: str
    description: str
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleAssignment:
    """A role given to a principal at a scope (a resource id in lower case, see `ids.Scope`)."""

    assignment_id: str
    scope: str
    role_id: str
    principal_id: str
    principal_type: PrincipalType
    created: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a request is allowed, and why.

    assignment_id: the role assignment that allowed it; policy: whether an access policy of the vault matched.
    """

    allowed: bool
    assignment_id: str | None = None
    policy: bool = False
