"""The bare commit thread: what `secret set` is measured against.

Each of two processes has a storage on one data directory, as two workers have, and keeps as many changes under way as
its share of the connections. A change adds a version that is sealed already, with a record as long as a request's;
where records go after the commit is left out.
"""

import asyncio
import multiprocessing
import os
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from strongroom.audit.event import Record, new_record_id
from strongroom.clock import microseconds
from strongroom.custody.sealing import Custodian
from strongroom.ids import new_version
from strongroom.objects.lifecycle import Kind, ObjectState
from strongroom.objects.secrets.model import SecretVersion
from strongroom.sensitive import Sensitive
from strongroom.storage.directory import prepare
from strongroom.storage.sqlite import SqliteStorage

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
SEALED, BODY = os.urandom(80), b'{"time":"' + b"x" * 900 + b'"}'
CUSTODIAN = Custodian(Sensitive(bytes(32)))


class Nowhere:
    """Where records go that nobody asks for. Implements `storage.keeper.Recording`."""

    behind = False

    def submit(self, _record: Record | None) -> "asyncio.Future[None]":
        """Take a record and be done."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    def close(self) -> None:
        """End."""


def one_more(name: str) -> Callable[[Any], Awaitable[tuple[None, Record]]]:
    """Return the work of adding a version to a secret."""
    version = new_version()
    state = ObjectState(vault_id="bare", kind=Kind.SECRET, name=name, latest=version)
    kept = SecretVersion(version=version, sealed=SEALED, created=NOON, updated=NOON)

    async def work(stores: Any) -> tuple[None, Record]:
        await stores.secrets.add_version(state, kept)
        return None, Record(new_record_id(), microseconds(NOON), BODY)

    return work


async def _commit(data_dir: Path, tasks: int, seconds: float) -> int:
    storage = SqliteStorage.open(data_dir, CUSTODIAN, recording=lambda _: Nowhere())
    until = time.perf_counter() + seconds

    async def go_on() -> int:
        done = 0
        while time.perf_counter() < until:
            await storage.change(one_more("bench"))
            done += 1
        return done

    try:
        return sum(await asyncio.gather(*[go_on() for _ in range(tasks)]))
    finally:
        storage.close()


def _play(data_dir: Path, tasks: int, seconds: float) -> int:
    return asyncio.run(_commit(data_dir, tasks, seconds))


def commits_per_second(folder: Path, connections: int, seconds: float) -> float:
    """Return how many changes a second two processes commit in `folder`, with so many under way together."""
    data_dir = folder / "bare"
    prepare(data_dir)
    SqliteStorage.open(data_dir, CUSTODIAN).close()
    shares = [share for share in ((connections + 1) // 2, connections // 2) if share]
    with multiprocessing.get_context("spawn").Pool(len(shares)) as pool:
        pool.starmap(_play, [(data_dir, share, 0.1) for share in shares])  # both are awake now
        return sum(pool.starmap(_play, [(data_dir, share, seconds) for share in shares])) / seconds


def syncs_per_second(folder: Path, seconds: float) -> float:
    """Return how often a second this disk makes a page durable that a file has already."""
    page, done = bytes(4096), 0
    handle = os.open(folder / "synced", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.pwrite(handle, page * 64, 0)
        os.fsync(handle)
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            os.pwrite(handle, page, done % 64 * len(page))
            os.fdatasync(handle)
            done += 1
    finally:
        os.close(handle)
    return done / seconds


if __name__ == "__main__":
    print(f"{commits_per_second(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])):.0f} commits a second")
