"""The next data key of a vault: what is new goes under it at once, what is old follows batch by batch, kind by kind.

Nothing is lost on the way, since each step is a change of its own, alone with the data: a value is read, opened, sealed
anew and put back in one; who sets a value meanwhile does so before or after, and after the first step always under the
newest key; and the keys before go in a change that has looked that nothing lies under them. Stopped anywhere, it goes
on from what lies there.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from strongroom.custody.keyring import add_key
from strongroom.custody.sealing import Custodian, SealBroken
from strongroom.custody.store import DataKey, KeyringStore, Purpose
from strongroom.objects.model import V
from strongroom.objects.service import Objects
from strongroom.vaults.model import Vault

BATCH = 100


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step did. last: name and version of the last value, None when nothing was left."""

    count: int
    last: tuple[str, str] | None


async def begin(
    keyring: KeyringStore, custodian: Custodian, vaults: Iterable[Vault], now: datetime
) -> tuple[DataKey, ...]:
    """Make the next key of each vault, inside a change, and return them. From then on no other seals there."""
    return tuple([await add_key(keyring, custodian, Purpose.VAULT, vault.vault_id, now) for vault in vaults])


async def reseal(objects: Objects[V], after: tuple[str, str] | None, limit: int = BATCH) -> Batch:
    """Seal the next values of one kind under a vault's newest key, inside a change. SealBroken when one was edited.

    after: what the step before returned as its last.
    """
    newest = await objects.vault_key()
    vault_id = objects.vault.vault_id
    found = await objects.store.list_sealed_before(vault_id, newest.key_id, after=after, limit=limit)
    for held in found:
        sealed = await objects.sealed_anew(held, newest)
        await objects.store.replace_version(held.state, replace(held.version, sealed=sealed))
    last = (found[-1].state.name.lower(), found[-1].version.version.lower()) if found else None
    return Batch(len(found), last)


async def finish(kinds: Sequence[Objects[Any]]) -> tuple[str, ...]:
    """Remove the keys of a vault but the newest, inside a change; return their ids.

    kinds: the vault's objects, of every kind. SealBroken when something lies under one of them still: it stays.
    """
    keyring, vault_id = kinds[0].keyring, kinds[0].vault.vault_id
    newest, *before = await keyring.list_versions(Purpose.VAULT, vault_id)
    for objects in kinds:
        if await objects.store.count_sealed_before(vault_id, newest.key_id):
            raise SealBroken("a value still lies under a key that was to be removed")
    for key in before:
        await keyring.remove(key)
    return tuple(key.key_id for key in before)


async def unfinished(keyring: KeyringStore) -> frozenset[str]:
    """Return the ids of the vaults whose rotation was begun and not finished: those with more keys than one."""
    found = Counter(key.scope for key in await keyring.list_all() if key.purpose is Purpose.VAULT)
    return frozenset(vault_id for vault_id, count in found.items() if count > 1)
