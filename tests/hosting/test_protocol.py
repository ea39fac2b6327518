"""What a connection takes and what it refuses."""

import asyncio
import contextlib
import gc
import os
import re
import weakref

import pytest
import pytest_asyncio

GET = b"GET /x HTTP/1.1\r\nHost: login.localhost\r\n\r\n"
WAIT = GET.replace(b"/x", b"/wait")
POST = b"POST /x HTTP/1.1\r\nHost: login.localhost\r\n"


def statuses(data):
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", data)]


async def test_a_connection_serves_one_request_after_another(serving):
    async with serving() as served:
        client = await served.connect()
        for size in (0, 10, 200_000):
            client.send(POST + b"Content-Length: %d\r\n\r\n" % size + b"a" * size)
            status, headers, told = await client.answer()
            assert (status, told["size"], told["tls"]) == (200, size, "TLSv1.3")
            assert "server" not in headers
            assert "date" in headers
        client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\n\r\n")
        assert (await client.answer())[2]["size"] == 5


async def test_forwarded_headers_change_nothing(serving):
    async with serving() as served:
        client = await served.connect()
        client.send(GET[:-2] + b"X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: http\r\nForwarded: for=9.9.9.9\r\n\r\n")
        told = (await client.answer())[2]
        assert told["client"][0] == "127.0.0.1"


REFUSED = {
    "nonsense": (b"nonsense\r\n\r\n", 400),
    "unknown method": (b"FROB /x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "lower-case method": (b"get /x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "HTTP/0.9": (b"GET /x\r\n\r\n", 505),
    "HTTP/2 by another name": (b"GET /x HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "no host": (b"GET /x HTTP/1.1\r\n\r\n", 400),
    "two hosts": (GET[:-2] + b"Host: other\r\n\r\n", 400),
    "absolute target": (b"GET https://login.localhost/x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "asterisk target": (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "control character in the target": (b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "raw UTF-8 in the target": ("GET /é HTTP/1.1\r\nHost: a\r\n\r\n".encode(), 400),
    "CONNECT": (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "websocket": (GET[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 400),
    "h2c": (GET[:-2] + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n", 400),
    "upgrade with a body": (POST + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\na", 400),
    "length and chunked": (POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunked and length": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400),
    "two lengths": (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\na", 400),
    "the same length twice": (POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400),
    "a list of lengths": (POST + b"Content-Length: 1, 1\r\n\r\na", 400),
    "signed length": (POST + b"Content-Length: +1\r\n\r\na", 400),
    "negative length": (POST + b"Content-Length: -1\r\n\r\na", 400),
    "hexadecimal length": (POST + b"Content-Length: 0x1\r\n\r\na", 400),
    "empty length": (POST + b"Content-Length: \r\n\r\n", 400),
    "endless length": (POST + b"Content-Length: 99999999999999999999\r\n\r\na", 400),
    "length too large": (POST + b"Content-Length: 300001\r\n\r\n", 413),
    "gzip, chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "identity coding": (POST + b"Transfer-Encoding: identity\r\n\r\n", 501),
    "chunked twice": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunked in HTTP/1.0": (POST.replace(b"/1.1", b"/1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501),
    "bare LF": (b"GET /x HTTP/1.1\nHost: a\n\n", 400),
    "bare CR": (b"GET /x HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400),
    "folded header": (GET[:-2] + b"X: a\r\n b\r\n\r\n", 400),
    "blank before the colon": (b"GET /x HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    "NUL in a header": (GET[:-2] + b"X: a\x00b\r\n\r\n", 400),
    "header without a name": (GET[:-2] + b": a\r\n\r\n", 400),
    "long target": (b"GET /" + b"a" * 1100 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    "long header": (GET[:-2] + b"X: " + b"a" * 5000 + b"\r\n\r\n", 431),
    "many headers": (GET[:-2] + b"X: a\r\n" * 20 + b"\r\n", 431),
    "endless header": (GET[:-2] + b"X: " + b"a" * 9000, 431),
    "broken chunk size": (POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", 400),
    "endless chunk size": (POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 400),
    "chunk longer than said": (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", 400),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(serving_once):
    async with serving_once() as served:
        yield served


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("data", "status"), REFUSED.values(), ids=REFUSED)
async def test_what_can_be_misread_is_refused_once_and_ends_the_connection(shared, data, status):
    answer = await shared.ask(data + GET)
    assert statuses(answer) == [status]
    assert b"connection: close" in answer
    assert b'{"error": {"code": "' in answer
    assert b"Traceback" not in answer


async def test_a_head_may_come_in_pieces_up_to_its_bound(serving):
    async with serving() as served:
        client = await served.connect()
        for piece in (b"GET /x HT", b"TP/1.1\r\nHo", b"st: a\r\nX: " + b"a" * 3000, b"b\r\n", b"\r\n"):
            client.send(piece)
            await client.writer.drain()
            await asyncio.sleep(0.01)
        assert (await client.answer())[0] == 200
        client.send(GET[:-2])
        for _ in range(4):
            client.send(b"X: " + b"a" * 1500 + b"\r\n")
            await asyncio.sleep(0.01)
        client.send(b"\r\n")
        assert statuses(await client.rest()) == [431]


async def test_a_large_body_and_the_head_after_it_count_apart(serving):
    async with serving() as served:
        client = await served.connect()
        client.send(POST + b"Content-Length: 150000\r\n\r\n" + b"a" * 150_000 + GET[:-2] + b"X: " + b"a" * 3000)
        assert (await client.answer())[2]["size"] == 150_000
        client.send(b"\r\n\r\n")
        assert (await client.answer())[2]["size"] == 0


async def test_trailers_do_not_become_headers(serving):
    async with serving() as served:
        client = await served.connect()
        client.send(WAIT.replace(b"GET", b"POST")[:-2] + b"Transfer-Encoding: chunked\r\n\r\n")
        client.send(b"1\r\na\r\n0\r\nAuthorization: Bearer canary\r\n\r\n")
        await served.app.waiting.wait()
        served.app.gate.set()
        status, _, told = await client.answer()
        assert status == 200
        assert [name for name, _ in told["headers"]] == ["host", "transfer-encoding"]
        client.send(GET)
        assert (await client.answer())[0] == 200


@pytest.mark.parametrize("body", [b"10000\r\n" + b"a" * 65536 + b"\r\n", b"1\r\na\r\n" * 10_000])
async def test_a_chunked_body_past_its_bound_is_413_and_the_application_is_told(serving, body):
    async with serving() as served:
        client = await served.connect()
        client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(40):
            client.send(body)
        assert statuses(await client.rest()) == [413]
        await served.app.gone.wait()


async def test_a_body_past_its_bound_that_nobody_reads_still_ends(serving):
    async with serving() as served:
        client = await served.connect()
        client.send(POST.replace(b"/x", b"/unread") + b"Transfer-Encoding: chunked\r\n\r\n")
        status, _, _ = await client.answer()
        assert status == 200
        for _ in range(40):
            client.send(b"10000\r\n" + b"a" * 65536 + b"\r\n")
        assert b"HTTP/1.1 200" not in await client.rest()


async def test_pipelined_requests_are_answered_in_order(serving):
    async with serving() as served:
        client = await served.connect()
        client.send(WAIT + GET + GET.replace(b"/x", b"/y"))
        await served.app.waiting.wait()
        served.app.gate.set()
        assert [(await client.answer())[2]["path"] for _ in range(3)] == ["/wait", "/x", "/y"]


@pytest.mark.parametrize(
    ("broken", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (POST + b"Content-Length: 400000\r\n\r\n", 413),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", 400),
        (GET[:-2] + b"X: " + b"a" * 9000, 431),
    ],
)
async def test_a_refusal_waits_for_the_answers_before_it(serving, broken, status):
    async with serving() as served:
        client = await served.connect()
        client.send(WAIT + GET + broken)
        await served.app.waiting.wait()
        client.send(GET)
        await asyncio.sleep(0.02)
        served.app.gate.set()
        assert statuses(await client.rest()) == [200, 200, status]


async def test_too_many_pipelined_requests_are_refused(serving):
    async with serving() as served:
        client = await served.connect()
        client.send(WAIT + GET * 50)
        await served.app.waiting.wait()
        served.app.gate.set()
        assert statuses(await client.rest()) == [200] * 9 + [429]


async def test_an_answer_that_began_is_cut_rather_than_followed_by_another(serving):
    async with serving() as served:
        client = await served.connect()
        client.send(POST.replace(b"/x", b"/early") + b"Transfer-Encoding: chunked\r\n\r\n")
        await client.reader.readuntil(b"early")
        client.send(b"zz\r\n")
        assert await client.rest() == b""


@pytest.mark.parametrize(
    ("data", "bound"),
    [
        (b"", "head_seconds"),
        (b"\r\n\r\n", "head_seconds"),
        (GET, "keep_alive_seconds"),
        (POST + b"Content-Length: 3\r\n\r\nabc", "keep_alive_seconds"),
    ],
)
async def test_a_connection_at_rest_ends_without_a_word(serving, data, bound):
    async with serving(**{bound: 0.1}) as served:
        answer = await served.ask(data)
        assert statuses(answer) == ([200] if data.strip() else [])


@pytest.mark.parametrize(
    ("data", "bound"),
    [
        (b"G", "head_seconds"),
        (GET[:-2], "head_seconds"),
        (GET + GET[:-2], "head_seconds"),
        (POST + b"Content-Length: 3\r\n\r\nab", "body_seconds"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n", "body_seconds"),
    ],
)
async def test_a_request_that_stops_halfway_is_408(serving, data, bound):
    async with serving(**{bound: 0.1}) as served:
        answer = await served.ask(data)
        assert statuses(answer)[-1] == 408


async def test_dribbled_headers_do_not_buy_time(serving):
    async with serving(head_seconds=0.2) as served:
        client = await served.connect()
        client.send(GET[:-2])

        async def dribble():
            while True:
                client.send(b"X: y\r\n"[:1] + b": z\r\n")
                await asyncio.sleep(0.05)

        task = asyncio.create_task(dribble())
        assert statuses(await client.rest()) == [408]
        task.cancel()


async def test_a_slow_body_is_408_and_a_steady_one_is_not(serving):
    async with serving(body_seconds=0.15, body_rate=100_000) as served:
        steady = await served.connect()
        steady.send(POST + b"Content-Length: 100000\r\n\r\n")
        for _ in range(10):
            steady.send(b"a" * 10_000)
            await asyncio.sleep(0.05)
        assert (await steady.answer())[2]["size"] == 100_000
        slow = await served.connect()
        slow.send(POST + b"Content-Length: 100\r\n\r\n")

        async def dribble():
            while True:
                slow.send(b"a")
                await asyncio.sleep(0.02)

        task = asyncio.create_task(dribble())
        assert statuses(await slow.rest()) == [408]
        task.cancel()
        await served.app.gone.wait()


async def test_time_that_the_application_takes_is_not_the_clients(serving):
    async with serving(body_seconds=0.1, head_seconds=0.1, keep_alive_seconds=0.1) as served:
        client = await served.connect()
        client.send(WAIT)
        busy = await served.connect()
        busy.send(WAIT.replace(b"GET", b"POST")[:-2] + b"Content-Length: 200000\r\n\r\n" + b"a" * 100_000)
        await asyncio.sleep(0.5)
        served.app.gate.set()
        busy.send(b"a" * 100_000)
        assert (await client.answer())[0] == 200
        assert (await busy.answer())[2]["size"] == 200_000


async def test_a_client_waiting_for_100_continue_is_not_slow(serving):
    async with serving(body_seconds=0.1) as served:
        client = await served.connect()
        client.send(WAIT.replace(b"GET", b"POST")[:-2] + b"Content-Length: 3\r\nExpect: 100-Continue\r\n\r\n")
        await asyncio.sleep(0.3)
        served.app.gate.set()
        assert (await client.answer())[0] == 100
        client.send(b"abc")
        assert (await client.answer())[2]["size"] == 3


async def test_an_answer_without_100_continue_ends_the_connection(serving):
    async with serving() as served:
        asked = POST.replace(b"/x", b"/unread") + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        assert statuses(await served.ask(asked)) == [200]


async def test_an_answer_nobody_reads_ends_the_connection(serving, until_true):
    async with serving(write_seconds=0.2) as served:
        client = await served.connect()
        client.writer.transport.pause_reading()
        client.send(GET.replace(b"/x", b"/flood"))
        await until_true(lambda: served.connections)
        await until_true(lambda: not served.connections)
        client.writer.transport.abort()


async def test_a_long_answer_that_is_read_arrives(serving):
    async with serving() as served:
        client = await served.connect()
        client.send(GET.replace(b"/x", b"/flood"))
        assert len((await client.answer())[2]) == 50_000_000


async def test_past_the_limit_of_connections_new_ones_end_at_once(serving, until_true):
    async with serving(connections=16) as served:
        kept = [await served.connect() for _ in range(16)]
        await until_true(lambda: len(served.connections) == 16)
        with pytest.raises(ConnectionError):  # ended before its handshake
            await served.connect()
        kept[0].send(GET)
        assert (await kept[0].answer())[0] == 200
        kept[1].writer.close()
        await until_true(lambda: len(served.connections) < 16)
        client = await served.connect()
        client.send(GET)
        assert (await client.answer())[0] == 200


async def test_a_failure_of_the_application_tells_the_client_nothing(serving, caplog):
    async with serving() as served:
        answer = await served.ask(GET.replace(b"/x", b"/fail"))
        assert statuses(answer) == [500]
        assert b"canary" not in answer
        assert "canary" in caplog.text


async def test_a_client_that_leaves_is_noticed(serving, until_true):
    async with serving() as served:
        client = await served.connect()
        client.send(POST + b"Content-Length: 100\r\n\r\nabc")
        await client.writer.drain()
        await until_true(lambda: served.connections)
        client.writer.transport.abort()
        await served.app.gone.wait()
        piped = await served.connect()
        piped.send(WAIT + GET + GET)
        await served.app.waiting.wait()
        piped.writer.transport.abort()
        await until_true(lambda: not served.connections)


async def test_random_bytes_never_break_a_worker(shared_bytes, serving):
    async with serving() as served:
        for data in shared_bytes:
            assert set(statuses(await served.ask(data + b"\r\n\r\n"))) <= {400, 408, 505}


@pytest.fixture
def shared_bytes():
    return [os.urandom(size) for size in (1, 10, 100, 1000, 100_000)] + [b"\x16\x03\x01", b"\x00" * 50]


LEAVING = b"connection: close"


async def test_a_worker_that_leaves_answers_a_connection_at_rest_once_more_and_says_that_it_ends(serving):
    async with serving() as served:
        resting, fresh = await served.connect(), await served.connect()
        resting.send(GET)
        assert "connection" not in (await resting.answer())[1]
        served.server._begin_to_leave()
        for client in (resting, fresh):
            client.send(GET)
            answer = await client.rest()
            assert statuses(answer) == [200]
            assert LEAVING in answer
        await served.task  # nobody is left


async def test_a_worker_that_leaves_answers_what_is_under_way_and_what_is_pipelined_behind_it(serving):
    async with serving() as served:
        client = await served.connect()
        client.send(WAIT + GET)
        await served.app.waiting.wait()
        served.server._begin_to_leave()
        client.send(GET)
        await asyncio.sleep(0.02)
        served.app.gate.set()
        answer = await client.rest()
        assert statuses(answer) == [200, 200, 200]
        assert answer.count(LEAVING) == 1
        assert answer.rindex(LEAVING) > answer.rindex(b"HTTP/1.1")


async def test_a_worker_that_leaves_waits_for_handshakes_under_way(serving, until_true, client_context):
    async with serving() as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        await until_true(lambda: served.server.server_state.opening)
        served.server._begin_to_leave()
        await writer.start_tls(client_context, server_hostname="login.localhost")
        writer.write(GET)
        head = await reader.readuntil(b"\r\n\r\n")
        assert statuses(head) == [200]
        assert LEAVING in head
        writer.close()
        await served.task


async def test_a_worker_that_leaves_does_not_wait_for_ever(serving):
    async with serving(leaving_seconds=0.2, handshake_seconds=20) as served:
        client = await served.connect()
        client.send(GET)
        await client.answer()
        silent = await asyncio.open_connection("127.0.0.1", served.port)
        served.server._begin_to_leave()
        await served.task
        silent[1].close()


async def test_handshakes_that_failed_are_forgotten(serving, until_true):
    async with serving(handshake_seconds=0.2) as served:
        _, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await until_true(lambda: served.server.server_state.opening)
        await until_true(lambda: not served.server.server_state.opening)
        writer.close()


async def test_who_comes_while_a_worker_stops_comes_too_late(serving, until_true, client_context):
    async with serving(graceful_seconds=600) as served:
        under_way = await served.connect()
        under_way.send(WAIT)
        await served.app.waiting.wait()
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        await until_true(lambda: served.server.server_state.opening)
        served.server.should_exit = True
        await until_true(lambda: served.server.server_state.stopping)
        with contextlib.suppress(OSError):
            await writer.start_tls(client_context, server_hostname="login.localhost")
            writer.write(GET)
            assert await reader.read() == b""
        writer.close()
        served.app.gate.set()
        assert (await under_way.answer())[0] == 200
        await served.task  # nobody is waited for


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GET,
        GET * 50,
        WAIT,
        POST + b"Content-Length: 100\r\n\r\nabc",
        POST + b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n",
        GET[:-2] + b"X: " + b"a" * 9000,
        b"nonsense\r\n\r\n",
        GET.replace(b"/x", b"/flood"),
        GET.replace(b"/x", b"/fail"),
    ],
)
async def test_a_connection_that_ended_leaves_nothing_for_the_collector(serving, until_true, data):
    # It would come much later, and each connection holds buffers of up to a megabyte.
    async with serving() as served:
        gc.disable()
        try:
            client = await served.connect()
            await until_true(lambda: served.connections)
            left = weakref.WeakSet(served.connections)
            client.writer.transport.pause_reading()
            client.send(data)
            await asyncio.sleep(0.05)
            client.writer.transport.abort()
            served.app.gate.set()
            await until_true(lambda: not left)
        finally:
            gc.enable()


@pytest.mark.parametrize("data", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"])
async def test_a_handshake_that_does_not_come_ends_the_connection(serving, data):
    async with serving(handshake_seconds=0.2) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(data)
        async with asyncio.timeout(20):
            assert await reader.read() == b""
        writer.close()
