"""What each worker process makes for itself after the fork: its storage, its application, its turn at the sweep."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from strongroom.app import Application, create_app
from strongroom.custody.sealing import Custodian
from strongroom.planes.data.throttling import Limiter
from strongroom.resources.locations import Locations
from strongroom.scheduling.retention import sweep_now
from strongroom.settings import Settings
from strongroom.storage.sqlite import SqliteStorage

SWEEP_LOCK = "sweep.lock"


def application_maker(settings: Settings, custodian: Custodian) -> Callable[[], Application]:
    """Return what makes a worker's application; call it before the fork: workers share the memory of its limits."""
    limiter = Limiter()

    def make() -> Application:
        storage = SqliteStorage.open(settings.data_dir, custodian)
        turn = _Turn(settings.data_dir / SWEEP_LOCK)

        async def sweep() -> None:
            if turn.is_ours():
                await storage.anchor()
                await sweep_now(storage)

        return create_app(
            storage,
            custodian,
            domain=settings.domain,
            locations=Locations(settings.location),
            limiter=limiter,
            sweep=sweep,
            is_ready=storage.is_writable,
            close=storage.close,
        )

    return make


class _Turn:
    """The one worker that sweeps is whichever holds the lock; when it ends another takes over."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def is_ours(self) -> bool:
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
