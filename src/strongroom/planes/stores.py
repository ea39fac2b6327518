"""What the planes need of a storage, all together."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from strongroom.access.authorization.store import AssignmentStore, RoleStore
from strongroom.access.identity.store import IdentityStore
from strongroom.audit.event import Record
from strongroom.audit.log import RecordSearch
from strongroom.custody.store import KeyringStore
from strongroom.objects.keys.store import KeyStore
from strongroom.objects.secrets.store import SecretStore
from strongroom.resources.facts import FactStore
from strongroom.resources.networks.store import NetworkStore
from strongroom.resources.store import LockStore, ResourceStore
from strongroom.vaults.connections import ConnectionStore
from strongroom.vaults.store import VaultStore

T = TypeVar("T")


class Unchanged(Protocol):
    """What was found since anything last changed: the next change of any process ends it, and every second does.

    Inside a transaction nothing is kept. generation: how often it ended so far.
    """

    @property
    def generation(self) -> int: ...

    def get(self, key: Any, /) -> Any:
        """Return what was kept, None when nothing was."""

    def keep(self, key: Any, value: Any, size: int = 0) -> None:
        """Keep a value, unless it is large: `size` is about its bytes."""


class Stores(Protocol):
    """Every store, seen through one connection: a snapshot to read from, or a transaction to change in."""

    @property
    def unchanged(self) -> Unchanged: ...
    @property
    def assignments(self) -> AssignmentStore: ...
    @property
    def connections(self) -> ConnectionStore: ...
    @property
    def facts(self) -> FactStore: ...
    @property
    def identity(self) -> IdentityStore: ...
    @property
    def keyring(self) -> KeyringStore: ...
    @property
    def keys(self) -> KeyStore: ...
    @property
    def locks(self) -> LockStore: ...
    @property
    def networks(self) -> NetworkStore: ...
    @property
    def records(self) -> RecordSearch: ...
    @property
    def resources(self) -> ResourceStore: ...
    @property
    def roles(self) -> RoleStore: ...
    @property
    def secrets(self) -> SecretStore: ...
    @property
    def vaults(self) -> VaultStore: ...


class Storage(Protocol):
    """Where everything lies. A change and its record commit together; nothing is answered that is not recorded."""

    def read(self) -> Stores:
        """Return stores to read from, as new as the last change that was answered on any worker.

        Called at the start of each request: here the epoch is checked and what was cached under an older one dropped.
        """

    async def change(self, work: Callable[[Stores], Awaitable[tuple[T, *tuple[Record, ...]]]]) -> T:
        """Run `work` in a transaction, commit it together with the record it returns, and return its result.

        Further records behind that one, of what else the change means, commit with it as well.
        What `work` raises rolls it back and is raised here. StorageUnavailable when it cannot be made durable.
        `work` may run on another thread and must await nothing but its stores.
        """

    def record(self, record: Record) -> Awaitable[None]:
        """Make a record durable; StorageUnavailable, here or when waited for, when that cannot be done."""
