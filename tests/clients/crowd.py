"""Many kept connections to one vault, so many on every worker, that ask while something is taken away from them."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from clients.direct import DATA_VERSION
from clients.harness import STOP_SECONDS
from clients.processes import holders

WORKERS = 2
HELD_BY_EACH = 8
MOST_CONNECTIONS = 400
ASKING_EACH = 3
MORE_REQUESTS = 25
PATH = f"/secrets/any?api-version={DATA_VERSION}"


@dataclass
class Seen:
    """What one connection met. worker: the process id of who holds it.

    before, after: statuses of requests that began before the change was answered, and after. first_refusal: seconds
    from the answer to the first refusal of a request that began after it.
    """

    worker: int
    before: list = field(default_factory=list)
    after: list = field(default_factory=list)
    first_refusal: float | None = None


class Crowd:
    """Connections to one vault, kept alive, at least `HELD_BY_EACH` on each worker; all of them hold one token."""

    def __init__(self, direct, server, url, token):
        self.token = token
        self.connections = []
        self._held = {}
        self._server = server
        while len(self._held) < WORKERS or min(map(len, self._held.values())) < HELD_BY_EACH:
            assert len(self.connections) < MOST_CONNECTIONS, self._held
            self.connections += [direct.open(url) for _ in range(HELD_BY_EACH)]
            for connection in self.connections[-HELD_BY_EACH:]:
                connection.ask("GET", PATH, token=token)
            self._held = holders(server.process.pid, [port_of(each) for each in self.connections])

    def ask(self, path=PATH):
        """Send the next request of every connection, then read what each was answered."""
        for connection in self.connections:
            connection.send_request("GET", path, token=self.token)
        return [connection.read() for connection in self.connections]

    def outcomes(self):
        """Return what the connections' next requests met: pairs of status and inner, else outer, code."""
        return {outcome(answer) for answer in self.ask()}

    def ask_around(self, change):
        """Ask without end, of every worker, make a change, ask on; return what each connection met."""
        asking = [(pid, each) for pid, ports in self._held.items() for each in self._with(ports)[:ASKING_EACH]]
        answered, warm = threading.Event(), threading.Barrier(len(asking) + 1)
        moment = []

        def ask(pid, connection):
            seen = Seen(pid, [connection.ask("GET", PATH, token=self.token).status])
            warm.wait(STOP_SECONDS)
            while len(seen.after) < MORE_REQUESTS:
                met = seen.after if answered.is_set() else seen.before
                met.append(connection.ask("GET", PATH, token=self.token).status)
                if met is seen.after and met[-1] != 200 and seen.first_refusal is None:
                    seen.first_refusal = time.monotonic() - moment[0]
            return seen

        with ThreadPoolExecutor(len(asking)) as pool:
            under_way = [pool.submit(ask, *each) for each in asking]
            warm.wait(STOP_SECONDS)
            try:
                change()
            finally:
                moment.append(time.monotonic())
                answered.set()
        return [each.result() for each in under_way]

    def close(self):
        for connection in self.connections:
            connection.close()

    def _with(self, ports):
        return [each for each in self.connections if port_of(each) in ports]


def port_of(connection):
    return connection.sock.getsockname()[1]


def outcome(answer):
    if answer.status == 200:
        return 200, ""
    error = answer.error
    return answer.status, error.get("innererror", error)["code"]
