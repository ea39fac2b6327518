"""Role assignments and custom roles in SQL. Implements `access.authorization.store`."""

from functools import partial

from strongroom.access.authorization.evaluation import BUILT_IN_ROLES, Holdings, Roles, ancestors
from strongroom.access.authorization.model import RoleAssignment, RoleDefinition
from strongroom.access.authorization.roles import BUILT_IN
from strongroom.errors import Conflict, NotFound
from strongroom.storage.session import WITHIN, Documents, Session, within

ASSIGNMENTS = Documents("assignments", RoleAssignment, "assignment_id", "scope", "role_id", "principal_id")
OF_PRINCIPAL = f"{ASSIGNMENTS.select} WHERE principal_id = ? ORDER BY rowid"
FEW = 500
"""How many assignments are read and put in order for a page of them."""
ROLES = Documents("roles", RoleDefinition, "role_id", "name")


class SqlAssignments:
    """Role assignments, through one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def held_by(self, object_id: str, principals: frozenset[str]) -> tuple[Holdings, ...]:
        """Return what a principal holds and what its groups do, for decisions: its own first, nothing that is empty.

        principals: those whose grants count, it and its groups. Most groups hold nothing, and they may be hundreds: so
        what is left is remembered for each principal too.
        """
        return self._session.remember(("holders", object_id, principals), lambda: self._holders(object_id, principals))

    async def list_for(self, principal_id: str) -> tuple[RoleAssignment, ...]:
        """Return the assignments of one principal, at every scope."""
        return self._of(principal_id.lower())

    async def list_all(self) -> tuple[RoleAssignment, ...]:
        """Return every assignment, oldest first."""
        return ASSIGNMENTS.read(self._session, "ORDER BY rowid")

    async def list_around(
        self, scope: str, *, below: bool, after: str = "", limit: int | None = None
    ) -> tuple[RoleAssignment, ...]:
        """Return the assignments at a scope and above it, and below it if asked for, by their ids.

        after, limit: only those past this id, and only so many of them.
        """
        above, inside = ancestors(scope.lower()), within(scope) if below else ()
        places = f"(scope IN ({', '.join('?' * len(above))})" + (f" OR {WITHIN})" if below else ")")
        # Many are met soon on the way through the ids; few are found by their scopes, and the plus would forbid that.
        by_id = "+" if self._are_many(places, (*above, *inside)) else ""
        where = f"WHERE assignment_id > ? AND {by_id}{places} ORDER BY assignment_id LIMIT ?"
        return ASSIGNMENTS.read(self._session, where, (after, *above, *inside, -1 if limit is None else limit))

    async def find(self, assignment_id: str) -> RoleAssignment | None:
        """Return an assignment."""
        return next(iter(ASSIGNMENTS.read(self._session, "WHERE assignment_id = ?", (assignment_id.lower(),))), None)

    async def add(self, assignment: RoleAssignment) -> None:
        """Add an assignment; Conflict (RoleAssignmentExists) when the same principal, role and scope exist."""
        if not ASSIGNMENTS.insert(self._session, _columns(assignment), assignment):
            raise Conflict("The role assignment already exists.", code="RoleAssignmentExists")

    async def replace(self, assignment: RoleAssignment) -> None:
        """Replace the assignment of that id; NotFound (RoleAssignmentNotFound) when there is none."""
        if not ASSIGNMENTS.update(self._session, _columns(assignment), assignment):
            raise _not_found(assignment.assignment_id)

    async def remove(self, assignment_id: str) -> None:
        """Remove an assignment; NotFound (RoleAssignmentNotFound) when there is none."""
        if not ASSIGNMENTS.delete(self._session, (assignment_id.lower(),)):
            raise _not_found(assignment_id)

    async def remove_within(self, scope: str) -> None:
        """Remove every assignment at `scope` or below: the scope is gone."""
        ASSIGNMENTS.delete_where(self._session, WITHIN, within(scope))

    async def remove_principal(self, principal_id: str) -> None:
        """Remove every assignment of a principal: the principal is gone."""
        ASSIGNMENTS.delete_where(self._session, "principal_id = ?", (principal_id.lower(),))

    def _are_many(self, places: str, parameters: tuple[str, ...]) -> bool:
        found = f"SELECT 1 FROM assignments WHERE {places} LIMIT ?"  # noqa: S608 - of this program's own words
        ((count,),) = self._session.connection.rows(f"SELECT count(*) FROM ({found})", (*parameters, FEW + 1))  # noqa: S608
        return bool(count > FEW)

    def _holders(self, object_id: str, principals: frozenset[str]) -> tuple[Holdings, ...]:
        everybody = (object_id, *sorted(principals - {object_id}))
        return tuple([held for each in everybody if (held := self._held_by(each.lower())).by_scope])

    def _held_by(self, principal_id: str) -> Holdings:
        return self._session.remember(("held", principal_id), lambda: Holdings(self._of(principal_id)))

    def _of(self, principal_id: str) -> tuple[RoleAssignment, ...]:
        """Return what a principal was given; rows that are as they were before a change are not checked anew."""
        rows = self._session.connection.rows(OF_PRINCIPAL, (principal_id,))
        opened = partial(ASSIGNMENTS.open, self._session.seal)
        return tuple([self._session.verified(row, opened) for row in rows])


class SqlRoles:
    """Custom roles, through one session; with the built-in ones, which lie nowhere."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def roles(self) -> Roles:
        """Return every role, built-in and custom, for decisions."""
        return self._session.remember(("roles",), self._load)

    async def put(self, role: RoleDefinition) -> None:
        """Add a custom role, or replace the one of that id."""
        columns = (role.role_id, role.name.lower())
        ROLES.put(self._session, columns, role)

    async def remove(self, role_id: str) -> None:
        """Remove a custom role; NotFound (RoleDefinitionDoesNotExist) when there is none."""
        if not ROLES.delete(self._session, (role_id.lower(),)):
            raise NotFound(f"There is no custom role '{role_id}'.", code="RoleDefinitionDoesNotExist")

    def _load(self) -> Roles:
        custom = ROLES.read(self._session, "ORDER BY name")
        return Roles((*BUILT_IN, *custom)) if custom else BUILT_IN_ROLES


def _columns(assignment: RoleAssignment) -> tuple[str, ...]:
    names = (assignment.assignment_id, assignment.scope, assignment.role_id, assignment.principal_id)
    return tuple([name.lower() for name in names])


def _not_found(assignment_id: str) -> NotFound:
    return NotFound(f"There is no role assignment '{assignment_id}'.", code="RoleAssignmentNotFound")
