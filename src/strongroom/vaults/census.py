"""All vaults, whichever subscription they lie in."""

from typing import Protocol

from strongroom.resources.store import ResourceStore
from strongroom.vaults.model import Vault
from strongroom.vaults.store import VaultStore


class Places(Protocol):
    """The stores that vaults are found in."""

    @property
    def resources(self) -> ResourceStore: ...
    @property
    def vaults(self) -> VaultStore: ...


async def list_living(stores: Places) -> list[Vault]:
    """Return every living vault."""
    subscriptions = await stores.resources.list_subscriptions()
    return [vault for each in subscriptions for vault in await stores.vaults.list_living(each.subscription_id)]


async def list_all(stores: Places) -> list[Vault]:
    """Return every vault, deleted ones too."""
    return [*await stores.vaults.list_deleted(), *await list_living(stores)]
