"""What a worker does beside its requests, in which order, and which of the workers does it."""

import asyncio
import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path

import structlog

from strongroom.access.network.tally import Tally
from strongroom.clock import real_now, steady_seconds
from strongroom.custody.sealing import Custodian
from strongroom.custody.succession import is_handing_over
from strongroom.errors import StorageUnavailable
from strongroom.objects.keys.keepers import Keepers
from strongroom.scheduling.following import follow_master_key
from strongroom.scheduling.retention import sweep_now
from strongroom.scheduling.rotation import rotate_now
from strongroom.scheduling.signing import sweep_signing_keys
from strongroom.scheduling.steadiness import Steadiness
from strongroom.scheduling.summary import summarize
from strongroom.storage.pruning import Pruning
from strongroom.storage.space import Space
from strongroom.storage.sqlite import SqliteStorage

SWEEP_LOCK = "sweep.lock"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Chores:
    """What a worker does beside its requests, every minute if it is its turn, and once more when it ends."""

    storage: SqliteStorage
    custodian: Custodian
    tally: Tally
    space: Space
    pruning: Pruning
    turn: "Turn"
    steadiness: Steadiness
    keepers: Keepers

    async def sweep(self) -> None:
        """Do what is due; on a disk that is full nothing keeps what frees space from being tried."""
        if not self.turn.is_ours():
            return
        self.space.tell(time.monotonic())
        try:
            await summarize(self.tally, self.storage, real_now())
            await self.storage.anchor()
        finally:
            try:
                await self._purge()
            finally:
                await rotate_now(self.storage, self.custodian, self.keepers)

    async def _purge(self) -> None:
        if not await self.steadiness.allows_purges(self.storage, real_now(), steady_seconds()):
            return
        try:
            await sweep_now(self.storage, self.keepers)
            await sweep_signing_keys(self.storage, real_now())
        finally:  # what cannot be purged keeps no records from leaving
            await asyncio.to_thread(self.pruning.run, real_now())

    async def follow(self) -> None:
        """Take over the master key that a rotation left, if one did."""
        if self.turn.is_ours() and await is_handing_over(self.storage.read().facts):
            await follow_master_key(self.storage, self.custodian)
            log.info("took over the next master key", master_key_id=self.custodian.master_id)

    async def finish(self) -> None:
        """Record what no summary holds yet, then close the storage; what a broken disk does not take is only told."""
        try:
            await summarize(self.tally, self.storage, real_now())
        except StorageUnavailable:
            log.error("refused requests are in no record", requests=sum(self.tally.take().values()))  # noqa: TRY400
        finally:
            self.keepers.close()
            self.storage.close()


class Turn:
    """The one worker that sweeps is whichever holds the lock; when it ends another takes over."""

    def __init__(self, data_dir: Path) -> None:
        self._handle = os.open(data_dir / SWEEP_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def is_ours(self) -> bool:
        """Answer whether this worker is the one."""
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
