"""What happens by itself: keys are rotated when their policy says so, and their end is told, each with its record.

What is due lies in the data, so that nothing is forgotten over a restart. One worker looks, and whoever adds a version
looks once more whether it is still due: a key is rotated once.
"""

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime

import structlog

from strongroom.audit.event import Category, Record, wire_time
from strongroom.audit.local import local_record
from strongroom.clock import real_now, shift
from strongroom.custody.sealing import Custodian
from strongroom.errors import NotFound, ServiceUnavailable, StorageUnavailable, StrongroomError
from strongroom.objects.keys.discarding import discard_all
from strongroom.objects.keys.keepers import Keepers
from strongroom.objects.keys.model import Key
from strongroom.objects.keys.rotation import Notice
from strongroom.objects.keys.service import Keys
from strongroom.objects.keys.store import Due
from strongroom.resources.facts import clock_offset
from strongroom.scheduling.store import SweptStorage, SweptStores
from strongroom.vaults.census import list_living
from strongroom.vaults.model import Vault, id_of_vault

BATCH = 100
OPERATION = "KeyRotateIfDue"
TELLS = {
    Notice.NEAR: ("KeyNearExpiryEventGridNotification", "a key is about to expire"),
    Notice.END: ("KeyExpiredEventGridNotification", "a key has expired"),
}
"""What is recorded and logged of a key's end. Source of the names: "Azure Key Vault logging"."""

log = structlog.get_logger(__name__)


class _Settled(Exception):
    """What was due is not any more."""


class Rotation:
    """Rotates keys whose time has come. recorded: the real time of its records."""

    def __init__(
        self, storage: SweptStorage, custodian: Custodian, keepers: Keepers, now: datetime, recorded: datetime
    ) -> None:
        self._storage = storage
        self._custodian = custodian
        self._keepers = keepers
        self._now = now
        self._recorded = recorded
        self._away: set[str] = set()

    async def run(self) -> int:
        """Rotate what is due, tell whose end is near or has come; return how many keys were rotated.

        StorageUnavailable when it cannot be made durable. A key for which that is impossible, since its HSM is away or
        its row was edited, is told and holds up no other.
        """
        vaults: dict[str, Vault] = {}
        count = 0
        async for due in self._due():
            vaults = vaults or await _living(self._storage.read())
            vault = vaults.get(due.vault_id)
            if vault is None:
                continue
            count += await self._do(vault, due.name)
        return count

    async def _do(self, vault: Vault, name: str) -> int:
        """Do what is due for a key, each whether or not the other can be; return how often it was rotated."""
        count, reasons = 0, dict[str, None]()
        for work in (self._rotate, self._tell):
            try:
                count += await work(vault, name)
            except StorageUnavailable:
                raise
            except StrongroomError as error:
                reasons[error.message] = None
        for reason in reasons:
            log.error("what is due for a key could not be done", vault=vault.name, key=name, reason=reason)
        return count

    async def _due(self) -> AsyncIterator[Due]:
        after: Due | None = None
        while found := await self._storage.read().keys.list_due(self._now, after=after, limit=BATCH):
            for due in found:
                yield due
            after = found[-1]

    async def _rotate(self, vault: Vault, name: str) -> bool:
        keys = self._keys(self._storage.read(), vault)
        seen = await _find_due(keys, name)
        if seen is None:
            return False
        platform = self._keepers.of(seen.version).platform
        if platform in self._away:
            return False
        try:
            made = await keys.make_next(name)
        except ServiceUnavailable:
            self._away.add(platform)  # an HSM that does not answer takes its time to say so
            raise

        async def work(stores: SweptStores) -> tuple[Key, Record]:
            within = self._keys(stores, vault)
            if not await _is_living(stores, vault):
                raise _Settled
            if await _find_due(within, name) != seen:
                raise _Settled
            return await within.rotate(name, made), self._record(vault, seen)

        try:
            await self._storage.change(work)
        except _Settled:
            await discard_all([keys.undoing(name, made)])
            return False
        except StrongroomError as error:
            if error.status < 500:  # the change was rolled back; of others nobody can be sure
                await discard_all([keys.undoing(name, made)])
            raise
        return True

    async def _tell(self, vault: Vault, name: str) -> bool:
        """Tell what is due of a key's end: at most one of its notices at a time, the one that says more.

        Nothing is rotated by it: False.
        """
        if not await self._keys(self._storage.read(), vault).is_to_tell(name):
            return False

        async def work(stores: SweptStores) -> tuple[None, Record]:
            if not await _is_living(stores, vault):
                raise _Settled
            key, due = await self._keys(stores, vault).tell(name)
            if not due:
                raise _Settled
            return None, self._notice(vault, key, due[-1])

        with suppress(_Settled, NotFound):
            await self._storage.change(work)
        return False

    def _notice(self, vault: Vault, key: Key, notice: Notice) -> Record:
        operation, said = TELLS[notice]
        resource_id = id_of_vault(vault)
        assert key.version.expires is not None  # of others nothing is due
        told = {"key": key.state.name, "version": key.version.version, "expires": wire_time(key.version.expires)}
        log.warning(said, resource=resource_id, **told)
        return local_record(
            operation,
            now=self._recorded,
            properties=told,
            category=Category.AUDIT,
            resource_id=resource_id,
            actor="server",
        )

    def _keys(self, stores: SweptStores, vault: Vault) -> Keys:
        return Keys(stores.keys, stores.keyring, self._custodian, keepers=self._keepers, vault=vault, now=self._now)

    def _record(self, vault: Vault, key: Key) -> Record:
        resource_id = id_of_vault(vault)
        log.info("rotated a key", resource=resource_id, key=key.state.name)
        return local_record(
            OPERATION,
            now=self._recorded,
            properties={"reason": "Its rotation policy says so.", "key": key.state.name},
            category=Category.AUDIT,
            resource_id=resource_id,
            actor="server",
        )


async def rotate_now(storage: SweptStorage, custodian: Custodian, keepers: Keepers) -> int:
    """Rotate what is due at the time that vaults live in, as the rehearsal clock has it; return how many keys."""
    real = real_now()
    now = shift(real, await clock_offset(storage.read().facts))
    return await Rotation(storage, custodian, keepers, now, real).run()


async def _find_due(keys: Keys, name: str) -> Key | None:
    """Return a key with its newest version if that is to be rotated; one that is disabled or deleted is left alone."""
    key = await keys.store.find(keys.vault.vault_id, name)
    policy = await keys.keys.find_policy(keys.vault.vault_id, name)
    if key is None or policy is None or key.state.is_deleted() or not key.version.enabled:
        return None
    due = policy.due(key.version)
    return key if due is not None and due <= keys.now else None


async def _is_living(stores: SweptStores, vault: Vault) -> bool:
    found = await stores.vaults.find(vault.name)
    return found is not None and found.vault_id == vault.vault_id and found.deletion is None


async def _living(stores: SweptStores) -> dict[str, Vault]:
    """Return the living vaults by their unique ids."""
    return {vault.vault_id: vault for vault in await list_living(stores)}
