"""What keys need of a storage: what every kind does, and the rotation policies of keys."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from strongroom.objects.keys.model import KeyVersion
from strongroom.objects.keys.rotation import RotationPolicy
from strongroom.objects.store import ObjectStore


@dataclass(frozen=True, slots=True)
class Due:
    """A key whose rotation may be due since `moment`; the name in lower case."""

    moment: datetime
    vault_id: str
    name: str


class KeyStore(ObjectStore[KeyVersion], Protocol):
    """The keys of all vaults. A policy goes when its key is purged."""

    async def find_policy(self, vault_id: str, name: str) -> RotationPolicy | None:
        """Return the rotation policy of a key, None when it was never given one."""

    async def put_policy(self, vault_id: str, name: str, policy: RotationPolicy, due: datetime | None) -> None:
        """Keep the rotation policy of a key. due: before when nothing is to be done, None for never."""

    async def list_due(self, now: datetime, *, after: Due | None, limit: int) -> tuple[Due, ...]:
        """Return up to `limit` keys that may be due at `now`, the longest due first, past `after`."""
