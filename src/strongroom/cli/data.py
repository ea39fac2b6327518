"""The data directory as commands open it: with the master key, while the server runs or not."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from strongroom.access.identity.applications import Applications
from strongroom.bootstrap import Installation, find_installation
from strongroom.cli.custody import find_master_key
from strongroom.cli.failure import CommandFailed
from strongroom.clock import real_now
from strongroom.custody.master import MasterKey
from strongroom.custody.sealing import Custodian
from strongroom.planes.stores import Stores
from strongroom.settings import Settings
from strongroom.storage.directory import is_older, schema_version
from strongroom.storage.sqlite import SqliteStorage

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Data:
    """An open data directory."""

    data_dir: Path
    storage: SqliteStorage
    custodian: Custodian

    def applications(self, stores: Stores) -> Applications:
        """Return the applications of the directory, over stores to read from or to change in."""
        return Applications(stores.identity, stores.keyring, self.custodian)

    async def installation(self) -> Installation:
        """Return what the server began with; CommandFailed when it never started."""
        found = await find_installation(self.storage.read(), self.custodian, real_now())
        if found is None:
            raise CommandFailed("the server has not been started on this data directory yet; run: strongroom serve")
        return found


def on_data(settings: Settings, work: Callable[[Data], Awaitable[T]]) -> T:
    """Open the data directory, run `work` on it and return its result; CommandFailed when there is no data."""
    return run_on(settings, unlock(settings), work)


def unlock(settings: Settings) -> MasterKey:
    """Return the master key of the data directory; CommandFailed when there is none, or its master key is missing.

    Never called within a loop: a person may be asked, whose first Ctrl-C a loop would keep to itself.
    """
    if schema_version(settings.data_dir) is None:
        raise CommandFailed(f"there is no data in {settings.data_dir}; start the server first: strongroom serve")
    if is_older(settings.data_dir):
        raise CommandFailed(
            f"the data in {settings.data_dir} was written by an older version; stop the server and start it anew, "
            "with this version: it brings the data up to date"
        )
    return find_master_key(settings)


def run_on(settings: Settings, master: MasterKey, work: Callable[[Data], Awaitable[T]]) -> T:
    """Run `work` on the data directory that this master key opens, in a loop of its own, and return its result."""

    async def run() -> T:
        custodian = Custodian(master.key, master.derivation)
        storage = SqliteStorage.open(settings.data_dir, custodian)
        try:
            return await work(Data(settings.data_dir, storage, custodian))
        finally:
            storage.close()

    return asyncio.run(run())
