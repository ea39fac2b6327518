"""What a worker's memory is at rest, and whether it stays flat under load that always names something new."""

import re
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from clients.acts import SecretActs, VaultActs
from clients.processes import children
from soak.clients import Client
from soak.journal import Journal

IDLE_LIMIT = 90.0
"""MiB of resident memory (RSS) of a worker that has answered one request."""
FLAT_LIMIT = 8.0
"""MiB by which the trend of a worker's RSS may rise in ten minutes."""
WARMING = 0.5
"""The part of a run in which caches fill: a mixed load takes minutes to name so much that is new."""
TEN_MINUTES = 600
SECRET_CLIENTS = 6


@dataclass
class Course:
    """A worker's RSS in MiB over a run, at seconds since its beginning."""

    seconds: list = field(default_factory=list)
    rss: list = field(default_factory=list)

    @property
    def rise(self):
        """MiB in ten minutes, by the line that fits best what came after the caches had filled."""
        begun = self.seconds[-1] * WARMING
        points = [(at, rss) for at, rss in zip(self.seconds, self.rss, strict=True) if at >= begun]
        mean_at = sum(at for at, _ in points) / len(points)
        mean_rss = sum(rss for _, rss in points) / len(points)
        spread = sum((at - mean_at) ** 2 for at, _ in points)
        return sum((at - mean_at) * (rss - mean_rss) for at, rss in points) / spread * TEN_MINUTES


def memory_of(pid):
    """Return RSS and PSS of a process in MiB: all that it has in memory, and its fair share of what it shares."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return tuple(int(re.search(rf"^{name}:\s+(\d+)", rollup, re.MULTILINE).group(1)) / 1024 for name in ("Rss", "Pss"))


def workers_of(direct):
    """Return the processes of a server but for its parent: the workers, and who records for them."""
    return children(direct.facts.pid)


def watch(direct, folder, *, seconds, every, seed, say):
    """Load a server and return {worker's process id: its course}, and how many answers there were."""
    journal = Journal(folder / "memory.jsonl", keep=False)
    acts = [*(SecretActs(direct) for _ in range(SECRET_CLIENTS)), VaultActs(direct)]
    clients = [Client(direct, each, journal, number=n, seed=seed) for n, each in enumerate(acts)]
    courses = {pid: Course() for pid in workers_of(direct)}
    begun, over = time.monotonic(), threading.Event()
    for client in clients:
        client.start()
    try:
        while (at := time.monotonic() - begun) < seconds and not journal.faults:
            for pid, course in courses.items():
                course.seconds.append(at)
                course.rss.append(memory_of(pid)[0])
            if len(next(iter(courses.values())).rss) % 12 == 0:
                say(
                    f"{journal.answered} answers; RSS "
                    + ", ".join(f"{c.rss[-1]:.1f}" for c in courses.values())
                    + " MiB"
                )
            over.wait(every)
    finally:
        for client in clients:
            client.end()
        for client in clients:
            client.join(60)
        journal.close()
    assert not journal.faults, journal.faults
    return courses, journal.answered
