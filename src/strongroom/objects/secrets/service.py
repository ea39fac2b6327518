"""What may be done with the secrets of a vault. Rules over a store; whether the caller may is settled before."""

from dataclasses import replace
from datetime import datetime

from strongroom.clock import whole_seconds
from strongroom.custody.sealing import Context, Custodian, SealBroken, sealing_key_id
from strongroom.custody.store import DataKey, KeyringStore, Purpose
from strongroom.errors import ObjectDisabled
from strongroom.ids import new_version
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
from strongroom.objects.secrets.model import Secret, SecretEdit, SecretVersion, require_value_size
from strongroom.objects.secrets.store import SecretStore
from strongroom.sensitive import Sensitive
from strongroom.vaults.model import Vault


class Secrets:
    """The secrets of one vault at one moment. Names compare without regard to case and are kept as first written.

    now: the time that the vault lives in, aware UTC. Every method raises BadRequest for a name that no object can have,
    NotFound for a secret that is not there; one whose retention has passed is not there.
    """

    __slots__ = ("custodian", "keyring", "now", "store", "vault")

    def __init__(
        self, store: SecretStore, keyring: KeyringStore, custodian: Custodian, *, vault: Vault, now: datetime
    ) -> None:
        self.store = store
        self.keyring = keyring
        self.custodian = custodian
        self.vault = vault
        self.now = now

    async def get(self, name: str, version: str | None = None) -> tuple[Secret, Sensitive[bytes]]:
        """Return a version, the newest when `version` is None, with its value; ObjectDisabled when it is disabled.

        Works outside `not_before` and `expires`: they inform those who ask, as in the service.
        """
        secret = await self.living(name, version)
        if not secret.version.enabled:
            raise ObjectDisabled("Operation get is not allowed on a disabled secret.")
        return secret, await self.open(secret)

    async def set(self, name: str, value: Sensitive[bytes], edit: SecretEdit) -> Secret:
        """Add a version with this value (UTF-8) and make it the newest; nothing is taken over from the one before.

        Conflict while a deleted secret holds the name.
        """
        require_value_size(len(value.reveal()))
        edit.require_within_limits()
        state = await self.free_state(name) or self._new_state(name)
        if state.is_deleted():
            raise deleted_but_recoverable(Kind.SECRET, state.name)
        moment = whole_seconds(self.now)
        state = replace(state, latest=new_version())
        sealed = self.seal(await self.vault_key(), value, state.name, state.latest)
        blank = SecretVersion(version=state.latest, sealed=sealed, created=moment, updated=moment)
        version = edit.applied_to(blank, moment)
        await self.store.add_version(state, version)
        return Secret(state, version)

    async def update(self, name: str, version: str | None, edit: SecretEdit) -> Secret:
        """Edit what a version says about itself, the newest when `version` is None; its value never changes."""
        secret = await self.living(name, version)
        edit.require_within_limits()
        edited = edit.applied_to(secret.version, whole_seconds(self.now))
        await self.store.replace_version(secret.state, edited)
        return Secret(secret.state, edited)

    async def list(self, after: str | None, limit: int) -> tuple[Secret, ...]:
        """Return up to `limit` living secrets with their newest version, by name, past the name `after`."""
        return await self.store.list_newest(self.vault.vault_id, deleted=False, after=after, limit=limit, now=self.now)

    async def list_versions(self, name: str, after: str | None, limit: int) -> tuple[Secret, ...]:
        """Return up to `limit` versions, oldest first, past the version `after`; none for a secret that is not there.

        Two versions of one second stand in the order in which they were set.
        """
        require_name(name)
        state = await self.store.find_state(self.vault.vault_id, name)
        if state is None or state.is_deleted():
            return ()
        versions = await self.store.list_versions(self.vault.vault_id, name, after=after, limit=limit)
        return tuple(Secret(state, version) for version in versions)

    async def delete(self, name: str) -> Secret:
        """Delete a secret with all its versions; it can be recovered until its retention has passed."""
        secret = await self.living(name)
        moment = whole_seconds(self.now)
        purged = scheduled_purge(moment, self.vault.retention_days)
        state = replace(secret.state, deleted=moment, scheduled_purge=purged)
        await self.store.replace_state(state)
        return Secret(state, secret.version)

    async def get_deleted(self, name: str) -> Secret:
        """Return a deleted secret with its newest version."""
        require_name(name)
        secret = await self.store.find(self.vault.vault_id, name)
        if secret is None or not secret.state.is_deleted() or secret.state.is_expired(self.now):
            raise deleted_not_found(Kind.SECRET, name)
        return secret

    async def list_deleted(self, after: str | None, limit: int) -> tuple[Secret, ...]:
        """Return up to `limit` deleted secrets with their newest version, by name, past the name `after`."""
        return await self.store.list_newest(self.vault.vault_id, deleted=True, after=after, limit=limit, now=self.now)

    async def recover(self, name: str) -> Secret:
        """Bring a deleted secret back with all its versions."""
        secret = await self.get_deleted(name)
        state = replace(secret.state, deleted=None, scheduled_purge=None)
        await self.store.replace_state(state)
        return Secret(state, secret.version)

    async def purge(self, name: str) -> None:
        """Remove a deleted secret for good; Forbidden under purge protection, whoever asks."""
        await self.get_deleted(name)
        if self.vault.purge_protection:
            raise purge_protected(self.vault.name, self.vault.location)
        await self.store.purge(self.vault.vault_id, name)

    async def free_state(self, name: str) -> ObjectState | None:
        """Return the state of the secret that holds a name, None when the name is free.

        A deleted secret whose retention has passed is purged first: it holds its name no more. Only inside a change.
        """
        require_name(name)
        state = await self.store.find_state(self.vault.vault_id, name)
        if state is not None and state.is_expired(self.now):
            await self.store.purge(self.vault.vault_id, name)
            return None
        return state

    async def vault_key(self) -> DataKey:
        """Return the key that seals new values of this vault; SealBroken when the vault has lost it."""
        key = await self.keyring.newest(Purpose.VAULT, self.vault.vault_id)
        if key is None:
            raise SealBroken("a vault has no data key")
        return key

    def seal(self, key: DataKey, value: Sensitive[bytes], name: str, version: str) -> bytes:
        """Return a value sealed for its place."""
        return self.custodian.seal(key, value, self._context(name, version))

    async def open(self, secret: Secret) -> Sensitive[bytes]:
        """Return the value of a version; SealBroken when it does not open in its place."""
        sealed = secret.version.sealed
        key = await self.keyring.find(sealing_key_id(sealed))
        if key is None:  # the vault's key was rotated since the version was read: it has been sealed anew
            sealed = await self._sealed_now(secret)
            key = await self.keyring.find(sealing_key_id(sealed))
        if key is None or key.scope != self.vault.vault_id:
            raise SealBroken("a secret is sealed under a key that its vault does not have")
        return self.custodian.open(key, sealed, self._context(secret.state.name, secret.version.version))

    async def _sealed_now(self, secret: Secret) -> bytes:
        found = await self.store.find(self.vault.vault_id, secret.state.name, secret.version.version)
        return secret.version.sealed if found is None else found.version.sealed

    async def living(self, name: str, version: str | None = None) -> Secret:
        """Return a version of a living secret, sealed; the newest when `version` is None."""
        require_name(name)
        secret = await self.store.find(self.vault.vault_id, name, version)
        if secret is None or secret.state.is_deleted():
            raise not_found(Kind.SECRET, name, version)
        return secret

    def _context(self, name: str, version: str) -> Context:
        return value_place(self.vault.vault_id, name, version)

    def _new_state(self, name: str) -> ObjectState:
        return ObjectState(vault_id=self.vault.vault_id, kind=Kind.SECRET, name=name, latest="")


def value_place(vault_id: str, name: str, version: str) -> Context:
    """Return where a sealed value belongs."""
    return Context(vault_id, Kind.SECRET.value, name.lower(), version, "value")
