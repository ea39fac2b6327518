"""What custody needs of a storage: the keyring, whose rows authenticate themselves (AEAD under the master key)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Purpose(StrEnum):
    """What a data key is for; a key serves one purpose and one scope only."""

    VAULT = "vault"  # scope: the vault's unique id; seals the material of its objects
    BACKUP = "backup"  # scope: the subscription id; seals object backups
    SERVER = "server"  # scope: ""; seals credentials, signing keys, the CA key
    ROWS = "rows"  # scope: ""; HMAC of the rows that decide access
    RECORDS = "records"  # scope: ""; HMAC that links each record to the one before
    CLIENT_SECRETS = "client-secrets"  # scope: ""; HMAC of client secrets
    PAGING = "paging"  # scope: ""; seals paging tokens
    ARCHIVE = "archive"  # scope: ""; seals one backup of the server, and lies in its head, never in the keyring


@dataclass(frozen=True, slots=True, kw_only=True)
class DataKey:
    """A 256-bit key, sealed under the master key.

    key_id: 32 hexadecimal digits. version: counts from 1 within purpose and scope. sealed: names its master key.
    """

    key_id: str
    purpose: Purpose
    scope: str
    version: int
    sealed: bytes
    created: datetime


class KeyringStore(Protocol):
    """Data keys; old versions are kept as long as something is sealed under them."""

    async def newest(self, purpose: Purpose, scope: str = "") -> DataKey | None:
        """Return the newest key of a purpose and scope."""

    async def find(self, key_id: str) -> DataKey | None:
        """Return a key by its id."""

    async def list_versions(self, purpose: Purpose, scope: str = "") -> tuple[DataKey, ...]:
        """Return every version of a purpose and scope, newest first."""

    async def list_all(self) -> tuple[DataKey, ...]:
        """Return every key."""

    async def add(self, key: DataKey) -> None:
        """Add a key; Conflict when its id, or its version in its scope, is taken.

        Conflict too when the keyring lies under another master key than the new key: nothing would ever open that.
        """

    async def replace(self, key: DataKey) -> None:
        """Replace the sealed form of a key, which alone ever changes; NotFound when there is none of that id."""

    async def remove(self, key: DataKey) -> None:
        """Remove a key: what it sealed is gone for good; NotFound when there is none of that id."""

    async def remove_scope(self, purpose: Purpose, scope: str) -> None:
        """Remove the keys of a scope: what they sealed is gone for good."""
