"""Every kind of storage that the conformance suite runs on, and scenes that it plays in other processes."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import structlog

from journal_doubles import SEAL
from storage_doubles import CUSTODIAN, a_data_directory, a_record, discrepancies, find_break
from strongroom.audit.log import FIRST_LINK, whole_chain
from strongroom.meters import CommitMeter, Meters
from strongroom.storage.courier import Courier
from strongroom.storage.journal import Journal
from strongroom.storage.marks import NEWEST
from strongroom.storage.notices import listen
from strongroom.storage.recorder import Recorder
from strongroom.storage.sqlite import SqliteStorage, open_keeper

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
        self._opened.append(SqliteStorage.open(self.place, CUSTODIAN, recording=self._recording()))
        return self._opened[-1]

    @property
    def serves(self):
        """Whether other processes are to use what this one has beside the storage."""
        return False

    def serve(self):
        """Have beside the storage what a server has beside its workers."""

    def _recording(self):
        return None  # a thread of its own, as a command has it

    def close(self):
        """Close what is open, as a server does that stops; every row is then as its last record noted it."""
        while self._opened:
            self._opened.pop().close()
        assert discrepancies(self.place) == []


class SqliteWithRecorder(Sqlite):
    """The same as a server has it: a process of its own makes the records of all storages durable.

    joins: another process has started it. A place has one: who begins a second one takes the others' from them.
    """

    def __init__(self, place, *, joins=False):
        super().__init__(place)
        self._joins = joins
        self.recorder = None

    @property
    def serves(self):
        return self.recorder is not None

    def serve(self):
        if self.recorder is None and not self._joins:
            self.recorder = RecorderProcess(self.place)

    def _recording(self):
        self.serve()
        return partial(Courier, self.place)

    def close(self):
        super().close()
        if self.recorder is not None:
            self.recorder.end()
        self.recorder = None


class RecorderProcess:
    """A recorder beside the tests. Its socket stays while it is replaced, as it does in a server."""

    def __init__(self, place):
        self._place = place
        self.listener = listen(place)
        self._lifeline, self._held = os.pipe()
        self.process = None
        self.start()

    def start(self):
        """Start the recorder, and wait until it is there: on a busy machine that takes longer than a request waits."""
        handles = (self.listener.fileno(), self._lifeline)
        self.process = play("record", self._place, *map(str, handles), pass_fds=handles)
        self.process.stdout.readline()

    def end(self):
        """Let it end as a server's does: the server is gone, and so are the workers."""
        os.close(self._held)
        os.close(self._lifeline)
        self.listener.close()
        assert self.process.wait() in {0, -signal.SIGKILL}
        self.process.stdout.close()

    def kill(self):
        """Kill it, as a crash would."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def record(place, listener, lifeline):
    """Be a recorder."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # nobody reads the pipe to its end
    place = Path(place)
    keeper = open_keeper(place, CUSTODIAN)
    meter = CommitMeter(Meters({}), "records")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    Recorder(socket.socket(fileno=int(listener)), keeper, int(lifeline), meter, lambda: None).run()
    keeper.close()


def make_journals(place):
    """Make journals, write out the id of what each holds, let go of all but the last, and be killed."""
    for number in range(20):
        journal = Journal(Path(place), SEAL)
        record = a_record()
        assert journal.path.exists()
        journal.write([record])
        sys.stdout.write(f"{record.record_id.hex()}\n")
        sys.stdout.flush()
        if number < 19:
            journal.close()
    os.kill(os.getpid(), signal.SIGKILL)


KINDS = {"sqlite": Sqlite, "sqlite with a recorder": SqliteWithRecorder}


def counting(record=None):
    """Return work that adds one to a fact, from what it reads in its own transaction."""

    async def work(stores):
        count = int(await stores.facts.get("counter") or b"0") + 1
        await stores.facts.put("counter", b"%d" % count)
        return count, record or a_record(operationName="change")

    return work


async def count_of(storage):
    return int(await storage.read().facts.get("counter") or b"0")


async def reach_the_log(storage):
    """Wait until all that is durable is in the log: what a worker has kept the recorder takes a moment later."""
    while storage.records.pending():  # noqa: ASYNC110 - another process ends it
        await asyncio.sleep(0.001)


def is_whole(storage):
    """Answer whether the chain of records is as it was written, from its first record to the one that is marked."""
    entries = list(whole_chain(storage.records))
    kept = storage.mark(NEWEST)
    reached = {entry.sequence: entry.link for entry in entries} | {0: FIRST_LINK}
    return find_break(storage.chain(), entries) is None and reached.get(kept.sequence) == kept.link


def play_elsewhere(kind, scene):
    """Start a scene in another process on the place of `kind`, with what that has beside the storage."""
    name = next(name for name, each in KINDS.items() if type(kind) is each)
    return play(name, kind.place, scene.__name__, *(["joins"] if kind.serves else []))


def play(*arguments, **kwargs):
    """Start this module in another process."""
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    return subprocess.Popen(
        [sys.executable, "-m", "storage_kinds", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        **kwargs,
    )


async def count(storage):
    """Ten times: three changes and a record at once."""
    for _ in range(COUNTER_ROUNDS):
        await asyncio.gather(*[storage.change(counting()) for _ in range(3)], storage.record(a_record()))


async def crash(storage):
    """Answer a change and be killed before its record leaves the outbox."""
    storage._recording.submit = lambda _: asyncio.get_running_loop().create_future()
    await storage.change(counting(a_record(7)))
    os.kill(os.getpid(), signal.SIGKILL)


async def journal(storage):
    """Change and record without end; write out the count of every change when it is answered."""
    while True:
        for done in asyncio.as_completed([storage.change(counting()) for _ in range(5)]):
            sys.stdout.write(f"{await done}\n")
            sys.stdout.flush()
        await storage.record(a_record())


async def keep(storage):
    """Record without end, each reported by its id when it is durable; a change now and then."""
    number = 0
    while True:
        records = [a_record(number + each) for each in range(3)]
        number += 3
        waiting = [_reported(storage.record(record), record) for record in records]
        if number % 4 == 0:
            changed = a_record(number, operationName="change")
            waiting.append(_reported(storage.change(counting(changed)), changed))
        await asyncio.gather(*waiting)


async def _reported(durable, record):
    await durable
    sys.stdout.write(f"{record.record_id.hex()}\n")
    sys.stdout.flush()


async def _play(name, place, scene, *said):
    kind = KINDS[name](Path(place), **dict.fromkeys(said, True))
    await globals()[scene](kind.open())
    kind.close()


if __name__ == "__main__":
    if sys.argv[1] in {record.__name__, make_journals.__name__}:
        globals()[sys.argv[1]](*sys.argv[2:])
    else:
        asyncio.run(_play(*sys.argv[1:]))
