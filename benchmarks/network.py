"""What do network rules cost, and what does a storm of refused requests do to others? `scripts/bench network`.

First decisions alone, with 1 and with 1,000 ranges, in microseconds: they must cost the same, and little. Then a server
with two vaults: one that may be used from here, one that may not. Refused requests must cost less each than allowed
ones, and while they come as fast as the server answers them, the slowest of allowed ones must not be much slower.
"""

import argparse
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from authorization import per_call, settings_of
from bench import CROWD_LEAD_SECONDS
from growth import in_changes, tell
from load import Load, Result, run
from machine import machine
from server import Server, authorization, started
from subjects import Vault

from strongroom.access.network.evaluation import CompiledRules, Visitor
from strongroom.cli.data import Data, on_data
from strongroom.planes.stores import Stores
from strongroom.vaults import model
from strongroom.vaults.network import NetworkRules

COUNTS = (1, 1_000)
DECISION_BAR, GROWTH_BAR = 2.0, 1.5
"""Microseconds of a decision among 1,000 ranges; times of one among 1."""
COST = "CPU of a refusal, of an allowed get's"
SLOW = "p99 of allowed gets beside a storm of refusals, of that without"
CROWD = "the same, of that beside as many allowed gets"
BARS = {COST: 1.0, SLOW: 2.0, CROWD: None}
REPEATS = 200_000
CONNECTIONS = 16
ALLOWED = 4
"""Connections of the allowed requests that a storm of `CONNECTIONS` refused ones comes beside."""


def rules(count: int) -> NetworkRules:
    """Return so many ranges, none beside another: the last holds 203.0.113.9. What they do not hold is refused."""
    many = [f"11.{number >> 8}.{number & 255}.0/25" for number in range(count - 1)]
    return NetworkRules(default_action="Deny", ip_rules=(*many, "203.0.113.0/24"))


def measure_decisions() -> tuple[list[str], bool]:
    """Return the rows of a table, and whether all are within their bars."""
    heads = " | ".join(f"{count:,} range{'s' if count > 1 else ''}" for count in COUNTS)
    rows, within = [f"| decision, µs | {heads} |", "|---|---|---|"], True
    for name, address in (("in a range", "203.0.113.9"), ("in none", "11.0.0.200"), ("over IPv6", "2001:db8::1")):
        visitor, found = Visitor(address=address), []
        for count in COUNTS:
            compiled = CompiledRules(rules(count), "Enabled")
            found.append(per_call(lambda compiled=compiled, visitor=visitor: compiled.decide(visitor), REPEATS))
        good = found[1] <= DECISION_BAR and found[1] / found[0] <= GROWTH_BAR
        within &= good
        rows.append(f"| {name} | {found[0]:.2f} | {found[1]:.2f}{'' if good else ' MISSED'} |")
    return rows, within


async def fill(data: Data) -> None:
    """Make a vault like the rehearsal vault that nobody on this machine may use."""
    dev = await data.storage.read().vaults.find("dev")
    assert dev is not None  # the rehearsal server made it
    shut = replace(dev, vault_id="network", name="shut", network=rules(1_000))
    await in_changes(data, range(1), lambda stores, _: _add(stores, shut), "vaults")


async def _add(stores: Stores, vault: model.Vault) -> None:
    await stores.vaults.add(vault)


def loads(server: Server) -> tuple[Load, Load]:
    """Return an allowed request and a refused one, both by the same token."""
    vault = Vault(server, authorization(server))
    vault.ask("PUT", "/secrets/bench", {"value": "value"})
    get = vault.load("allowed", "/secrets/bench")
    host = ("Host", f"shut.vault.localhost:{server.port}")
    return get, replace(get, name="refused", headers=(host, *get.headers[1:]), expects_error=True)


@dataclass(frozen=True, slots=True)
class Storm:
    """Where storms are measured: a server, for so many seconds each."""

    server: Server
    seconds: float
    scratch: Path

    def run(self, load: Load, connections: int, seconds: float = 0) -> Result:
        """Measure a load."""
        pid, seconds = self.server.process.pid, seconds or self.seconds
        return run(load, connections=connections, seconds=seconds, root_pid=pid, scratch=self.scratch)

    def beside(self, load: Load, storm: Load) -> Result:
        """Measure a load while a storm is under way, from before its begin until after its end."""
        with ThreadPoolExecutor(1) as pool:
            storming = pool.submit(self.run, storm, CONNECTIONS, self.seconds + 2 * CROWD_LEAD_SECONDS)
            time.sleep(CROWD_LEAD_SECONDS)
            found = self.run(load, ALLOWED)
            storming.result()
        return found


def measure_server(storm: Storm, repeats: int) -> tuple[list[str], bool]:
    """Return the rows of a table: what a refusal costs, and what a storm of them does to who is allowed."""
    get, refused = loads(storm.server)
    others = replace(get, name="others")
    found: dict[str, list[float]] = {name: [] for name in BARS}
    for _ in range(repeats):
        allowed, kept_out = storm.run(get, CONNECTIONS), storm.run(refused, CONNECTIONS)
        quiet, stormy, crowded = storm.run(get, ALLOWED), storm.beside(get, refused), storm.beside(get, others)
        found[COST].append(kept_out.cpu / allowed.cpu)
        found[SLOW].append(stormy.p99 / quiet.p99)
        found[CROWD].append(stormy.p99 / crowded.p99)
    rows, within = ["| what | found | bar |", "|---|---|---|"], True
    for name, bar in BARS.items():
        figure = statistics.median(found[name])
        good = bar is None or figure <= bar
        within &= good
        told = "" if bar is None else f"≤ {bar:g}{'' if good else ' MISSED'}"
        rows.append(f"| {name} | {figure:.2f} | {told} |")
    return rows, within


def main() -> int:
    """Measure, print; return 0 when all is within its bar."""
    parser = argparse.ArgumentParser(prog="scripts/bench network", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short runs")
    options = parser.parse_args()
    seconds, repeats = (1.0, 3) if options.quick else (5.0, 5)
    rows, within = measure_decisions()
    print(*rows, "", sep="\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="strongroom-network-") as name:
        folder = Path(name)
        with started(folder, 1):
            tell("making the vaults")
        on_data(settings_of(folder), fill)
        with started(folder, 2) as (server, _):
            rows, good = measure_server(Storm(server, seconds, folder), repeats)
    print(*rows, sep="\n")
    print(f"\nMachine: {machine()}.")
    return 0 if within and good else 1


if __name__ == "__main__":
    sys.exit(main())
