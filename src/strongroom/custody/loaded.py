"""Keys that a process has opened: the ones last used, within bounds, and each for its place only."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import TypeAlias

from strongroom.custody.elliptic import EcKey
from strongroom.custody.lattice import AkpKey
from strongroom.custody.rsa import RsaKey
from strongroom.custody.sealing import Context
from strongroom.custody.symmetric import OctKey

LoadedKey: TypeAlias = RsaKey | EcKey | OctKey | AkpKey

MOST_KEYS = 1_024
MOST_BYTES = 16 * 1024 * 1024
_ENTRY_BYTES = 1_000  # the handle, the place and the tables around them


@dataclass(frozen=True, slots=True)
class _Entry:
    context: Context
    key: LoadedKey
    cost: int


class LoadedKeys:
    """Keys by their handles, least recently used first. Of one process and one thread: its event loop's."""

    def __init__(self, most_keys: int = MOST_KEYS, most_bytes: int = MOST_BYTES) -> None:
        self._most_keys = most_keys
        self._most_bytes = most_bytes
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, handle: bytes, context: Context) -> LoadedKey | None:
        """Return the key of a handle that was opened in this very place."""
        entry = self._entries.get(handle)
        if entry is None or entry.context != context:
            return None
        self._entries.move_to_end(handle)
        return entry.key

    def keep(self, handle: bytes, context: Context, key: LoadedKey) -> None:
        """Keep a key that a handle was just opened to; what was used longest ago makes room."""
        self.drop(handle)
        cost = key.cost + len(handle) + _ENTRY_BYTES
        self._entries[handle] = _Entry(context, key, cost)
        self.bytes += cost
        while len(self._entries) > self._most_keys or self.bytes > self._most_bytes:
            self.drop(next(iter(self._entries)))

    def drop(self, handle: bytes) -> None:
        """Drop a key; nothing happens when it is not kept."""
        entry = self._entries.pop(handle, None)
        if entry is not None:
            self.bytes -= entry.cost

    def drop_owner(self, owner: str) -> None:
        """Drop every key of an owner."""
        for handle in [handle for handle, entry in self._entries.items() if entry.context.owner == owner]:
            self.drop(handle)
