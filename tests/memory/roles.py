"""The store of roles that somebody made, in memory."""

from memory.store import MemoryStore
from strongroom.access.authorization.evaluation import Roles
from strongroom.access.authorization.roles import BUILT_IN
from strongroom.errors import NotFound


class MemoryRoles(MemoryStore):
    held = ("kept",)

    def __init__(self):
        self.kept = {}

    async def roles(self):
        return Roles((*BUILT_IN, *self.kept.values()))

    async def put(self, role):
        self.kept[role.role_id] = role

    async def remove(self, role_id):
        if self.kept.pop(role_id.lower(), None) is None:
            raise NotFound("There is no such role.", code="RoleDefinitionDoesNotExist")
