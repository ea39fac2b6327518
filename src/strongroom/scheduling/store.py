"""What a sweep and a summary need of a storage."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from strongroom.access.identity.store import IdentityStore
from strongroom.audit.event import Record
from strongroom.custody.store import KeyringStore
from strongroom.objects.keys.store import KeyStore
from strongroom.objects.secrets.store import SecretStore
from strongroom.resources.facts import FactStore
from strongroom.resources.store import ResourceStore
from strongroom.vaults.service import Grants
from strongroom.vaults.store import VaultStore

T = TypeVar("T")


class SweptStores(Protocol):
    """The stores that a sweep reads and purges from."""

    @property
    def assignments(self) -> Grants: ...
    @property
    def facts(self) -> FactStore: ...
    @property
    def identity(self) -> IdentityStore: ...
    @property
    def keyring(self) -> KeyringStore: ...
    @property
    def keys(self) -> KeyStore: ...
    @property
    def resources(self) -> ResourceStore: ...
    @property
    def secrets(self) -> SecretStore: ...
    @property
    def vaults(self) -> VaultStore: ...


class RecordingStorage(Protocol):
    """Where a summary is recorded; every storage of the planes is one."""

    def record(self, record: Record) -> Awaitable[None]:
        """Make a record durable; StorageUnavailable when that cannot be done."""


class SweptStorage(Protocol):
    """Where a sweep runs; every storage of the planes is one."""

    def read(self) -> SweptStores:
        """Return stores to read from."""

    async def change(self, work: Callable[[SweptStores], Awaitable[tuple[T, Record]]]) -> T:
        """Run `work` in a transaction that commits with the record it returns; what it raises rolls it back."""
