"""What authorization needs of a storage."""

from typing import Protocol

from strongroom.access.authorization.model import RoleAssignment


class AssignmentStore(Protocol):
    """Role assignments; scopes and ids in lower case."""

    async def list_for(self, principal_id: str) -> tuple[RoleAssignment, ...]:
        """Return the assignments of one principal, at every scope."""

    async def list_all(self) -> tuple[RoleAssignment, ...]:
        """Return every assignment, oldest first."""

    async def add(self, assignment: RoleAssignment) -> None:
        """Add an assignment; Conflict (RoleAssignmentExists) when the same principal, role and scope exist."""

    async def remove(self, assignment_id: str) -> None:
        """Remove an assignment; NotFound (RoleAssignmentNotFound) when there is none."""

    async def remove_within(self, scope: str) -> None:
        """Remove every assignment at `scope` or below: the scope is gone."""

    async def remove_principal(self, principal_id: str) -> None:
        """Remove every assignment of a principal: the principal is gone."""
