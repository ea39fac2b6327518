"""Behind proxies: whose request it is, over real sockets and TLS. 127.0.0.2 is a trusted proxy, 127.0.0.1 is none."""

import asyncio
import contextlib
import ssl

import pytest

from hosting.conftest import Client

PROXY, PROXY_6, OTHER = "127.0.0.2", "::1", "127.0.0.1"
TRUSTED = [f"{PROXY}/32", "10.0.0.0/8", f"{PROXY_6}/128"]
V1 = b"PROXY TCP4 192.0.2.7 203.0.113.9 5000 443\r\n"
V1_TRUSTED = b"PROXY TCP4 10.0.0.7 203.0.113.9 5000 443\r\n"
V2_6 = bytes.fromhex(
    "0d0a0d0a000d0a515549540a 21 21 002b" + "20010db8" + "00" * 11 + "07" + "20010db8" + "00" * 11 + "09"
)
V2_6 += (5000).to_bytes(2, "big") + (443).to_bytes(2, "big") + b"\x04\x00\x04abcd"
LOCAL = bytes.fromhex("0d0a0d0a000d0a515549540a 20 00 0000")
UNKNOWN = b"PROXY UNKNOWN\r\n"


async def dial(served, *, source=OTHER, header=b""):
    """Return a client at `source` that has sent `header` and then begun TLS."""
    target = "::1" if ":" in source else "127.0.0.1"
    reader, writer = await asyncio.open_connection(target, served.port, local_addr=(source, 0))
    writer.write(header)
    await writer.start_tls(served.context, server_hostname="login.localhost")
    return Client(reader, writer)


async def ask(served, *lines, source=OTHER, header=b""):
    """Return (status, whose request it was, where it arrived) of one request with further header lines."""
    client = await dial(served, source=source, header=header)
    client.send("\r\n".join(["GET /x HTTP/1.1", "Host: login.localhost", *lines, "", ""]).encode())
    status, _, body = await client.answer()
    client.writer.close()
    return (status, body["client"][0], body["arrived"]) if status == 200 else (status, body["error"]["message"], None)


async def test_without_trusted_proxies_every_header_is_the_strangers_own_word(serving):
    async with serving() as served:
        for source in (OTHER, PROXY):
            told = await ask(served, "X-Forwarded-For: 192.0.2.7", "Forwarded: for=_x", source=source)
            assert told == (200, source, ["127.0.0.1", served.port])
        assert await ask(served, source="::1") == (200, "::1", ["::1", served.port])


async def test_headers_count_from_trusted_proxies_only_and_from_the_right(serving):
    async with serving(trusted=TRUSTED) as served:
        here = ["127.0.0.1", served.port]
        line = "X-Forwarded-For: 203.0.113.1, 192.0.2.7, 10.0.0.9"
        assert await ask(served, line, source=OTHER) == (200, OTHER, here)
        assert await ask(served, line, source=PROXY) == (200, "192.0.2.7", here)
        assert await ask(served, 'Forwarded: for="[2001:db8::7]:80"', source=PROXY) == (200, "2001:db8::7", here)
        assert await ask(served, "X-Forwarded-For: ::ffff:192.0.2.7", source=PROXY_6) == (
            200,
            "192.0.2.7",
            ["::1", here[1]],
        )
        assert await ask(served, source=PROXY) == (200, PROXY, here)


async def test_each_request_of_a_proxys_connection_has_its_own_caller(serving):
    async with serving(trusted=TRUSTED) as served:
        client = await dial(served, source=PROXY)
        for address in ("192.0.2.7", "192.0.2.8"):
            client.send(f"GET / HTTP/1.1\r\nHost: login.localhost\r\nX-Forwarded-For: {address}\r\n\r\n".encode())
            assert (await client.answer())[2]["client"][0] == address
        client.send(b"GET / HTTP/1.1\r\nHost: login.localhost\r\n\r\n")
        assert (await client.answer())[2]["client"][0] == PROXY
        client.writer.close()


@pytest.mark.parametrize("line", ["X-Forwarded-For: unknown", "Forwarded: for=_x", "X-Forwarded-For:", "Forwarded: x"])
async def test_where_a_trusted_proxy_is_unclear_nobody_is_let_in(serving, line):
    async with serving(trusted=TRUSTED) as served:
        status, message, _ = await ask(served, line, source=PROXY)
        assert (status, "whose request" in message) == (400, True)
        assert served.server._site.meters.total(("malformed", "400")) == 1


@pytest.mark.parametrize(
    ("header", "caller", "arrived"),
    [
        (V1, "192.0.2.7", ["203.0.113.9", 443]),
        (V2_6, "2001:db8::7", ["2001:db8::9", 443]),
        (b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:203.0.113.9 1 2\r\n", "192.0.2.7", ["203.0.113.9", 2]),
    ],
)
@pytest.mark.parametrize("source", [PROXY, PROXY_6])
async def test_a_proxy_says_in_front_of_tls_who_calls(serving, header, caller, arrived, source):
    async with serving(trusted=TRUSTED, proxy_protocol=True) as served:
        forged = ("X-Forwarded-For: 198.51.100.1", "Forwarded: for=198.51.100.1")
        assert await ask(served, *forged, source=source, header=header) == (200, caller, arrived)


@pytest.mark.parametrize("header", [LOCAL, UNKNOWN])
async def test_a_proxy_that_speaks_for_itself_vouches_for_no_header(serving, header):
    async with serving(trusted=TRUSTED, proxy_protocol=True) as served:
        told = await ask(served, "X-Forwarded-For: 198.51.100.1", source=PROXY, header=header)
        assert told == (200, PROXY, ["127.0.0.1", served.port])


async def test_behind_a_balancer_a_trusted_proxys_headers_count(serving):
    async with serving(trusted=TRUSTED, proxy_protocol=True) as served:
        told = await ask(served, "X-Forwarded-For: 192.0.2.7", source=PROXY, header=V1_TRUSTED)
        assert told == (200, "192.0.2.7", ["203.0.113.9", 443])


async def test_who_is_no_proxy_is_direct_and_may_have_no_header(serving):
    async with serving(trusted=TRUSTED, proxy_protocol=True) as served:
        told = await ask(served, "X-Forwarded-For: 192.0.2.7", source=OTHER)
        assert told == (200, OTHER, ["127.0.0.1", served.port])
        with pytest.raises((OSError, ssl.SSLError)):
            await ask(served, source=OTHER, header=V1)


async def test_without_the_setting_no_header_is_taken_from_anybody(serving):
    async with serving(trusted=TRUSTED) as served:
        for source in (OTHER, PROXY):
            with pytest.raises((OSError, ssl.SSLError)):
                await ask(served, source=source, header=V1)


@pytest.mark.parametrize(
    "header", [b"", b"PROXY TCP4 x\r\n", b"GET / HTTP/1.1\r\n", V1[:10] + b"\r\n", b"PROXY " + b"x" * 200]
)
async def test_a_proxy_without_its_header_is_ended_and_counted(serving, header):
    async with serving(trusted=TRUSTED, proxy_protocol=True) as served:
        with pytest.raises((OSError, ssl.SSLError)):
            await ask(served, source=PROXY, header=header)
        assert served.server._site.meters.total(("proxy-headers",)) == 1
        assert (await ask(served, source=PROXY, header=V1))[0] == 200


async def test_a_header_may_come_in_pieces_but_not_for_ever(serving, until_true):
    async with serving(trusted=TRUSTED, proxy_protocol=True, head_seconds=0.5) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port, local_addr=(PROXY, 0))
        for at in range(len(V2_6)):
            writer.write(V2_6[at : at + 1])
            await asyncio.sleep(0)
        await writer.start_tls(served.context, server_hostname="login.localhost")
        client = Client(reader, writer)
        client.send(b"GET / HTTP/1.1\r\nHost: login.localhost\r\n\r\n")
        assert (await client.answer())[2]["client"][0] == "2001:db8::7"
        slow = await asyncio.open_connection("127.0.0.1", served.port, local_addr=(PROXY, 0))
        slow[1].write(V1[:12])
        assert (await ask(served))[0] == 200  # which waits for nobody
        with contextlib.suppress(OSError):
            assert await slow[0].read() == b""
        slow[1].close()
        writer.close()
        assert served.server._site.meters.total(("proxy-headers",)) == 1
        await until_true(lambda: not served.server._acceptor.opening)


async def test_a_look_whether_the_port_answers_is_no_fault(serving, until_true):
    async with serving(trusted=TRUSTED, proxy_protocol=True) as served:
        _, writer = await asyncio.open_connection("127.0.0.1", served.port, local_addr=(PROXY, 0))
        await until_true(lambda: served.server._acceptor.opening)
        writer.close()
        await until_true(lambda: not served.server._acceptor.opening)
        assert served.server._site.meters.total(("proxy-headers",)) == 0


async def test_connections_are_limited_before_their_header_too(serving, until_true):
    async with serving(trusted=TRUSTED, proxy_protocol=True, connections=2) as served:
        front = served.server._acceptor
        silent = [await asyncio.open_connection("127.0.0.1", served.port, local_addr=(PROXY, 0)) for _ in range(2)]
        await until_true(lambda: len(front.opening) == 2)
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        assert await reader.read() == b""
        for _, other in silent:
            other.close()
        await until_true(lambda: not front.opening)
        assert (await ask(served))[0] == 200
        writer.close()


async def test_a_client_of_the_connect_proxy_is_who_it_is(serving):
    """Not the server itself, not whom a trusted proxy could name, and without a PROXY header."""
    async with serving(trusted=[*TRUSTED, f"{OTHER}/32"], proxy_protocol=True) as served:
        for source in (OTHER, PROXY, "127.0.0.3"):
            reader, writer = await asyncio.open_connection("127.0.0.1", served.proxy_port, local_addr=(source, 0))
            writer.write(b"CONNECT login.localhost:443 HTTP/1.1\r\nForwarded: for=192.0.2.7\r\n\r\n")
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
            await writer.start_tls(served.context, server_hostname="login.localhost")
            client = Client(reader, writer)
            client.send(b"GET / HTTP/1.1\r\nHost: login.localhost\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n")
            body = (await client.answer())[2]
            assert (body["client"][0], body["arrived"]) == (source, ["127.0.0.1", served.proxy_port])
            writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", served.proxy_port)
        writer.write(V1 + b"CONNECT login.localhost:443 HTTP/1.1\r\n\r\n")
        assert b" 400 " in await reader.readuntil(b"\r\n\r\n")
        writer.close()


async def test_who_was_accepted_is_served_though_no_more_are(serving, until_true):
    async with serving(trusted=TRUSTED, proxy_protocol=True) as served:
        front = served.server._acceptor
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port, local_addr=(PROXY, 0))
        await until_true(lambda: front.opening)
        front.stop_accepting()
        writer.write(V1)
        await writer.start_tls(served.context, server_hostname="login.localhost")
        client = Client(reader, writer)
        client.send(b"GET / HTTP/1.1\r\nHost: login.localhost\r\n\r\n")
        assert (await client.answer())[2]["client"][0] == "192.0.2.7"
        writer.close()
