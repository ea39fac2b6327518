"""The store of data keys, in memory."""

from dataclasses import replace

from memory.store import MemoryStore
from strongroom.custody.keyring import lies_under
from strongroom.custody.store import Purpose
from strongroom.errors import Conflict, NotFound


class MemoryKeyring(MemoryStore):
    held = ("keys",)

    def __init__(self):
        self.keys = []

    async def newest(self, purpose, scope=""):
        return next(iter(await self.list_versions(purpose, scope)), None)

    async def list_versions(self, purpose, scope=""):
        fitting = [key for key in self.keys if (key.purpose, key.scope) == (purpose, scope)]
        return tuple(sorted(fitting, key=lambda key: -key.version))

    async def find(self, key_id):
        return next((key for key in self.keys if key.key_id == key_id), None)

    async def list_all(self):
        return tuple(self.keys)

    async def add(self, key):
        taken = {(each.purpose, each.scope, each.version) for each in self.keys}
        if await self.find(key.key_id) or (key.purpose, key.scope, key.version) in taken:
            raise Conflict("The data key exists.")
        if not lies_under(key, await self.newest(Purpose.ROWS)):
            raise Conflict("The master key was replaced.")
        self.keys.append(key)

    async def replace(self, key):
        await self._require(key.key_id)
        self.keys = [replace(each, sealed=key.sealed) if each.key_id == key.key_id else each for each in self.keys]

    async def remove(self, key):
        await self._require(key.key_id)
        self.keys = [each for each in self.keys if each.key_id != key.key_id]

    async def _require(self, key_id):
        if await self.find(key_id) is None:
            raise NotFound("There is no such data key.")

    async def remove_scope(self, purpose, scope):
        self.keys = [key for key in self.keys if (key.purpose, key.scope) != (purpose, scope)]
