import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from doubles import MemoryStorage, a_custodian
from strongroom.access.identity.model import PrincipalType
from strongroom.access.network.strangers import Strangers
from strongroom.access.network.tally import Tally
from strongroom.audit.event import Category
from strongroom.clock import CLOCK_FACT
from strongroom.custody.sealing import SealBroken
from strongroom.errors import BadRequest, Forbidden, NotFound, PayloadTooLarge, StorageUnavailable, Unauthenticated
from strongroom.objects.keys.discarding import Discard
from strongroom.planes.gate import Gate, parse_json
from strongroom.planes.http import Request, Response
from strongroom.planes.operation import Operation, Table
from vault_doubles import a_vault


class Body(msgspec.Struct):
    value: str


class Plane:
    """A plane whose steps leave their name in `steps` and fail when told to."""

    category = Category.AUDIT
    unauthenticated = "Authentication"

    def __init__(self):
        self.steps = []
        self.failing = {}
        self.meanwhile = lambda _call: None
        self.table = Table(
            [
                Operation(method="GET", path="/things/{name}", handler=self.read, log="ThingGet", gives=None),
                Operation(
                    method="PUT",
                    path="/things/{name}",
                    handler=self.write,
                    log="ThingSet",
                    takes=Body,
                    gives=None,
                    changes=True,
                ),
                Operation(
                    method="POST",
                    path="/things/{name}/make",
                    handler=self.read,
                    prepare=self.prepare,
                    log="ThingMake",
                    gives=None,
                    changes=True,
                ),
                Operation(method="GET", path="/open", handler=self.read, log="Open", gives=None, anonymous=True),
            ]
        )

    def step(self, name):
        self.steps.append(name)
        if name in self.failing:
            raise self.failing[name]

    async def locate(self, call):
        self.step("locate")

    async def authenticate(self, call):
        self.step("authenticate")
        return a_caller()

    def explain_unknown(self, error, call):
        return error

    def require_version(self, call):
        self.step("version")

    async def authorize(self, call):
        self.step("authorize")
        call.notes["reason"] = "granted"

    async def confirm(self, call):
        pass

    def throttle(self, call):
        self.step("throttle")

    def parse_body(self, call):
        self.step("parse")
        return parse_json(call.request.body, call.operation.takes)

    async def prepare(self, call):
        self.step("prepare")
        self.meanwhile(call)

    async def read(self, call):
        self.step("handler")
        return Response(200, b"read")

    async def write(self, call):
        self.step("handler")
        await call.stores.facts.put("thing", call.body.value.encode())
        self.step("written")
        return Response(200, b"written")

    def resource_id(self, call):
        return "/subscriptions/s/vaults/v"

    def render_error(self, error, call):
        return Response(error.status, json.dumps({"code": error.code, "message": error.message}).encode())

    def finish(self, response, call):
        return response


def a_caller():
    from strongroom.access.identity.model import Caller
    from strongroom.clock import real_now

    return Caller(
        object_id="oid", app_id="app", tenant_id="t", issuer="iss", type=PrincipalType.SERVICE_PRINCIPAL,
        audience="aud", token_id="uti", expires=real_now(), user_principal_name="alice@example",
    )  # fmt: skip


@pytest.fixture
def storage():
    return MemoryStorage(a_custodian())


@pytest.fixture
def plane():
    return Plane()


@pytest.fixture
def ask(plane, storage):
    gate = Gate(plane, storage, a_custodian(), "localhost")

    async def ask(method="GET", path="/things/a", body=b""):
        request = Request(
            method, "v.localhost:8443", path, b"api-version=7.6", {b"user-agent": b"test"}, "127.0.0.1", "TLS1_3"
        )

        async def read(limit):
            plane.step("body")
            if len(body) > limit:
                raise PayloadTooLarge("too large")
            return body

        return await gate.serve(request, read)

    return ask


async def test_a_read_passes_every_step_in_order_and_is_recorded(ask, plane, storage):
    response = await ask()
    assert (response.status, response.body) == (200, b"read")
    assert plane.steps == ["locate", "authenticate", "version", "authorize", "throttle", "body", "parse", "handler"]
    (record,) = storage.bodies()
    assert record["operationName"] == "ThingGet"
    assert (record["resultType"], record["resultSignature"]) == ("Success", "OK")
    assert record["resourceId"] == "/SUBSCRIPTIONS/S/VAULTS/V"
    assert record["operationVersion"] == "7.6"
    assert isinstance(record["durationMs"], float)
    assert record["properties"] == {
        "clientInfo": "test",
        "requestUri": "https://v.localhost:8443/things/a?api-version=7.6",
        "id": "https://v.localhost:8443/",
        "httpStatusCode": 200,
        "tlsVersion": "TLS1_3",
        "reason": "granted",
    }
    claim = record["identity"]["claim"]
    assert claim["appid"] == "app"
    assert "alice@example" in claim.values()


REFUSALS = [
    ("locate", NotFound("no vault"), 404, "Authentication"),
    ("authenticate", Unauthenticated("no token"), 401, "Authentication"),
    ("version", BadRequest("no version"), 400, "ThingGet"),
    ("authorize", Forbidden("no right"), 403, "ThingGet"),
    ("body", PayloadTooLarge("too large"), 413, "ThingGet"),
    ("parse", BadRequest("no fit"), 400, "ThingGet"),
    ("handler", NotFound("not there"), 404, "ThingGet"),
]


@pytest.mark.parametrize(("step", "error", "status", "operation"), REFUSALS, ids=str)
async def test_a_step_that_refuses_ends_the_request_with_a_record(ask, plane, storage, step, error, status, operation):
    plane.failing[step] = error
    assert (await ask()).status == status
    assert plane.steps[-1] == step
    (record,) = storage.bodies()
    assert record["operationName"] == operation
    assert record["resultType"] == "Failed"
    assert record["resultDescription"] == error.message
    assert record["properties"]["httpStatusCode"] == status
    assert bool(record["identity"]) is (step not in {"locate", "authenticate"})


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("DELETE", "/things/a", 405)])
async def test_what_exists_is_told_only_to_callers_who_prove_themselves(ask, plane, storage, method, path, status):
    assert (await ask(method, path)).status == status
    plane.failing["authenticate"] = Unauthenticated("no token")
    assert (await ask(method, path)).status == 401
    assert [record["operationName"] for record in storage.bodies()] == ["Unknown", "Authentication"]


async def test_an_anonymous_operation_asks_for_no_token(ask, plane, storage):
    assert (await ask("GET", "/open")).status == 200
    assert "authenticate" not in plane.steps
    assert storage.bodies()[0]["operationName"] == "Open"


async def test_a_change_commits_with_its_record(ask, storage):
    assert (await ask("PUT", body=b'{"value":"new"}')).body == b"written"
    assert await storage.read().facts.get("thing") == b"new"
    assert [record["operationName"] for record in storage.bodies()] == ["ThingSet"]


async def test_a_change_that_fails_halfway_leaves_nothing_but_its_record(ask, plane, storage):
    plane.failing["written"] = BadRequest("not so")
    assert (await ask("PUT", body=b'{"value":"new"}')).status == 400
    assert await storage.read().facts.get("thing") is None
    assert [record["resultType"] for record in storage.bodies()] == ["Failed"]


class Keeper:
    """Notes what it destroys; implements as much of `KeyProvider` as that takes."""

    def __init__(self):
        self.destroyed = []

    async def discard(self, kept, place):
        self.destroyed.append((kept, place))


@pytest.fixture
def keeper(plane, monkeypatch):
    """A keeper of whose keys each change makes one and removes one."""
    keeper, locate = Keeper(), plane.locate

    async def note(call):
        call.made.append(Discard(keeper, "made", "place"))
        call.removed.append(Discard(keeper, "removed", "place"))
        await locate(call)

    monkeypatch.setattr(plane, "locate", note)
    return keeper


async def test_what_a_change_removed_is_destroyed_when_it_has_committed(ask, keeper):
    assert (await ask("PUT", body=b'{"value":"new"}')).status == 200
    assert keeper.destroyed == [("removed", "place")]


async def test_what_was_made_for_a_change_that_came_to_nothing_is_destroyed(ask, plane, keeper):
    plane.failing["written"] = BadRequest("not so")
    assert (await ask("PUT", body=b'{"value":"new"}')).status == 400
    assert keeper.destroyed == [("made", "place")]


async def test_where_nobody_knows_whether_a_change_was_kept_nothing_is_destroyed(ask, storage, keeper):
    storage.broken = True
    assert (await ask("PUT", body=b'{"value":"new"}')).status == 503
    assert keeper.destroyed == []


async def test_a_stranger_cannot_make_records_large(plane, storage):
    gate = Gate(plane, storage, a_custodian(), "localhost")
    plane.failing["authenticate"] = Unauthenticated("x" * 9000)
    headers = {b"user-agent": b"\xff" * 60_000, b"x-ms-client-request-id": b"\xff" * 9000}
    query = b"api-version=" + b"9" * 9000
    request = Request("GET", "v.localhost:8443", "/things/" + "a" * 9000, query, headers, "127.0.0.1")

    async def read(_limit):
        return b""

    assert (await gate.serve(request, read)).status == 401
    assert len(storage.records[0].body) < 10_000


async def test_what_no_client_caused_is_an_alarm_and_tells_nothing_of_itself(ask, plane, storage, caplog):
    plane.failing["handler"] = SealBroken("a row of canary-3c55 is not as it was written")
    with caplog.at_level("ERROR"):
        response = await ask()
    assert response.status == 500
    assert b"canary" not in response.body
    assert "canary" not in json.dumps(storage.bodies())


async def test_what_does_not_open_since_its_vault_was_purged_meanwhile_is_not_there(ask, plane, storage, caplog):
    async def vanish(call):
        plane.failing["locate"] = NotFound("There is no such vault.", code="VaultNotFound")
        raise SealBroken("the vault has lost its key")

    plane.table = Table([replace(row, handler=vanish) for row in plane.table.operations])
    for method in ("GET", "PUT"):
        plane.failing.clear()
        response = await ask(method=method, body=b'{"value":"v"}' if method == "PUT" else b"")
        assert (response.status, json.loads(response.body)["code"]) == (404, "VaultNotFound")
    assert [body["properties"]["httpStatusCode"] for body in storage.bodies()] == [404, 404]
    assert "alarm" not in caplog.text


async def test_what_does_not_open_since_its_vault_was_made_anew_meanwhile_is_not_there(ask, plane):
    vaults = iter([a_vault(vault_id="first"), a_vault(vault_id="second")])

    async def locate(call):
        call.vault = next(vaults)

    plane.locate = locate
    plane.failing["handler"] = SealBroken("the vault has lost its key")
    response = await ask()
    assert (response.status, json.loads(response.body)["code"]) == (404, "VaultNotFound")


async def test_an_unknown_error_is_opaque_to_the_client_and_recorded(ask, plane, storage):
    plane.failing["handler"] = RuntimeError("canary-81a2")
    response = await ask()
    assert response.status == 500
    assert b"canary" not in response.body
    assert "canary" not in json.dumps(storage.bodies())
    assert storage.bodies()[0]["resultSignature"] == "InternalServerError"


async def test_no_answer_leaves_without_its_record(ask, storage, monkeypatch):
    async def record(record):
        raise StorageUnavailable("disk full")

    monkeypatch.setattr(storage, "record", record)
    response = await ask()
    assert response.status == 503
    assert b"read" not in response.body


async def test_a_change_without_its_record_does_not_happen(ask, storage, monkeypatch):
    async def change(work):
        raise StorageUnavailable("disk full")

    monkeypatch.setattr(storage, "change", change)
    assert (await ask("PUT", body=b'{"value":"new"}')).status == 503
    assert await storage.read().facts.get("thing") is None


async def test_a_storage_that_cannot_be_read_is_told_as_such(ask, storage, monkeypatch):
    def read():
        raise StorageUnavailable("gone")

    monkeypatch.setattr(storage, "read", read)
    assert (await ask()).status == 503


async def test_the_rehearsal_clock_moves_what_handlers_see_and_not_the_record(ask, plane, storage):
    seen = []

    async def handler(call):
        seen.append((call.now - call.real_now).total_seconds())
        return Response(200)

    await storage.read().facts.put(CLOCK_FACT, b"86400")
    plane.table = Table([Operation(method="GET", path="/things/{name}", handler=handler, log="ThingGet", gives=None)])
    await ask()
    assert seen == [86400]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"value":1}', b"\xff", b"[" * 10000, b'{"value":"' + b"x" * 10])
def test_a_body_that_does_not_fit_is_a_bad_request(body):
    with pytest.raises(BadRequest):
        parse_json(body, Body)


def test_a_body_that_nobody_asked_for_is_not_read():
    assert parse_json(b"anything", None) is None


# --- those who prove nobody


@pytest.fixture
def tally():
    return Tally()


@pytest.fixture
def limited(plane, storage, tally):
    """Ask a gate that lets two requests a minute through that prove nobody."""
    gate = Gate(plane, storage, a_custodian(), "localhost", strangers=Strangers(tally, 2, lambda _: True))

    async def ask(path="/things/a", client="203.0.113.7"):
        async def read(_limit):
            return b""

        return await gate.serve(Request("GET", "v.localhost", path, b"", {}, client), read)

    return ask


@pytest.mark.parametrize("step", ["locate", "authenticate"])
async def test_past_the_limit_who_proves_nobody_gets_429_and_no_record(limited, plane, storage, tally, step):
    plane.failing[step] = Unauthenticated("no token")
    answers = [await limited() for _ in range(5)]
    assert [answer.status for answer in answers] == [401, 401, 429, 429, 429]
    assert 0 < int(dict(answers[-1].headers)[b"retry-after"]) <= 60
    assert b"retry-after" not in dict(answers[0].headers)
    assert len(storage.records) == 2
    assert tally.take() == {"203.0.113.7": 3}


async def test_operations_that_ask_for_no_token_count_too(limited, storage):
    assert [(await limited("/open")).status for _ in range(3)] == [200, 200, 429]
    assert len(storage.records) == 2


async def test_who_proves_who_they_are_is_not_counted_whatever_their_neighbours_do(limited, plane, storage, tally):
    plane.failing["authenticate"] = Unauthenticated("no token")
    for _ in range(5):
        await limited()
    plane.failing = {}
    assert [(await limited()).status for _ in range(5)] == [200] * 5
    plane.failing["authorize"] = Forbidden("no right")
    assert [(await limited()).status for _ in range(5)] == [403] * 5
    assert len(storage.records) == 2 + 10
    assert tally.take() == {"203.0.113.7": 3}


async def test_other_addresses_are_not_meant(limited, plane):
    plane.failing["authenticate"] = Unauthenticated("no token")
    for _ in range(5):
        await limited()
    assert (await limited(client="203.0.113.8")).status == 401


async def test_who_signed_in_is_no_stranger(limited, plane, tally):
    async def sign_in(call):
        call.signed_in = True
        return Response(200)

    row = next(each for each in plane.table.operations if each.path == "/open")
    plane.table = Table([replace(row, handler=sign_in)])
    assert [(await limited("/open")).status for _ in range(5)] == [200] * 5
    assert tally.take() == {}


async def test_a_fault_of_ours_is_no_stranger_s_doing(limited, plane, tally):
    plane.failing["locate"] = StorageUnavailable("gone")
    assert [(await limited()).status for _ in range(5)] == [503] * 5
    assert tally.take() == {}


@pytest.mark.parametrize(
    ("step", "error", "status"),
    [
        ("locate", NotFound("no vault"), 404),
        ("authenticate", Unauthenticated("disabled"), 401),
        ("authorize", Forbidden("no more"), 403),
    ],
)
async def test_who_is_revoked_while_the_body_comes_slowly_is_refused(plane, storage, monkeypatch, step, error, status):
    monkeypatch.setattr("strongroom.planes.gate.PATIENCE_SECONDS", -1.0)  # no body is fast enough
    gate = Gate(plane, storage, a_custodian(), "localhost")
    request = Request("PUT", "v.localhost", "/things/a", b"", {}, "127.0.0.1")

    async def read(_limit):
        plane.failing[step] = error
        return b'{"value":"x"}'

    assert (await gate.serve(request, read)).status == status
    assert "handler" not in plane.steps
    (record,) = storage.bodies()
    assert record["resultType"] == "Failed"
    assert "reason" not in record["properties"]  # why the caller might before


async def test_a_slow_body_of_who_still_may_is_taken(ask, plane, monkeypatch):
    monkeypatch.setattr("strongroom.planes.gate.PATIENCE_SECONDS", -1.0)
    assert (await ask("PUT", body=b'{"value":"x"}')).status == 200
    assert plane.steps.count("authorize") == 2


@pytest.mark.parametrize(("step", "status"), [("locate", 404), ("authenticate", 401), ("authorize", 403)])
async def test_who_is_revoked_while_something_is_made_is_refused(ask, plane, storage, monkeypatch, step, status):
    errors = {404: NotFound("no vault"), 401: Unauthenticated("disabled"), 403: Forbidden("no more")}

    def revoke(_call):
        monkeypatch.setattr("strongroom.planes.gate.PATIENCE_SECONDS", -1.0)  # nothing is made fast enough
        plane.failing[step] = errors[status]

    plane.meanwhile = revoke
    assert (await ask("POST", "/things/a/make")).status == status
    assert "handler" not in plane.steps
    (record,) = storage.bodies()
    assert record["resultType"] == "Failed"
    assert "reason" not in record["properties"]


async def test_who_still_may_when_something_was_made_slowly_is_asked_by_the_time_it_is_then(ask, plane, monkeypatch):
    moments = []

    def make(call):
        moments.append(call.real_now)
        monkeypatch.setattr("strongroom.planes.gate.PATIENCE_SECONDS", -1.0)
        monkeypatch.setattr("strongroom.planes.gate.real_now", lambda: moments[0] + timedelta(hours=1))
        monkeypatch.setattr(plane, "authorize", authorize)

    async def authorize(call):
        moments.extend((call.real_now, call.now))

    plane.meanwhile = make
    assert (await ask("POST", "/things/a/make")).status == 200
    assert moments[1:] == [moments[0] + timedelta(hours=1)] * 2


async def test_what_was_made_for_who_may_no_more_is_destroyed(ask, plane, monkeypatch):
    keeper = Keeper()

    def revoke(call):
        call.made.append(Discard(keeper, "made", "place"))
        monkeypatch.setattr("strongroom.planes.gate.PATIENCE_SECONDS", -1.0)  # nothing is made fast enough
        plane.failing["authorize"] = Forbidden("no more")

    plane.meanwhile = revoke
    assert (await ask("POST", "/things/a/make")).status == 403
    assert keeper.destroyed == [("made", "place")]


async def test_what_was_made_for_a_vault_does_not_go_into_another_of_its_name(ask, plane, monkeypatch):
    found = [a_vault(), replace(a_vault(), vault_id="another")]

    async def locate(call):
        call.vault = found.pop(0)

    monkeypatch.setattr(plane, "locate", locate)
    plane.meanwhile = lambda _call: monkeypatch.setattr("strongroom.planes.gate.PATIENCE_SECONDS", -1.0)
    response = await ask("POST", "/things/a/make")
    assert (response.status, json.loads(response.body)["code"]) == (404, "VaultNotFound")
    assert "handler" not in plane.steps


@pytest.mark.parametrize("waiting", ["body", "prepare", "handler"])
async def test_a_request_that_is_under_way_when_the_server_stops_is_recorded(plane, storage, monkeypatch, waiting):
    begun = asyncio.Event()

    async def wait(*_):
        begun.set()
        await asyncio.Event().wait()

    async def read(_limit):
        return await wait() if waiting == "body" else b""

    for operation in plane.table.operations:
        if operation.log == "ThingMake" and waiting == "prepare":
            object.__setattr__(operation, "prepare", wait)
        if operation.log == "ThingGet" and waiting == "handler":
            object.__setattr__(operation, "handler", wait)
    gate = Gate(plane, storage, a_custodian(), "localhost")
    method, path = ("POST", "/things/a/make") if waiting == "prepare" else ("GET", "/things/a")
    serving = asyncio.ensure_future(gate.serve(Request(method, "v.localhost", path, b"", {}, "127.0.0.1"), read))
    await begun.wait()
    serving.cancel()
    response = await serving
    assert (response.status, json.loads(response.body)["code"]) == (503, "ServiceUnavailable")
    (record,) = storage.bodies()
    assert (record["operationName"][:5], record["resultType"]) == ("Thing", "Failed")


async def test_a_change_that_is_under_way_when_the_server_stops_has_no_second_record(plane, storage, monkeypatch):
    begun = asyncio.Event()

    async def change(_work):
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(storage, "change", change)

    async def read(_limit):
        return b'{"value":"x"}'

    gate = Gate(plane, storage, a_custodian(), "localhost")
    serving = asyncio.ensure_future(gate.serve(Request("PUT", "v.localhost", "/things/a", b"", {}, ""), read))
    await begun.wait()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert storage.bodies() == []


async def test_handlers_see_what_was_changed_while_the_body_came(plane, storage, monkeypatch):
    """A storage remembers rows until it is asked for stores again: those of before the body are out of date."""
    asked, seen = [], []
    read_stores = storage.read

    def read():
        asked.append(len(seen))
        return read_stores()

    async def read_body(_limit):
        seen.append("body")
        return b""

    monkeypatch.setattr(storage, "read", read)
    gate = Gate(plane, storage, a_custodian(), "localhost")
    assert (await gate.serve(Request("GET", "v.localhost", "/things/a", b"", {}, "127.0.0.1"), read_body)).status == 200
    assert asked == [0, 1]
