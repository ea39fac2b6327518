"""Keys that rotate by their policy while whoever rotates them is killed: each once every time that it is due.

What is due is rotated as soon as a worker starts. So the rehearsal clock is advanced, the worker is killed and started
anew, and killed again while some keys are rotated already and others are not. There is one worker: a second one would
take over from one that was killed, but only when it sweeps the next time, within a minute.
"""

import json
import random
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

from clients.direct import DATA_VERSION, Direct, on_server_data
from clients.harness import start_server
from clients.processes import Watched, children
from faults.load import wait_until
from soak.keys import read_key
from soak.oracle import keys_of, what_is_half_made
from storage_kinds import is_whole
from strongroom.audit.log import whole_chain
from strongroom.scheduling.chores import SWEEP_LOCK
from strongroom.scheduling.rotation import OPERATION

PERIOD = timedelta(days=7)
ADVANCE = "8d"
POLICY = {"lifetimeActions": [{"trigger": {"timeAfterCreate": "P7D"}, "action": {"type": "Rotate"}}], "attributes": {}}
KINDS = ({"kty": "EC"}, {"kty": "EC", "crv": "P-384"}, {"kty": "RSA"}, {"kty": "EC", "crv": "P-521"})
VICTIMS = ("sweeper", "server", "parent")
"""Who is killed in turn; the sweeper is the worker that rotates."""
END_SECONDS = 20
COUNT = "SELECT count(*) FROM versions WHERE kind = 'keys'"


@dataclass
class Report:
    """What a run did. cut: kills that fell while some keys of a round were rotated and others were still due."""

    seed: int
    rotations: int = 0
    kills: Counter = field(default_factory=Counter)
    cut: Counter = field(default_factory=Counter)
    wrong: list = field(default_factory=list)

    def words(self):
        """Return the report in words."""
        kills = ", ".join(f"{count} of {what}" for what, count in sorted(self.kills.items()))
        lines = [
            f"{self.rotations} rotations by policy; {self.kills.total()} kills ({kills})",
            f"{self.cut.total()} of them when some of the keys that were due had been rotated and others not",
        ]
        lines += [f"WRONG: {text}" for text in self.wrong[:20]]
        lines.append("each key was rotated once" if not self.wrong else f"{len(self.wrong)} things are wrong")
        return "\n".join(lines)


class Run:
    """A server with keys that are to be rotated. say: hears of progress, one line at a time."""

    def __init__(self, folder, seed, say, *, keys):
        self._folder, self._say = folder, say
        self._random = random.Random(seed)
        self._victims = iter(())
        self.report = Report(seed)
        self._start()
        self._names = [f"policy-{number}" for number in range(keys)]
        direct = Direct(SimpleNamespace(**self.server.connection))
        for number, name in enumerate(self._names):
            self._make(direct, name, KINDS[number % len(KINDS)])
        direct.close()

    def play(self, rounds):
        """Let all keys come due so many times; return the report."""
        for number in range(rounds):
            self._play_round((number + 2) * len(self._names))
            self._say(f"{number + 1} of {rounds} rounds, {self.report.kills.total()} kills")
        if self.server.stop() != 0:
            self.report.wrong.append("the last server did not end in good order")
        self._look_for_alarms()
        self.report.rotations = rounds * len(self._names)
        self.report.wrong += self.faults(rounds)
        return self.report

    def _make(self, direct, name, body):
        for method, path, sent in (("POST", "create", body), ("PUT", "rotationpolicy", POLICY)):
            url = f"{direct.vault_url('dev')}/keys/{name}/{path}?api-version={DATA_VERSION}"
            answer = direct.ask(method, url, token=direct.owner(), body=sent)
            assert answer.status == 200, answer

    def _play_round(self, due):
        """Let the keys come due and kill whoever rotates them, until there are as many versions as are `due`."""
        self.server.strongroom("clock", "advance", ADVANCE)
        self._kill("sweeper")
        for victim in VICTIMS:
            goal = self._count() + self._random.randint(1, max(1, len(self._names) // len(VICTIMS)))
            wait_until(lambda goal=goal: self._count() >= min(goal, due))
            self.report.cut[victim] += due - len(self._names) < self._count() < due
            self._kill(victim)
        wait_until(lambda: self._count() >= due)

    def _kill(self, what):
        """Kill, and start again what does not start by itself."""
        self.report.kills[what] += 1
        parent = self.server.process
        tree = Watched([parent.pid, *children(parent.pid)])
        if what == "sweeper":
            victim = Watched([sweeper(self.server.data_dir)])
            victim.kill()
            victim.wait(END_SECONDS)
            return
        tree.kill() if what == "server" else parent.kill()
        parent.wait(END_SECONDS)
        parent.stdout.close()
        self._look_for_alarms()
        self._start()
        tree.wait(END_SECONDS)

    def _start(self):
        self.server = start_server(self._folder, "--dev", "--no-proxy", "--workers", "1")

    def _count(self):
        with closing(sqlite3.connect(self.server.data_dir / "strongroom.db")) as connection:
            return connection.execute(COUNT).fetchone()[0]

    def _look_for_alarms(self):
        errors = self.server.errors
        if "Traceback" in errors or "alarm" in errors:
            self.report.wrong.append(f"the server told of errors: {errors[-2000:]}")

    def faults(self, rounds):
        """Return what is wrong in the end: a key has a version and a record for every round, and all versions sign."""
        wrong = what_is_half_made(self.server.data_dir)
        records, whole = on_server_data(self.server, _read_rotations)
        if not whole:
            wrong.append("the chain of records is not whole")
        kept, created = on_server_data(self.server, lambda data: _read_keys(data, self._names))
        for name in self._names:
            wrong += kept[name].wrong
            gaps = [later - earlier for earlier, later in zip(created[name], created[name][1:], strict=False)]
            if len(gaps) != rounds or any(gap < PERIOD for gap in gaps):
                wrong.append(f"key {name} came due {rounds} times and has versions of {created[name]}")
            if records[name] != rounds:
                wrong.append(f"key {name} came due {rounds} times and has {records[name]} records of that")
        return wrong


def sweeper(data_dir):
    """Return the process that holds the lock of who sweeps; AssertionError when there is none for long."""
    inode, found = Path(data_dir / SWEEP_LOCK).stat().st_ino, []

    def look():
        rows = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        found[:] = [int(row[4]) for row in rows if row[1] == "FLOCK" and row[5].endswith(f":{inode}")]
        return found

    wait_until(look)
    return found[0]


async def _read_rotations(data):
    """Return how many records tell of a rotation of each key by its policy, and whether the chain is whole."""
    bodies = [json.loads(entry.record.body) for entry in whole_chain(data.storage.records)]
    names = Counter(body["properties"]["key"] for body in bodies if body["operationName"] == OPERATION)
    return names, is_whole(data.storage)


async def _read_keys(data, names):
    """Return what is kept of each key, and when its versions were made."""
    async with keys_of(data) as keys:
        kept = {name: await read_key(keys, name) for name in names}
        created = {
            name: [held.version.created for held in await keys.list_versions(name, None, 10_000)] for name in names
        }
    return kept, created
