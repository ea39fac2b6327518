"""A disk that fails again and again, in every way, under load; the clients' journals judge."""

import errno
import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import product

from clients.harness import start_server
from faults.disks import READS_TOO, SYNCS_ONLY, WRITES, failing_disk
from faults.load import Load

ERRORS = (errno.EIO, errno.ENOSPC, errno.EROFS)
PARTS = ("/data/", "audit.db", "strongroom.db", "-wal", "/journals/")
FAILURES = tuple(product(ERRORS, PARTS, (WRITES, READS_TOO, SYNCS_ONLY)))
CLIENTS = 6
SERVED, REFUSED = (5, 60), (1, 20)
"""Requests from one failure to the next, and during one."""


@dataclass(slots=True)
class Report:
    """What a run met: failures by error and place, answers by status, None for those refused with 503."""

    failures: Counter = field(default_factory=Counter)
    answers: Counter = field(default_factory=Counter)

    def words(self):
        refused = self.answers[None]
        met = ", ".join(f"{count} × {what}" for what, count in sorted(self.failures.items()))
        return f"{self.answers.total() - refused} requests answered, {refused} refused; the disk failed: {met}"


def play(folder, count, seed, say):
    """Let the disk fail so many times; AssertionError when something was lost, half made or denied by its record."""
    chosen, report = random.Random(seed), Report()
    disk = failing_disk(folder / "failing")
    server = start_server(folder / "server", "--dev", "--no-proxy", "--workers", "2", environ=disk.environ)
    load = Load(server, folder, clients=CLIENTS, seed=seed)
    try:
        with load:
            for number in range(1, count + 1):
                load.serve(chosen.randint(*SERVED))
                error, part, kind = chosen.choice(FAILURES)
                report.failures[f"{errno.errorcode[error]} at {part}"] += 1
                disk.fail(error, part, kind)
                load.refuse(chosen.randint(*REFUSED))
                disk.mend()
                if number % 10 == 0:
                    say(f"{number} of {count} failures")
            load.serve(SERVED[1])
        report.answers = load.judge()
    finally:
        server.stop()
    return report
