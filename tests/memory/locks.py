"""The store of locks, in memory."""

from memory.store import MemoryStore
from strongroom.errors import NotFound


class MemoryLocks(MemoryStore):
    held = ("rows",)

    def __init__(self):
        self.rows = {}

    async def list_in(self, subscription_id):
        return tuple(self.rows[key] for key in sorted(self.rows) if key[2] == subscription_id.lower())

    async def put(self, lock):
        self.rows[lock.scope.lower(), lock.name.lower(), lock.subscription_id.lower()] = lock

    async def remove(self, scope, name):
        found = [key for key in self.rows if key[:2] == (scope.lower(), name.lower())]
        if not found:
            raise NotFound("There is no such lock.", code="LockNotFound")
        del self.rows[found[0]]

    async def remove_within(self, scope):
        scope = scope.lower().rstrip("/")
        self.rows = {key: row for key, row in self.rows.items() if not f"{key[0]}/".startswith(f"{scope}/")}
