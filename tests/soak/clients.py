"""Clients that never rest: each writes and reads things of its own and knows what every answer must be.

A name whose writing was broken off is left alone from then on: its life then has one open end at most.
"""

import random
import ssl
import threading
import time
from http.client import HTTPException

from key_proofs import ALGORITHMS
from lives import BROUGHT, FREE, OUTCOMES, Act

NAMES = {"secrets": 5, "keys": 2, "vaults": 5}
"""How many things a client has at a time: keys are slower, and a name must live for a while to meet every act."""
UNRECORDED = 503
LONGEST_LIFE = 20
RECONNECT_SECONDS = 60
RETRY_SECONDS = 0.01
SECRET_WEIGHTS = {
    "set": 40, "get": 16, "update": 12, "versions": 4, "delete": 9, "get-deleted": 3, "recover": 8, "purge": 4,
    "knock": 4,
}  # fmt: skip
KEY_WEIGHTS = {
    "create": 22, "import": 12, "rotate": 16, "sign": 16, "update": 10, "get": 6, "versions": 3, "delete": 9,
    "get-deleted": 3, "recover": 8, "purge": 5, "knock": 3,
}  # fmt: skip
VAULT_WEIGHTS = {"put": 25, "patch": 30, "get": 15, "delete": 12, "get-deleted": 4, "recover": 9, "purge": 5}
WEIGHTS = {"secrets": SECRET_WEIGHTS, "keys": KEY_WEIGHTS, "vaults": VAULT_WEIGHTS}
LAST_ACTS = {
    "secrets": (("kept", "set"), ("kept", "set"), ("kept", "get"), ("gone", "set"), ("gone", "delete")),
    "keys": (("kept", "create"), ("kept", "rotate"), ("gone", "create"), ("gone", "delete")),
    "vaults": (("kept", "put"),),
}
"""What every client does at the end, whatever chance did before: so whoever looks for such a thing finds it."""
KEY_KINDS = dict(zip(ALGORITHMS, (6, 2, 1, 2), strict=True))
"""How often a key is of each kind: those that take long to make are rarer."""


class Client(threading.Thread):
    """One kept connection, opened anew when it breaks. acts: `clients.acts`; number: tells clients apart."""

    def __init__(self, direct, acts, journal, *, number, seed):
        super().__init__(name=f"client-{number}", daemon=True)
        self._direct, self._acts, self._journal = direct, acts, journal
        self._random = random.Random(f"{seed}/{number}")
        self._weights = WEIGHTS[acts.kind]
        self._outcome = OUTCOMES[acts.kind]
        self._prefix = f"s{number}x{self._random.randrange(16**6):06x}n"
        self._count = 0
        self._lives = {}
        self._connection = None
        self._ended = threading.Event()

    @property
    def port(self):
        """The client's port of its connection, None while it has none."""
        try:
            return self._connection.sock.getsockname()[1]
        except (AttributeError, OSError):
            return None

    def end(self):
        self._ended.set()

    def run(self):
        try:
            while not self._ended.is_set():
                self._play(*self._choose())
            for suffix, kind in LAST_ACTS[self._acts.kind]:
                self._play(*self._act_on(f"{self._prefix}-{suffix}", kind))
        except Exception as error:  # noqa: BLE001 - a client that stops in silence would show nothing
            self._journal.fault(f"{self.name} stopped: {error!r}")
        if self._connection:
            self._connection.close()

    def _play(self, name, act):
        """Do one act and compare its answer with what it must be."""
        self._connect()
        entry, answer = self._ask(name, act)
        if act.kind == "knock":
            expected, after = (401, None), self._lives[name]
        else:
            expected, after = self._outcome(self._lives[name], act)
        if answer is None:
            if entry.is_write:
                del self._lives[name]
            return
        told = self._acts.told(act, answer)
        key = answer.json.get("key") if self._acts.kind == "keys" and answer.status == 200 else None
        self._journal.answer(entry, answer.status, told, key)
        if answer.status == UNRECORDED:  # so it was not done
            return
        if told != expected:
            self._journal.fault(f"{entry.ident} {act} of {name}: told {told}, expected {expected}: {answer}")
        self._lives[name] = after
        if len(after.versions) >= LONGEST_LIFE:
            del self._lives[name]

    def _choose(self):
        while len(self._lives) < NAMES[self._acts.kind]:
            self._count += 1
            self._lives[f"{self._prefix}{self._count}"] = FREE
        (kind,) = self._random.choices(list(self._weights), list(self._weights.values()))
        return self._act_on(self._random.choice(list(self._lives)), kind)

    def _act_on(self, name, kind):
        self._count += 1
        self._lives.setdefault(name, FREE)
        return name, Act(kind, value=self._value(kind, name), mark=f"{self._prefix}{self._count}")

    def _value(self, kind, name):
        """Return what is written; of a key, which kind it is to be, and for a signature which kind it is."""
        if self._acts.kind != "keys":
            return f"value {self._prefix}{self._count}"
        life = self._lives[name]
        if kind == "sign" and life.versions:
            return life.newest[0]
        (value,) = self._random.choices(list(KEY_KINDS), list(KEY_KINDS.values()))
        return BROUGHT + value if kind == "import" else value

    def _ask(self, name, act):
        """Return the journal's entry and the answer, None when the connection broke."""
        method, path, body = self._acts.request(act, name)
        token = None if act.kind == "knock" else self._acts.token
        ident = f"{self._prefix}-{self._count}"
        entry = self._journal.intend(ident, self._acts.kind, name, act)
        try:
            headers = {"x-ms-client-request-id": ident}
            return entry, self._connection.ask(method, path, token=token, body=body, headers=headers)
        except (OSError, HTTPException) as error:
            self._journal.break_off(entry, repr(error))
            self._connection.close()
            self._connection = None
            return entry, None

    def _connect(self):
        """Be connected, however long that takes a server that was killed."""
        deadline = time.monotonic() + RECONNECT_SECONDS
        while self._connection is None:
            connection = self._direct.open(self._acts.url)
            try:
                connection.connect()
            except (OSError, ssl.SSLError):
                connection.close()
                assert time.monotonic() < deadline, "no connection to be had"
                time.sleep(RETRY_SECONDS)
            else:
                self._connection = connection
