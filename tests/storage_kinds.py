"""Every kind of storage that the conformance suite runs on, and scenes that it plays in other processes."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from storage_doubles import CUSTODIAN, a_data_directory, a_record
from strongroom.audit.log import FIRST_LINK, find_break, whole_chain
from strongroom.storage.history import find_discrepancies
from strongroom.storage.marks import NEWEST
from strongroom.storage.sqlite import SqliteStorage

COUNTER_ROUNDS = 10


class Sqlite:
    """A place that SQLite storages open, several at once if need be. A kind is whatever has these methods."""

    def __init__(self, place):
        self.place = place
        self._opened = []

    @classmethod
    def make(cls, place):
        return cls(a_data_directory(place))

    def open(self):
        self._opened.append(SqliteStorage.open(self.place, CUSTODIAN))
        return self._opened[-1]

    def close(self):
        """Close what is open, as a server does that stops; every row is then as its last record noted it."""
        while self._opened:
            self._opened.pop().close()
        assert list(find_discrepancies(self.place)) == []


KINDS = {"sqlite": Sqlite}


def counting(record=None):
    """Return work that adds one to a fact, from what it reads in its own transaction."""

    async def work(stores):
        count = int(await stores.facts.get("counter") or b"0") + 1
        await stores.facts.put("counter", b"%d" % count)
        return count, record or a_record(operationName="change")

    return work


async def count_of(storage):
    return int(await storage.read().facts.get("counter") or b"0")


def is_whole(storage):
    """Answer whether the chain of records is as it was written, from its first record to the one that is marked."""
    entries = list(whole_chain(storage.records))
    kept = storage.mark(NEWEST)
    reached = {entry.sequence: entry.link for entry in entries} | {0: FIRST_LINK}
    return find_break(storage.chain(), entries) is None and reached.get(kept.sequence) == kept.link


def play_elsewhere(kind, scene):
    """Start a scene in another process on the place of `kind`."""
    name = next(name for name, each in KINDS.items() if isinstance(kind, each))
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    return subprocess.Popen(
        [sys.executable, "-m", "storage_kinds", name, str(kind.place), scene.__name__],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
    )


async def count(storage):
    """Ten times: three changes and a record at once."""
    for _ in range(COUNTER_ROUNDS):
        await asyncio.gather(*[storage.change(counting()) for _ in range(3)], storage.record(a_record()))


async def crash(storage):
    """Answer a change and be killed before its record leaves the outbox."""
    storage._records.submit = lambda _: asyncio.get_running_loop().create_future()
    await storage.change(counting(a_record(7)))
    os.kill(os.getpid(), signal.SIGKILL)


async def journal(storage):
    """Change and record without end; write out the count of every change when it is answered."""
    while True:
        for done in asyncio.as_completed([storage.change(counting()) for _ in range(5)]):
            sys.stdout.write(f"{await done}\n")
            sys.stdout.flush()
        await storage.record(a_record())


async def _play(name, place, scene):
    kind = KINDS[name](Path(place))
    await globals()[scene](kind.open())
    kind.close()


if __name__ == "__main__":
    asyncio.run(_play(*sys.argv[1:]))
