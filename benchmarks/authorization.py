"""What does a decision cost, and does it grow with what was given? `scripts/bench authorization`.

First decisions alone, over a storage with 10, 1,000 and 10,000 role assignments, in microseconds and by the time of one
SHA-256 of 1,000 bytes in the same run: warm, as for every request while nothing changes, and cold, the first one after
a change. Then two servers beside each other, one with few assignments and vaults, one with 10,000 of each: what is
asked of both in turn must cost about the same. Rows that are told and not judged look through many by their nature.
"""

import argparse
import hashlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from growth import Asked, fill_vault, in_changes, tell
from load import Load, Result, run
from machine import machine
from server import API, started

from strongroom.access.authorization.actions import SECRET_GET
from strongroom.access.authorization.model import RoleAssignment, RoleDefinition
from strongroom.access.authorization.roles import KEY_VAULT_SECRETS_USER, READER
from strongroom.access.authorization.service import find_data_decision
from strongroom.access.identity.model import Caller, PrincipalType
from strongroom.cli.data import Data, on_data
from strongroom.clock import real_now
from strongroom.ids import vault_scope
from strongroom.planes.stores import Stores
from strongroom.settings import Settings, load_settings
from strongroom.vaults.model import Vault

SIZES = (10, 1_000, 10_000)
WARM_BAR, GROWTH_BAR, GET_BAR, LIST_BAR = 10.0, 1.5, 1.05, 1.3
"""Microseconds of a warm decision at 1,000; times of 10's at 10,000; CPU of a get, and of lists, by the few's."""
REPEATS = 5_000
TOKEN = bytes(1_000)
ME = "00000000-0000-4000-8000-000000000000"
OTHERS, GROUPS = 1_000_000, 2_000_000
CONDITION = "@Resource[Microsoft.KeyVault/vaults/secrets:name] StringLike 'a*'"


def guid(number: int) -> str:
    """Return an object id."""
    return f"{number:08x}-0000-4000-8000-000000000000"


def an_assignment(number: int, principal: str, scope: str, role: RoleDefinition, condition: str | None = None) -> Any:
    """Return a role assignment."""
    return RoleAssignment(
        assignment_id=guid(number),
        scope=scope.lower(),
        role_id=role.role_id,
        principal_id=principal,
        principal_type=PrincipalType.GROUP,
        created=real_now(),
        condition=condition,
    )


# --- decisions


@dataclass(frozen=True, slots=True)
class Question:
    """A decision that is measured. groups: how many the caller is in, the first of which holds the role."""

    name: str
    groups: int
    place: str
    allowed: bool = True


def a_caller(tenant_id: str, groups: int) -> Caller:
    """Return a caller who is in some groups."""
    return Caller(
        object_id=ME,
        app_id=ME,
        tenant_id=tenant_id,
        issuer="",
        type=PrincipalType.SERVICE_PRINCIPAL,
        audience="",
        token_id="",
        expires=real_now(),
        principals=frozenset({ME, *(guid(GROUPS + number) for number in range(groups))}),
    )


def per_call(work: Callable[[], object], repeats: int) -> float:
    """Return the microseconds of some work, the least of five series."""
    series = []
    for _ in range(5):
        begun = time.perf_counter()
        for _ in range(repeats // 5):
            work()
        series.append((time.perf_counter() - begun) / (repeats // 5))
    return min(series) * 1e6


async def measure_decisions(data: Data) -> tuple[list[str], bool]:
    """Fill one storage step by step; return the rows of a table and whether all are within their bars."""
    vault = await data.storage.read().vaults.find("dev")
    assert vault is not None  # the rehearsal server made it
    vault = replace(vault, rbac=True)
    scope = vault_scope(vault.subscription_id, vault.resource_group, vault.name)
    measured = per_call(lambda: hashlib.sha256(TOKEN).digest(), 50_000)
    rows = ["| decision | " + " | ".join(f"{size:,}" for size in SIZES) + " | by one SHA-256 | cold, ms |"]
    rows.append("|---" * (len(SIZES) + 3) + "|")
    found: dict[str, list[tuple[float, float]]] = {}
    given = 0
    for size in SIZES:
        await _give(data, range(given, size), scope)
        given = size
        for question in questions(scope, size):
            found.setdefault(question.name, []).append(await _ask(data, vault, question))
    within = True
    for name, figures in found.items():
        warm = [each[0] for each in figures]
        good = warm[1] <= WARM_BAR and warm[2] / warm[0] <= GROWTH_BAR
        within &= good
        cells = " | ".join(f"{each:.1f}" for each in warm)
        cold = ", ".join(f"{each[1]:.1f}" for each in figures)
        rows.append(f"| {name} | {cells}{'' if good else ' MISSED'} | {warm[1] / measured:.1f} | {cold} |")
    return [*rows, "", f"One SHA-256 of 1,000 bytes: {measured:.1f} µs."], within


def questions(scope: str, size: int) -> Iterator[Question]:
    """Return what is asked once there are so many assignments."""
    for groups in (5, 100, 500):
        yield Question(f"granted to a group, the caller is in {groups}", groups, f"{scope}/secrets/a")
    yield Question("granted to a group with a condition", 5, f"{scope}/secrets/apple")
    yield Question("granted to the caller at each of as many secrets", 0, f"{scope}/secrets/s{size - 1}")
    yield Question("refused", 0, f"{scope}/secrets/none", allowed=False)


async def _give(data: Data, numbers: range, scope: str) -> None:
    """Give roles: to as many others at the vault, to the caller at as many secrets, and to a group of his."""

    async def give(stores: Stores, number: int) -> None:
        other = an_assignment(number, guid(OTHERS + number), scope, KEY_VAULT_SECRETS_USER)
        await stores.assignments.add(other)
        place = f"{scope}/secrets/s{number}"
        await stores.assignments.add(an_assignment(OTHERS + number, ME, place, KEY_VAULT_SECRETS_USER))
        if number == 0:
            own = an_assignment(GROUPS, guid(GROUPS), f"{scope}/secrets/a", KEY_VAULT_SECRETS_USER)
            await stores.assignments.add(own)
            own = an_assignment(GROUPS + 1, guid(GROUPS), f"{scope}/secrets/apple", KEY_VAULT_SECRETS_USER, CONDITION)
            await stores.assignments.add(own)

    await in_changes(data, numbers, give, "assignments")


async def _ask(data: Data, vault: Vault, question: Question) -> tuple[float, float]:
    """Return the microseconds of a warm decision and the milliseconds of the first one after a change."""
    caller, now = a_caller(vault.tenant_id, question.groups), real_now()
    await in_changes(data, range(1), lambda stores, _: _touch(stores), "changes")
    stores = data.storage.read()

    def decide() -> Any:
        return _run(find_data_decision(stores, vault, caller, SECRET_GET, question.place, now=now))

    begun = time.perf_counter()
    decision = decide()
    cold = time.perf_counter() - begun
    assert decision.allowed is question.allowed, question
    return per_call(decide, REPEATS), cold * 1000


async def _touch(stores: Stores) -> None:
    """Change what decides access, for others: everybody looks anew."""
    kept = await stores.assignments.find(guid(0))
    assert kept is not None  # it was given first
    await stores.assignments.replace(kept)


def _run(coroutine: Any) -> Any:
    """Return what a coroutine returns that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise RuntimeError("a decision waits for something")


# --- servers


async def fill(data: Data, count: int) -> tuple[str, str]:
    """Make as many vaults and assignments; let `dev` ask roles. Return an application that may read the last vault."""
    dev = await data.storage.read().vaults.find("dev")
    assert dev is not None  # the rehearsal server made it
    own = (await data.storage.read().identity.list_applications())[0]
    scope = vault_scope(dev.subscription_id, dev.resource_group, dev.name)
    names = [f"v{number:06}" for number in range(count)]
    told: list[tuple[str, str]] = []

    async def begin(stores: Stores, _: int) -> None:
        await stores.vaults.replace(replace(dev, rbac=True))
        await stores.assignments.add(an_assignment(GROUPS, own.object_id, scope, KEY_VAULT_SECRETS_USER))
        made, secret = await data.applications(stores).create("one", tenant_id=dev.tenant_id, now=real_now())
        place = vault_scope(dev.subscription_id, dev.resource_group, names[-1])
        await stores.assignments.add(an_assignment(GROUPS + 1, made.object_id, place, READER))
        told.append((made.app_id, secret.reveal()))

    async def make(stores: Stores, number: int) -> None:
        await stores.vaults.add(replace(dev, vault_id=f"authorization{number}", name=names[number]))
        await stores.assignments.add(an_assignment(number, guid(OTHERS + number), scope, KEY_VAULT_SECRETS_USER))

    await fill_vault(data, "dev", 1)
    await in_changes(data, range(1), begin, "changes")
    await in_changes(data, range(count), make, "vaults")
    return told[0]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two servers: asked by its own application, and by one that may read one vault of it, the last."""

    own: Asked
    one: Asked


@contextmanager
def sides(folder: Path, count: int) -> Iterator[tuple[Side, Side]]:
    """Give the server with few and the one with many, both served by two workers."""
    with ExitStack() as stack:
        found = []
        for name, size in (("few", 3), ("many", count)):
            place = folder / name
            place.mkdir()
            with started(place, 1):
                tell(f"filling the store with {size:,}")
            app_id, secret = on_data(settings_of(place), lambda data, size=size: fill(data, size))
            server = stack.enter_context(started(place, 2))[0]
            other = replace(server, facts=server.facts | {"clientId": app_id, "clientSecret": secret})
            found.append(Side(Asked.of(server), Asked.of(other)))
        yield found[0], found[1]


def settings_of(place: Path) -> Settings:
    """Return the settings of a data directory."""
    return load_settings({"data-dir": str(place / "data")}, {})


def pairs(few: Side, many: Side, count: int) -> Iterator[tuple[str, float | None, Load, Load]]:
    """Return what is compared: its name, its bar for the CPU, what is asked of few and what of many."""

    def load(side: Side, path: str, *, one: bool = False) -> Load:
        asked = side.one if one else side.own
        return asked.load("list", path.format(side.own.server.facts["subscriptionId"]), host="management")

    get = f"/secrets/s0000000?{API}"
    yield "secret get by a role", GET_BAR, few.own.load("get", get), many.own.load("get", get)
    subscription, vaults = "/subscriptions/{}", "/providers/Microsoft.KeyVault/vaults"
    lists = {
        "subscriptions": "/subscriptions?api-version=2022-12-01",
        "a page of one vault": f"{subscription}{vaults}?$top=1&api-version=2023-07-01",
        "a page of one resource": f"{subscription}/resources?$top=1&api-version=2024-11-01",
    }
    for name, path in lists.items():
        yield name, LIST_BAR, load(few, path), load(many, path)
    alone = lists["a page of one resource"]
    yield f"the one that the caller sees of {count:,}", None, load(few, alone, one=True), load(many, alone, one=True)
    group = f"{subscription}/resourceGroups/dev"
    held = f"{group}{vaults}/{{}}/providers/Microsoft.Authorization/roleAssignments?$top=1&api-version=2022-04-01"
    for vault, many_there in (("v000000", 0), ("dev", count)):
        path = held.replace("/{}/providers/Microsoft.Auth", f"/{vault}/providers/Microsoft.Auth")
        yield f"assignments at a vault, {many_there:,} there", LIST_BAR, load(few, path), load(many, path)


def measure_servers(few: Side, many: Side, count: int, plan: tuple[float, int], scratch: Path) -> bool:
    """Measure every pair in turn and print the rows of a table; return whether all are within their bars."""
    print("| what | CPU, of few | CPU µs/request (few) | p50 ms (few) |", "|---|---|---|---|", sep="\n", flush=True)
    within = True
    for name, bar, little, much in pairs(few, many, count):
        results = [(_load(little, few, plan, scratch), _load(much, many, plan, scratch)) for _ in range(plan[1])]
        dearer = statistics.median(other.cpu / one.cpu for one, other in results)
        good = bar is None or dearer <= bar
        within &= good
        cpu, p50 = (
            [statistics.median(getattr(each, of) for each in side) for side in zip(*results, strict=True)]
            for of in ("cpu", "p50")
        )
        told = "" if bar is None else f" (bar {bar:g}{'' if good else ': MISSED'})"
        print(
            f"| {name} | {dearer:.2f}{told} | {cpu[1]:.0f} ({cpu[0]:.0f}) | {p50[1]:.2f} ({p50[0]:.2f}) |", flush=True
        )
    return within


def _load(load: Load, side: Side, plan: tuple[float, int], scratch: Path) -> Result:
    pid = side.own.server.process.pid
    return run(load, connections=16, seconds=plan[0], root_pid=pid, scratch=scratch)


def main() -> int:
    """Fill, measure, print; return 0 when all is within its bar."""
    parser = argparse.ArgumentParser(prog="scripts/bench authorization", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short runs")
    parser.add_argument("--decisions", action="store_true", help="decisions alone, no servers")
    options = parser.parse_args()
    plan = (1.0, 5) if options.quick else (3.0, 9)
    with tempfile.TemporaryDirectory(prefix="strongroom-authorization-") as name:
        folder = Path(name)
        with started(folder, 1):
            tell("filling a store step by step")
        rows, within = on_data(settings_of(folder), measure_decisions)
        print(*rows, "", sep="\n", flush=True)
        if not options.decisions:
            with sides(folder, SIZES[-1]) as (few, many):
                within &= measure_servers(few, many, SIZES[-1], plan, folder)
    print(f"\nMachine: {machine()}.")
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
