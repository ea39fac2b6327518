"""What somebody does to give himself more, step by step, and what each step needs before it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from strongroom.access.authorization.actions import (
    ACCESS_POLICY_WRITE,
    ROLE_ASSIGNMENT_WRITE,
    ROLE_DEFINITION_WRITE,
    VAULT_WRITE,
)
from strongroom.access.authorization.evaluation import Roles, role_grants
from strongroom.access.authorization.model import Decision, RoleAssignment, RoleDefinition
from strongroom.access.authorization.operations import OPERATIONS, Operations
from strongroom.access.authorization.world import Subject

ESCALATING = (ROLE_ASSIGNMENT_WRITE, ROLE_DEFINITION_WRITE, ACCESS_POLICY_WRITE, VAULT_WRITE)
"""The control actions by which somebody gives himself more."""
FRESH = RoleDefinition(
    role_id="00000000-0000-0000-0000-000000000000",
    name="a custom role of its own making",
    description="",
    actions=("*",),
    data_actions=("*",),
    custom=True,
)
"""What whoever may write roles can make: its id is one that no condition names."""


class Way(StrEnum):
    """What somebody does to give himself more."""

    JOIN = "joinGroup"
    ASSIGN = "assignRole"
    POLICY = "writeAccessPolicy"
    SWITCH = "switchPermissionModel"
    CHANGE = "changeRole"
    MAKE = "makeRole"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that somebody could do.

    place: where, a resource id in lower case; of a group its object id. role: what is assigned or changed. to: whom a
    role is assigned to, itself or a group that it is in. by: the assignment that allows it, None for a group's owner
    and where an earlier step does.
    """

    way: Way
    place: str
    role: RoleDefinition | None = None
    to: str = ""
    by: RoleAssignment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfGrant:
    """What a principal could give itself at a place, and how: the steps in their order."""

    subject: Subject
    place: str
    operations: tuple[str, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Gain:
    """Something that is gained by a step, which needs others before it: keys of `Gains`."""

    step: Step
    needs: tuple[str, ...] = ()


@dataclass(slots=True)
class Gains:
    """What somebody has gained so far: assignments by their ids, groups by theirs, roles that he changed by theirs."""

    why: dict[str, Gain] = field(default_factory=dict)
    assignments: list[RoleAssignment] = field(default_factory=list)
    groups: tuple[str, ...] = ()
    roles: dict[str, RoleDefinition] = field(default_factory=dict)

    def steps(self, needs: Iterable[str], *last: Step) -> tuple[Step, ...]:
        """Return the steps that `needs` take, those they need themselves before them, then the last ones."""
        found: dict[Step, None] = {}

        def visit(key: str) -> None:
            gain = self.why[key]
            for need in gain.needs:
                visit(need)
            found[gain.step] = None

        for key in needs:
            visit(key)
        return (*found, *last)


class Candidates:
    """The roles worth assigning oneself, the best first, of one world. Made once for all principals."""

    def __init__(self, roles: Roles, operations: Operations) -> None:
        self.operations = operations
        self.custom = tuple(role for role in roles.all if role.custom)
        self.data = _ranked(roles, lambda role: _rank(role, operations))
        self.control = _ranked(roles, _control_rank)


def is_custom(roles: Roles, role_id: str) -> bool:
    """Answer whether a role is one that users made."""
    role = roles.find(role_id)
    return role is not None and role.custom


def grants_everything(role: RoleDefinition) -> RoleDefinition:
    """Return a role as whoever may change it could have it."""
    return replace(role, actions=("*",), not_actions=(), data_actions=("*",), not_data_actions=())


def grounds(decision: Decision) -> RoleAssignment:
    """Return the assignment that allowed something."""
    assert decision.assignment is not None  # control actions are allowed by assignments only
    return decision.assignment


Rank = tuple[int, bool, int]


def _ranked(roles: Roles, rank: Callable[[RoleDefinition], Rank | None]) -> tuple[RoleDefinition, ...]:
    """Return the roles that have a rank, lowest first."""
    found = [(said, role) for role in roles.all if (said := rank(role)) is not None]
    return tuple(role for _, role in sorted(found, key=lambda pair: pair[0]))


def _rank(role: RoleDefinition, operations: Operations) -> Rank | None:
    """Return how well a role fits operations: most of them first, then built-in ones, then what grants least beside."""
    asked = sum(role_grants(role, action.data_action, data=True) for action in operations.values())
    every = sum(role_grants(role, action.data_action, data=True) for action in OPERATIONS.values())
    return (-asked, role.custom, every) if asked else None


def _control_rank(role: RoleDefinition) -> Rank | None:
    granted = sum(role_grants(role, action, data=False) for action in ESCALATING)
    return (-granted, role.custom, 0) if granted else None
