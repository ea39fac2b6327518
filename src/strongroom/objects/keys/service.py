"""What may be done with the keys of a vault. Rules over a store; whether the caller may is settled before.

Making a key takes its time, so it is made before the change that adds it (`make`, `take`, `make_next`, then `add`,
`rotate`): others wait for a change.
"""

from collections.abc import Callable
from datetime import datetime

import msgspec
from msgspec.structs import replace

from strongroom.clock import whole_seconds
from strongroom.custody.provider import (
    Ciphertext,
    KeptKey,
    KeyProvider,
    KeySpec,
    KeyType,
    Place,
    PrivateParts,
    TransferForm,
    WrappedKey,
)
from strongroom.custody.sealing import Custodian
from strongroom.custody.store import KeyringStore
from strongroom.errors import BadRequest, Conflict, Forbidden
from strongroom.ids import new_version
from strongroom.objects.keys.discarding import Discard, find_discards
from strongroom.objects.keys.environment import Attested
from strongroom.objects.keys.keepers import Keepers
from strongroom.objects.keys.making import Made, made_of
from strongroom.objects.keys.model import DEFAULTS, EXCHANGE, Key, KeyEdit, KeyVersion, Operation, Terms, terms_of
from strongroom.objects.keys.release import ReleasePolicy
from strongroom.objects.keys.rotation import DEFAULT_POLICY, Notice, RotationPolicy
from strongroom.objects.keys.store import KeyStore
from strongroom.objects.keys.weights import spend_nothing, weight_of_making, weight_of_use
from strongroom.objects.lifecycle import deleted_but_recoverable, not_found, require_name
from strongroom.objects.model import Held
from strongroom.objects.service import Objects
from strongroom.sensitive import Sensitive
from strongroom.vaults.model import Vault
from strongroom.vaults.service import Grants


class Ready(msgspec.Struct, frozen=True):
    """A key that may do what is asked of it now, with who does it."""

    key: Key
    kept: KeptKey
    place: Place
    provider: KeyProvider


class Keys(Objects[KeyVersion]):
    """The keys of one vault at one moment: what `Objects` says, how they come about, and what they do.

    removed: takes what keepers may destroy once the change that removed its key has committed (`discarding`).
    spend: counts transactions towards the limit of the vault, beside the one that a request is; Throttled past it.

    What uses a key raises KeyDisabled, KeyOperationForbidden, KeyNotYetValid or KeyExpired (403) when the key may not
    do it now, and BadRequest when algorithm, key and input do not fit.
    """

    __slots__ = ("keepers", "keys", "removed", "spend")

    def __init__(
        self,
        store: KeyStore,
        keyring: KeyringStore,
        custodian: Custodian,
        *,
        keepers: Keepers,
        vault: Vault,
        now: datetime,
        grants: Grants | None = None,
        removed: list[Discard] | None = None,
        spend: Callable[[int], None] = spend_nothing,
    ) -> None:
        super().__init__(store, keyring, custodian, vault=vault, now=now, grants=grants)
        self.keepers = keepers
        self.keys = store
        self.removed = [] if removed is None else removed
        self.spend = spend

    # --- how keys come about

    async def make(self, name: str, spec: KeySpec, edit: KeyEdit, *, hsm: bool) -> Made:
        """Make a key, outside of a change; BadRequest where there may be no such key, Conflict as `add`."""
        terms = await self._terms(name, edit, spec.type, hsm=hsm)
        edit.require_within_limits(spec, exportable=terms.exportable, hsm=hsm)
        provider = self._keeper(spec.type, terms, hsm=hsm)
        version, place = await self._next_place(name)
        self.spend(weight_of_making(hsm=hsm) - 1)
        kept = await provider.make(spec, place, exchange=edit.is_for_exchange())
        return made_of(version, place, kept, provider, terms, hsm=hsm)

    async def take(self, name: str, parts: PrivateParts, edit: KeyEdit, *, hsm: bool) -> Made:
        """Take a key that a caller brings, outside of a change; BadRequest for one that is none, Conflict as `add`."""
        terms = await self._terms(name, edit, parts.type, hsm=hsm)
        edit.require_within_limits(KeySpec(type=parts.type), exportable=terms.exportable, hsm=hsm)
        edit.require_not_for_exchange()
        provider = self._keeper(parts.type, terms, hsm=hsm)
        version, place = await self._next_place(name)
        kept = await provider.take(parts, place)
        return made_of(version, place, kept, provider, terms, hsm=hsm)

    async def take_wrapped(
        self, name: str, wrapped: WrappedKey, exchange: tuple[str, str | None], edit: KeyEdit
    ) -> Made:
        """Take a key that comes wrapped to a key exchange key, outside of a change; BadRequest and Conflict as `take`.

        exchange: name and version of that key. NotFound when it is not there, Forbidden when it is for something else.
        """
        terms = await self._terms(name, edit, wrapped.type, hsm=True)
        edit.require_within_limits(KeySpec(type=wrapped.type), exportable=terms.exportable, hsm=True)
        edit.require_not_for_exchange()
        provider = self._keeper(wrapped.type, terms, hsm=True)
        ready = await self._ready(*exchange, Operation.IMPORT)
        if ready.provider is not provider:
            raise BadRequest("The key exchange key is kept elsewhere than keys of this type are.")
        version, place = await self._next_place(name)
        kept = await provider.take_wrapped(wrapped, place, ready.kept, ready.place)
        return made_of(version, place, kept, provider, terms, hsm=True)

    async def add(self, name: str, made: Made, edit: KeyEdit) -> Key:
        """Add a key as the newest version of a name; of the one before only its terms of release are taken over.

        Conflict while a deleted key holds the name, or when the key was replaced by one on other terms meanwhile.
        """
        terms = await self._terms(name, edit, made.kept.spec.type, hsm=made.hsm)
        if terms.exportable != made.exportable:
            raise Conflict(f"The key {name} was replaced by another while this one was made; try again.")
        state = await self.next_state(name, made.version)
        moment = whole_seconds(self.now)
        blank = KeyVersion(
            version=made.version,
            sealed=await self._under_newest(name, made),
            created=moment,
            updated=moment,
            spec=made.kept.spec,
            public=made.kept.public,
            operations=DEFAULTS[made.kept.spec.type],
            hsm=made.hsm,
            platform=made.platform,
            exportable=terms.exportable,
            release_policy=terms.policy,
        )
        version = edit.applied_to(blank, moment)
        await self.store.add_version(state, version)
        await self.schedule(state.name, version)
        return Held(state, version)

    def undoing(self, name: str, made: Made) -> Discard:
        """Return what is destroyed when a key was made for a version that will not be."""
        return Discard(self._maker(made), made.kept, Place(made.key, self.place(name, made.version)))

    async def remove(self, name: str) -> None:
        """Remove a key with all its versions; what an HSM keeps of them is noted, to go once this has committed."""
        self.removed.extend(await find_discards(self, self.keepers, self.vault.vault_id, name))
        await super().remove(name)

    async def make_next(self, name: str) -> Made:
        """Make the next key of a name, outside of a change: of type, size, curve and purpose of its newest version."""
        newest = (await self.living(name)).version
        edit = KeyEdit(operations=EXCHANGE) if newest.operations == EXCHANGE else KeyEdit()
        return await self.make(name, newest.spec, edit, hsm=newest.hsm)

    async def rotate(self, name: str, made: Made) -> Key:
        """Add the next version of a living key, enabled, with the operations and tags of its newest version.

        It expires as the rotation policy says, never without one. Conflict when the newest version is of another type
        than it was when `made` was made: its operations would not be what such a key can do.
        """
        newest = (await self.living(name)).version
        if (newest.spec, newest.hsm) != (made.kept.spec, made.hsm):
            raise Conflict(
                f"The key {name} became one of another type while its next version was made; rotate it anew."
            )
        policy = await self.keys.find_policy(self.vault.vault_id, name)
        expires = policy.expires(whole_seconds(self.now)) if policy else None
        return await self.add(name, made, KeyEdit(operations=newest.operations, tags=newest.tags, expires=expires))

    async def get_policy(self, name: str) -> RotationPolicy:
        """Return the rotation policy of a living key; the service's own where it was never given one."""
        key = await self.living(name)
        return await self.keys.find_policy(self.vault.vault_id, key.state.name) or DEFAULT_POLICY

    async def find_given_policy(self, name: str) -> RotationPolicy | None:
        """Return the rotation policy that a key was given, None for one that has the service's own."""
        policy = await self.keys.find_policy(self.vault.vault_id, name)
        return None if policy is None or policy.created is None else policy

    async def set_policy(self, name: str, policy: RotationPolicy) -> RotationPolicy:
        """Give a living key a rotation policy; BadRequest when it makes no sense."""
        key, moment = await self.living(name), whole_seconds(self.now)
        policy.require_sense(moment)
        kept = policy.stamped(await self.keys.find_policy(self.vault.vault_id, name), moment)
        kept = kept.edited(key.version, moment)
        await self.keys.put_policy(self.vault.vault_id, name, kept, kept.next_look(key.version))
        return kept

    async def is_to_tell(self, name: str) -> bool:
        """Answer whether something is due of the end of a living key's newest version."""
        key = await self.store.find(self.vault.vault_id, name)
        policy = await self.keys.find_policy(self.vault.vault_id, name)
        if key is None or policy is None or key.state.is_deleted():
            return False
        return bool(policy.due_notices(key.version, self.now))

    async def tell(self, name: str) -> tuple[Key, tuple[Notice, ...]]:
        """Note that the end of a living key's newest version was told as far as it is due; return what that is."""
        key = await self.living(name)
        policy = await self.keys.find_policy(self.vault.vault_id, name)
        due = () if policy is None else policy.due_notices(key.version, self.now)
        if policy is not None and due:
            kept = policy.telling(due, key.version)
            await self.keys.put_policy(self.vault.vault_id, name, kept, kept.next_look(key.version))
        return key, due

    async def get(self, name: str, version: str | None = None) -> Key:
        """Return a version, the newest when `version` is None; what is public of a disabled key is told too."""
        return await self._with_policy(await self.living(name, version))

    async def update(self, name: str, version: str | None, edit: KeyEdit) -> Key:
        """Edit what a version says about itself, the newest when `version` is None; the key itself never changes.

        A release policy is the whole key's: BadRequest where one is sent to a version.
        """
        key = await self.living(name, version)
        edit.require_same_state(key.version)
        edit.require_same_purpose(key.version)
        edit.require_within_limits(key.version.spec, exportable=key.version.exportable, hsm=key.version.hsm)
        edited = edit.applied_to(key.version, whole_seconds(self.now))
        if edit.release_policy is not None:
            if version is not None:
                raise BadRequest("AKV.SKR.1016: Key Release Policy can only be set on versionless key.")
            terms = terms_of(key.version, edit, key.version.spec.type, hsm=key.version.hsm)
            edited = replace(edited, release_policy=terms.policy)
        await self.store.replace_version(key.state, edited)
        if edited.version == key.state.latest:
            await self.schedule(key.state.name, edited)
        return await self._with_policy(Held(key.state, edited))

    async def get_releasable(self, name: str, version: str | None) -> tuple[Key, ReleasePolicy]:
        """Return a version that may leave, and what lets it; KeyDisabled or KeyOperationForbidden for others."""
        key = await self.get(name, version)
        key.version.require_exportable()
        policy = key.version.release_policy
        assert policy is not None  # no key is made exportable without one, and none is taken away
        return key, policy

    async def release(
        self, name: str, version: str | None, attested: Attested, form: TransferForm
    ) -> tuple[Key, bytes]:
        """Return a key wrapped to an environment that its policy lets have it, inside a change; Forbidden for others.

        What the policy says is read here, where nobody can change it meanwhile.
        """
        key, policy = await self.get_releasable(name, version)
        if not policy.allows(attested.authority, attested.claims):
            raise Forbidden("Target environment attestation does not meet key release policy requirements.")
        lies_under, handle = await self.sealing_key(key)
        place = Place(lies_under, self.place(key.state.name, key.version.version))
        provider = self.keepers.of(key.version)
        return key, await provider.release(key.version.kept(handle), place, form, attested.key)

    # --- what keys do

    async def sign(
        self,
        name: str,
        version: str | None,
        algorithm: str,
        digest: bytes,
        *,
        context: bytes = b"",
        is_mu: bool = False,
    ) -> tuple[Key, bytes]:
        """Return the signature of a digest; context, is_mu: for ML-DSA alone, as `KeyProvider.sign` has them."""
        ready = await self._ready(name, version, Operation.SIGN)
        signed = await ready.provider.sign(ready.kept, ready.place, algorithm, digest, context=context, is_mu=is_mu)
        return ready.key, signed

    async def verify(
        self,
        name: str,
        version: str | None,
        algorithm: str,
        digest: bytes,
        signature: bytes,
        *,
        context: bytes = b"",
        is_mu: bool = False,
    ) -> tuple[Key, bool]:
        """Answer whether a signature is one of a digest by this key."""
        ready = await self._ready(name, version, Operation.VERIFY)
        held = await ready.provider.verify(
            ready.kept, ready.place, algorithm, digest, signature, context=context, is_mu=is_mu
        )
        return ready.key, held

    async def encrypt(
        self,
        name: str,
        version: str | None,
        algorithm: str,
        plaintext: Sensitive[bytes],
        *,
        iv: bytes | None = None,
        aad: bytes | None = None,
    ) -> tuple[Key, Ciphertext]:
        """Return a ciphertext, with all that decrypting it needs."""
        ready = await self._ready(name, version, Operation.ENCRYPT)
        return ready.key, await ready.provider.encrypt(ready.kept, ready.place, algorithm, plaintext, iv=iv, aad=aad)

    async def decrypt(
        self, name: str, version: str | None, algorithm: str, ciphertext: Ciphertext
    ) -> tuple[Key, Sensitive[bytes]]:
        """Return the plaintext of a ciphertext."""
        ready = await self._ready(name, version, Operation.DECRYPT)
        return ready.key, await ready.provider.decrypt(ready.kept, ready.place, algorithm, ciphertext)

    async def wrap(
        self, name: str, version: str | None, algorithm: str, material: Sensitive[bytes]
    ) -> tuple[Key, Ciphertext]:
        """Return another key's bytes wrapped under this one."""
        ready = await self._ready(name, version, Operation.WRAP)
        return ready.key, await ready.provider.wrap(ready.kept, ready.place, algorithm, material)

    async def unwrap(
        self, name: str, version: str | None, algorithm: str, wrapped: bytes
    ) -> tuple[Key, Sensitive[bytes]]:
        """Return what was wrapped under this key."""
        ready = await self._ready(name, version, Operation.UNWRAP)
        return ready.key, await ready.provider.unwrap(ready.kept, ready.place, algorithm, wrapped)

    async def _ready(self, name: str, version: str | None, operation: Operation) -> Ready:
        """Return a living key that may do this now; one that may not be used any more does not stay loaded."""
        require_name(name)
        key = await self.store.find(self.vault.vault_id, name, version)
        if key is None:
            raise not_found(self.kind, name, version)
        provider = self.keepers.of(key.version)
        if key.state.is_deleted() or not key.version.enabled:
            provider.forget(key.version.sealed)
        if key.state.is_deleted():
            raise not_found(self.kind, name, version)
        key.version.require(operation, self.now)
        self.spend(weight_of_use(key.version.spec, hsm=key.version.hsm) - 1)
        lies_under, handle = await self.sealing_key(key)
        place = Place(lies_under, self.place(key.state.name, key.version.version))
        return Ready(key, key.version.kept(handle), place, provider)

    async def schedule(self, name: str, newest: KeyVersion) -> None:
        """Note when a key is to be looked at, now that this is its newest version: to rotate it, or to tell its end."""
        policy = await self.keys.find_policy(self.vault.vault_id, name)
        if policy is None and newest.expires is not None:
            policy = DEFAULT_POLICY
        if policy is not None:
            kept = policy.edited(newest, self.now)
            await self.keys.put_policy(self.vault.vault_id, name, kept, kept.next_look(newest))

    async def _with_policy(self, key: Key) -> Key:
        """Return a version with the policy of its key, which its newest version holds."""
        if not key.version.exportable or key.version.version == key.state.latest:
            return key
        newest = (await self.living(key.state.name)).version
        return Held(key.state, replace(key.version, release_policy=newest.release_policy))

    async def _terms(self, name: str, edit: KeyEdit, type_: KeyType, *, hsm: bool) -> Terms:
        """Return the terms of the next version of a name; a deleted key, which holds its name, says nothing here."""
        require_name(name)
        before = await self.store.find(self.vault.vault_id, name)
        is_living = before is not None and not before.state.is_deleted()
        return terms_of(before.version if before is not None and is_living else None, edit, type_, hsm=hsm)

    def _keeper(self, type_: KeyType, terms: Terms, *, hsm: bool) -> KeyProvider:
        suited = self.keepers.for_exportable if terms.exportable else self.keepers.for_new
        return suited(type_, hsm=hsm, vault=self.vault)

    async def _next_place(self, name: str) -> tuple[str, Place]:
        """Return the next version of a name, and where its key will lie; Conflict while a deleted key holds it."""
        require_name(name)
        state = await self.store.find_state(self.vault.vault_id, name)
        if state is not None and state.is_deleted() and not state.is_expired(self.now):
            raise deleted_but_recoverable(self.kind, state.name)
        version = new_version()
        return version, Place(await self.vault_key(), self.place(name, version))

    async def _under_newest(self, name: str, made: Made) -> bytes:
        """Return the handle of a new key under the vault's newest key: it may have been rotated since."""
        newest = await self.vault_key()
        if newest.key_id == made.key.key_id:
            return made.kept.handle
        context = self.place(name, made.version)
        return (await self._maker(made).move(made.kept, Place(made.key, context), Place(newest, context))).handle

    def _maker(self, made: Made) -> KeyProvider:
        return self.keepers.hsm if made.hsm and self.keepers.hsm is not None else self.keepers.software
