"""What authorization needs of a storage."""

from typing import Protocol

from strongroom.access.authorization.evaluation import Holdings, Roles
from strongroom.access.authorization.model import RoleAssignment, RoleDefinition
from strongroom.resources.store import ResourceStore
from strongroom.vaults.store import VaultStore


class AssignmentStore(Protocol):
    """Role assignments; scopes and ids in lower case."""

    async def held_by(self, object_id: str, principals: frozenset[str]) -> tuple[Holdings, ...]:
        """Return what a principal holds and what its groups do, for decisions: its own first, nothing that is empty.

        principals: those whose grants count, it and its groups.
        """

    async def list_for(self, principal_id: str) -> tuple[RoleAssignment, ...]:
        """Return the assignments of one principal, at every scope."""

    async def list_all(self) -> tuple[RoleAssignment, ...]:
        """Return every assignment, oldest first."""

    async def list_around(
        self, scope: str, *, below: bool, after: str = "", limit: int | None = None
    ) -> tuple[RoleAssignment, ...]:
        """Return the assignments at a scope and above it, and below it if asked for, by their ids.

        after, limit: only those past this id, and only so many of them.
        """

    async def find(self, assignment_id: str) -> RoleAssignment | None:
        """Return an assignment."""

    async def add(self, assignment: RoleAssignment) -> None:
        """Add an assignment; Conflict (RoleAssignmentExists) when the same principal, role and scope exist."""

    async def replace(self, assignment: RoleAssignment) -> None:
        """Replace the assignment of that id; NotFound (RoleAssignmentNotFound) when there is none."""

    async def remove(self, assignment_id: str) -> None:
        """Remove an assignment; NotFound (RoleAssignmentNotFound) when there is none."""

    async def remove_within(self, scope: str) -> None:
        """Remove every assignment at `scope` or below: the scope is gone."""

    async def remove_principal(self, principal_id: str) -> None:
        """Remove every assignment of a principal: the principal is gone."""


class RoleStore(Protocol):
    """Custom roles; ids in lower case. The built-in ones are in no storage."""

    async def roles(self) -> Roles:
        """Return every role, built-in and custom, for decisions."""

    async def put(self, role: RoleDefinition) -> None:
        """Add a custom role, or replace the one of that id."""

    async def remove(self, role_id: str) -> None:
        """Remove a custom role; NotFound (RoleDefinitionDoesNotExist) when there is none."""


class Grants(Protocol):
    """The stores that decide who may."""

    @property
    def assignments(self) -> AssignmentStore: ...
    @property
    def roles(self) -> RoleStore: ...


class Places(Grants, Protocol):
    """The stores that a role touches when it is made or given: those that decide, and those of where it counts."""

    @property
    def resources(self) -> ResourceStore: ...
    @property
    def vaults(self) -> VaultStore: ...
