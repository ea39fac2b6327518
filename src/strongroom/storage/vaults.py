"""Vaults in SQL. Implements `vaults.store.VaultStore`."""

from strongroom.custody.store import Purpose
from strongroom.errors import Conflict, NotFound
from strongroom.storage.connections import CONNECTIONS
from strongroom.storage.keyring import SqlKeyring
from strongroom.storage.keys import POLICIES
from strongroom.storage.objects import OBJECTS, VERSIONS
from strongroom.storage.rows import Column
from strongroom.storage.session import Documents, Session
from strongroom.vaults.model import Vault, as_now

VAULTS = Documents("vaults", Vault, "vault_id", "name", "subscription_id", "resource_group", "deleted")


class SqlVaults:
    """Vaults, through one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def find(self, name: str) -> Vault | None:
        """Return the vault of that name, living or deleted."""
        wanted = name.lower()

        def load() -> Vault | None:
            return next(iter(self._read("WHERE name = ?", (wanted,))), None)

        return self._session.remember(("vault", wanted), load)

    async def list_living(
        self, subscription_id: str, group: str | None = None, *, after: str = "", limit: int | None = None
    ) -> tuple[Vault, ...]:
        """Return the living vaults of a subscription or of one resource group, by name.

        after, limit: only those past this name, and only so many of them.
        """
        inside = "" if group is None else "AND resource_group = ? "
        where = f"WHERE subscription_id = ? AND deleted = 0 {inside}AND name > ? ORDER BY name LIMIT ?"
        place = (subscription_id.lower(),) if group is None else (subscription_id.lower(), group.lower())
        return self._read(where, (*place, after.lower(), -1 if limit is None else limit))

    async def list_deleted(self, subscription_id: str | None = None) -> tuple[Vault, ...]:
        """Return the deleted vaults of a subscription, or of all, by name."""
        if subscription_id is None:
            return self._read("WHERE deleted = 1 ORDER BY name")
        return self._read("WHERE subscription_id = ? AND deleted = 1 ORDER BY name", (subscription_id.lower(),))

    async def add(self, vault: Vault) -> None:
        """Add a vault; Conflict (VaultAlreadyExists) when its name is taken."""
        if not VAULTS.insert(self._session, _columns(vault), vault):
            raise Conflict(f"The vault name '{vault.name}' is already in use.", code="VaultAlreadyExists")

    async def replace(self, vault: Vault) -> None:
        """Replace the vault of that `vault_id`; NotFound when there is none."""
        if not VAULTS.update(self._session, _columns(vault), vault):
            raise NotFound(f"There is no vault '{vault.name}'.", code="ResourceNotFound")

    async def purge(self, vault: Vault) -> None:
        """Remove a vault with all that it holds, its data keys included."""
        for shape in (VERSIONS, OBJECTS, POLICIES.shape, CONNECTIONS.shape):
            self._session.change(f"DELETE FROM {shape.table} WHERE vault_id = ?", (vault.vault_id,))  # noqa: S608 - ours
            self._session.note_gone(shape, vault.vault_id)
        await SqlKeyring(self._session).remove_scope(Purpose.VAULT, vault.vault_id)
        VAULTS.delete(self._session, (vault.vault_id,))

    def _read(self, where: str, parameters: tuple[Column, ...] = ()) -> tuple[Vault, ...]:
        return tuple([as_now(vault) for vault in VAULTS.read(self._session, where, parameters)])


def _columns(vault: Vault) -> tuple[str, str, str, str, int]:
    group = vault.resource_group.lower()
    return vault.vault_id, vault.name.lower(), vault.subscription_id.lower(), group, int(vault.deletion is not None)
