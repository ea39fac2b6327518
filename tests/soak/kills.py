"""kill -9 of workers, of the parent and of the whole server under load, judged by what its clients wrote down."""

import random
import signal
import socket
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from types import SimpleNamespace

from clients.acts import KeyActs, SecretActs, VaultActs
from clients.direct import Direct
from clients.harness import start_server
from clients.processes import Watched, children, holders
from soak.clients import UNRECORDED, Client
from soak.journal import Journal
from soak.oracle import compare

WORKERS = 3
SECRET_CLIENTS, KEY_CLIENTS = 6, 4
PATIENCE_SECONDS = 60
ORPHAN_SECONDS = 15
ANSWERS_BETWEEN = (3, 40)
OTHERS = 0.15
WORKER_KILLS_A_LIFE = (3, 6)
"""Of one server: workers that die young are followed ever more slowly, which is right and makes no good test."""


@dataclass
class Report:
    """What a run did. kills: by what was killed; in_flight: those among them that fell while a write was under way."""

    seed: int
    kills: Counter = field(default_factory=Counter)
    in_flight: Counter = field(default_factory=Counter)
    starts: list = field(default_factory=list)
    answers: int = 0
    writes: int = 0
    unrecorded: int = 0
    ends: Counter = field(default_factory=Counter)
    wrong: list = field(default_factory=list)

    def is_enough(self, needed):
        """Answer whether enough kills fell while a write was under way."""
        return self.in_flight.total() >= needed

    def words(self):
        """Return the report in words."""
        kills = ", ".join(f"{count} of {what}" for what, count in sorted(self.kills.items()))
        done, undone = self.ends["done"], self.ends["undone"]
        lines = [
            f"{self.kills.total()} kills ({kills}), {self.in_flight.total()} of them while a write was under way",
            f"{self.answers} answers, {self.writes} of them to writes; {self.unrecorded} were 503: not done",
            f"{done + undone} writes were not answered: {done} had been done whole, {undone} not at all",
            f"{len(self.starts)} starts after a kill, the slowest in {max(self.starts, default=0):.1f} s",
        ]
        lines += [f"WRONG: {text}" for text in self.wrong[:20]]
        lines.append("nothing was lost" if not self.wrong else f"{len(self.wrong)} things are wrong")
        return "\n".join(lines)


class Run:
    """A server that is killed again and again, and its clients. say: hears of progress, one line at a time."""

    def __init__(self, folder, seed, say):
        self._folder, self._say = folder, say
        self._random = random.Random(seed)
        self._flags = ("--dev", "--no-proxy", "--workers", str(WORKERS), "--port", free_port())
        self.server = start_server(folder, *self._flags)
        self.journal = Journal(folder / "journal.jsonl")
        self._moments = []
        self.report = Report(seed)
        directs = [Direct(SimpleNamespace(**self.server.connection)) for _ in range(SECRET_CLIENTS + KEY_CLIENTS + 1)]
        kinds = [SecretActs] * SECRET_CLIENTS + [KeyActs] * KEY_CLIENTS + [VaultActs]
        acts = [kind(direct) for kind, direct in zip(kinds, directs, strict=True)]
        self._clients = [
            Client(direct, each, self.journal, number=number, seed=seed)
            for number, (direct, each) in enumerate(zip(directs, acts, strict=True))
        ]
        for direct in directs:
            direct.close()

    def play(self, kills):
        """Kill so many times, then let the oracle speak; return the report."""
        for client in self._clients:
            client.start()
        try:
            while sum(self.report.kills.values()) < kills and not self.journal.faults:
                self._play_one_life(kills)
        finally:
            self._end()
        self._judge()
        return self.report

    def _play_one_life(self, kills):
        """Kill some workers of the server that is up, then all of it, and start it again."""
        for _ in range(self._random.randint(*WORKER_KILLS_A_LIFE)):
            if sum(self.report.kills.values()) < kills - 1:
                self._wait()
                self._kill_child()
        self._wait()
        self._kill_server(self._random.choice(["parent", "server"]))
        self._start_again()
        self._say(f"{self.report.kills.total()} of {kills} kills, {len(self.journal.entries)} requests")

    def _wait(self):
        self.journal.wait_for_answers(self._random.randint(*ANSWERS_BETWEEN), PATIENCE_SECONDS)

    def _kill_child(self):
        """Kill a worker that clients are connected to; now and then the recorder, which none is connected to."""
        parent = self.server.process.pid
        held = holders(parent, {client.port for client in self._clients})
        others = [pid for pid in children(parent) if pid not in held]
        is_other = bool(others) and self._random.random() < OTHERS
        among = others if is_other else sorted(held)
        if not among:
            return
        victim = Watched([self._random.choice(among)])
        self._note("recorder or idle worker" if is_other else "worker")
        victim.kill()
        victim.wait(ORPHAN_SECONDS)

    def _kill_server(self, what):
        """Kill the parent, or all: the workers of a killed parent end by themselves."""
        workers = children(self.server.process.pid)
        tree = Watched([self.server.process.pid, *workers])
        self._note(what)
        if what == "server":
            tree.kill()
        else:
            self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait(ORPHAN_SECONDS)
        self.server.process.stdout.close()
        self._look_for_alarms()
        self._orphans = tree

    def _note(self, what):
        self.report.kills[what] += 1
        self._moments.append((what, time.monotonic()))

    def _start_again(self):
        begun = time.monotonic()
        self.server = start_server(self._folder, *self._flags)
        self.report.starts.append(time.monotonic() - begun)
        self._orphans.wait(ORPHAN_SECONDS)

    def _look_for_alarms(self):
        errors = self.server.errors
        if "Traceback" in errors or "alarm" in errors:
            self.journal.fault(f"the server told of errors: {errors[-2000:]}")

    def _end(self):
        for client in self._clients:
            client.end()
        for client in self._clients:
            client.join(PATIENCE_SECONDS)
        code = self.server.stop()
        self._look_for_alarms()
        if code != 0:
            self.journal.fault(f"the last server ended with {code}")
        self.journal.close()

    def _judge(self):
        entries = self.journal.entries
        report = self.report
        report.answers = sum(entry.status is not None for entry in entries)
        report.writes = sum(entry.status is not None and entry.is_write for entry in entries)
        report.unrecorded = sum(entry.status == UNRECORDED for entry in entries)
        for what, moment in self._moments:
            report.in_flight[what] += any(fell_on(entry, what, moment) for entry in entries)
        report.wrong, report.ends = compare(self.server, self.journal)


def fell_on(entry, what, moment):
    """Answer whether a kill fell while this write was under way: asked and not answered; a worker's kill broke it."""
    return entry.is_write and entry.was_under_way(moment) and (entry.is_broken or what not in {"worker", "server"})


def free_port():
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        return str(held.getsockname()[1])
