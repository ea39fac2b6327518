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
    """A role: what it allows, less what it takes away from itself (`not_*` is no deny).

    assignable_scopes: where it may be assigned, and below; as they were written. condition: what must hold beside, for
    every assignment of the role. custom: made by users. created, updated and by whom (an object id): of custom roles.
    """

    role_id: str
    name: str
    description: str
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()
    assignable_scopes: tuple[str, ...] = ("/",)
    condition: str | None = None
    custom: bool = False
    created: datetime | None = None
    created_by: str = ""
    updated: datetime | None = None
    updated_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleAssignment:
    """A role given to a principal at a scope (a resource id in lower case, see `ids.Scope`).

    written: the scope as it was first written, for people. condition: what must hold beside (`conditions`).
    created_by, updated_by: object ids, "" for the server's own.
    """

    assignment_id: str
    scope: str
    role_id: str
    principal_id: str
    principal_type: PrincipalType
    created: datetime
    written: str = ""
    condition: str | None = None
    description: str | None = None
    created_by: str = ""
    updated: datetime | None = None
    updated_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether a request is allowed, and why.

    assignment: the role assignment that allowed it. policy_of: the object id that the access policy names which did.
    unmet: an assignment whose role grants it and whose condition does not hold, where none allowed it; undecided:
    whether that is so only for want of what the request says.
    """

    allowed: bool
    assignment: RoleAssignment | None = None
    policy_of: str | None = None
    unmet: RoleAssignment | None = None
    undecided: bool = False
