"""What each worker process makes for itself after the fork: its storage, its application, its turn at the sweep."""

import fcntl
import os
import socket
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from strongroom.app import Application, create_app, make_planes, new_meters
from strongroom.custody.sealing import Custodian
from strongroom.hosting.children import Duty, Post
from strongroom.hosting.workers import WORKER, rows_needed
from strongroom.meters import Meters
from strongroom.planes.data.throttling import Limiter
from strongroom.resources.locations import Locations
from strongroom.scheduling.retention import sweep_now
from strongroom.settings import Settings
from strongroom.storage.sqlite import SqliteStorage

SWEEP_LOCK = "sweep.lock"
METRICS = "metrics"


def new_counts(settings: Settings, custodian: Custodian, now: datetime) -> Meters:
    """Return the counts of a server that starts at `now`; call it before the fork: all processes share them."""
    planes = make_planes(custodian, domain=settings.domain, locations=Locations(settings.location), limiter=Limiter())
    rows = rows_needed(settings.workers, 0 if settings.metrics_port is None else 1)
    meters = new_meters(planes, kinds=(WORKER, METRICS), rows=rows)
    meters.set(("started",), int(now.timestamp()))
    return meters


def metrics_duties(settings: Settings, meters: Meters, listeners: Sequence[socket.socket]) -> tuple[Duty, ...]:
    """Return the duty of the process that shows metrics, none when there are no sockets to show them on."""
    if not listeners:
        return ()
    from strongroom.hosting.exposition import render
    from strongroom.hosting.metrics import run_metrics

    def work(post: Post) -> int:
        return run_metrics(lambda: render(meters, settings.data_dir), listeners, post)

    return (Duty(name=METRICS, count=1, work=work),)


def application_maker(settings: Settings, custodian: Custodian, meters: Meters) -> Callable[[], Application]:
    """Return what makes a worker's application; call it before the fork: workers share the memory of its limits."""
    limiter = Limiter()

    def make() -> Application:
        storage = SqliteStorage.open(settings.data_dir, custodian, meters=meters)
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
            meters=meters,
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
