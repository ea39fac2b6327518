import asyncio

import pytest

import strongroom.app
from strongroom.app import READY_SECONDS, Application, host_name, make_request, read_body
from strongroom.custody.sealing import SealBroken
from strongroom.errors import BadRequest, PayloadTooLarge, StorageUnavailable
from strongroom.planes.http import Response


class Recorder:
    """A gate that answers with its own name and remembers what it was asked."""

    def __init__(self, name):
        self.name = name
        self.requests = []

    async def serve(self, request, read_body):
        if read_body is not None:
            request.body = await read_body(100)
        self.requests.append(request)
        return Response(200, self.name.encode())


@pytest.fixture
def gates():
    return {name: Recorder(name) for name in ("login", "management", "vaults")}


@pytest.fixture
def app(gates):
    async def is_ready():
        return True

    hosts = {"login": gates["login"], "management": gates["management"]}
    return Application(
        domain="vault.test",
        hosts=hosts,
        vaults=gates["vaults"],
        is_ready=is_ready,
        room=lambda: "ample",
        background=None,
        close=None,
    )


def scope(host, path="/", method="GET", headers=()):
    return {
        "type": "http",
        "method": method,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", host.encode()), *headers],
        "client": ("127.0.0.9", 5),
    }


async def ask(app, *args, body=(b"",), **kwargs):
    parts = [{"type": "http.request", "body": part, "more_body": True} for part in body]
    parts[-1]["more_body"] = False
    sent = []

    async def receive():
        return parts.pop(0)

    async def send(message):
        sent.append(message)

    await app(scope(*args, **kwargs), receive, send)
    return sent[0]["status"], sent[1]["body"], dict(sent[0]["headers"])


@pytest.mark.parametrize(
    ("host", "gate"),
    [
        ("login.vault.test", "login"),
        ("LOGIN.vault.test:8443", "login"),
        ("management.vault.test:1", "management"),
        ("pay.vault.vault.test:8443", "vaults"),
    ],
)
async def test_the_host_picks_the_plane(app, gates, host, gate):
    status, body, _ = await ask(app, host)
    assert (status, body) == (200, gate.encode())
    assert gates[gate].requests[0].host == host.lower()


@pytest.mark.parametrize(
    "host",
    [
        "",
        "login.evil.test",
        "login.vault.test.evil",
        "a.b.vault.vault.test",
        "login.vault.test:99999",
        "login.vault.test:x",
        "xlogin.vault.test",
        "10.0.0.1",
        "vault.vault.test:8443:1",
    ],
)
async def test_other_hosts_are_not_served(app, gates, host):
    status, _, _ = await ask(app, host)
    assert status == 421
    assert not any(gate.requests for gate in gates.values())


@pytest.mark.parametrize(("path", "status"), [("/health/live", 200), ("/health/ready", 200), ("/", 404)])
@pytest.mark.parametrize("host", ["vault.test:8443", "localhost:1", "127.0.0.1", "[::1]:8443"])
async def test_health_is_told_on_the_servers_own_names(app, host, path, status):
    assert (await ask(app, host, path))[0] == status


async def test_readiness_which_costs_a_write_is_asked_of_the_storage_once_a_second(app, monkeypatch):
    clock, asked = [100.0], []
    monkeypatch.setattr("strongroom.app.time.perf_counter", lambda: clock[0])

    async def is_ready():
        asked.append(clock[0])
        return len(asked) == 1

    app._is_ready = is_ready
    assert [(await ask(app, "localhost", "/health/ready"))[0] for _ in range(5)] == [200] * 5
    clock[0] += READY_SECONDS
    assert [(await ask(app, "localhost", "/health/ready"))[0] for _ in range(5)] == [503] * 5
    assert asked == [100.0, 100.0 + READY_SECONDS]


@pytest.mark.parametrize("plane", ["data", "management", "identity", "graph"])
@pytest.mark.parametrize("host", ["vault.test:8443", "localhost:1", "127.0.0.1", "[::1]:8443"])
async def test_documents_are_served_on_the_servers_own_names(app, host, plane):
    status, body, headers = await ask(app, host, f"/openapi/{plane}.json")
    assert (status, headers[b"content-type"]) == (200, b"application/json; charset=utf-8")
    assert b".vault.test" in body


@pytest.mark.parametrize(
    ("host", "path", "method", "status"),
    [
        ("vault.test", "/openapi/portal.json", "GET", 404),
        ("vault.test", "/openapi/data.json", "POST", 404),
        ("evil.test", "/openapi/data.json", "GET", 421),
    ],
)
async def test_nothing_else_of_documents_is(app, host, path, method, status):
    assert (await ask(app, host, path, method))[0] == status


async def test_a_document_that_is_known_is_answered_without_a_body(app):
    _, _, headers = await ask(app, "vault.test", "/openapi/data.json")
    known = [(b"if-none-match", headers[b"etag"])]
    status, body, headers = await ask(app, "vault.test", "/openapi/data.json", headers=known)
    assert (status, body) == (304, b"")
    assert b"content-length" not in headers


async def test_a_server_that_cannot_write_is_not_ready(app):
    async def is_ready():
        return False

    app._is_ready = is_ready
    assert (await ask(app, "localhost", "/health/ready"))[:2] == (503, b'{"status":"busy","disk":"ample"}')


async def test_head_has_no_body_but_its_length(app):
    status, body, headers = await ask(app, "login.vault.test", method="HEAD")
    assert (status, body, headers[b"content-length"]) == (200, b"", b"5")


@pytest.mark.parametrize("body", [(b"x" * 100,), (b"x" * 60, b"y" * 40), (b"", b"")])
async def test_a_body_within_the_limit_is_read(app, gates, body):
    await ask(app, "login.vault.test", method="POST", body=body)
    assert gates["login"].requests[0].body == b"".join(body)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_request_that_has_no_body_is_not_waited_for(app, gates, method):
    await ask(app, "login.vault.test", method=method, body=(b"x",))
    assert gates["login"].requests[0].body == b""


@pytest.mark.parametrize("body", [(b"x" * 101,), (b"x" * 60, b"y" * 41), (b"",) * 3 + (b"z" * 101,)])
async def test_a_body_past_the_limit_is_refused(body):
    parts = [{"type": "http.request", "body": part, "more_body": True} for part in body]
    parts[-1]["more_body"] = False

    async def receive():
        return parts.pop(0)

    with pytest.raises(PayloadTooLarge):
        await read_body(receive, 100)


def test_a_header_given_twice_is_known_as_such():
    request = make_request(
        scope("a", headers=[(b"authorization", b"1"), (b"authorization", b"2"), (b"x", b"1"), (b"x", b"2")])
    )
    assert request.repeated == {b"authorization"}
    assert request.header(b"authorization") == "1"


def test_a_peer_without_an_address_has_none():
    assert make_request(scope("a") | {"client": None}).client == ""


def test_a_request_says_where_it_arrived_where_that_is_known():
    request = make_request(scope("a") | {"server": ("192.0.2.9", 8443)})
    assert (request.arrived, request.arrived_port) == ("192.0.2.9", 8443)
    for unknown in (None, ("192.0.2.9", None)):
        assert make_request(scope("a") | {"server": unknown}).arrived_port == 0


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("a:1", "a"),
        ("a", "a"),
        ("[::1]", "[::1]"),
        ("[::1]:5", "[::1]"),
        ("a:", ""),
        ("a:²", ""),
        ("a:" + "1" * 5000, ""),
        ("a" * 300, ""),
    ],
)
def test_the_name_in_a_host_header(host, name):
    assert host_name(host) == name


async def test_what_runs_beside_the_requests_ends_with_them():
    events = []
    started = asyncio.Event()

    async def background():
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            events.append("stopped")

    async def close():
        events.append("closed")

    app = Application(domain="d", hosts={}, vaults=None, is_ready=None, room=None, background=background, close=close)
    stop = asyncio.Event()

    async def receive():
        if events:
            await stop.wait()
        return {}

    async def send(message):
        events.append(message["type"])

    task = asyncio.create_task(app({"type": "lifespan"}, receive, send))
    await started.wait()
    stop.set()
    await task
    assert events == ["lifespan.startup.complete", "stopped", "closed", "lifespan.shutdown.complete"]


@pytest.mark.parametrize("before", [[], [{"type": "http.request", "body": b"{}", "more_body": True}]])
async def test_a_body_that_was_left_off_is_not_taken_for_the_whole(before):
    parts = [*before, {"type": "http.disconnect"}]

    async def receive():
        return parts.pop(0)

    with pytest.raises(BadRequest):
        await read_body(receive, 100)


@pytest.mark.parametrize(
    "error", [StorageUnavailable("full"), SealBroken("edited"), RuntimeError("unforeseen")], ids=repr
)
async def test_a_sweep_that_fails_is_not_the_last_one(monkeypatch, error):
    monkeypatch.setattr(strongroom.app, "SWEEP_SECONDS", 0)
    swept = asyncio.Event()
    errors = [error]

    async def sweep():
        if errors:
            raise errors.pop()
        swept.set()

    task = asyncio.create_task(strongroom.app._repeat(sweep))
    await asyncio.wait_for(swept.wait(), 5)
    task.cancel()
