"""The store of private endpoints of vaults, in memory."""

from memory.store import MemoryStore
from strongroom.errors import Conflict, NotFound
from strongroom.vaults.connections import ANY_PORT


class MemoryConnections(MemoryStore):
    held = ("rows",)

    def __init__(self):
        self.rows = {}

    async def list_all(self):
        return tuple(self.rows[key] for key in sorted(self.rows))

    async def find_at(self, address, port):
        found = [row for row in self.rows.values() if row.address == address and row.port in {port, ANY_PORT}]
        return max(found, key=lambda row: row.port, default=None)

    async def put(self, connection):
        key, place = (connection.vault_id, connection.name.lower()), (connection.address, connection.port)
        if any(place == (row.address, row.port) for other, row in self.rows.items() if other != key):
            raise Conflict("The place is taken.")
        self.rows[key] = connection

    async def remove(self, connection):
        if self.rows.pop((connection.vault_id, connection.name.lower()), None) is None:
            raise NotFound("There is no such endpoint.", code="ResourceNotFound")
