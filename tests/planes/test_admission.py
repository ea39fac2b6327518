"""What the gate remembers of whom it let in: what is asked again by the same token, while nothing has changed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from doubles import MemoryStorage, a_custodian
from planes.test_gate import Plane, a_caller
from strongroom.clock import real_now
from strongroom.errors import Forbidden, ForbiddenByFirewall
from strongroom.planes import gate as gates
from strongroom.planes.admission import REMEMBERED_LENGTH
from strongroom.planes.gate import Gate
from strongroom.planes.http import Request
from strongroom.storage.session import Unchanged

TOKEN = {b"authorization": b"Bearer one"}
FIRST = {
    "method": "GET", "host": "v.localhost:8443", "path": "/things/a", "raw_query": b"api-version=7.6", "headers": TOKEN,
    "client": "127.0.0.1",
}  # fmt: skip


@pytest.fixture
def storage():
    storage = MemoryStorage(a_custodian())
    storage.stores.unchanged = Unchanged(forgetful=False)
    return storage


@pytest.fixture
def plane():
    plane = Plane()
    plane.expires = real_now() + timedelta(hours=1)

    async def authenticate(call):
        plane.step("authenticate")
        return replace(a_caller(), expires=plane.expires)

    plane.authenticate = authenticate
    return plane


@pytest.fixture
def ask(plane, storage):
    gate = Gate(plane, storage, a_custodian(), "localhost")

    async def ask(**other):
        async def read(_limit):
            return b""

        plane.steps.clear()
        return await gate.serve(Request(**(FIRST | other)), read)

    return ask


async def test_who_asks_the_same_again_is_let_in_again_and_recorded_alike(ask, plane, storage):
    assert (await ask()).status == 200
    assert "authorize" in plane.steps
    assert (await ask(headers=TOKEN | {b"x-ms-client-request-id": b"second"})).status == 200
    assert plane.steps == ["throttle", "parse", "handler"]
    first, second = storage.bodies()
    assert second["correlationId"] == "second"
    differing = {"time", "durationMs", "correlationId"}
    assert {k: v for k, v in first.items() if k not in differing} == {
        k: v for k, v in second.items() if k not in differing
    }
    assert second["properties"]["reason"] == "granted"


@pytest.mark.parametrize(
    "other",
    [
        {"method": "PUT"},
        {"host": "w.localhost:8443"},
        {"path": "/things/b"},
        {"raw_query": b"api-version=7.5"},
        {"headers": {b"authorization": b"Bearer two"}},
        {"headers": {}},
        {"client": "192.0.2.7"},
        {"arrived": "192.0.2.9"},
        {"arrived_port": 9443},
    ],
)
async def test_whatever_decides_is_part_of_the_question(ask, plane, other):
    await ask()
    await ask(**other)
    assert "authorize" in plane.steps


async def test_a_change_ends_it(ask, plane, storage):
    await ask()
    storage.stores.unchanged.forget()
    plane.failing["authorize"] = Forbidden("no more")
    assert (await ask()).status == 403


@pytest.mark.parametrize("shift", [timedelta(hours=1), timedelta(seconds=-1)])
async def test_a_token_is_not_believed_past_its_end_nor_by_a_clock_that_was_set_back(ask, plane, monkeypatch, shift):
    await ask()
    later = real_now() + shift
    monkeypatch.setattr(gates, "real_now", lambda: later)
    await ask()
    assert "authenticate" in plane.steps


async def test_a_refusal_by_network_rules_is_remembered_until_something_changes(ask, plane, storage):
    plane.failing["authorize"] = error = ForbiddenByFirewall("not from there")
    answers = [await ask(), await ask(), await ask()]
    assert plane.steps == [], "the third was refused before anything was asked"
    assert {answer.status for answer in answers} == {403}
    first, *others = storage.bodies()
    assert len(others) == 2
    for other in others:
        assert {name for name in first if first[name] != other[name]} <= {"time", "durationMs"}
    traced = []
    trace = error.__traceback__
    while trace is not None:
        traced.append(trace)
        trace = trace.tb_next
    assert len(traced) < 10, "what is raised again is a refusal of its own, which keeps no call alive"
    plane.failing.clear()
    assert (await ask(client="192.0.2.7")).status == 200
    assert (await ask()).status == 403
    storage.stores.unchanged.forget()
    assert (await ask()).status == 200


async def test_a_refusal_by_network_rules_is_not_believed_past_the_end_of_the_token(ask, plane, monkeypatch):
    plane.failing["authorize"] = ForbiddenByFirewall("not from there")
    await ask()
    later = real_now() + timedelta(hours=1)
    monkeypatch.setattr(gates, "real_now", lambda: later)
    await ask()
    assert "authenticate" in plane.steps


async def test_another_refusal_is_never_remembered(ask, plane):
    plane.failing["authorize"] = Forbidden("not yet")
    assert (await ask()).status == 403
    plane.failing.clear()
    assert (await ask()).status == 200
    assert "authorize" in plane.steps


@pytest.mark.parametrize(
    "other", [{"repeated": frozenset({b"authorization"})}, {"path": "/things/" + "a" * REMEMBERED_LENGTH}]
)
async def test_what_is_doubtful_or_long_is_not_remembered(ask, plane, other):
    await ask(**other)
    await ask(**other)
    assert "authorize" in plane.steps


async def test_who_is_let_in_is_counted_every_time(ask, plane):
    await ask()
    plane.failing["throttle"] = Forbidden("too often")
    assert (await ask()).status == 403


async def test_a_handler_that_found_another_operation_is_recorded_as_that(ask, plane, storage):
    original = plane.table.operations[0]

    async def read(call):
        call.operation = replace(call.operation, log="ThingPeek") if b"x-peek" in call.request.headers else original
        return await plane.read(call)

    object.__setattr__(original, "handler", read)
    await ask(headers=TOKEN | {b"x-peek": b"1"})
    await ask()
    assert [body["operationName"] for body in storage.bodies()] == ["ThingPeek", "ThingGet"]


async def test_who_waited_is_asked_again_where_anything_has_changed_since(plane, storage):
    gate = Gate(plane, storage, a_custodian(), "localhost")

    async def read_while_all_changes(_limit):
        storage.stores.unchanged.forget()
        plane.failing["authorize"] = Forbidden("no more")
        return b'{"value": "v"}'

    refused = await gate.serve(Request(**(FIRST | {"method": "PUT"})), read_while_all_changes)
    assert refused.status == 403
    assert plane.steps.count("throttle") == 1
    assert "handler" not in plane.steps
