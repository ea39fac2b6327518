"""What objects need of a storage, the same for every kind."""

from datetime import datetime
from typing import Any, Protocol

from strongroom.objects.lifecycle import Kind, ObjectState
from strongroom.objects.model import Held, V


class ObjectStore(Protocol[V]):
    """The objects of one kind in all vaults; names compare without regard to case, versions too."""

    @property
    def kind(self) -> Kind:
        """The kind that is kept here."""

    async def find(self, vault_id: str, name: str, version: str | None = None) -> Held[V] | None:
        """Return a version of an object, the newest when `version` is None; deleted or not: the rules decide."""

    async def find_state(self, vault_id: str, name: str) -> ObjectState | None:
        """Return the state of an object."""

    async def list_newest(
        self, vault_id: str, *, deleted: bool, after: str | None, limit: int, now: datetime
    ) -> tuple[Held[V], ...]:
        """Return up to `limit` objects with their newest version, by lower-case name, past the name `after`.

        deleted: list the deleted ones whose retention has not passed at `now`, else the living ones.
        """

    async def list_versions(self, vault_id: str, name: str, *, after: str | None, limit: int) -> tuple[V, ...]:
        """Return up to `limit` versions of an object, oldest first, past the version id `after`."""

    async def add_version(self, state: ObjectState, version: V) -> None:
        """Add a version and make it the newest; the first one makes the object. Conflict when the version exists."""

    async def replace_version(self, state: ObjectState, version: V) -> None:
        """Replace an existing version (its attributes or tags); NotFound when there is none."""

    async def replace_state(self, state: ObjectState) -> None:
        """Replace the state of an object: it was deleted or recovered; NotFound when there is none."""

    async def purge(self, vault_id: str, name: str) -> None:
        """Remove an object with all its versions."""

    async def list_sealed_before(
        self, vault_id: str, key_id: str, *, after: tuple[str, str] | None, limit: int
    ) -> tuple[Held[V], ...]:
        """Return up to `limit` versions of a vault, deleted ones too, that another key than `key_id` sealed.

        By lower-case name and version; after: name and version that they come past.
        """

    async def count_sealed_before(self, vault_id: str, key_id: str) -> int:
        """Return how many versions of a vault another key than `key_id` sealed."""

    async def list_expired(self, now: datetime, limit: int) -> tuple[ObjectState, ...]:
        """Return deleted objects, of all vaults, whose retention has passed at `now`."""


AnyStore = ObjectStore[Any]


class ObjectStores(Protocol):
    """The stores of every kind."""

    @property
    def keys(self) -> AnyStore: ...
    @property
    def secrets(self) -> AnyStore: ...


def every_kind(stores: ObjectStores) -> tuple[AnyStore, ...]:
    """Return the stores of all kinds: whoever walks what vaults hold walks these."""
    return (stores.keys, stores.secrets)


def store_of(stores: ObjectStores, kind: Kind) -> AnyStore:
    """Return the store of one kind."""
    return next(store for store in every_kind(stores) if store.kind is kind)
