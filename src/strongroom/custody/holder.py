"""The master key in memory that a server's processes share.

A worker that takes over the next master key leads them all, and those that are forked later: the key that the parent
began with opens nothing any more once the data lies under the next one.
"""

import mmap

from strongroom.sensitive import Sensitive

KEY_BYTES = 32
SLOTS = 2


class SharedKey:
    """One 256-bit key, shared with the processes that are forked from this one.

    There are two slots, and a byte that says which of them counts: a key is written whole before it does. Writers need
    no lock as long as all of them write the same key: there is one successor at a time.
    """

    def __init__(self, key: Sensitive[bytes]) -> None:
        self._memory = mmap.mmap(-1, 1 + SLOTS * KEY_BYTES)
        self._memory[1 : 1 + KEY_BYTES] = key.reveal()

    def read(self) -> Sensitive[bytes]:
        """Return the key that counts now."""
        start = 1 + self._memory[0] * KEY_BYTES
        return Sensitive(self._memory[start : start + KEY_BYTES])

    def replace(self, key: Sensitive[bytes]) -> None:
        """Let another key count; nothing happens when it does already."""
        if self.read().reveal() == key.reveal():
            return
        slot = (self._memory[0] + 1) % SLOTS
        start = 1 + slot * KEY_BYTES
        self._memory[start : start + KEY_BYTES] = key.reveal()
        self._memory[0] = slot
