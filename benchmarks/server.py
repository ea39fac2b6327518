"""What is measured, started as its users start it, and the requests that prepare a measurement."""

import json
import ssl
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

API = "api-version=7.6"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class Server:
    """A server under measurement: its process, and what its connection file says."""

    process: subprocess.Popen[str]
    facts: dict[str, Any]

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.facts["managementUrl"].rpartition(":")[2].rstrip("/"))


def command(*arguments: str) -> list[str]:
    """Return the command line that starts our own program."""
    return [sys.executable, "-m", "strongroom.cli.main", *arguments]


@contextmanager
def started(folder: Path, workers: int) -> Iterator[tuple[Server, float]]:
    """Start a rehearsal server; give it with the seconds from its start to its first answer."""
    connection = folder / "connection.json"
    connection.unlink(missing_ok=True)
    begun = time.perf_counter()
    process = subprocess.Popen(
        command(
            "serve", "--dev", "--data-dir", str(folder / "data"), "--port", "0", "--no-proxy",
            "--workers", str(workers), "--connection-file", str(connection), "--log-level", "warning",
        ),
        stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        while not connection.exists():
            if process.poll() is not None:
                raise RuntimeError("the server did not start")
            time.sleep(0.005)
        server = Server(process, json.loads(connection.read_text()))
        ask(server, "localhost", "GET", "/health/ready")
        yield server, time.perf_counter() - begun
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def hello_started(workers: int) -> Iterator[tuple[int, int]]:
    """Start the bare hello; give its process id and port."""
    arguments = [sys.executable, str(Path(__file__).with_name("hello.py")), str(workers)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.pid, int(process.stdout.readline())
        finally:
            process.terminate()


def ask(server: Server, host: str, method: str, path: str, body: bytes | None = None, **headers: str) -> Any:
    """Send one request to a host of the server, whatever the machine's resolver thinks of its name."""
    context = ssl.create_default_context(cafile=server.facts["caBundle"])
    context.check_hostname = False
    request = urllib.request.Request(f"https://127.0.0.1:{server.port}{path}", body, headers, method=method)
    request.add_header("Host", host if host == "localhost" else f"{host}:{server.port}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    with opener.open(request) as answer:
        return json.loads(answer.read() or b"null")


def token_path(server: Server) -> str:
    """Return the path of the token endpoint."""
    return f"/{server.facts['tenantId']}/oauth2/v2.0/token"


def token_form(server: Server) -> str:
    """Return the body of a token request of the server's own application."""
    return urllib.parse.urlencode(
        {
            "grant_type": "client_credentials",
            "client_id": server.facts["clientId"],
            "client_secret": server.facts["clientSecret"],
            "scope": f"https://vault.localhost:{server.port}/.default",
        }
    )


def authorization(server: Server) -> dict[str, str]:
    """Return the headers of an authorized request with a JSON body."""
    answer = ask(server, "login.localhost", "POST", token_path(server), token_form(server).encode(), **FORM)
    return {"Authorization": f"Bearer {answer['access_token']}", "Content-Type": "application/json"}
