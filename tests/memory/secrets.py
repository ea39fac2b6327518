"""The store of secrets, in memory."""

from memory.objects import MemoryObjects
from strongroom.objects.lifecycle import Kind


class MemorySecrets(MemoryObjects):
    def __init__(self):
        super().__init__(Kind.SECRET)
