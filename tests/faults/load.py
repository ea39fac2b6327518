"""Clients that go on whatever the disk does: a 503 is no answer, and must have changed nothing and left no record."""

import json
import time
from collections import Counter
from types import SimpleNamespace

from clients.acts import SecretActs
from clients.direct import Direct, on_server_data
from soak.clients import Client
from soak.journal import Journal
from soak.oracle import compare
from strongroom.audit.log import whole_chain

PATIENCE_SECONDS = 60
POLL_SECONDS = 0.02


class PatientClient(Client):
    """A client that takes a 503 for what it says: nothing was changed."""

    def _ask(self, name, act):
        entry, answer = super()._ask(name, act)
        if answer is not None and answer.status == 503:
            self._journal.break_off(entry, "503")
            self._journal.refused[entry.ident] = entry
            self._ended.wait(0.01)
            return entry, None
        return entry, answer


class Load:
    """Clients at work on the rehearsal vault of a server, and what they may find out in the end."""

    def __init__(self, server, folder, *, clients=3, seed=1):
        self.server = server
        self.journal = Journal(folder / "journal.jsonl")
        self.journal.refused = {}
        self.direct = Direct(SimpleNamespace(**server.connection))
        acts = SecretActs(self.direct)
        self._clients = [
            PatientClient(self.direct, acts, self.journal, number=number, seed=seed) for number in range(clients)
        ]

    def __enter__(self):
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_):
        for client in self._clients:
            client.end()
        for client in self._clients:
            client.join(PATIENCE_SECONDS)
        self.direct.close()

    def serve(self, count):
        """Wait until so many more requests were served."""
        self.journal.wait_for_answers(count, PATIENCE_SECONDS)

    def refuse(self, count):
        """Wait until so many more requests were refused with 503."""
        due = len(self.journal.refused) + count
        wait_until(lambda: len(self.journal.refused) >= due)

    def judge(self):
        """Stop the server; AssertionError unless all that was answered is kept, and all that was refused is not."""
        assert self.server.stop() == 0, self.server.errors[-3000:]
        self.journal.close()
        refused = self.journal.refused
        answered = [entry for entry in self.journal.entries if entry.ident not in refused]
        wrong, ends = compare(self.server, SimpleNamespace(entries=answered, faults=self.journal.faults))
        unknown = [line for line in wrong if line.rpartition(": ")[2] in refused]  # the oracle was not told of these
        wrong = [line for line in wrong if line not in unknown]
        wrong += on_server_data(self.server, lambda data: _records_that_deny(data, refused))
        assert wrong == [], "\n".join(wrong[:6])
        assert not ends["done"], "a request had neither an answer nor a refusal, and was done"
        errors = self.server.errors
        assert "Traceback" not in errors, errors[errors.find("Traceback") - 300 :][:3000]
        return Counter(entry.status for entry in self.journal.entries)


async def _records_that_deny(data, refused):
    """Return what records say of requests that were answered 503: nothing, unless that."""
    found = (json.loads(entry.record.body) for entry in whole_chain(data.storage.records))
    told = [(each["correlationId"], each["properties"]["httpStatusCode"]) for each in found if each["correlationId"]]
    return [
        f"{ident} was answered 503 and recorded {status}"
        for ident, status in told
        if ident in refused and status != 503
    ]


def wait_until(holds):
    """Wait until something holds; AssertionError when it never does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(POLL_SECONDS)
