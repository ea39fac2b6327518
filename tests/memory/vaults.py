"""The store of vaults, in memory."""

from memory.store import MemoryStore
from strongroom.custody.store import Purpose
from strongroom.errors import Conflict, NotFound


class MemoryVaults(MemoryStore):
    held = ("rows",)

    def __init__(self, kinds, keyring, connections=None):
        self.rows = {}
        self._connections = connections
        self._kinds = kinds
        self._keyring = keyring

    async def find(self, name):
        return self.rows.get(name.lower())

    def _by_name(self):
        return [self.rows[name] for name in sorted(self.rows)]

    async def list_living(self, subscription_id, group=None, *, after="", limit=None):
        return tuple(
            row
            for row in self._by_name()
            if row.deletion is None
            and row.subscription_id.lower() == subscription_id.lower()
            and (group is None or row.resource_group.lower() == group.lower())
            and row.name.lower() > after.lower()
        )[:limit]

    async def list_deleted(self, subscription_id=None):
        return tuple(
            row
            for row in self._by_name()
            if row.deletion is not None
            and (subscription_id is None or row.subscription_id.lower() == subscription_id.lower())
        )

    async def add(self, vault):
        if vault.name.lower() in self.rows:
            raise Conflict(f"The vault name '{vault.name}' is already in use.", code="VaultAlreadyExists")
        self.rows[vault.name.lower()] = vault

    async def replace(self, vault):
        before = next((row for row in self.rows.values() if row.vault_id == vault.vault_id), None)
        if before is None:
            raise NotFound("There is no such vault.")
        del self.rows[before.name.lower()]
        self.rows[vault.name.lower()] = vault

    async def purge(self, vault):
        self.rows.pop(vault.name.lower(), None)
        if self._connections is not None:
            held = self._connections.rows.items()
            self._connections.rows = {key: row for key, row in held if row.vault_id != vault.vault_id}
        for kind in self._kinds:
            kind.forget_vault(vault.vault_id)
        await self._keyring.remove_scope(Purpose.VAULT, vault.vault_id)
