"""The store of role assignments, in memory."""

from memory.store import MemoryStore
from strongroom.access.authorization.evaluation import Holdings
from strongroom.errors import Conflict, NotFound
from strongroom.ids import Scope


class MemoryAssignments(MemoryStore):
    held = ("rows",)

    def __init__(self):
        self.rows = []

    async def held_by(self, object_id, principals):
        everybody = (object_id, *sorted(principals - {object_id}))
        return tuple([Holdings(held) for each in everybody if (held := await self.list_for(each))])

    async def list_for(self, principal_id):
        return tuple(row for row in self.rows if row.principal_id == principal_id.lower())

    async def list_around(self, scope, *, below, after="", limit=None):
        place, rows = Scope.parse(scope), sorted(self.rows, key=lambda row: row.assignment_id)
        around = [row for row in rows if place.within(at := Scope(row.scope)) or (below and at.within(place))]
        return tuple([row for row in around if row.assignment_id > after][:limit])

    async def find(self, assignment_id):
        return next((row for row in self.rows if row.assignment_id == assignment_id.lower()), None)

    async def replace(self, assignment):
        if await self.find(assignment.assignment_id) is None:
            raise NotFound("There is no such role assignment.", code="RoleAssignmentNotFound")
        self.rows = [assignment if row.assignment_id == assignment.assignment_id else row for row in self.rows]

    async def list_all(self):
        return tuple(self.rows)

    async def add(self, assignment):
        key = (assignment.principal_id, assignment.role_id, assignment.scope)
        if any((row.principal_id, row.role_id, row.scope) == key for row in self.rows):
            raise Conflict("The role assignment already exists.", code="RoleAssignmentExists")
        self.rows.append(assignment)

    async def remove(self, assignment_id):
        left = [row for row in self.rows if row.assignment_id != assignment_id.lower()]
        if len(left) == len(self.rows):
            raise NotFound("There is no such role assignment.", code="RoleAssignmentNotFound")
        self.rows = left

    async def remove_within(self, scope):
        scope = scope.lower()
        self.rows = [r for r in self.rows if r.scope != scope and not r.scope.startswith(scope.rstrip("/") + "/")]

    async def remove_principal(self, principal_id):
        self.rows = [row for row in self.rows if row.principal_id != principal_id.lower()]
