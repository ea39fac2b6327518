"""What clients write down: what they are about to ask, then what they were answered. The oracle of every kill."""

import json
import threading
import time
from dataclasses import dataclass

from lives import WRITES, Act


@dataclass(slots=True)
class Entry:
    """One request. ident: its `x-ms-client-request-id`. sent, ended: seconds of the monotonic clock.

    status: what was answered, None when the connection broke before an answer. told: the outcome of the answer.
    key: the public part of a key that the answer told, with its id.
    """

    ident: str
    kind: str
    name: str
    act: Act
    sent: float
    ended: float | None = None
    status: int | None = None
    told: object = None
    key: dict | None = None

    @property
    def is_write(self):
        return self.act.kind in WRITES

    def was_under_way(self, moment):
        """Answer whether it had been asked and not been answered at a moment."""
        return self.sent < moment and (self.ended is None or self.ended > moment)

    @property
    def is_broken(self):
        return self.ended is not None and self.status is None


class Journal:
    """The entries of all clients of a run, in memory and, for whoever looks into a failed run, in a file.

    keep: whether they are kept at all; a run that nobody judges by them only counts.
    """

    def __init__(self, path, *, keep=True):
        self.entries = []
        self._keep = keep
        self.faults = []
        self._file = path.open("w", buffering=1)
        self._changed = threading.Condition()
        self.answered = 0

    def intend(self, ident, kind, name, act):
        """Write down what is about to be asked."""
        with self._changed:
            entry = Entry(ident, kind, name, act, time.monotonic())
            if self._keep:
                self.entries.append(entry)
            self._write("intent", entry, value=act.value, mark=act.mark)
        return entry

    def answer(self, entry, status, told, key=None):
        """Write down an answer."""
        with self._changed:
            entry.ended, entry.status, entry.told, entry.key = time.monotonic(), status, told, key
            self.answered += 1
            self._write("answer", entry, status=status)
            self._changed.notify_all()

    def break_off(self, entry, reason):
        """Write down that there is no answer to come."""
        with self._changed:
            entry.ended = time.monotonic()
            self._write("broken", entry, reason=reason)
            self._changed.notify_all()

    def fault(self, text):
        """Write down an answer that no life of the thing explains."""
        with self._changed:
            self.faults.append(text)
            self._changed.notify_all()

    def wait_for_answers(self, count, seconds):
        """Wait until so many more answers have come and a write is under way; AssertionError when they do not come."""
        with self._changed:
            due = self.answered + count
            come = self._changed.wait_for(lambda: self.answered >= due or self.faults, seconds)
        assert come, f"no {count} answers in {seconds} s: the server does not serve"

    def close(self):
        self._file.close()

    def _write(self, what, entry, **more):
        if not self._keep:
            return
        line = {"what": what, "id": entry.ident, "kind": entry.kind, "name": entry.name, "act": entry.act.kind, **more}
        self._file.write(json.dumps(line) + "\n")


def lives_of(entries):
    """Return {(kind, name): its entries in order}."""
    found = {}
    for entry in entries:
        found.setdefault((entry.kind, entry.name), []).append(entry)
    return found
