"""What vaults need of a storage."""

from typing import Protocol

from strongroom.vaults.model import Vault


class VaultStore(Protocol):
    """Vaults, living and deleted; names compare without regard to case."""

    async def find(self, name: str) -> Vault | None:
        """Return the vault of that name, living or deleted."""

    async def list_living(
        self, subscription_id: str, group: str | None = None, *, after: str = "", limit: int | None = None
    ) -> tuple[Vault, ...]:
        """Return the living vaults of a subscription or of one resource group, by name.

        after, limit: only those past this name, and only so many of them.
        """

    async def list_deleted(self, subscription_id: str | None = None) -> tuple[Vault, ...]:
        """Return the deleted vaults of a subscription, or of all, by name."""

    async def add(self, vault: Vault) -> None:
        """Add a vault; Conflict (VaultAlreadyExists) when its name is taken."""

    async def replace(self, vault: Vault) -> None:
        """Replace the vault of that `vault_id`."""

    async def purge(self, vault: Vault) -> None:
        """Remove a vault with all that it holds, its data keys included."""
