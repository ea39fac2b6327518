"""Starts `supervised.py` and hears what it tells: for the tests of the supervisor."""

import contextlib
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
from pathlib import Path

SCRIPT = Path(__file__).parent / "supervised.py"
SECONDS = 30


class Supervised:
    """A started server. Its workers share its output, which therefore ends when the last process does."""

    def __init__(self, folder, **asked):
        asked = json.dumps({"trust": str(folder), **asked})
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", str(SCRIPT), asked],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines = []
        self.watchdog = threading.Timer(2 * SECONDS, self.kill)
        self.watchdog.start()

    def told(self, name):
        """Return the next thing told under a name."""
        for line in self.process.stdout:
            self.lines.append(line)
            if line.startswith("{") and name in json.loads(line):
                return json.loads(line)
        raise AssertionError(f"nothing told of {name}: {self.lines}")

    def wait_ready(self):
        ready = self.told("port")
        self.port, self.proxy, self.pid = ready["port"], ready["proxy"], ready["pid"]
        self.context = ssl.create_default_context(cafile=ready["ca"])
        return self

    def rest(self):
        """Return all output up to the end of the last process, and the exit code of the first."""
        self.lines += self.process.stdout.readlines()
        return "".join(self.lines), self.process.wait(SECONDS)

    def ask(self, path="/"):
        connection = self.open(path)
        with contextlib.closing(connection):
            return connection.getresponse().read().decode()

    def open(self, path):
        connection = http.client.HTTPSConnection("localhost", self.port, context=self.context, timeout=SECONDS)
        connection.request("GET", path)
        return connection

    def worker_pids(self, count):
        """Ask until so many workers have answered."""
        seen = set()
        while len(seen) < count:
            seen.add(int(self.ask()))
        return seen

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def end(self):
        self.watchdog.cancel()
        self.kill()
        self.process.stdout.close()
        self.process.wait(SECONDS)
