"""What ends by itself: deleted objects and vaults whose retention has passed are purged, each with its record.

Nobody needs the sweep to have run: to the rules, what has expired is gone already. The sweep makes it gone for good.
"""

from collections.abc import Mapping
from datetime import datetime

import structlog

from strongroom.audit.event import Category, Record
from strongroom.audit.local import local_record
from strongroom.clock import real_now, shift
from strongroom.objects.keys.discarding import Discard, discard_all, find_discards
from strongroom.objects.keys.keepers import Keepers
from strongroom.objects.lifecycle import Kind, ObjectState
from strongroom.objects.store import every_kind, store_of
from strongroom.resources.facts import clock_offset
from strongroom.scheduling.store import SweptStorage, SweptStores
from strongroom.vaults.census import list_all
from strongroom.vaults.model import Vault, id_of_vault
from strongroom.vaults.service import is_expired

BATCH = 100
PURGES = {Kind.KEY: "KeyPurge", Kind.SECRET: "SecretPurge"}

log = structlog.get_logger(__name__)


class _Gone(Exception):
    """What was to be purged is no longer there, or no longer expired."""


async def sweep_now(storage: SweptStorage, keepers: Keepers | None = None) -> int:
    """Run a sweep at the time that vaults live in, as the rehearsal clock has it; return how much was purged.

    keepers: who keeps the keys of vaults, and destroys those that were purged.
    """
    real = real_now()
    return await sweep(storage, shift(real, await clock_offset(storage.read().facts)), real, keepers)


async def sweep(storage: SweptStorage, now: datetime, recorded: datetime, keepers: Keepers | None = None) -> int:
    """Purge what has expired at `now`, in records of the real time `recorded`; return how much was purged.

    StorageUnavailable when a purge cannot be made durable; what was purged before stays so.
    """
    purged = await _sweep_vaults(storage, now, recorded, keepers)
    while expired := await _list_expired(storage.read(), now):
        places = await _vault_ids(storage.read())
        done = sum([await _purge_object(storage, state, places, now, recorded, keepers=keepers) for state in expired])
        purged += done
        if not done:
            break
    return purged


async def _list_expired(stores: SweptStores, now: datetime) -> list[ObjectState]:
    return [state for kind in every_kind(stores) for state in await kind.list_expired(now, BATCH)]


async def _purge_object(
    storage: SweptStorage,
    expired: ObjectState,
    places: Mapping[str, str],
    now: datetime,
    recorded: datetime,
    *,
    keepers: Keepers | None,
) -> bool:
    removed: list[Discard] = []

    async def work(stores: SweptStores) -> tuple[bool, Record]:
        store = store_of(stores, expired.kind)
        state = await store.find_state(expired.vault_id, expired.name)
        if state is None or not state.is_expired(now):
            raise _Gone
        if keepers is not None and state.kind is Kind.KEY:
            removed.extend(await find_discards(stores, keepers, state.vault_id, state.name))
        await store.purge(state.vault_id, state.name)
        resource_id, noun = places.get(state.vault_id, ""), state.kind.noun
        if resource_id:
            await stores.assignments.remove_within(f"{resource_id}/{state.kind}/{state.name}")
        return True, _record(PURGES[state.kind], resource_id, recorded, **{noun: state.name})

    try:
        purged = await storage.change(work)
    except _Gone:
        return False
    await discard_all(removed)
    return purged


async def _sweep_vaults(storage: SweptStorage, now: datetime, recorded: datetime, keepers: Keepers | None) -> int:
    expired = [vault for vault in await storage.read().vaults.list_deleted() if is_expired(vault, now)]
    return sum([await _purge_vault(storage, vault, now, recorded, keepers) for vault in expired])


async def _purge_vault(
    storage: SweptStorage, expired: Vault, now: datetime, recorded: datetime, keepers: Keepers | None
) -> bool:
    removed: list[Discard] = []

    async def work(stores: SweptStores) -> tuple[bool, Record]:
        vault = await stores.vaults.find(expired.name)
        if vault is None or vault.vault_id != expired.vault_id or not is_expired(vault, now):
            raise _Gone
        if keepers is not None:
            removed.extend(await find_discards(stores, keepers, vault.vault_id))
        await stores.vaults.purge(vault)
        return True, _record("VaultPurge", id_of_vault(expired), recorded, vault=expired.name)

    try:
        purged = await storage.change(work)
    except _Gone:
        return False
    await discard_all(removed)
    return purged


def _record(operation: str, resource_id: str, recorded: datetime, **what: str) -> Record:
    log.info("purged", operation=operation, resource=resource_id, **what)
    return local_record(
        operation,
        now=recorded,
        properties={"reason": "The retention period has passed.", **what},
        category=Category.AUDIT,
        resource_id=resource_id,
        actor="server",
    )


async def _vault_ids(stores: SweptStores) -> dict[str, str]:
    """Return the ARM ids of all vaults, living and deleted, by their unique ids."""
    return {vault.vault_id: id_of_vault(vault) for vault in await list_all(stores)}
