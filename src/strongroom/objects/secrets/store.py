"""What secrets need of a storage."""

from datetime import datetime
from typing import Protocol

from strongroom.objects.lifecycle import ObjectState
from strongroom.objects.secrets.model import Secret, SecretVersion


class SecretStore(Protocol):
    """Secrets of all vaults; names compare without regard to case, versions too."""

    async def find(self, vault_id: str, name: str, version: str | None = None) -> Secret | None:
        """Return a version of a secret, the newest when `version` is None; deleted or not: the rules decide."""

    async def find_state(self, vault_id: str, name: str) -> ObjectState | None:
        """Return the state of a secret."""

    async def list_newest(
        self, vault_id: str, *, deleted: bool, after: str | None, limit: int, now: datetime
    ) -> tuple[Secret, ...]:
        """Return up to `limit` secrets with their newest version, by lower-case name, past the name `after`.

        deleted: list the deleted ones whose retention has not passed at `now`, else the living ones.
        """

    async def list_versions(
        self, vault_id: str, name: str, *, after: str | None, limit: int
    ) -> tuple[SecretVersion, ...]:
        """Return up to `limit` versions of a secret, oldest first, past the version id `after`."""

    async def add_version(self, state: ObjectState, version: SecretVersion) -> None:
        """Add a version and make it the newest; the first one makes the secret. Conflict when the version exists."""

    async def replace_version(self, state: ObjectState, version: SecretVersion) -> None:
        """Replace an existing version (its attributes or tags); NotFound when there is none."""

    async def replace_state(self, state: ObjectState) -> None:
        """Replace the state of a secret: it was deleted or recovered."""

    async def purge(self, vault_id: str, name: str) -> None:
        """Remove a secret with all its versions."""

    async def list_sealed_before(
        self, vault_id: str, key_id: str, *, after: tuple[str, str] | None, limit: int
    ) -> tuple[Secret, ...]:
        """Return up to `limit` versions of a vault, deleted ones too, that another key than `key_id` sealed.

        By lower-case name and version; after: name and version that they come past.
        """

    async def count_sealed_before(self, vault_id: str, key_id: str) -> int:
        """Return how many versions of a vault another key than `key_id` sealed."""

    async def list_expired(self, now: datetime, limit: int) -> tuple[ObjectState, ...]:
        """Return deleted secrets, of all vaults, whose retention has passed at `now`."""
