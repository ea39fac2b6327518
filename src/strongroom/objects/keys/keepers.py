"""Who keeps keys: software in the data, an HSM where there is one, or software in its stead where that was allowed."""

from collections.abc import Iterable
from dataclasses import dataclass

from strongroom.custody.provider import KeyProvider, KeyType
from strongroom.errors import BadRequest, ServiceUnavailable
from strongroom.objects.keys.model import HSM_SUFFIX, KeyVersion
from strongroom.objects.model import invalid_property
from strongroom.vaults.model import Vault

PREMIUM = "premium"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keepers:
    """The providers of one process.

    hsm: who keeps keys that were asked for as an HSM's; `software` itself where it may stand in, None where nothing
    does. A key always tells the platform that really keeps it. destroys: whether the HSM destroys keys that are gone
    from the data; not while other data may refer to them.
    """

    software: KeyProvider
    hsm: KeyProvider | None = None
    destroys: bool = True

    def for_new(self, type_: KeyType, *, hsm: bool, vault: Vault) -> KeyProvider:
        """Return who keeps a new key of a vault; BadRequest where no such key may be."""
        if not hsm:
            if type_ is KeyType.OCT:
                raise invalid_property("kty", "keys of type oct are not offered in vaults; oct-HSM is, in premium ones")
            return self.software
        if vault.sku.lower() != PREMIUM:
            raise invalid_property(
                "kty", f"keys of type {type_}{HSM_SUFFIX} need a vault of the SKU premium, and this one is {vault.sku}"
            )
        if self.hsm is None:
            raise invalid_property(
                "kty",
                f"this server has no HSM for keys of type {type_}{HSM_SUFFIX}, and its operator has not let software "
                "stand in for one",
            )
        return self.hsm

    def forget_vault(self, vault: Vault) -> None:
        """Drop what this process keeps loaded of a vault's keys."""
        for provider in self._each():
            provider.forget_owner(vault.vault_id)

    def close(self) -> None:
        """Begin nothing more that takes long: this process ends."""
        for provider in self._each():
            provider.close()

    def _each(self) -> Iterable[KeyProvider]:
        return {id(each): each for each in (self.software, self.hsm) if each is not None}.values()

    def for_exportable(self, type_: KeyType, *, hsm: bool, vault: Vault) -> KeyProvider:
        """Return who keeps a new key that may leave; BadRequest where no such key may be."""
        if vault.sku.lower() != PREMIUM:
            raise not_exportable_here()
        provider = self.for_new(type_, hsm=hsm, vault=vault)
        if not provider.releases:
            raise invalid_property("exportable", "the HSM of this server lets no key leave it")
        return provider

    def of(self, version: KeyVersion) -> KeyProvider:
        """Return who keeps a version; ServiceUnavailable when nobody of this process does."""
        for provider in (self.software, self.hsm):
            if provider is not None and provider.platform == version.platform:
                return provider
        raise ServiceUnavailable("The HSM that keeps this key is not configured in this server.")


def not_exportable_here() -> BadRequest:
    """Return the error for an exportable key where there are none: the service's words."""
    return BadRequest(
        "AKV.SKR.1001: The exportable attribute is only supported with premium vaults and API version >= '7.3-preview'."
    )
