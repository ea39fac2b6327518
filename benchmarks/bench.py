"""What the hot path costs, as ratios of a bare HTTPS hello in the same run. `scripts/bench --help` says how to ask."""

import argparse
import json
import os
import platform
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from load import Load, Result, memory_megabytes, run

ROOT = Path(__file__).parent.parent
API = "api-version=7.6"
BAR, AIM = 0.20, 0.30
SECRETS = 50


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
            "--workers", str(workers), "--connection-file", str(connection),
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
    arguments = [sys.executable, str(ROOT / "benchmarks" / "hello.py"), str(workers)]
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


def loads(server: Server) -> list[tuple[Load, tuple[int, ...]]]:
    """Return what is measured, each with its numbers of connections."""
    base, vault = f"https://127.0.0.1:{server.port}", f"dev.vault.localhost:{server.port}"
    login, tenant = f"login.localhost:{server.port}", server.facts["tenantId"]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    path = f"/{tenant}/oauth2/v2.0/token"
    token = ask(server, "login.localhost", "POST", path, token_form(server).encode(), **form)["access_token"]
    bearer = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    for number in range(SECRETS):
        body = json.dumps({"value": f"value-{number}", "tags": {"app": "bench"}}).encode()
        ask(server, "dev.vault.localhost", "PUT", f"/secrets/bench-{number:03}?{API}", body, **bearer)
    there = (("Host", vault),)
    allowed = (*there, *bearer.items())
    return [
        (Load("secret get", f"{base}/secrets/bench-007?{API}", headers=allowed), (1, 16, 64)),
        (Load("list page", f"{base}/secrets?{API}", headers=allowed), (1, 16, 64)),
        (Load("401 challenge", f"{base}/secrets/bench-007?{API}", headers=there, expects_error=True), (1, 16, 64)),
        (Load("token issue", f"{base}{path}", "POST", (("Host", login), *form.items()), token_form(server)), (1, 16)),
        (Load("secret set", f"{base}/secrets/bench-set?{API}", "PUT", allowed, '{"value":"once more"}'), (1, 16, 64)),
    ]  # fmt: skip


def measure(server: Server, hello: tuple[int, int], seconds: float, repeats: int, scratch: Path) -> list[str]:
    """Measure every load, each right after hello; return the rows of a table, and print them as they come."""
    hello_pid, hello_port = hello
    bare = Load("hello", f"https://127.0.0.1:{hello_port}/", headers=(("Host", "localhost"),))
    rows = [
        "| operation | connections | of hello | requests/s | p50 ms | p99 ms | CPU µs/request (hello) |",
        "|---|---|---|---|---|---|---|",
    ]
    print(*rows, sep="\n", flush=True)
    for load, counts in loads(server):
        for connections in counts:
            pairs = []
            for _ in range(repeats):
                limit = run(bare, connections=connections, seconds=seconds, root_pid=hello_pid, scratch=scratch)
                pairs.append(
                    (
                        run(
                            load, connections=connections, seconds=seconds, root_pid=server.process.pid, scratch=scratch
                        ),
                        limit,
                    )
                )
            rows.append(row(load.name, connections, pairs))
            print(rows[-1], flush=True)
    return rows


def row(name: str, connections: int, pairs: list[tuple[Result, Result]]) -> str:
    """Return the medians of repeated runs as a row."""
    middle = statistics.median
    ratio = middle(mine.rate / limit.rate for mine, limit in pairs)
    mine, limit = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    mark = ""
    if (name, connections) == ("secret get", 64):
        verdict = "above the aim" if ratio >= AIM else "met" if ratio >= BAR else "MISSED"
        mark = f" (bar {BAR:.2f}, aim {AIM:.2f}: {verdict})"
    cpu = f"{middle(r.cpu for r in mine):.0f} ({middle(r.cpu for r in limit):.0f})"
    figures = (
        f"{middle(r.rate for r in mine):.0f} | {middle(r.p50 for r in mine):.2f} | {middle(r.p99 for r in mine):.2f}"
    )
    return f"| {name} | {connections} | {ratio:.2f}{mark} | {figures} | {cpu} |"


def machine() -> str:
    """Return what this was measured on, in one line."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "?",
    )
    return f"{os.cpu_count()} × {model}, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def main() -> None:
    """Measure and print; with --save, write the table into the documents."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short runs: a look, not a measurement")
    parser.add_argument("--workers", type=int, default=2, help="worker processes of both servers (default: 2)")
    parser.add_argument("--save", action="store_true", help="write the result into docs/performance.md")
    options = parser.parse_args()
    seconds, repeats = (1.0, 1) if options.quick else (5.0, 3)
    with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as name:
        folder = Path(name)
        with started(folder, options.workers) as (_, first_start):
            pass
        with started(folder, options.workers) as (server, later_start), hello_started(options.workers) as hello:
            idle = memory_megabytes(server.process.pid)
            rows = measure(server, hello, seconds, repeats, folder)
            loaded = memory_megabytes(server.process.pid)
    closing = [
        "",
        f"Start to first answer: {first_start:.2f} s with an empty data directory, {later_start:.2f} s later.",
        f"Memory of the parent and {options.workers} workers: {idle:.0f} MB idle, {loaded:.0f} MB after the load.",
        f"Machine: {machine()}.",
    ]
    print(*closing, sep="\n")
    if options.save:
        save([*rows, *closing])


def save(lines: list[str]) -> None:
    """Replace the measured part of docs/performance.md."""
    document = ROOT / "docs" / "performance.md"
    head, mark, _ = document.read_text().partition("<!-- measured -->")
    document.write_text(head + mark + "\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
