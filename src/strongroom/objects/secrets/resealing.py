"""The next data key of a vault: new values go under it at once, old ones follow batch by batch.

Nothing is lost on the way, since each step is a change of its own, alone with the data: a value is read, opened, sealed
anew and put back in one; who sets a value meanwhile does so before or after, and after the first step always under the
newest key; and the keys before go in a change that has looked that nothing lies under them. Stopped anywhere, it goes
on from what lies there.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from strongroom.custody.keyring import add_key
from strongroom.custody.sealing import Custodian, SealBroken
from strongroom.custody.store import DataKey, KeyringStore, Purpose
from strongroom.objects.secrets.service import Secrets
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


async def reseal(secrets: Secrets, after: tuple[str, str] | None, limit: int = BATCH) -> Batch:
    """Seal the next values of a vault under its newest key, inside a change. SealBroken when one was tampered with.

    after: what the step before returned as its last.
    """
    key = await secrets.vault_key()
    vault_id = secrets.vault.vault_id
    found = await secrets.store.list_sealed_before(vault_id, key.key_id, after=after, limit=limit)
    for secret in found:
        name, version = secret.state.name, secret.version.version
        sealed = secrets.seal(key, await secrets.open(secret), name, version)
        await secrets.store.replace_version(secret.state, replace(secret.version, sealed=sealed))
    last = (found[-1].state.name.lower(), found[-1].version.version.lower()) if found else None
    return Batch(len(found), last)


async def finish(secrets: Secrets) -> tuple[str, ...]:
    """Remove the keys of a vault but the newest, inside a change; return their ids.

    SealBroken when something lies under one of them still: it stays.
    """
    newest, *before = await secrets.keyring.list_versions(Purpose.VAULT, secrets.vault.vault_id)
    if await secrets.store.count_sealed_before(secrets.vault.vault_id, newest.key_id):
        raise SealBroken("a value still lies under a key that was to be removed")
    for key in before:
        await secrets.keyring.remove(key)
    return tuple(key.key_id for key in before)


async def unfinished(keyring: KeyringStore) -> frozenset[str]:
    """Return the ids of the vaults whose rotation was begun and not finished: those with more keys than one."""
    found = Counter(key.scope for key in await keyring.list_all() if key.purpose is Purpose.VAULT)
    return frozenset(vault_id for vault_id, count in found.items() if count > 1)
