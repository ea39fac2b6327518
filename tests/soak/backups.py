"""Backups and restores under load, many of them killed, each archive judged by what the clients wrote down."""

import shutil
import signal
import subprocess
import time
from collections import Counter
from copy import copy
from dataclasses import dataclass, field
from types import SimpleNamespace

from clients.harness import STRONGROOM, execute
from soak import kills
from soak.oracle import compare

LONGEST_SECONDS = 1.2
"""A kill falls within so many seconds, which is about as long as either command takes."""
ATTEMPTS = 5
"""How often one command is killed at most before it is let through."""


@dataclass
class Report:
    """What a run did. killed: commands that were; judged: archives; checked: answers that had to be in one of them."""

    killed: Counter = field(default_factory=Counter)
    judged: int = 0
    checked: int = 0
    unanswered: Counter = field(default_factory=Counter)
    wrong: list = field(default_factory=list)

    def words(self):
        """Return the report in words."""
        counted = [f"{self.killed[what]} of {what}" for what in ("backup", "restore")]
        lines = [
            f"{self.judged} archives were restored and judged; killed on the way: {', '.join(counted)}",
            f"{self.checked} answers from before an archive was begun were in it, each with its record",
            f"of later requests {self.unanswered['done']} were in it whole and {self.unanswered['undone']} not at all",
        ]
        lines += [f"WRONG: {text}" for text in self.wrong[:20]]
        lines.append("nothing was lost" if not self.wrong else f"{len(self.wrong)} things are wrong")
        return "\n".join(lines)


class Run(kills.Run):
    """A server under load that is backed up again and again."""

    def play(self, archives):
        """Take and judge so many archives; return the report."""
        report = Report()
        for client in self._clients:
            client.start()
        try:
            while report.judged < archives and not self.journal.faults and not report.wrong:
                self._wait()
                self._play_one_archive(report)
                self._say(f"{report.judged} of {archives} archives, {len(self.journal.entries)} requests")
        finally:
            self._end()
        report.wrong += self.journal.faults
        return report

    def _play_one_archive(self, report):
        """Back up and restore, both killed some times, and compare what came out with the journal."""
        archive, place = self._folder / "archive", self._folder / "restored"
        where = ["--data-dir", str(self.server.data_dir)]
        begun = self._insist(report, "backup", [str(archive), *where], archive.exists)
        key = place.with_name("restored-key")
        shutil.copytree(self.server.data_dir.with_name("data-key"), key)
        self._insist(report, "restore", [str(archive), "--data-dir", str(place)], lambda: is_taken(self.server, place))
        self._judge_archive(report, place, begun)
        for folder in (place, key):
            shutil.rmtree(folder)
        archive.unlink()

    def _insist(self, report, what, arguments, is_done):
        """Run a command, killed some times, until it is done; return when the run that did it was begun.

        One that was killed at its very end may have done it: then what is there must be whole, and is judged as such.
        """
        for _ in range(self._random.randrange(ATTEMPTS)):
            begun, code = time.monotonic(), self._run_or_kill([what, *arguments])
            report.killed[what] += code == -signal.SIGKILL
            if code == 0 or is_done():
                return begun
        begun = time.monotonic()
        execute([STRONGROOM, what, *arguments], self.server.environ)
        return begun

    def _run_or_kill(self, arguments):
        process = subprocess.Popen(
            [STRONGROOM, *arguments], env=self.server.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            return process.wait(self._random.uniform(0, LONGEST_SECONDS))
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def _judge_archive(self, report, place, begun):
        """Compare a restored directory with the journal as it was when its archive was begun.

        What was answered later, or not at all, may be in it or not, but whole, with its record, or not at all.
        """
        entries = [as_of(begun, entry) for entry in list(self.journal.entries)]
        restored = SimpleNamespace(data_dir=place, environ=self.server.environ)
        wrong, ends = compare(restored, SimpleNamespace(entries=entries, faults=[]))
        looked = execute(
            [STRONGROOM, "doctor", "--data-dir", str(place), "--port", "0"], self.server.environ, check=False
        )
        if looked.returncode:
            wrong.append(f"the doctor of what was restored: {looked.stdout}")
        report.wrong += wrong
        report.unanswered += ends
        report.checked += sum(entry.status is not None for entry in entries)
        report.judged += 1


def as_of(moment, entry):
    """Return an entry as it stood at a moment."""
    if entry.ended is not None and entry.ended <= moment:
        return entry
    earlier = copy(entry)
    earlier.status = earlier.ended = None
    return earlier


def is_taken(server, place):
    """Answer whether a directory is taken for whole; what a killed restore left is not."""
    done = execute([STRONGROOM, "logs", "--data-dir", str(place)], server.environ, check=False)
    assert done.returncode == 0 or "has not finished" in done.stderr or "there is no data" in done.stderr, done.stderr
    return done.returncode == 0
