"""Starts the real command as users start it, and runs commands in the environment that it gives them."""

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".tools"  # the clients that are no Python packages, as scripts/test sets them up
STRONGROOM = str(Path(sys.executable).with_name("strongroom"))
START_SECONDS = 60
STOP_SECONDS = 30
COMMAND_SECONDS = 120
READY = "Strongroom "
# What a server or a client would take from the surroundings of the tests.
SURROUNDINGS = ("STRONGROOM_", "AZURE_", "ARM_", "COVERAGE_PROCESS_")
"""What a server or a client reacts to begins so. A server that is measured is not the one that users run: it takes
twice the time, and what is covered is covered by the tests that call it.
"""
NAMES = {
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
}


class StartFailed(Exception):
    """The server ended before it answered. code: its exit code; errors: what it wrote to standard error."""

    def __init__(self, code, output, errors):
        super().__init__(f"exit code {code}: {errors or output}")
        self.code = code
        self.output = output
        self.errors = errors


@dataclass
class Server:
    """A server under way. connection: the object of its connection file. banner: what it wrote when it answered."""

    process: subprocess.Popen
    data_dir: Path
    connection_file: Path
    error_file: Path
    environ: dict
    banner: str = ""

    @property
    def connection(self):
        return json.loads(self.connection_file.read_text())

    @property
    def errors(self):
        return self.error_file.read_text()

    def strongroom(self, *arguments, check=True, **kwargs):
        """Run a command of `strongroom` on this server's data directory."""
        command, *rest = arguments
        first = [STRONGROOM, command, *rest]
        environ = self.environ | {"STRONGROOM_DATA_DIR": str(self.data_dir)} | kwargs.pop("environ", {})
        return execute(first, environ, check=check, **kwargs)

    def run(self, *command, check=True, **kwargs):
        """Run a client's command through `strongroom run`."""
        return self.strongroom("run", "--", *command, check=check, **kwargs)

    def client_environ(self):
        """Return what `strongroom env` prints: variables to set, None for those to take away."""
        return json.loads(self.strongroom("env", "--format", "json").stdout)

    def stop(self, number=signal.SIGTERM):
        """End the server; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(STOP_SECONDS)
        finally:
            self.process.kill()
            self._keep_output()

    def _keep_output(self):
        """Keep what it wrote to standard output, beside what it wrote to standard error: both are searched."""
        if not self.process.stdout.closed:
            with self.error_file.with_name("output.log").open("a") as file:
                file.write(self.banner + self.process.stdout.read())
            self.process.stdout.close()


def plain_environ(home):
    """Return this process's environment without anything that a server or a client would react to."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.upper() not in NAMES and not name.startswith(SURROUNDINGS)
    }
    return kept | {"HOME": str(home), "PATH": f"{TOOLS / 'bin'}{os.pathsep}{os.environ['PATH']}"}


def execute(command, environ, *, check=True, stdin="", seconds=COMMAND_SECONDS):
    """Run a command to its end; AssertionError with all that it wrote when it fails and `check` is set."""
    done = subprocess.run(
        command, env=environ, input=stdin, capture_output=True, text=True, timeout=seconds, check=False
    )
    if check and done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def start_server(folder, *flags, environ=None, data_dir=None, within=()):
    """Start a server and wait until it answers; StartFailed when it ends before.

    within: what the command begins with, to run somewhere else as the same process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data_dir = data_dir or folder / "data"
    environ = plain_environ(folder) | (environ or {})
    connection_file, error_file = folder / "connection.json", folder / "errors.log"
    ports = [] if {"--port"} & set(flags) else ["--port", "0"]
    ports += [] if {"--proxy-port", "--no-proxy"} & set(flags) else ["--proxy-port", "0"]
    command = [
        *within, STRONGROOM, "serve", "--data-dir", str(data_dir), "--connection-file", str(connection_file),
        *ports, *flags,
    ]  # fmt: skip
    with error_file.open("w") as errors:
        process = subprocess.Popen(
            command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    server = Server(process, data_dir, connection_file, error_file, environ)
    server.banner = _read_banner(process)
    if not server.banner.startswith(READY):
        code = process.wait(STOP_SECONDS)
        process.stdout.close()
        raise StartFailed(code, server.banner, error_file.read_text())
    return server


def _read_banner(process):
    """Return the lines that the server writes when it answers; they end with an empty one."""
    alarm = threading.Timer(START_SECONDS, process.kill)
    alarm.start()
    lines = []
    try:
        for line in process.stdout:
            if not line.strip():
                break
            lines.append(line)
    finally:
        alarm.cancel()
    return "".join(lines)
