"""The life of an object: living, deleted but recoverable, purged. The same for keys, secrets and certificates.

Pure rules over data and `now`. Sources: Key Vault soft-delete overview; REST `DeletionRecoveryLevel`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

DEFAULT_RETENTION_DAYS = 90


class Kind(StrEnum):
    """What an object is; the value is its collection in an id."""

    KEY = "keys"
    SECRET = "secrets"
    CERTIFICATE = "certificates"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectState:
    """The state that all versions of one object share.

    name: as first written; objects compare without regard to case.
    latest: version id of the newest version.
    """

    vault_id: str
    kind: Kind
    name: str
    latest: str
    deleted: datetime | None = None
    scheduled_purge: datetime | None = None

    def is_deleted(self) -> bool:
        """Answer whether the object waits for recovery or purge."""
        return self.deleted is not None

    def is_expired(self, now: datetime) -> bool:
        """Answer whether the retention of a deleted object has passed: it is gone, even if its row is still there."""
        return self.scheduled_purge is not None and now >= self.scheduled_purge


def recovery_level(retention_days: int, *, purge_protection: bool) -> str:
    """Return the wire value of `recoveryLevel` for objects of a vault with these rules."""
    level = "CustomizedRecoverable" if retention_days < DEFAULT_RETENTION_DAYS else "Recoverable"
    return level if purge_protection else level + "+Purgeable"


def scheduled_purge(deleted: datetime, retention_days: int) -> datetime:
    """Return when an object deleted at `deleted` is purged by itself."""
    return deleted + timedelta(days=retention_days)
