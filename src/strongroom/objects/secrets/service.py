"""What may be done with the secrets of a vault. Rules over a store; whether the caller may is settled before."""

from strongroom.clock import whole_seconds
from strongroom.custody.store import DataKey
from strongroom.errors import ObjectDisabled
from strongroom.ids import new_version
from strongroom.objects.model import Held
from strongroom.objects.secrets.model import Secret, SecretEdit, SecretVersion, require_value_size
from strongroom.objects.service import Objects
from strongroom.sensitive import Sensitive


class Secrets(Objects[SecretVersion]):
    """The secrets of one vault at one moment: what `Objects` says, and their values."""

    __slots__ = ()

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
        state = await self.next_state(name, new_version())
        moment = whole_seconds(self.now)
        sealed = self.seal(await self.vault_key(), value, state.name, state.latest)
        blank = SecretVersion(version=state.latest, sealed=sealed, created=moment, updated=moment)
        version = edit.applied_to(blank, moment)
        await self.store.add_version(state, version)
        return Held(state, version)

    async def update(self, name: str, version: str | None, edit: SecretEdit) -> Secret:
        """Edit what a version says about itself, the newest when `version` is None; its value never changes."""
        secret = await self.living(name, version)
        edit.require_within_limits()
        edited = edit.applied_to(secret.version, whole_seconds(self.now))
        await self.store.replace_version(secret.state, edited)
        return Held(secret.state, edited)

    async def revise(self, name: str, value: Sensitive[bytes], edit: SecretEdit) -> Secret:
        """Add a version with this value that says what the newest one said, edited. NotFound when there is none."""
        newest = (await self.living(name)).version
        said = SecretEdit(
            enabled=newest.enabled if edit.enabled is None else edit.enabled,
            not_before=edit.not_before or newest.not_before,
            expires=edit.expires or newest.expires,
            content_type=newest.content_type if edit.content_type is None else edit.content_type,
            tags=newest.tags if edit.tags is None else edit.tags,
        )
        return await self.set(name, value, said)

    def seal(self, key: DataKey, value: Sensitive[bytes], name: str, version: str) -> bytes:
        """Return a value sealed for its place."""
        return self.custodian.seal(key, value, self.place(name, version))

    async def open(self, secret: Secret) -> Sensitive[bytes]:
        """Return the value of a version; SealBroken when it does not open in its place."""
        key, sealed = await self.sealing_key(secret)
        return self.custodian.open(key, sealed, self.place(secret.state.name, secret.version.version))
