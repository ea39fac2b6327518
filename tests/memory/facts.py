"""The store of small facts of the server, in memory."""

from memory.store import MemoryStore


class MemoryFacts(MemoryStore):
    held = ("values",)

    def __init__(self):
        self.values = {}

    async def get(self, name):
        return self.values.get(name)

    async def names(self):
        return tuple(self.values)

    async def put(self, name, value):
        self.values[name] = value
