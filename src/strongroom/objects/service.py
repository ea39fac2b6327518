"""What may be done with the objects of a vault, whatever their kind.

Rules over a store; whether the caller may is settled before.
"""

from datetime import datetime
from typing import Generic

from msgspec.structs import replace

from strongroom.clock import whole_seconds
from strongroom.custody.sealing import Context, Custodian, SealBroken, sealing_key_id
from strongroom.custody.store import DataKey, KeyringStore, Purpose
from strongroom.objects.lifecycle import (
    Kind,
    ObjectState,
    deleted_but_recoverable,
    deleted_not_found,
    not_found,
    purge_protected,
    require_name,
    scheduled_purge,
)
from strongroom.objects.model import Held, V
from strongroom.objects.store import ObjectStore
from strongroom.vaults.model import Vault, id_of_vault
from strongroom.vaults.service import Grants


def object_scope(vault: Vault, kind: Kind, name: str) -> str:
    """Return the resource id of an object in a vault, at which roles may be given."""
    return f"{id_of_vault(vault)}/{kind}/{name}"


class Objects(Generic[V]):
    """The objects of one kind in one vault at one moment. Names compare without regard to case, kept as first written.

    now: the time that the vault lives in, aware UTC. grants: the roles that end with the object at which they were
    given, None where no object is removed. Every method raises BadRequest for a name that no object can have, NotFound
    for an object that is not there; one whose retention has passed is not there.
    """

    __slots__ = ("custodian", "grants", "keyring", "kind", "now", "store", "vault")

    def __init__(
        self,
        store: ObjectStore[V],
        keyring: KeyringStore,
        custodian: Custodian,
        *,
        vault: Vault,
        now: datetime,
        grants: Grants | None = None,
    ) -> None:
        self.store = store
        self.grants = grants
        self.kind = store.kind
        self.keyring = keyring
        self.custodian = custodian
        self.vault = vault
        self.now = now

    async def list(self, after: str | None, limit: int) -> tuple[Held[V], ...]:
        """Return up to `limit` living objects with their newest version, by name, past the name `after`."""
        return await self.store.list_newest(self.vault.vault_id, deleted=False, after=after, limit=limit, now=self.now)

    async def list_versions(self, name: str, after: str | None, limit: int) -> tuple[Held[V], ...]:
        """Return up to `limit` versions, oldest first, past the version `after`; none for an object that is not there.

        Two versions of one second stand in the order in which they were made.
        """
        require_name(name)
        state = await self.store.find_state(self.vault.vault_id, name)
        if state is None or state.is_deleted():
            return ()
        versions = await self.store.list_versions(self.vault.vault_id, name, after=after, limit=limit)
        return tuple(Held(state, version) for version in versions)

    async def delete(self, name: str) -> Held[V]:
        """Delete an object with all its versions; it can be recovered until its retention has passed."""
        found = await self.living(name)
        moment = whole_seconds(self.now)
        purged = scheduled_purge(moment, self.vault.retention_days)
        state = replace(found.state, deleted=moment, scheduled_purge=purged)
        await self.store.replace_state(state)
        return Held(state, found.version)

    async def get_deleted(self, name: str) -> Held[V]:
        """Return a deleted object with its newest version."""
        require_name(name)
        found = await self.store.find(self.vault.vault_id, name)
        if found is None or not found.state.is_deleted() or found.state.is_expired(self.now):
            raise deleted_not_found(self.kind, name)
        return found

    async def list_deleted(self, after: str | None, limit: int) -> tuple[Held[V], ...]:
        """Return up to `limit` deleted objects with their newest version, by name, past the name `after`."""
        return await self.store.list_newest(self.vault.vault_id, deleted=True, after=after, limit=limit, now=self.now)

    async def recover(self, name: str) -> Held[V]:
        """Bring a deleted object back with all its versions."""
        found = await self.get_deleted(name)
        state = replace(found.state, deleted=None, scheduled_purge=None)
        await self.store.replace_state(state)
        return Held(state, found.version)

    async def purge(self, name: str) -> None:
        """Remove a deleted object for good; Forbidden under purge protection, whoever asks."""
        await self.get_deleted(name)
        if self.vault.purge_protection:
            raise purge_protected(self.vault.name, self.vault.location)
        await self.remove(name)

    async def remove(self, name: str) -> None:
        """Remove an object with all its versions and what was granted at it, may it be or not. Only inside a change."""
        await self.store.purge(self.vault.vault_id, name)
        if self.grants is not None:
            await self.grants.remove_within(object_scope(self.vault, self.kind, name))

    async def free_state(self, name: str) -> ObjectState | None:
        """Return the state of the object that holds a name, None when the name is free.

        A deleted object whose retention has passed is purged first: it holds its name no more. Only inside a change.
        """
        require_name(name)
        state = await self.store.find_state(self.vault.vault_id, name)
        if state is not None and state.is_expired(self.now):
            await self.remove(name)
            return None
        return state

    async def next_state(self, name: str, version: str) -> ObjectState:
        """Return the state of an object that gets one more version, its `latest`. Only inside a change.

        Conflict while a deleted object holds the name.
        """
        state = await self.free_state(name)
        if state is None:
            return ObjectState(vault_id=self.vault.vault_id, kind=self.kind, name=name, latest=version)
        if state.is_deleted():
            raise deleted_but_recoverable(self.kind, state.name)
        return replace(state, latest=version)

    async def living(self, name: str, version: str | None = None) -> Held[V]:
        """Return a version of a living object, sealed; the newest when `version` is None."""
        require_name(name)
        found = await self.store.find(self.vault.vault_id, name, version)
        if found is None or found.state.is_deleted():
            raise not_found(self.kind, name, version)
        return found

    async def find_living(self, name: str, version: str | None = None) -> Held[V] | None:
        """Return a version of a living object, sealed, None when there is none; the newest when `version` is None."""
        require_name(name)
        found = await self.store.find(self.vault.vault_id, name, version)
        return None if found is None or found.state.is_deleted() else found

    async def vault_key(self) -> DataKey:
        """Return the key that seals what is new in this vault; SealBroken when the vault has lost it."""
        key = await self.keyring.newest(Purpose.VAULT, self.vault.vault_id)
        if key is None:
            raise SealBroken("a vault has no data key")
        return key

    async def sealing_key(self, held: Held[V]) -> tuple[DataKey, bytes]:
        """Return the data key that a version lies under, and what is sealed; SealBroken when the vault has no such."""
        sealed = held.version.sealed
        key = await self.keyring.find(sealing_key_id(sealed))
        if key is None:  # the vault's key was rotated since the version was read: it has been sealed anew
            sealed = await self._sealed_now(held)
            key = await self.keyring.find(sealing_key_id(sealed))
        if key is None or key.scope != self.vault.vault_id:
            raise SealBroken(f"a {self.kind.noun} is sealed under a key that its vault does not have")
        return key, sealed

    async def sealed_anew(self, held: Held[V], key: DataKey) -> bytes:
        """Return what is sealed of a version under another key of the vault; SealBroken when it was edited."""
        lies_under, sealed = await self.sealing_key(held)
        place = self.place(held.state.name, held.version.version)
        return self.custodian.seal(key, self.custodian.open(lies_under, sealed, place), place)

    def place(self, name: str, version: str) -> Context:
        """Return where what is sealed of a version belongs."""
        return sealed_place(self.vault.vault_id, self.kind, name, version)

    async def _sealed_now(self, held: Held[V]) -> bytes:
        found = await self.store.find(self.vault.vault_id, held.state.name, held.version.version)
        return held.version.sealed if found is None else found.version.sealed


def sealed_place(vault_id: str, kind: Kind, name: str, version: str) -> Context:
    """Return where what is sealed of an object's version belongs."""
    return Context(vault_id, kind.value, name.lower(), version, "value")
