"""Does anything get slower as the store grows? `scripts/bench growth`: ratios against a small store in the same run.

Two servers run beside each other: one has a vault with 1,000 secrets and two others, the second has the same vault, one
with a million secrets, and 10,000 vaults. What is asked of both in turn must cost about the same. The stores are filled
through the services themselves, so that every row is sealed and authenticated as any other.

Rows of `any` tell, and are not judged, what it costs when every request is for something that no worker remembers.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from load import Load, Result, run
from machine import machine
from server import API, Server, ask, started, token_form, token_path

from strongroom.audit.local import local_record
from strongroom.cli.data import Data, on_data
from strongroom.clock import real_now
from strongroom.custody.store import Purpose
from strongroom.objects.secrets.model import SecretEdit
from strongroom.objects.secrets.service import Secrets
from strongroom.planes.stores import Stores
from strongroom.sensitive import Sensitive
from strongroom.settings import load_settings
from strongroom.vaults.model import Vault

BAR = 1.3
SMALL = 1_000
IN_A_CHANGE = 1_000
TAG = (("app", "growth"),)
LISTED = "/subscriptions/{}/providers/Microsoft.KeyVault/vaults?$top=1&api-version=2023-07-01"


@dataclass(frozen=True, slots=True)
class Size:
    """How large the large store is."""

    secrets: int
    vaults: int


# --- filling


def fill(data_dir: Path, size: Size) -> None:
    """Fill a store whose server does not run: the rehearsal vault, one of many secrets, many of one secret."""
    settings = load_settings({"data-dir": str(data_dir)}, {})
    on_data(settings, lambda data: fill_vault(data, "dev", SMALL))
    if size.vaults:
        names = ["large", *(f"v{number:06}" for number in range(size.vaults - 2))]
        on_data(settings, lambda data: _make_vaults(data, names))
        on_data(settings, lambda data: fill_vault(data, "large", size.secrets))


async def _make_vaults(data: Data, names: list[str]) -> None:
    """Make vaults like the rehearsal vault, with a secret each."""
    model = await data.storage.read().vaults.find("dev")
    assert model is not None  # the rehearsal server made it

    async def make(stores: Stores, name: str) -> None:
        vault = replace(model, vault_id=f"growth{name}", name=name)
        await stores.vaults.add(vault)
        await stores.keyring.add(data.custodian.new_key(Purpose.VAULT, vault.vault_id, 1, real_now()))
        await _set(data, stores, vault, 0)

    await in_changes(data, names, make, "vaults")


async def fill_vault(data: Data, name: str, count: int) -> None:
    """Set secrets in a vault that is there."""
    vault = await data.storage.read().vaults.find(name)
    assert vault is not None  # it was made just now
    await in_changes(data, range(count), lambda stores, number: _set(data, stores, vault, number), f"secrets in {name}")


async def _set(data: Data, stores: Stores, vault: Vault, number: int) -> None:
    secrets = Secrets(stores.secrets, stores.keyring, data.custodian, vault=vault, now=real_now())
    await secrets.set(f"s{number:07}", Sensitive(f"value {number}".encode()), SecretEdit(tags=TAG))


async def in_changes(data: Data, things: Any, make: Callable[[Stores, Any], Any], what: str) -> None:
    """Make things, a thousand in a change, and tell how far it is."""
    begun = time.perf_counter()
    for start in range(0, len(things), IN_A_CHANGE):
        chunk = things[start : start + IN_A_CHANGE]

        async def work(stores: Stores, chunk: Any = chunk) -> tuple[None, Any]:
            for thing in chunk:
                await make(stores, thing)
            return None, local_record("Benchmark/fill", now=real_now(), properties={})

        await data.storage.change(work)
        if (start // IN_A_CHANGE) % 100 == 99:
            tell(f"{start + len(chunk):,} of {len(things):,} {what}, {time.perf_counter() - begun:.0f} s")
    await asyncio.sleep(0)  # the last record finds its way


# --- asking


@dataclass(frozen=True, slots=True)
class Spread(Load):
    """A load over many names. url and the Host header may hold `%d`, a number below `count`, another each time."""

    count: int = 1

    def script(self) -> str:
        """Return the Lua script of this load."""
        host = dict(self.headers)["Host"]
        path = "/" + self.url.split("/", 3)[3]
        asked = f"""
local count, path, host = {self.count}, {json.dumps(path)}, {json.dumps(host)}
init = function(args) math.randomseed(os.time()) end
request = function()
  local number = math.random(0, count - 1)
  wrk.headers["Host"] = host:gsub("%%d", string.format("%06d", number))
  return wrk.format(nil, (path:gsub("%%d", string.format("%07d", number))))
end
"""
        return Load.script(replace(self, headers=self.headers)) + asked


@dataclass(frozen=True, slots=True)
class Asked:
    """One server and what it takes to ask it. port, token: of that server."""

    server: Server
    tokens: dict[str, str]

    @classmethod
    def of(cls, server: Server) -> "Asked":
        """Sign in."""
        tokens = {}
        for service in ("vault", "management"):
            form = token_form(server).replace("vault.localhost", f"{service}.localhost").encode()
            path = token_path(server)
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            tokens[service] = ask(server, "login.localhost", "POST", path, form, **kind)["access_token"]
        return cls(server, tokens)

    def load(self, name: str, path: str, *, host: str = "dev.vault", count: int = 1) -> Spread:
        """Return the load of a path of a host."""
        token = self.tokens["management" if host == "management" else "vault"]
        headers = (("Host", f"{host}.localhost:{self.server.port}"), ("Authorization", f"Bearer {token}"))
        return Spread(name, f"https://127.0.0.1:{self.server.port}{path}", headers=headers, count=count)

    def first(self, path: str, host: str) -> Any:
        """Return the answer to one request."""
        token = self.tokens["management" if host == "management" else "vault"]
        return ask(self.server, f"{host}.localhost", "GET", path, Authorization=f"Bearer {token}")


def pairs(small: Asked, large: Asked, size: Size) -> Iterator[tuple[str, Load, Load]]:
    """Return what is compared: its name, what is asked of the small store and what of the large one."""
    get, page = f"/secrets/s%d?{API}", f"/secrets?{API}"
    little, much = small.load("get", get, count=SMALL), f"{size.secrets:,} secrets"
    yield f"get, the same {SMALL:,} names, of {much}", little, large.load("get", get, host="large.vault", count=SMALL)
    yield f"get, any name, of {much}", little, large.load("get any", get, host="large.vault", count=size.secrets)
    first = small.load("page", page)
    yield f"first page, of {much}", first, large.load("page", page, host="large.vault")
    middle = small.load("page", _middle(small, "dev.vault", SMALL))
    deep = large.load("page", _middle(large, "large.vault", SMALL), host="large.vault")
    yield f"a page in the middle, of {much}", middle, deep
    count = size.vaults - 2
    one = small.load("get", f"/secrets/s0000000?{API}")
    yield f"get, one vault, of {size.vaults:,} vaults", one, large.load("get", f"/secrets/s0000000?{API}")
    anywhere = large.load("get anywhere", f"/secrets/s0000000?{API}", host="v%d.vault", count=count)
    yield f"get, any vault, of {size.vaults:,} vaults", one, anywhere
    listed = [
        each.load("vaults", LISTED.format(each.server.facts["subscriptionId"]), host="management")
        for each in (small, large)
    ]
    yield f"a page of one vault, of {size.vaults:,}", *listed


def _middle(asked: Asked, host: str, past: int) -> str:
    """Return the path of a page half-way through the first secrets."""
    path = f"/secrets?{API}"
    for _ in range(past // 25 // 2):
        link = asked.first(path, host)["nextLink"]
        path = "/" + link.split("/", 3)[3]
    return path


# --- measuring


def measure(small: Asked, large: Asked, size: Size, plan: tuple[float, int], scratch: Path) -> tuple[list[str], bool]:
    """Measure every pair, small and large in turn; return the rows of a table and whether all are within the bar.

    plan: seconds of each run, and how many runs.
    """
    rows = ["| what | time, of the small store's | CPU, of the small store's | p50 ms (small) |", "|---|---|---|---|"]
    within = True
    print(*rows, sep="\n", flush=True)
    for name, little, much in pairs(small, large, size):
        results = [(_run(little, small, plan[0], scratch), _run(much, large, plan[0], scratch)) for _ in range(plan[1])]
        slower = statistics.median(one.rate / other.rate for one, other in results)
        dearer = statistics.median(other.cpu / one.cpu for one, other in results)
        judged = " any " not in name
        within &= not judged or max(slower, dearer) <= BAR
        p50 = [statistics.median(pair[which].p50 for pair in results) for which in (1, 0)]
        shown = " | ".join(_shown(ratio, judged=judged) for ratio in (slower, dearer))
        rows.append(f"| {name} | {shown} | {p50[0]:.2f} ({p50[1]:.2f}) |")
        print(rows[-1], flush=True)
    return rows, within


def _run(load: Load, asked: Asked, seconds: float, scratch: Path) -> Result:
    return run(load, connections=16, seconds=seconds, root_pid=asked.server.process.pid, scratch=scratch)


def _shown(ratio: float, *, judged: bool) -> str:
    return f"{ratio:.2f} (bar {BAR}: MISSED)" if judged and ratio > BAR else f"{ratio:.2f}"


@contextmanager
def stores(folder: Path, size: Size) -> Iterator[tuple[Asked, Asked]]:
    """Give the small and the large store, both served by two workers."""
    for name, filled in (("small", Size(0, 3)), ("large", size)):
        (folder / name).mkdir(exist_ok=True)
        if not (folder / name / "filled").exists():
            with started(folder / name, 1):
                tell(f"filling the {name} store")
            fill(folder / name / "data", filled)
            (folder / name / "filled").touch()
    with ExitStack() as stack:
        servers = [stack.enter_context(started(folder / name, 2))[0] for name in ("small", "large")]
        small, large = map(Asked.of, servers)
        yield small, large


def tell(text: str) -> None:
    """Tell how far it is."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Fill, measure, print; return 0 when all is within the bar."""
    parser = argparse.ArgumentParser(prog="scripts/bench growth", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the size, short runs")
    parser.add_argument("--keep", type=Path, help="keep the stores in this folder, and use them if they are there")
    options = parser.parse_args()
    size = Size(100_000, 1_000) if options.quick else Size(1_000_000, 10_000)
    plan = (1.0, 3) if options.quick else (3.0, 5)
    with tempfile.TemporaryDirectory(prefix="strongroom-growth-") as name:
        folder = options.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        with stores(folder, size) as (small, large):
            _, within = measure(small, large, size, plan, Path(name))
    print(f"\nMachine: {machine()}.")
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
