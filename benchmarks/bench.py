"""What the hot path costs, as ratios of a bare HTTPS hello in the same run. `scripts/bench --help` says how to ask."""

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import structlog
from commits import syncs_per_second
from load import Load, Result, memory_megabytes, run
from machine import QUIET, machine, rounds
from server import Server, hello_started, started
from subjects import CHALLENGE, CROWDED, ES256, GET, PS256, RS256, RSA_4096, SET, Subject, subjects

ROOT = Path(__file__).parent.parent
CROWD = 16
"""How many connections load the server beside what is measured."""
CROWD_LEAD_SECONDS = 0.5
CROWDED_FIGURE = "p99 by unloaded p99"


@dataclass(frozen=True, slots=True)
class Bar:
    """What a figure of one row must reach, and what is aimed at; `most`: it must not be more, instead of not less."""

    row: tuple[str, int]
    figure: str
    bar: float
    aim: float | None = None
    most: bool = False

    def judge(self, row: "Row") -> str:
        """Return the verdict as one line."""
        found = row.figures[self.figure]
        better = (lambda a, b: a <= b) if self.most else (lambda a, b: a >= b)
        verdict = "met" if better(found, self.bar) else "MISSED"
        if self.aim is not None and better(found, self.aim):
            verdict = "aim reached"
        if row.taken > QUIET:
            verdict += ", disturbed"
        sign, aim = "≤" if self.most else "≥", "" if self.aim is None else f"{self.aim:g}"
        name, connections = self.row
        return f"| {name}, {connections} | {self.figure} | {found:.2f} | {sign} {self.bar:g} | {aim} | {verdict} |"


BARS = (
    Bar((GET, 64), "of hello", 0.30, 0.45),
    Bar((GET, 16), "of hello", 0.20, 0.30),
    Bar((GET, 1), "p50 by hello's", 6, 4, most=True),
    Bar((GET, 64), "p99 by p50", 6, 4, most=True),
    Bar((CHALLENGE, 64), "of hello", 0.30, 0.45),
    Bar((SET, 64), "of bare commits", 0.5, 0.7),
    Bar((RS256, 16), "of bare threads", 0.45),
    Bar((RS256, 64), "of bare threads", 0.55, 0.70),
    Bar((PS256, 16), "of bare threads", 0.45),
    Bar((PS256, 64), "of bare threads", 0.55, 0.70),
    Bar((RSA_4096, 64), "of bare threads", 0.70, 0.85),
    Bar((ES256, 64), "of hello", 0.20, 0.35),
    Bar((CROWDED, 1), CROWDED_FIGURE, 5, most=True),
    Bar((CROWDED, 16), CROWDED_FIGURE, 5, most=True),
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one round found: hello, a load right after it, and the load's own figure right after that."""

    limit: Result
    mine: Result
    own: tuple[str, float] | None


@dataclass(frozen=True, slots=True)
class Row:
    """One load at one number of connections: medians over the repeats, hello's beside them.

    own: the name and value of a figure that this load has beside what all have. crowded: other load was there too.
    taken: the share of the time wanted on the processors that other machines took, in its most disturbed round.
    """

    name: str
    connections: int
    ratio: float
    mine: Result
    hello: Result
    own: tuple[str, float] | None
    crowded: bool
    taken: float

    @property
    def figures(self) -> dict[str, float]:
        """What bars judge."""
        found = {"of hello": self.ratio, "p50 by hello's": self.mine.p50 / self.hello.p50}
        found["p99 by p50"] = self.mine.p99 / self.mine.p50
        return found if self.own is None else found | {self.own[0]: self.own[1]}

    def __str__(self) -> str:
        mine, hello = self.mine, self.hello
        own = f"{self.own[1]:.2f} {self.own[0]}" if self.own else ""
        cost = "" if self.crowded else f"{mine.cpu:.0f} ({hello.cpu:.0f})"
        return (
            f"| {self.name} | {self.connections} | {self.ratio:.2f} | {own} | {mine.rate:.0f} | {mine.p50:.2f} "
            f"({mine.p50 / hello.p50:.1f}×) | {mine.p99:.2f} | {cost} | {self.taken:.1%} |"
        )


HEAD = (
    (
        "| operation | connections | of hello | beside that | requests/s | p50 ms (by hello's) | p99 ms "
        "| CPU µs/request (hello) | taken by others |"
    ),
    "|---|---|---|---|---|---|---|---|---|",
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
        for subject in subjects(self.server, self.scratch):
            if not self.only or subject.load.name in self.only:
                yield from (self._row(subject, connections) for connections in subject.counts)

    def _row(self, subject: Subject, connections: int) -> Row:
        found, taken = rounds(lambda: self._round(subject, connections), self.repeats)
        limits, mine = [each.limit for each in found], [each.mine for each in found]
        ratio = statistics.median(each.mine.rate / each.limit.rate for each in found)
        own = [each.own for each in found if each.own is not None]
        figure = (own[0][0], statistics.median(value for _, value in own)) if own else None
        crowded = subject.beside is not None
        return Row(subject.load.name, connections, ratio, middle(mine), middle(limits), figure, crowded, taken)

    def _round(self, subject: Subject, connections: int) -> Comparison:
        limit = self._run(self._limit, connections, self.hello[0])
        mine = self._mine(subject, connections)
        return Comparison(limit, mine, self._own(subject, connections, mine))

    @property
    def _limit(self) -> Load:
        return Load("hello", f"https://127.0.0.1:{self.hello[1]}/", headers=(("Host", "localhost"),))

    def _mine(self, subject: Subject, connections: int) -> Result:
        """Measure the load, with what is to be beside it under way before it begins and until it has ended."""
        if subject.beside is None:
            return self._run(subject.load, connections, self.server.process.pid)
        longer = self.seconds + 2 * CROWD_LEAD_SECONDS
        with ThreadPoolExecutor(1) as pool:
            crowd = pool.submit(
                run, subject.beside, connections=CROWD, seconds=longer, root_pid=self.hello[0], scratch=self.scratch
            )
            time.sleep(CROWD_LEAD_SECONDS)
            found = self._run(subject.load, connections, self.server.process.pid)
            crowd.result()
        return found

    def _own(self, subject: Subject, connections: int, mine: Result) -> tuple[str, float] | None:
        """Return the figure that this load has beside what all have, measured right after it."""
        if subject.beside is not None:
            alone = self._run(subject.load, connections, self.server.process.pid)
            return CROWDED_FIGURE, mine.p99 / alone.p99
        if subject.bare is None:
            return None
        return subject.bare.figure, mine.rate / subject.bare.measure(connections, self.seconds)

    def _run(self, load: Load, connections: int, root_pid: int) -> Result:
        return run(load, connections=connections, seconds=self.seconds, root_pid=root_pid, scratch=self.scratch)


def middle(results: list[Result]) -> Result:
    """Return the median of each figure."""
    return Result(*[statistics.median(getattr(each, name) for each in results) for name in Result.__slots__])


def verdicts(rows: list[Row]) -> list[str]:
    """Return what the bars say of the rows that were measured; a row that others disturbed is marked."""
    found = {(row.name, row.connections): row for row in rows}
    lines = [bar.judge(found[bar.row]) for bar in BARS if bar.row in found]
    return ["| row | figure | found | bar | aim | verdict |", "|---|---|---|---|---|---|", *lines] if lines else []


def main() -> None:
    """Measure and print; with --save, write the table into the documents."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short runs: a look, not a measurement")
    parser.add_argument("--workers", type=int, default=2, help="worker processes of both servers (default: 2)")
    parser.add_argument("--save", action="store_true", help="write the result into docs/performance.md")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="measure this operation only")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    seconds, repeats = (1.0, 1) if options.quick else (3.0, 5)
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
