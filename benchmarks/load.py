"""Loads a server with `wrk` and tells what it cost: requests a second, latency, server CPU a request."""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
REPORT = """
done = function(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What to send, again and again: a URL, and what `wrk` needs to know beside it.

    expects_error: answers of 400 and above are the point (a challenge).
    """

    name: str
    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    expects_error: bool = False

    def script(self) -> str:
        """Return the Lua script of this load."""
        lines = [f"wrk.method = {json.dumps(self.method)}"]
        lines += [f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in self.headers]
        if self.body:
            lines.append(f"wrk.body = {json.dumps(self.body)}")
        return "\n".join(lines) + REPORT


@dataclass(frozen=True, slots=True)
class Result:
    """What one run told: requests a second, p50 and p99 in milliseconds, server CPU in microseconds a request."""

    rate: float
    p50: float
    p99: float
    cpu: float


def run(load: Load, *, connections: int, seconds: float, root_pid: int, scratch: Path) -> Result:
    """Load the server whose process tree begins at `root_pid`; RuntimeError when answers were not as expected."""
    script = scratch / f"{load.name.replace(' ', '-')}.lua"
    script.write_text(load.script())
    threads = min(2, connections)
    before = cpu_seconds(root_pid)
    command = ["wrk", "-t", str(threads), "-c", str(connections), "-d", f"{seconds:g}s", "-s", str(script), load.url]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60).stdout
    used = cpu_seconds(root_pid) - before
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)", printed)
    if not found:
        raise RuntimeError(f"wrk printed no result for {load.name}: {printed}")
    requests, duration, p50, p99, refused, broken = map(int, found.groups())
    if broken or bool(refused) is not load.expects_error or not requests:
        raise RuntimeError(f"{load.name}: {requests} requests, {refused} refused, {broken} broken connections")
    return Result(requests / duration * 1e6, p50 / 1000, p99 / 1000, used / requests * 1e6)


def process_tree(root_pid: int) -> list[int]:
    """Return the processes that descend from `root_pid`, itself first."""
    tree = [root_pid]
    for pid in tree:
        children = Path(f"/proc/{pid}/task/{pid}/children")
        tree += [int(child) for child in children.read_text().split()]
    return tree


def cpu_seconds(root_pid: int) -> float:
    """Return the CPU time that a process tree has used so far."""
    total = 0
    for pid in process_tree(root_pid):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / CLOCK_TICKS


def memory_megabytes(root_pid: int) -> float:
    """Return the memory of a process tree, shared pages counted once (PSS)."""
    total = 0
    for pid in process_tree(root_pid):
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total += int(re.search(r"^Pss:\s+(\d+)", rollup, re.MULTILINE).group(1))  # type: ignore[union-attr]
    return total / 1024
