"""Requests on a user's behalf: to the host that was named, bounded, and nowhere else."""

import asyncio
import contextlib
import socket
import ssl

import pytest

from strongroom.clock import real_now
from strongroom.hosting import outgoing
from strongroom.hosting.ca import new_authority
from strongroom.hosting.outgoing import MOST_BYTES, Unreachable, get_json, is_allowed
from strongroom.hosting.tls import ServerTls

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


async def this_machine(_host, _port):
    return ("127.0.0.1", "::1")


@contextlib.asynccontextmanager
async def answering(*parts, context=None, ends=True):
    """A host that answers every request with these bytes: (its port, the requests that came)."""
    asked = []

    async def serve(reader, writer):
        with contextlib.suppress(ConnectionError):
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            for part in parts:
                writer.write(part)
                await writer.drain()
            if not ends:
                await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1], asked


async def test_a_document_is_asked_for_and_returned():
    async with answering(OK) as (port, asked):
        assert await get_json(f"http://127.0.0.1:{port}/a/b?c=d") == b"{}"
        assert await get_json(f"http://127.0.0.1:{port}") == b"{}"
    assert asked[0].splitlines()[:2] == [b"GET /a/b?c=d HTTP/1.1", b"Host: 127.0.0.1:%d" % port]
    assert asked[1].startswith(b"GET / HTTP/1.1")


async def test_an_answer_in_pieces_is_put_together():
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with answering(b"HTTP/1.1 20", b"0 OK\r\nContent-Le", b"ngth: 2\r\n\r\n{", b"}") as (port, _):
        assert await get_json(f"http://127.0.0.1:{port}/") == b"{}"
    async with answering(chunked + b"1\r\n{\r\n", b"1\r\n}\r\n0\r\n\r\n", ends=False) as (port, _):
        assert await get_json(f"http://127.0.0.1:{port}/") == b"{}"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", "status 302"),
        (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "status 500"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}", "ends before its time"),
        (b"", "ends before its time"),
        (b"SSH-2.0-none\r\n", "no HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * MOST_BYTES, "more than 256 KiB"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n" + b" " * (MOST_BYTES + 1), "more than 256 KiB"),
    ],
)
async def test_what_is_no_whole_answer_of_200_is_none(answer, told):
    async with answering(answer) as (port, asked):
        with pytest.raises(Unreachable, match=told):
            await get_json(f"http://127.0.0.1:{port}/")
    assert len(asked) == 1


async def test_a_host_that_says_nothing_is_not_waited_for():
    async with answering(b"HTTP/1.1 200 OK\r\n", ends=False) as (port, _):
        with pytest.raises(Unreachable, match=r"no answer within 0\.05 seconds"):
            await get_json(f"http://127.0.0.1:{port}/", seconds=0.05)


async def test_a_host_that_is_not_there_is_told():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # nobody listens, and nobody else can
        with pytest.raises(Unreachable, match="no HTTP answer"):
            await get_json(f"http://127.0.0.1:{bound.getsockname()[1]}/")


async def test_a_certificate_must_be_trusted_and_of_that_name(tmp_path, monkeypatch):
    authority = new_authority("localhost", real_now())
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    tls = ServerTls(authority.mint, real_now())
    async with answering(OK, context=tls.context) as (port, asked):
        with pytest.raises(Unreachable, match="no trust in its certificate"):
            await get_json(f"https://localhost:{port}/")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert await get_json(f"https://localhost:{port}/") == b"{}"
        monkeypatch.setattr(outgoing, "resolve", this_machine)
        with pytest.raises(Unreachable, match="no trust in its certificate"):
            await get_json(f"https://elsewhere.localhost:{port}/")
    assert len(asked) == 1
    assert isinstance(tls.context, ssl.SSLContext)


@pytest.mark.parametrize(
    ("host", "address", "is_so"),
    [
        ("attest.example.test", "203.0.113.7", True),
        ("attest.example.test", "10.0.0.7", True),
        ("attest.example.test", "2001:db8::7", True),
        ("attest.example.test", "127.0.0.1", False),
        ("attest.example.test", "127.9.9.9", False),
        ("attest.example.test", "::1", False),
        ("attest.example.test", "::ffff:127.0.0.1", False),
        ("attest.example.test", "169.254.169.254", False),
        ("attest.example.test", "::ffff:169.254.169.254", False),
        ("attest.example.test", "fe80::1%eth0", False),
        ("attest.example.test", "0.0.0.0", False),
        ("attest.example.test", "::", False),
        ("attest.example.test", "224.0.0.1", False),
        ("localhost", "127.0.0.1", True),
        ("attest.localhost", "::1", True),
        ("localhost.example.test", "127.0.0.1", False),
        ("localhost", "169.254.169.254", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("169.254.1.1", "169.254.1.1", True),
        ("0.0.0.0", "0.0.0.0", False),
    ],
)
def test_a_name_leads_to_this_machine_or_link_only_if_it_says_so(host, address, is_so):
    assert is_allowed(host, address) is is_so


async def test_a_name_that_leads_here_is_not_followed(monkeypatch):
    async with answering(OK) as (port, asked):
        monkeypatch.setattr(outgoing, "resolve", this_machine)
        with pytest.raises(Unreachable, match="leads to this machine or to this link alone"):
            await get_json(f"http://attest.example.test:{port}/")
    assert asked == []
