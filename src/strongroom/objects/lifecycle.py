"""The life of an object: living, deleted but recoverable, purged. The same for keys, secrets and certificates.

Pure rules over data and `now`, and what is said when a rule forbids something. Sources: Key Vault soft-delete overview;
REST `DeletionRecoveryLevel`; texts as the service's own answers have them (`docs/errors.md`).
"""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from strongroom.errors import BadRequest, Conflict, Forbidden, NotFound
from strongroom.ids import OBJECT_NAME

DEFAULT_RETENTION_DAYS = 90


class Kind(StrEnum):
    """What an object is; the value is its collection in an id."""

    KEY = "keys"
    SECRET = "secrets"  # noqa: S105 - a collection, no password
    CERTIFICATE = "certificates"

    @property
    def noun(self) -> str:
        """One object of this kind, as error messages name it."""
        return self.value.removesuffix("s")


class ObjectState(msgspec.Struct, frozen=True, kw_only=True):
    """The state that all versions of one object share. A struct, as versions are: every change makes some of each.

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


def require_name(name: str) -> None:
    """Raise BadRequest unless `name` may name an object: 1 to 127 letters, digits and hyphens."""
    if OBJECT_NAME.match(name) is None:
        raise BadRequest(f"The request URI contains an invalid name: {name}")


def not_found(kind: Kind, name: str, version: str | None = None) -> NotFound:
    """Return the error for an object that is not among the living; it is the same whether it ever was."""
    what = f"{name}/{version}" if version else name
    return NotFound(
        f"A {kind.noun} with (name/id) {what} was not found in this key vault. If you recently deleted this "
        f"{kind.noun} you may be able to recover it using the correct recovery command. For help resolving this issue, "
        f"please see https://go.microsoft.com/fwlink/?linkid=2125182",
        code=f"{kind.noun.capitalize()}NotFound",
    )


def deleted_not_found(kind: Kind, name: str) -> NotFound:
    """Return the error for an object that is not among the deleted ones that can be recovered."""
    noun = kind.noun.capitalize()
    return NotFound(f"Deleted {noun} not found: {name}", code=f"{noun}NotFound")


def deleted_but_recoverable(kind: Kind, name: str) -> Conflict:
    """Return the error for making an object under a name that a deleted one holds until it is recovered or purged."""
    return Conflict(
        f"{kind.noun.capitalize()} {name} is currently in a deleted but recoverable state, and its name cannot be "
        f"reused; in this state, the {kind.noun} can only be recovered or purged.",
        inner="ObjectIsDeletedButRecoverable",
    )


def already_exists(kind: Kind, name: str) -> Conflict:
    """Return the error for restoring an object over a living one. The text is ours: the service's is not documented."""
    return Conflict(f"A {kind.noun} with the name {name} already exists in this key vault; restore never overwrites.")


def purge_protected(vault: str, location: str) -> Forbidden:
    """Return the error for purging from a vault under purge protection."""
    return Forbidden(
        'Operation "purge" is not allowed because purge protection is enabled for this vault. Key Vault service will '
        f"automatically purge it after the retention period has passed.\r\nVault: {vault};location={location}"
    )
