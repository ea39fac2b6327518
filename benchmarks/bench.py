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

from commits import commits_per_second, syncs_per_second
from load import Load, Result, memory_megabytes, run

ROOT = Path(__file__).parent.parent
API = "api-version=7.6"
GET, CHALLENGE, SET = "secret get", "401 challenge", "secret set"


@dataclass(frozen=True, slots=True)
class Bar:
    """What a figure of one row must reach, and what is aimed at; `most`: it must not be more, instead of not less."""

    row: tuple[str, int]
    figure: str
    bar: float
    aim: float
    most: bool = False

    def judge(self, found: float) -> str:
        """Return the verdict as one line."""
        better = (lambda a, b: a <= b) if self.most else (lambda a, b: a >= b)
        verdict = "aim reached" if better(found, self.aim) else "met" if better(found, self.bar) else "MISSED"
        sign = "≤" if self.most else "≥"
        name, connections = self.row
        return (
            f"| {name}, {connections} | {self.figure} | {found:.2f} | {sign} {self.bar:g} | {self.aim:g} | {verdict} |"
        )


BARS = (
    Bar((GET, 64), "of hello", 0.30, 0.45),
    Bar((GET, 16), "of hello", 0.20, 0.30),
    Bar((GET, 1), "p50 by hello's", 6, 4, most=True),
    Bar((GET, 64), "p99 by p50", 6, 4, most=True),
    Bar((CHALLENGE, 64), "of hello", 0.30, 0.45),
    Bar((SET, 64), "of bare commits", 0.5, 0.7),
)
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
        (Load(GET, f"{base}/secrets/bench-007?{API}", headers=allowed), (1, 16, 64)),
        (Load("list page", f"{base}/secrets?{API}", headers=allowed), (1, 16, 64)),
        (Load(CHALLENGE, f"{base}/secrets/bench-007?{API}", headers=there, expects_error=True), (1, 16, 64)),
        (Load("token issue", f"{base}{path}", "POST", (("Host", login), *form.items()), token_form(server)), (1, 16)),
        (Load(SET, f"{base}/secrets/bench-set?{API}", "PUT", allowed, '{"value":"once more"}'), (1, 16, 64)),
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One load at one number of connections: medians over the repeats, hello's beside them.

    bare: commits a second of the bare commit thread, for what changes something.
    """

    name: str
    connections: int
    ratio: float
    mine: Result
    hello: Result
    bare: float | None

    @property
    def figures(self) -> dict[str, float]:
        """What bars judge."""
        found = {"of hello": self.ratio, "p50 by hello's": self.mine.p50 / self.hello.p50}
        found["p99 by p50"] = self.mine.p99 / self.mine.p50
        return found if self.bare is None else found | {"of bare commits": self.mine.rate / self.bare}

    def __str__(self) -> str:
        mine, figures = self.mine, self.figures
        bare = f"{figures['of bare commits']:.2f}" if self.bare else ""
        slower = figures["p50 by hello's"]
        return (
            f"| {self.name} | {self.connections} | {self.ratio:.2f} | {bare} | {mine.rate:.0f} | {mine.p50:.2f} "
            f"({slower:.1f}×) | {mine.p99:.2f} | {mine.cpu:.0f} ({self.hello.cpu:.0f}) |"
        )


HEAD = (
    (
        "| operation | connections | of hello | of bare commits | requests/s | p50 ms (by hello's) | p99 ms "
        "| CPU µs/request (hello) |"
    ),
    "|---|---|---|---|---|---|---|---|",
)


@dataclass(frozen=True, slots=True)
class Bench:
    """What a measurement runs on. hello: its process id and port. only: names of loads, all when empty."""

    server: Server
    hello: tuple[int, int]
    seconds: float
    repeats: int
    scratch: Path
    only: frozenset[str]

    def rows(self) -> Iterator[Row]:
        """Measure every load, each right after hello."""
        for load, counts in loads(self.server):
            if not self.only or load.name in self.only:
                yield from (self._row(load, connections) for connections in counts)

    def _row(self, load: Load, connections: int) -> Row:
        bare = Load("hello", f"https://127.0.0.1:{self.hello[1]}/", headers=(("Host", "localhost"),))
        limits, mine = [], []
        for _ in range(self.repeats):
            limits.append(self._run(bare, connections, self.hello[0]))
            mine.append(self._run(load, connections, self.server.process.pid))
        ratio = statistics.median(one.rate / limit.rate for one, limit in zip(mine, limits, strict=True))
        commits = commits_per_second(self.scratch, connections, self.seconds) if load.name == SET else None
        return Row(load.name, connections, ratio, middle(mine), middle(limits), commits)

    def _run(self, load: Load, connections: int, root_pid: int) -> Result:
        return run(load, connections=connections, seconds=self.seconds, root_pid=root_pid, scratch=self.scratch)


def middle(results: list[Result]) -> Result:
    """Return the median of each figure."""
    return Result(*[statistics.median(getattr(each, name) for each in results) for name in Result.__slots__])


def verdicts(rows: list[Row]) -> list[str]:
    """Return what the bars say of the rows that were measured."""
    found = {(row.name, row.connections): row.figures for row in rows}
    lines = [bar.judge(found[bar.row][bar.figure]) for bar in BARS if bar.row in found]
    return ["| row | figure | found | bar | aim | verdict |", "|---|---|---|---|---|---|", *lines] if lines else []


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
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="measure this operation only")
    options = parser.parse_args()
    seconds, repeats = (1.0, 1) if options.quick else (5.0, 3)
    with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as name:
        folder = Path(name)
        disk = f"The disk makes {syncs_per_second(folder, seconds):.0f} pages durable a second, one after the other."
        print(disk, "", *HEAD, sep="\n", flush=True)
        with started(folder, options.workers) as (_, first_start):
            pass
        with started(folder, options.workers) as (server, later_start), hello_started(options.workers) as hello:
            idle = memory_megabytes(server.process.pid)
            rows = []
            for row in Bench(server, hello, seconds, repeats, folder, frozenset(options.only)).rows():
                rows.append(row)
                print(row, flush=True)
            loaded = memory_megabytes(server.process.pid)
    closing = [
        "",
        *verdicts(rows),
        "",
        f"Start to first answer: {first_start:.2f} s with an empty data directory, {later_start:.2f} s later.",
        f"Memory of parent, recorder, {options.workers} workers: {idle:.0f} MB idle, {loaded:.0f} MB after the load.",
        f"Machine: {machine()}.",
    ]
    print(*closing, sep="\n")
    if options.save:
        save([disk, "", *HEAD, *map(str, rows), *closing])


def save(lines: list[str]) -> None:
    """Replace the measured part of docs/performance.md."""
    document = ROOT / "docs" / "performance.md"
    head, mark, _ = document.read_text().partition("<!-- measured -->")
    document.write_text(head + mark + "\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
