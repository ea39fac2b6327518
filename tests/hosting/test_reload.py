"""A reload (SIGHUP): new workers with new certificates, and not one request lost."""

import asyncio
import contextlib
import json
import os
import pty
import signal
import ssl
import subprocess
import sys
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

from hosting.supervision import SCRIPT
from strongroom.clock import real_now
from strongroom.hosting.ca import new_authority

QUICK = {"leaving_seconds": 5, "keep_alive_seconds": 2, "sweep_seconds": 0.05}
GET = b"GET %s HTTP/1.1\r\nHost: login.localhost\r\n%s\r\n"


@dataclass
class Load:
    """Clients that take every answer that does not come, and every connection that ends too early, for a failure.

    preface: what connections begin with, before TLS.
    """

    server: object
    preface: bytes = b""
    pids: set = field(default_factory=set)
    answers: int = 0
    ending: bool = False

    async def connect(self, *, proxied=False):
        if self.preface:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
            writer.write(self.preface)
            await writer.start_tls(self.server.context, server_hostname="login.localhost")
            return reader, writer
        if not proxied:
            return await asyncio.open_connection(
                "127.0.0.1", self.server.port, ssl=self.server.context, server_hostname="login.localhost"
            )
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.proxy)
        writer.write(b"CONNECT login.localhost:%d HTTP/1.1\r\n\r\n" % self.server.port)
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        await writer.start_tls(self.server.context, server_hostname="login.localhost")
        return reader, writer

    async def ask(self, reader, writer, path=b"/", header=b""):
        """Ask once; return whether the connection may be used again."""
        writer.write(GET % (path, header))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        self.pids.add(int(await reader.readexactly(size)))
        self.answers += 1
        return b"connection: close" not in head.lower()

    async def heard(self, count):
        """Wait until so many workers have answered."""
        async with asyncio.timeout(30):
            while len(self.pids) < count:  # noqa: ASYNC110  # it is other tasks that ask
                await asyncio.sleep(0.02)

    async def keep_asking(self, **how):
        """Use each connection for as long as the server lets it."""
        while not self.ending:
            reader, writer = await self.connect(**how)
            while await self.ask(reader, writer) and not self.ending:
                pass
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError):
                await writer.wait_closed()

    async def ask_anew(self, **how):
        """Use a new connection for each request."""
        while not self.ending:
            reader, writer = await self.connect(**how)
            assert not await self.ask(reader, writer, header=b"Connection: close\r\n")
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError):
                await writer.wait_closed()


async def ended(pids):
    """Wait until these workers are gone."""
    async with asyncio.timeout(30):
        for pid in pids:
            while os.path.exists(f"/proc/{pid}"):  # noqa: ASYNC110, ASYNC240, PTH110  # what is waited for is a process
                await asyncio.sleep(0.02)


async def told(server, words):
    """Return the next line of output that has these words."""
    async with asyncio.timeout(30):
        while True:
            line = await asyncio.to_thread(server.process.stdout.readline)
            assert line, server.lines
            server.lines.append(line)
            if words in line:
                return line


def reload(server):
    server.process.send_signal(signal.SIGHUP)


def write_certificate(folder):
    """Write an operator's certificate of a new authority; return a context that trusts it alone."""
    authority = new_authority("vault.example.test", real_now())
    leaf = authority.mint(real_now())
    key = load_der_private_key(leaf.key.reveal(), password=None)
    (folder / "chain.pem").write_bytes(leaf.certificate.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.create_default_context()
    context.load_verify_locations(cadata=authority.pem.decode())
    return context


async def serial(server, context, host):
    """Return the serial number of the certificate that new connections are shown."""
    _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context, server_hostname=host)
    number = writer.get_extra_info("peercert")["serialNumber"]
    writer.transport.abort()
    return number


async def until_trusted(server, context):
    """Connect until every worker in turn is likely to have shown a certificate that this context trusts."""
    trusted = 0
    async with asyncio.timeout(30):
        while trusted < 20:
            try:
                await serial(server, context, "kv1.vault.vault.example.test")
                trusted += 1
            except ssl.SSLCertVerificationError:
                trusted = 0


async def test_reloads_under_load_lose_no_request(start):
    server = await asyncio.to_thread(start(limits=QUICK).wait_ready)
    load = Load(server)
    resting = [await load.connect() for _ in range(4)]
    for each in resting:
        assert await load.ask(*each)
    slow = await load.connect()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.ask(*slow, path=b"/slow"))
        for index in range(16):
            tasks.create_task(load.keep_asking(proxied=index % 4 == 0))
        for index in range(4):
            tasks.create_task(load.ask_anew(proxied=index % 4 == 0))
        await told(server, '"slow"')
        first = set(load.pids)
        for _ in range(3):
            for _ in range(3):
                reload(server)
            await told(server, "reloaded")
            for each in resting:
                while await load.ask(*each):  # by the worker that it was with, until that says that it leaves
                    pass
                each[1].close()
            resting = []
        await ended(first)
        await load.heard(8)  # four generations of two
        load.ending = True
    slow[1].close()
    assert load.answers > 300
    server.process.terminate()
    output, code = await asyncio.to_thread(server.rest)
    assert code == 0
    assert "Traceback" not in output
    assert "did not leave" not in output


async def test_behind_a_proxy_too_a_reload_loses_no_connection_and_a_stop_is_in_good_order(start):
    server = await asyncio.to_thread(start(limits=QUICK, trusted=["127.0.0.0/8"]).wait_ready)
    load = Load(server, preface=b"PROXY TCP4 192.0.2.7 192.0.2.9 1 2\r\n")
    async with asyncio.TaskGroup() as tasks:
        for _ in range(4):
            tasks.create_task(load.keep_asking())
            tasks.create_task(load.ask_anew())
        await load.heard(2)
        first = set(load.pids)
        reload(server)
        await told(server, "reloaded")
        await ended(first)
        await load.heard(4)
        load.ending = True
    slow = await load.connect()
    waiting = asyncio.create_task(load.ask(*slow, path=b"/slow"))
    await told(server, '"slow"')
    server.process.terminate()
    assert not await waiting
    slow[1].close()
    output, code = await asyncio.to_thread(server.rest)
    assert code == 0
    assert "Traceback" not in output
    assert "did not leave" not in output


async def test_a_reload_serves_a_renewed_certificate_and_a_fresh_leaf(start, tmp_path):
    old = write_certificate(tmp_path)
    server = await asyncio.to_thread(start(operator=True).wait_ready)
    first = await asyncio.to_thread(server.worker_pids, 2)
    await until_trusted(server, old)
    leaf = await serial(server, server.context, "login.localhost")
    new = write_certificate(tmp_path)
    reload(server)
    await told(server, "reloaded")
    await ended(first)
    await until_trusted(server, new)
    assert await serial(server, server.context, "login.localhost") != leaf


async def test_a_certificate_that_cannot_be_served_is_told_in_one_line_and_the_old_one_stays(start, tmp_path):
    old = write_certificate(tmp_path)
    server = await asyncio.to_thread(start(operator=True).wait_ready)
    first = await asyncio.to_thread(server.worker_pids, 2)
    (tmp_path / "key.pem").write_text("nothing")
    reload(server)
    line = await told(server, "the new certificate is not taken, the old one is served on")
    assert "chain.pem" in line
    await told(server, "reloaded")
    await ended(first)
    await until_trusted(server, old)
    server.process.terminate()
    assert "Traceback" not in (await asyncio.to_thread(server.rest))[0]


async def test_a_worker_that_dies_during_a_reload_is_followed_by_a_new_one(start):
    server = await asyncio.to_thread(start(limits=QUICK).wait_ready)
    first = await asyncio.to_thread(server.worker_pids, 2)
    reload(server)
    os.kill(min(first), signal.SIGKILL)
    await told(server, "reloaded")
    await ended(first)
    assert not first & await asyncio.to_thread(server.worker_pids, 2)
    server.process.terminate()
    assert (await asyncio.to_thread(server.rest))[1] == 0


async def test_new_workers_that_cannot_start_leave_the_old_ones_serving(start):
    server = await asyncio.to_thread(start(fail="second", limits=QUICK).wait_ready)
    first = await asyncio.to_thread(server.worker_pids, 2)
    reload(server)
    for _ in range(3):
        await told(server, "a child process died and is replaced")
    assert await asyncio.to_thread(server.worker_pids, 2) == first
    server.process.terminate()
    assert (await asyncio.to_thread(server.rest))[1] == 0


async def test_a_stop_during_a_reload_stops(start):
    server = await asyncio.to_thread(start(limits=QUICK).wait_ready)
    load = Load(server)
    resting = await load.connect()
    assert await load.ask(*resting)
    reload(server)
    await told(server, "reloaded")
    server.process.terminate()
    output, code = await asyncio.to_thread(server.rest)
    assert code == 0
    assert output.count('"stopped"') == 4
    resting[1].close()


async def test_a_worker_that_does_not_leave_is_ended(start):
    server = await asyncio.to_thread(start(limits=QUICK | {"leaving_seconds": 0, "graceful_seconds": 0}).wait_ready)
    first = await asyncio.to_thread(server.worker_pids, 2)
    os.kill(min(first), signal.SIGSTOP)
    reload(server)
    await told(server, "did not leave in time and is ended")
    await ended(first)
    server.process.terminate()
    assert (await asyncio.to_thread(server.rest))[1] == 0


def test_a_server_whose_terminal_is_gone_stops(tmp_path):
    terminal, its = pty.openpty()
    server = [sys.executable, "-W", "error", str(SCRIPT), json.dumps({"trust": str(tmp_path)})]
    with subprocess.Popen(
        ["setsid", "--ctty", *server], stdin=its, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        os.close(its)
        while '"port"' not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGHUP)
        while "reloaded" not in process.stdout.readline():
            pass
        os.close(terminal)
        process.stdout.read()
        assert process.wait(30) == 0
