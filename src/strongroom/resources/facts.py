"""Small named facts that a server keeps about itself: its bootstrap ids, its rehearsal clock, its CAs."""

from typing import Protocol

from strongroom.clock import CLOCK_FACT

RESTORED_FACT = "installation.restored"
"""Set when data are restored from an archive: others may live on beside them, with the same keys in the same HSM."""


class FactStore(Protocol):
    """Named byte strings; each is authenticated, none is sealed by the store (seal before putting a secret here)."""

    async def get(self, name: str) -> bytes | None:
        """Return a fact."""

    async def names(self) -> tuple[str, ...]:
        """Return the names of all facts, oldest first; what they say is not looked at."""

    async def put(self, name: str, value: bytes) -> None:
        """Set a fact."""


async def is_restored(facts: FactStore) -> bool:
    """Answer whether data came out of an archive, and nobody has said yet that the keys in the HSM are theirs alone."""
    return bool(await facts.get(RESTORED_FACT))


async def clock_offset(facts: FactStore) -> int:
    """Return by how many seconds the time of vaults and objects is ahead of real time: 0 but in a rehearsal."""
    return int(await facts.get(CLOCK_FACT) or 0)
