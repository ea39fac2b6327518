"""What keepers keep of keys elsewhere, once the keys are gone: destroyed when the purge is committed, never before.

Found before a purge, since afterwards nothing says where it is. Stopped in between, what is left is an object in an HSM
that nobody refers to (`strongroom hsm check` finds it), and never a key whose object is gone.
"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Protocol

import structlog

from strongroom.custody.provider import KeptKey, KeyProvider, Place
from strongroom.custody.sealing import SealBroken, sealing_key_id
from strongroom.custody.store import KeyringStore
from strongroom.errors import ServiceUnavailable, StrongroomError
from strongroom.objects.keys.keepers import Keepers
from strongroom.objects.keys.model import Key
from strongroom.objects.keys.store import KeyStore
from strongroom.objects.lifecycle import Kind
from strongroom.objects.service import sealed_place

BATCH = 100
NO_KEY = "00" * 16
"""The id of no data key: every version lies under another one."""

log = structlog.get_logger(__name__)


class KeyStores(Protocol):
    """Where keys and their data keys are found."""

    @property
    def keys(self) -> KeyStore: ...
    @property
    def keyring(self) -> KeyringStore: ...


@dataclass(frozen=True, slots=True)
class Discard:
    """One key that its keeper may destroy."""

    provider: KeyProvider
    kept: KeptKey
    place: Place


async def find_discards(stores: KeyStores, keepers: Keepers, vault_id: str, name: str = "") -> tuple[Discard, ...]:
    """Return what an HSM keeps of a key, of all keys of a vault when no name is given.

    What does not open, or is kept by an HSM that is not configured any more, cannot be destroyed and stands in no way:
    nor does a row that was tampered with, past which nothing is found.
    """
    if keepers.hsm is None or keepers.hsm is keepers.software or not keepers.destroys:
        return ()
    found: list[Discard] = []
    try:
        async for key in versions_of(stores.keys, vault_id, name):
            if key.version.platform == keepers.hsm.platform:
                await _find(found, stores, keepers.hsm, key)
    except SealBroken as error:
        log.error(  # noqa: TRY400 - one line says all
            "alarm: keys that the HSM keeps are not found", vault_id=vault_id, key=name, reason=error.message
        )
    return tuple(found)


async def _find(found: list[Discard], stores: KeyStores, hsm: KeyProvider, key: Key) -> None:
    try:
        found.append(Discard(hsm, *await locate(stores.keyring, key)))
    except SealBroken as error:
        state, reason = key.state, error.message
        log.error(  # noqa: TRY400 - one line says all
            "alarm: what the HSM keeps of a key is not found", vault_id=state.vault_id, key=state.name, reason=reason
        )


async def discard_all(discards: Iterable[Discard]) -> None:
    """Destroy what is kept of keys that are gone; what cannot be destroyed now is told, and left where it is.

    An HSM that is away is asked once: it takes its time to say so.
    """
    away: StrongroomError | None = None
    for each in discards:
        failed = away
        if failed is None:
            try:
                await each.provider.discard(each.kept, each.place)
            except ServiceUnavailable as error:
                failed = away = error
            except StrongroomError as error:
                failed = error
        if failed is not None:
            place = each.place.context
            reason = failed.message
            log.error("a key that is gone is left in the HSM", vault_id=place.owner, key=place.name, reason=reason)


async def versions_of(store: KeyStore, vault_id: str, name: str = "") -> AsyncIterator[Key]:
    """Yield every version of a key, of all keys of a vault when no name is given, deleted ones too."""
    after = (name.lower(), "")
    while found := await store.list_sealed_before(vault_id, NO_KEY, after=after, limit=BATCH):
        for key in found:
            if name and key.state.name.lower() != name.lower():
                return
            yield key
        after = (found[-1].state.name.lower(), found[-1].version.version)


async def locate(keyring: KeyringStore, key: Key) -> tuple[KeptKey, Place]:
    """Return a version as its keeper takes it, and its place; SealBroken when its data key is not there."""
    data_key = await keyring.find(sealing_key_id(key.version.sealed))
    if data_key is None or data_key.scope != key.state.vault_id:
        raise SealBroken("a key is sealed under a key that its vault does not have")
    context = sealed_place(key.state.vault_id, Kind.KEY, key.state.name, key.version.version)
    return key.version.kept(key.version.sealed), Place(data_key, context)
