"""The built-in CONNECT proxy: tunnels to this server, words for everything else."""

import asyncio
import json
import shutil
import socket
import ssl

import pytest
import requests

from strongroom.hosting.proxy import ConnectProxy, Refused, Target, parse_connect

GET = b"GET /x HTTP/1.1\r\nHost: login.localhost\r\n\r\n"
NODE_THROUGH_PROXY = """
const [proxy, port] = process.argv.slice(1).map(Number), http = require('http'), https = require('https');
http.request({host: '127.0.0.1', port: proxy, method: 'CONNECT', path: `kv1.vault.localhost:${port}`})
  .on('connect', (answer, socket) => {
    if (answer.statusCode !== 200) process.exit(1);
    const agent = new https.Agent({socket, servername: 'kv1.vault.localhost'});
    https.get({host: 'kv1.vault.localhost', path: '/x', agent}, r => r.pipe(process.stdout));
  }).end();
"""


async def exchange(port, data, *, address="127.0.0.1"):
    """Return all that the proxy answers to `data`."""
    reader, writer = await asyncio.open_connection(address, port)
    writer.write(data)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    return answer


def connect(host, port, version="1.1"):
    return f"CONNECT {host}:{port} HTTP/{version}\r\nHost: {host}:{port}\r\n\r\n".encode()


async def run(*command, **environment):
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    return await process.communicate()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("host", ["localhost", "login.localhost", "KV1.Vault.Localhost"])
@pytest.mark.parametrize("own_port", [True, False])
async def test_a_tunnel_leads_to_this_server_with_the_clients_own_address(
    serving, client_context, host, version, own_port
):
    async with serving() as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.proxy_port)
        client_port = writer.get_extra_info("sockname")[1]
        writer.write(connect(host, served.port if own_port else 443, version))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 200 Connection established\r\n\r\n"
        await writer.start_tls(client_context, server_hostname=host)
        writer.write(GET)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        told = json.loads(await reader.readuntil(b"}"))
        assert told["client"] == ["127.0.0.1", client_port]
        writer.close()


async def test_what_follows_the_head_at_once_is_not_lost(serving, client_context):
    async with serving() as served:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = client_context.wrap_bio(incoming, outgoing, server_hostname="login.localhost")
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        reader, writer = await asyncio.open_connection("127.0.0.1", served.proxy_port)
        writer.write(connect("login.localhost", 443) + outgoing.read())  # the ClientHello in the same packet
        await reader.readuntil(b"\r\n\r\n")
        while True:
            incoming.write(await reader.read(65536))
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                continue
            break
        tls.write(GET)
        writer.write(outgoing.read())
        answer = b""
        while b"/x" not in answer:
            try:
                answer += tls.read(65536)
            except ssl.SSLWantReadError:
                incoming.write(await reader.read(65536))
        writer.close()


@pytest.mark.parametrize(
    "target",
    [
        "example.com:443",
        "login.localhost:22",
        "notlocalhost:443",
        "localhost.example.com:443",
        "127.0.0.1:443",
        "[::1]:443",
        "169.254.169.254:443",
    ],
)
@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_other_hosts_and_ports_are_refused_in_words(serving, target, version):
    async with serving() as served:
        answer = await exchange(served.proxy_port, f"CONNECT {target} HTTP/{version}\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b"localhost and the names below it" in answer
        assert b"--pass-through" in answer.split(b"\r\n")[0]
        assert served.connections == set()


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET http://login.localhost/ HTTP/1.1\r\n\r\n", 405),
        (b"POST /x HTTP/1.1\r\n\r\n", 405),
        (b"CONNECT login.localhost HTTP/1.1\r\n\r\n", 405),
        (b"CONNECT login.localhost:443\r\n\r\n", 400),
        (b"CONNECT login.localhost:443 HTTP/2.0\r\n\r\n", 400),
        (b"CONNECT login.localhost:999999 HTTP/1.1\r\n\r\n", 405),
        (b"\x16\x03\x01nonsense\r\n\r\n", 400),
        (b"CONNECT login.localhost:443 HTTP/1.1\r\nX: " + b"a" * 20_000, 431),
    ],
)
async def test_what_is_no_connect_is_refused(serving, data, status):
    async with serving() as served:
        assert (await exchange(served.proxy_port, data)).startswith(b"HTTP/1.1 %d" % status)


async def test_the_head_may_come_in_pieces(serving):
    async with serving() as served:
        reader, writer = await asyncio.open_connection("::1", served.proxy_port)
        for piece in (b"CONN", b"ECT login.localhost:443 HTTP/1.1\r\nHost: a\r", b"\n\r", b"\n"):
            writer.write(piece)
            await asyncio.sleep(0.02)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 200 Connection established\r\n\r\n"
        writer.close()


@pytest.mark.parametrize("data", [b"", b"CONNECT login.localhost", connect("login.localhost", 443)])
async def test_who_says_nothing_more_is_let_go(serving, data):
    async with serving(head_seconds=0.2, handshake_seconds=0.2) as served:
        answer = await exchange(served.proxy_port, data)
        assert answer in {b"", b"HTTP/1.1 200 Connection established\r\n\r\n"}


async def test_who_leaves_or_speaks_no_tls_harms_nobody(serving, client_context):
    async with serving() as served:
        for data in (b"", b"CONNECT", connect("localhost", 443), connect("localhost", 443) + b"GET / HTTP/1.1\r\n\r\n"):
            for abort in (False, True):
                reader, writer = await asyncio.open_connection("127.0.0.1", served.proxy_port)
                writer.write(data)
                await writer.drain()
                if abort:
                    writer.transport.abort()
                else:
                    writer.write_eof()  # half-closed: nothing more will be said
                    async with asyncio.timeout(5):
                        await reader.read()
                writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", served.proxy_port)
        writer.write(connect("localhost", 443))
        await reader.readuntil(b"\r\n\r\n")
        await writer.start_tls(client_context, server_hostname="localhost")
        writer.write(GET)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_many_at_a_time_and_one_after_another(serving, client_context):
    async def one(served, count):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.proxy_port)
        writer.write(connect("kv1.vault.localhost", served.port))
        await reader.readuntil(b"\r\n\r\n")
        await writer.start_tls(client_context, server_hostname="kv1.vault.localhost")
        for _ in range(count):
            writer.write(GET)
            await reader.readuntil(b"\r\n\r\n")
            assert b"/x" in await reader.readuntil(b"}")
        writer.close()

    async with serving() as served:
        await asyncio.gather(*(one(served, 5) for _ in range(100)))


async def test_requests_goes_through(serving, trust):
    def work(served):
        with requests.Session() as session:
            session.proxies = {"https": f"http://127.0.0.1:{served.proxy_port}"}
            session.verify = str(trust.bundle)
            session.trust_env = False
            told = [
                session.post(f"https://kv1.vault.localhost:{served.port}/x", data=b"a" * 250_000).json()
                for _ in range(3)
            ]
            with pytest.raises(requests.exceptions.ProxyError, match="not a host of Strongroom"):
                session.get("https://example.com/")
            return told

    async with serving() as served:
        told = await asyncio.to_thread(work, served)
        assert [answer["size"] for answer in told] == [250_000] * 3
        assert len({tuple(answer["client"]) for answer in told}) == 1


async def test_curl_goes_through(serving, trust, tmp_path):
    body = tmp_path / "body"
    body.write_bytes(b"a" * 250_000)
    async with serving() as served:
        proxy = f"http://127.0.0.1:{served.proxy_port}"
        url = f"https://kv1.vault.localhost:{served.port}/x"
        command = [shutil.which("curl"), "-sS", "--noproxy", "", "--cacert", trust.ca, "--proxy", proxy]
        for option in ("--proxy1.0", None):
            chosen = [option, proxy.removeprefix("http://")] if option else []
            out, _ = await run(*command, *chosen, "--data-binary", f"@{body}", url, url)
            assert out.count(b'"size": 250000') == 2


async def test_node_goes_through(serving, trust):
    async with serving() as served:
        arguments = ["-e", NODE_THROUGH_PROXY, str(served.proxy_port), str(served.port)]
        out, _ = await run(shutil.which("node"), *arguments, NODE_EXTRA_CA_CERTS=str(trust.ca))
        assert b'"path": "/x"' in out


async def test_past_the_limit_newcomers_are_let_go(serving, monkeypatch):
    monkeypatch.setattr("strongroom.hosting.proxy.OPENING", 2)
    async with serving() as served:
        silent = [await asyncio.open_connection("127.0.0.1", served.proxy_port) for _ in range(2)]
        assert await exchange(served.proxy_port, b"") == b""
        for _, writer in silent:
            writer.close()


class FailingOnce:
    """A listener that cannot accept at first, as when there are too many open files."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.failures = 0

    def fileno(self):
        return self.listener.fileno()

    def accept(self):
        if not self.failures:
            self.failures += 1
            raise OSError(24, "Too many open files")
        return self.listener.accept()


async def test_a_failure_to_accept_is_tried_again(serving):
    async with serving() as served:
        listener = FailingOnce()
        made = ConnectProxy(domain="localhost", port=1, adopt=None, limits=served.server._site.limits)
        made.acceptor.listen(listener)
        answer = await exchange(listener.listener.getsockname()[1], b"GET / HTTP/1.1\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 405")
        assert listener.failures
        made.acceptor.close()
        listener.listener.close()


async def test_who_was_accepted_is_brought_to_its_tunnel_though_no_more_are(serving, until_true):
    async with serving() as served:
        proxy = served.server._proxy.acceptor
        reader, writer = await asyncio.open_connection("127.0.0.1", served.proxy_port)
        await until_true(lambda: proxy.opening)
        proxy.stop_accepting()
        late = await asyncio.open_connection("127.0.0.1", served.proxy_port)
        late[1].write(connect("login.localhost", served.port))
        writer.write(connect("login.localhost", served.port))
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        assert not late[0]._buffer  # it waits for another worker
        late[1].close()
        writer.close()
        await until_true(lambda: not proxy.opening)


@pytest.mark.parametrize(
    ("head", "target"),
    [
        (b"CONNECT Login.LOCALHOST:443 HTTP/1.1\r\n\r\n", Target("login.localhost", 443)),
        (b"CONNECT [2001:DB8::1]:8443 HTTP/1.0\r\n\r\n", Target("2001:db8::1", 8443)),
    ],
)
def test_a_connect_line_is_read(head, target):
    assert parse_connect(head) == target


@pytest.mark.parametrize(
    "line", [b"CONNECT a:1:2 HTTP/1.1", b"CONNECT  a:1 HTTP/1.1", b"CONNECT a: HTTP/1.1", b"connect a:1 HTTP/1.1"]
)
def test_a_broken_connect_line_is_not(line):
    with pytest.raises(Refused):
        parse_connect(line + b"\r\n\r\n")
