"""`run --pass-through`: names of the domain to the server, everything else as the environment before would have it."""

import asyncio
import base64
import contextlib
import json
import shutil
from urllib.parse import urlsplit

import pytest
import requests

from strongroom.clock import real_now
from strongroom.hosting.ca import new_authority
from strongroom.hosting.passthrough import (
    EarlierProxy,
    ProxyUnusable,
    excepts,
    pass_through,
    read_route,
)
from strongroom.hosting.proxy import Target
from strongroom.hosting.tls import ServerTls

SERVER = ("127.0.0.1", 8443)


def route(server=SERVER, **environment):
    return read_route(environment, domain="localhost", server=server)


@contextlib.asynccontextmanager
async def passing(chosen):
    """Run the proxy beside the test's loop; yields its port and the header that it wants."""
    context = pass_through(chosen)
    url = urlsplit(await asyncio.to_thread(context.__enter__))
    credentials = base64.b64encode(f"{url.username}:{url.password}".encode()).decode()
    try:
        yield url.port, f"Proxy-Authorization: Basic {credentials}\r\n"
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)


@contextlib.asynccontextmanager
async def echoing():
    """A server that sends back what it hears, and ends when it hears the end; yields its port."""

    async def echo(reader, writer):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


class Upstream:
    """An earlier proxy: keeps the heads it was sent, answers with `status`, and echoes what a tunnel carries."""

    def __init__(self, status="200 OK", context=None):
        self.status = status
        self.context = context
        self.heads = []

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.tunnel, "127.0.0.1", 0, ssl=self.context)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()

    async def tunnel(self, reader, writer):
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(f"HTTP/1.1 {self.status}\r\n\r\n".encode())
        if self.status.startswith("2"):
            writer.write(b"via proxy:" + await reader.readexactly(5))
        writer.close()


async def through(port, authorization, target, data=b"hello"):
    """Return the proxy's status line and what came through the tunnel after `data` and its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n".encode())
    async with asyncio.timeout(10):
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " in head:
            writer.write(data)
            writer.write_eof()
        answer = await reader.read()
    writer.close()
    return head.split(b"\r\n")[0].decode(), answer


async def test_names_of_the_domain_lead_to_the_server(serving, trust):
    def ask(url, port):
        with requests.Session() as session:
            session.trust_env = False
            session.verify = str(trust.bundle)
            session.proxies = {"https": url}
            hosts = [f"kv1.vault.localhost:{port}", "login.localhost"]
            return [session.post(f"https://{host}/x", data=b"a" * 200_000).json()["size"] for host in hosts]

    async with serving() as served:
        with pass_through(route(server=("127.0.0.1", served.port), HTTPS_PROXY="http://192.0.2.1:1")) as url:
            assert await asyncio.to_thread(ask, url, served.port) == [200_000, 200_000]


async def test_curl_takes_the_url_with_its_password(serving, trust):
    async with serving() as served:
        with pass_through(route(server=("127.0.0.1", served.port))) as url:
            process = await asyncio.create_subprocess_exec(
                *(shutil.which("curl"), "-sS", "--cacert", str(trust.ca), f"https://login.localhost:{served.port}/x"),
                env={"https_proxy": url},
                stdout=asyncio.subprocess.PIPE,
            )
            out, _ = await process.communicate()
    assert json.loads(out)["path"] == "/x"


async def test_a_port_that_the_server_has_not_is_refused():
    async with passing(route()) as (port, authorization):
        status, text = await through(port, authorization, "login.localhost:22")
        assert status == "HTTP/1.1 403 Strongroom listens on port 8443"
        assert b"8443" in text


async def test_other_hosts_are_reached_directly_when_there_was_no_proxy():
    async with echoing() as there, passing(route()) as (port, authorization):
        data = b"a" * 1_000_000
        status, answer = await through(port, authorization, f"127.0.0.1:{there}", data)
        assert (status, answer) == ("HTTP/1.1 200 Connection established", data)


async def test_other_hosts_are_reached_through_the_earlier_proxy_with_its_credentials():
    async with Upstream() as upstream:
        environment = {"HTTPS_PROXY": f"http://me:p%40ss@127.0.0.1:{upstream.port}", "NO_PROXY": "localhost"}
        async with passing(route(**environment)) as (port, authorization):
            _, answer = await through(port, authorization, "[2001:db8::1]:443")
        assert answer == b"via proxy:hello"
        (head,) = upstream.heads
        assert head.startswith("CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n")
        assert f"Proxy-Authorization: Basic {base64.b64encode(b'me:p@ss').decode()}\r\n" in head
        assert authorization not in head


async def test_an_earlier_proxy_may_speak_tls(authority, trust, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(trust.ca))
    async with Upstream(context=ServerTls(authority.mint, real_now()).context) as upstream:
        async with passing(route(https_proxy=f"https://127.0.0.1:{upstream.port}")) as (port, authorization):
            assert (await through(port, authorization, "example.com:443"))[1] == b"via proxy:hello"
        assert "Proxy-Authorization" not in upstream.heads[0]


async def test_hosts_that_no_proxy_excepts_are_reached_directly():
    async with Upstream() as upstream, echoing() as there:
        environment = {"https_proxy": f"http://127.0.0.1:{upstream.port}", "no_proxy": "127.0.0.0/8, .example.com"}
        async with passing(route(**environment)) as (port, authorization):
            assert (await through(port, authorization, f"127.0.0.1:{there}"))[1] == b"hello"
            assert (await through(port, authorization, "example.org:443"))[1] == b"via proxy:hello"
        assert len(upstream.heads) == 1


async def test_what_the_earlier_proxy_refuses_is_told_in_its_words():
    async with Upstream("407 Who are you") as upstream:
        async with passing(route(https_proxy=f"127.0.0.1:{upstream.port}")) as (port, authorization):
            status, text = await through(port, authorization, "example.com:443")
        assert status == "HTTP/1.1 502 The proxy 127.0.0.1 refused example.com: 407 Who are you"
        assert b"Who are you" in text


async def test_what_cannot_be_reached_is_told(unused_tcp_port):
    async with passing(route()) as (port, authorization):
        status, _ = await through(port, authorization, f"127.0.0.1:{unused_tcp_port}")
        assert status == f"HTTP/1.1 502 127.0.0.1:{unused_tcp_port} cannot be reached"


@pytest.mark.parametrize("authorization", ["", "Proxy-Authorization: Basic c3Ryb25ncm9vbTp4\r\n", "X: y\r\n"])
async def test_nobody_else_is_let_through(authorization):
    async with echoing() as there, passing(route()) as (port, _):
        status, _ = await through(port, authorization, f"127.0.0.1:{there}")
        assert status == "HTTP/1.1 407 Proxy Authentication Required"


@pytest.mark.parametrize(
    ("data", "status"), [(b"GET / HTTP/1.1\r\n\r\n", b"405"), (b"CONNECT a:1 HTTP/1.1\r\nX: " + b"a" * 9000, b"431")]
)
async def test_what_is_no_connect_is_refused(data, status):
    async with passing(route()) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data)
        assert (await reader.readline()).split()[1] == status
        writer.close()


async def test_who_leaves_early_harms_nobody():
    async with echoing() as there, passing(route()) as (port, authorization):
        for data in (b"", b"CONNECT", f"CONNECT 127.0.0.1:{there} HTTP/1.1\r\n{authorization}\r\n".encode()):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(data)
            await writer.drain()
            writer.transport.abort()
        assert (await through(port, authorization, f"127.0.0.1:{there}"))[1] == b"hello"


def test_a_loopback_that_cannot_be_listened_on_is_an_error(monkeypatch):
    async def fail(*_arguments, **_options):
        raise OSError("no loopback")

    monkeypatch.setattr("strongroom.hosting.passthrough.asyncio.start_server", fail)
    with pytest.raises(OSError, match="no loopback"), pass_through(route()):
        pass


@pytest.mark.parametrize(
    ("environment", "earlier"),
    [
        ({}, None),
        ({"HTTPS_PROXY": ""}, None),
        ({"HTTP_PROXY": "http://p:1"}, None),
        ({"HTTPS_PROXY": "http://p"}, ("p", 80, False)),
        ({"HTTPS_PROXY": "https://p"}, ("p", 443, True)),
        ({"HTTPS_PROXY": "p:3128"}, ("p", 3128, False)),
        ({"ALL_PROXY": "http://a:1", "HTTPS_PROXY": "http://b:2", "https_proxy": "http://c:3"}, ("c", 3, False)),
        ({"ALL_PROXY": "http://[::1]:8080"}, ("::1", 8080, False)),
    ],
)
def test_the_earlier_proxy_is_read_from_the_environment(environment, earlier):
    found = route(**environment).earlier
    assert (found and (found.host, found.port, found.tls)) == earlier


@pytest.mark.parametrize("url", ["socks5://p:1080", "http://", "http://p:99999"])
def test_a_proxy_that_cannot_be_gone_through_is_named(url):
    with pytest.raises(ProxyUnusable, match="HTTPS_PROXY"):
        route(HTTPS_PROXY=url)


@pytest.mark.parametrize(
    ("entry", "host", "excepted"),
    [
        ("*", "example.com", True),
        ("example.com", "example.com", True),
        ("example.com", "a.example.com", True),
        (".example.com", "a.example.com", True),
        ("*.example.com", "a.example.com", True),
        ("example.com", "notexample.com", False),
        ("example.com:443", "example.com", True),
        ("example.com:8443", "example.com", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.0.0.0/8", "example.com", False),
        ("::1", "::1", True),
        ("[::1]", "::1", True),
        ("[::1]:443", "::1", True),
        ("2001:db8::/32", "2001:db8::7", True),
    ],
)
def test_no_proxy_excepts_names_addresses_and_networks(entry, host, excepted):
    assert excepts(entry, Target(host, 443)) is excepted


def test_the_credentials_of_a_proxy_do_not_show():
    assert "canary" not in repr(route(HTTPS_PROXY="http://me:canary@p:1"))
    assert isinstance(route(HTTPS_PROXY="http://me:canary@p:1").earlier, EarlierProxy)


async def test_tls_to_an_earlier_proxy_is_verified(authority, monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_FILE", str(new_authority("localhost", real_now()).write_trust(tmp_path).ca))
    async with Upstream(context=ServerTls(authority.mint, real_now()).context) as upstream:
        async with passing(route(https_proxy=f"https://localhost:{upstream.port}")) as (port, authorization):
            status, _ = await through(port, authorization, "example.com:443")
        assert status == "HTTP/1.1 502 example.com:443 cannot be reached"
        assert upstream.heads == []
