"""What hostile clients send, byte by byte, to a server as users start it: each is answered once and recorded once.

`status` is what every attack is answered with, `recorded` whether it reached a plane, which then has its record.
"""

import contextlib
import gzip
import json
import re
import socket
import sqlite3
import ssl
import subprocess
import time
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

import pytest

from clients.direct import log_of
from clients.harness import start_server
from faults.load import wait_until
from strongroom.storage.packing import COLUMNS, entries_of

SECONDS = 60
VERSION = b"?api-version=7.6"
LIST = b"/secrets" + VERSION
SECRET = b"/secrets/x" + VERSION
MIB = 1024 * 1024


@dataclass
class Target:
    """A server, and the headers of a request to its vault `dev` by somebody who may."""

    server: object
    port: int
    context: ssl.SSLContext
    log: object
    token: bytes = b""

    def connect(self, name="dev.vault.localhost"):
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)
        return self.context.wrap_socket(raw, server_hostname=name)

    def ask(self, data, name="dev.vault.localhost"):
        """Return all that is answered on a connection of its own; the client ends its side when it has sent."""
        with self.connect(name) as client:
            answer = b""
            with contextlib.suppress(ConnectionError, ssl.SSLEOFError):
                client.sendall(data)
            with contextlib.suppress(ConnectionError, ssl.SSLEOFError):
                while more := client.recv(65536):
                    answer += more
        return answer

    @property
    def host(self):
        return b"Host: dev.vault.localhost:%d\r\n" % self.port

    @property
    def authorization(self):
        return b"Authorization: Bearer " + self.token + b"\r\n"

    def get(self, path=LIST, *extra, host=None, authorization=None, method=b"GET", version=b"HTTP/1.1"):
        host = self.host if host is None else host
        authorization = self.authorization if authorization is None else authorization
        head = method + b" " + path + b" " + version + b"\r\n" + host + authorization
        return head + b"Connection: close\r\n" + b"".join(extra) + b"\r\n"

    def put(self, body, *extra):
        return self.get(SECRET, b"Content-Length: %d\r\n" % len(body), *extra, method=b"PUT") + body

    def chunked(self, body, coding=b"Transfer-Encoding: chunked\r\n"):
        return self.get(SECRET, coding, method=b"PUT") + body

    def records(self, since):
        """Return how many records there are of requests that began since: in the chain, and on their way there.

        Those of earlier attacks may still come, when their connections have ended.
        """
        pending = {record.record_id for record in self.log.pending() if record.began >= since}
        with contextlib.closing(sqlite3.connect(f"file:{self.server.data_dir}/audit.db?mode=ro", uri=True)) as audit:
            rows = audit.execute(f"SELECT {', '.join(COLUMNS)} FROM records WHERE time >= ?", (since,)).fetchall()
        kept = [entry.record for row in rows for entry in entries_of(row)]
        found = [record.record_id for record in kept if record.began >= since]
        return len(found) + len(pending.difference(found))

    def newest_record(self):
        shown = self.server.strongroom("logs", "--json", "-n", "10").stdout
        records = [json.loads(line) for line in shown.splitlines()]
        return max(records, key=lambda record: record["time"])  # each worker's come into the log by themselves


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    server = start_server(tmp_path_factory.mktemp("hostile"), "--dev", "--workers", "2")
    try:
        made = signed_in(server)
        yield made
        made.log.close()
    finally:
        assert server.stop() == 0
    assert "Traceback" not in server.errors
    assert "alarm" not in server.errors


def signed_in(server):
    connection = server.connection
    port = urllib.parse.urlsplit(connection["vaultUrl"]).port
    ca = Path(connection["caBundle"]).with_name("ca.pem")
    made = Target(server, port, ssl.create_default_context(cafile=ca), log_of(server))
    made.token = sign_in(made, connection)
    return made


def sign_in(target, connection):
    form = {
        "grant_type": "client_credentials",
        "client_id": connection["clientId"],
        "client_secret": connection["clientSecret"],
        "scope": "https://vault.localhost/.default",
    }
    body = urllib.parse.urlencode(form).encode()
    head = f"POST /{connection['tenantId']}/oauth2/v2.0/token HTTP/1.1\r\nHost: login.localhost:{target.port}\r\n"
    head += "Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    answer = target.ask(head.encode() + body, "login.localhost")
    return json.loads(answer.partition(b"\r\n\r\n")[2])["access_token"].encode()


def header(name, value):
    return name + b": " + value + b"\r\n"


def host(value):
    return lambda t: t.get(host=header(b"Host", value))


def path(value):
    return lambda t: t.get(value)


def query(value):
    return lambda t: t.get(LIST + b"&" + value)


def body(value, *extra):
    return lambda t: t.put(value, *extra)


def chunks(value):
    return lambda t: t.chunked(value)


def coding(line):
    return lambda t: t.chunked(b"0\r\n\r\n", line)


def authorized(*values):
    return lambda t: t.get(authorization=b"".join(header(b"Authorization", value) for value in values))


# name: (what is sent, the answer's status, whether it is recorded)
ATTACKS = {
    # paths
    "dots": (path(b"/secrets/../secrets" + VERSION), 400, True),
    "dots at the root": (path(b"/../../etc/passwd" + VERSION), 404, True),
    "encoded dots": (path(b"/secrets/%2e%2e/x" + VERSION), 400, True),
    "dots and encoded slashes": (path(b"/secrets/..%2f..%2fetc%2fpasswd" + VERSION), 400, True),
    "encoded slash in a name": (path(b"/secrets/a%2Fb" + VERSION), 400, True),
    "twice encoded slash": (path(b"/secrets/a%252Fb" + VERSION), 400, True),
    "doubled slash in a path": (path(b"/secrets//x" + VERSION), 400, True),
    "NUL": (path(b"/secrets/a%00b" + VERSION), 400, True),
    "overlong UTF-8": (path(b"/secrets/%c0%ae%c0%ae/x" + VERSION), 400, True),
    "no UTF-8": (path(b"/secrets/%ff" + VERSION), 400, True),
    "broken escape": (path(b"/secrets/%zz" + VERSION), 400, True),
    "cut escape": (path(b"/secrets/%" + VERSION), 400, True),
    "raw byte": (path(b"/secrets/\xe9" + VERSION), 400, False),
    "raw NUL": (path(b"/secrets/\x00" + VERSION), 400, False),
    "matrix parameter": (path(b"/secrets;x=y" + VERSION), 404, True),
    "backslash": (path(b"\\secrets" + VERSION), 400, False),
    "absolute target": (path(b"https://dev.vault.localhost/secrets" + VERSION), 400, False),
    "absolute target elsewhere": (path(b"http://evil.test/secrets" + VERSION), 400, False),
    "authority target": (path(b"dev.vault.localhost:443"), 400, False),
    "long path": (path(b"/secrets/" + b"a" * 17_000 + VERSION), 414, False),
    "path within its limit": (path(b"/secrets/" + b"a" * 15_000 + VERSION), 400, True),
    # queries
    "parameter twice": (query(b"api-version=7.5"), 400, True),
    "parameter twice in another case": (query(b"API-VERSION=7.6"), 400, True),
    "parameter twice, encoded": (query(b"%61pi-version=7.5"), 400, True),
    "many parameters": (query(b"&".join(b"a%d=1" % number for number in range(1000))), 400, True),
    "huge number": (query(b"maxresults=" + b"9" * 5000), 400, True),
    "negative number": (query(b"maxresults=-1"), 400, True),
    "digits of another script": (query(b"maxresults=%D9%A1"), 400, True),
    "token of somebody's own": (query(b"$skiptoken=%00%ff"), 400, True),
    # authorization
    "two Authorization headers": (lambda t: t.get(LIST, t.authorization), 401, True),
    "a good one and another": (lambda t: t.get(LIST, header(b"Authorization", b"Basic eDp4")), 401, True),
    "a list of tokens": (authorized(b"Bearer a, Bearer b"), 401, True),
    "no ASCII": (authorized(b"Bearer \xff\xfe"), 401, True),
    "a long token": (authorized(b"Bearer " + b"a" * 100_000), 401, True),
    "another scheme": (authorized(b"Basic eDp4"), 401, True),
    "nothing": (authorized(b""), 401, True),
    # hosts
    "another host": (host(b"evil.test"), 421, False),
    "ours as a prefix": (host(b"dev.vault.localhost.evil.test"), 421, False),
    "another vault's connection": (host(b"other.vault.localhost"), 421, False),
    "another plane's connection": (host(b"management.localhost"), 421, False),
    "a user in the host": (host(b"dev.vault.localhost@evil.test"), 421, False),
    "a user before the host": (host(b"evil@dev.vault.localhost"), 421, False),
    "a path in the host": (host(b"evil.test/.vault.localhost"), 421, False),
    "a list of hosts": (host(b"dev.vault.localhost, evil.test"), 421, False),
    "a port that is none": (host(b"dev.vault.localhost:x"), 421, False),
    "a port too large": (host(b"dev.vault.localhost:99999"), 421, False),
    "two ports": (host(b"dev.vault.localhost:1:2"), 421, False),
    "an empty host": (host(b""), 421, False),
    "a quote": (host(b'dev".vault.localhost'), 421, False),
    "no ASCII in the host": (host("d\u00e9v.vault.localhost".encode()), 421, False),
    "a long host": (host(b"a" * 5000 + b".vault.localhost"), 421, False),
    "no host": (lambda t: t.get(host=b""), 400, False),
    "no host in HTTP/1.0": (lambda t: t.get(host=b"", version=b"HTTP/1.0"), 421, False),
    "two hosts": (lambda t: t.get(LIST, header(b"Host", b"evil.test")), 400, False),
    "the same host twice": (lambda t: t.get(LIST, t.host), 400, False),
    # bodies
    "deep array": (body(b"[" * 100_000 + b"]" * 100_000), 400, True),
    "deep object": (body(b'{"value":"a","tags":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001), 400, True),
    "deep where nobody looks": (body(b'{"value":"a","z":' + b"[" * 200_000 + b"]" * 200_000 + b"}"), 400, True),
    "huge number in JSON": (body(b'{"value":"a","attributes":{"exp":' + b"9" * 100_000 + b"}}"), 400, True),
    "endless exponent": (body(b'{"value":"a","attributes":{"exp":1e999}}'), 400, True),
    "a date before all dates": (body(b'{"value":"a","attributes":{"exp":-99999999999999999999}}'), 400, True),
    "a date past all dates": (body(b'{"value":"a","attributes":{"exp":4611686018427387904}}'), 400, True),
    "huge array": (body(b'{"value":[' + b"1," * 200_000 + b"1]}"), 400, True),
    "many keys": (
        body(b'{"value":"a","tags":{' + b",".join(b'"%d":"1"' % n for n in range(30_000)) + b"}}"),
        400,
        True,
    ),
    "lone surrogate": (body(b'{"value":"\\ud800"}'), 400, True),
    "no UTF-8 in JSON": (body(b'{"value":"\xff\xfe"}'), 400, True),
    "UTF-16": (body('{"value":"a"}'.encode("utf-16")), 400, True),
    "NaN": (body(b'{"value":NaN}'), 400, True),
    "two documents": (body(b'{"value":"a"}{"value":"b"}'), 400, True),
    "gzip bomb": (body(gzip.compress(b" " * (50 * MIB)), header(b"Content-Encoding", b"gzip")), 400, True),
    "past the operation's limit": (body(b" " * (600 * 1024)), 413, True),
    "past every limit": (lambda t: t.get(SECRET, b"Content-Length: 99999999\r\n", method=b"PUT"), 413, False),
    # smuggling
    "length and chunked": (lambda t: t.put(b"0\r\n\r\n", header(b"Transfer-Encoding", b"chunked")), 400, False),
    "chunked and length": (
        lambda t: t.chunked(b"0\r\n\r\n", b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
        400,
        False,
    ),
    "blank before the colon": (coding(b"Transfer-Encoding : chunked\r\n"), 400, False),
    "vertical tab": (coding(b"Transfer-Encoding:\x0bchunked\r\n"), 400, False),
    "nearly chunked": (coding(b"Transfer-Encoding: xchunked\r\n"), 501, False),
    "quoted chunked": (coding(b'Transfer-Encoding: "chunked"\r\n'), 501, False),
    "chunked with a parameter": (coding(b"Transfer-Encoding: chunked;q=1\r\n"), 501, False),
    "comma and chunked": (coding(b"Transfer-Encoding: ,chunked\r\n"), 501, False),
    "chunked, then more": (coding(b"Transfer-Encoding: chunked, identity\r\n"), 400, False),
    "hidden by a bare LF": (coding(b"X: y\nTransfer-Encoding: chunked\r\n"), 400, False),
    "hidden by a fold": (coding(b"Content-Length: 5\r\nX: y\r\n Transfer-Encoding: chunked\r\n"), 400, False),
    "underscore for a hyphen": (coding(b"Transfer_Encoding: chunked\r\nContent-Length: 5\r\n"), 400, True),
    "length with a plus": (coding(b"Content-Length: +5\r\n"), 400, False),
    "length that overflows": (coding(b"Content-Length: 18446744073709551621\r\n"), 400, False),
    "length twice": (coding(b"Content-Length: 5\r\nContent-Length: 0\r\n"), 400, False),
    "blank before the request": (lambda t: b" " + t.get(), 400, False),
    "blank before the first header": (lambda t: t.get(host=b" " + t.host), 400, False),
    "tabs between the parts": (lambda t: t.get().replace(b" ", b"\t", 2), 400, False),
    "words after the version": (lambda t: t.get(version=b"HTTP/1.1 x"), 400, False),
    "a version with more digits": (lambda t: t.get(version=b"HTTP/1.10"), 400, False),
    "HTTP/2": (lambda t: t.get(version=b"HTTP/2.0"), 505, False),
    "HTTP/2 preface": (lambda _: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(30), 400, False),
    "PROXY protocol": (lambda t: b"PROXY TCP4 9.9.9.9 127.0.0.1 1 2\r\n" + t.get(), 400, False),
    "PROXY protocol 2": (lambda t: b"\r\n\r\n\x00\r\nQUIT\n!\x11\x00\x0c" + bytes(12) + t.get(), 400, False),
    "TLS inside TLS": (lambda _: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100), 400, False),
    # headers
    "control character": (lambda t: t.get(LIST, b"X: a\x7fb\r\n"), 400, False),
    "name that is none": (lambda t: t.get(LIST, b"X\xff: a\r\n"), 400, False),
    "long header": (lambda t: t.get(LIST, header(b"X", b"a" * 200_000)), 431, False),
    "many headers": (lambda t: t.get(LIST, header(b"X", b"a") * 300), 431, False),
    # methods
    "TRACE": (lambda t: t.get(method=b"TRACE"), 405, True),
    "a verb that is none of ours": (lambda t: t.get(method=b"PROPFIND"), 405, True),
    "a verb in a header": (
        lambda t: t.get(b"/secrets/x" + VERSION, header(b"X-HTTP-Method-Override", b"PUT")),
        404,
        True,
    ),
}
# Chunks that break after the application was called: it knows of a request that never came to its end.
BROKEN_CHUNKS = {
    "blank before the size": b" 1\r\nx\r\n0\r\n\r\n",
    "size with a prefix": b"0x1\r\nx\r\n0\r\n\r\n",
    "size with a sign": b"+1\r\nx\r\n0\r\n\r\n",
    "size with an underscore": b"1_0\r\nx\r\n0\r\n\r\n",
    "size past all sizes": b"fffffffffffffffff\r\n",
    "negative size": b"-1\r\nx\r\n0\r\n\r\n",
    "bare LF": b"1\nx\r\n0\r\n\r\n",
    "longer than said": b"1\r\nxyz\r\n0\r\n\r\n",
}


def statuses(answer):
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


@pytest.mark.parametrize(("attack", "status", "recorded"), ATTACKS.values(), ids=ATTACKS)
def test_an_attack_is_answered_once_and_recorded_once(target, attack, status, recorded):
    began = time.time_ns() // 1000
    answer = target.ask(attack(target))
    assert statuses(answer) == [status]
    assert target.records(began) == recorded
    assert b"Traceback" not in answer


@pytest.mark.parametrize("broken", BROKEN_CHUNKS.values(), ids=BROKEN_CHUNKS)
def test_a_body_that_breaks_ends_the_request_and_the_connection(target, broken):
    began = time.time_ns() // 1000
    answer = target.ask(target.chunked(broken) + target.get())
    assert statuses(answer) == [400]
    assert b"connection: close" in answer.lower()
    wait_until(lambda: target.records(began) == 1)  # the connection answers; the plane hears of it a moment later


def test_forged_headers_of_a_proxy_change_nothing(target):
    forged = (b"X-Forwarded-For", b"X-Real-IP", b"X-Client-IP", b"Forwarded", b"X-Forwarded-Host", b"X-Original-URL")
    lines = [header(name, b"for=9.9.9.9;host=evil.test") for name in forged]
    answer = target.ask(target.get(LIST, *lines, header(b"X-Forwarded-Proto", b"http"), authorization=b""))
    assert statuses(answer) == [401]
    assert b"evil.test" not in answer
    assert b'authorization="https://login.localhost:%d/' % target.port in answer
    record = target.newest_record()
    assert record["callerIpAddress"] == "127.0.0.1"
    assert record["properties"]["requestUri"] == f"https://dev.vault.localhost:{target.port}{LIST.decode()}"


def test_a_request_inside_a_body_is_body(target):
    hidden = target.get(b"/secrets/hidden" + VERSION)
    began = time.time_ns() // 1000
    answer = target.ask(target.put(hidden).replace(b"Connection: close\r\n", b"", 1) + target.get())
    assert statuses(answer) == [400, 200]
    assert target.records(began) == 2
    assert target.newest_record()["operationName"] == "SecretList"


def test_a_host_that_is_none_names_no_vault_without_a_name_of_the_connection_either(target):
    began = time.time_ns() // 1000
    for value in (b"evil@dev.vault.localhost", b'dev".vault.localhost', b"%64ev.vault.localhost"):
        answer = target.ask(target.get(host=header(b"Host", value)), "127.0.0.1")
        assert statuses(answer) == [404]
        assert b"VaultNotFound" in answer
    assert target.records(began) == 3


def test_a_connection_for_no_name_of_ours_serves_every_host(target):
    for name in ("127.0.0.1", "localhost"):
        assert statuses(target.ask(target.get(), name)) == [200]


def test_renegotiation_is_refused(target):
    command = ["openssl", "s_client", "-tls1_2", "-connect", f"127.0.0.1:{target.port}", "-servername", "localhost"]
    asked = subprocess.run(command, input=b"R\n", capture_output=True, timeout=SECONDS, check=False)
    assert b"RENEGOTIATING" in asked.stdout + asked.stderr
    assert b"no renegotiation" in asked.stdout + asked.stderr
    assert statuses(target.ask(target.get())) == [200]


def half_a_handshake(target):
    raw = socket.create_connection(("127.0.0.1", target.port), timeout=SECONDS)
    raw.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    return raw


def opened(data):
    """Return what opens a connection, sends this, and leaves it there: nothing more is sent and nothing is read."""

    def leave(target):
        client = target.connect()
        client.setblocking(False)
        with contextlib.suppress(ssl.SSLError, ConnectionError, BlockingIOError):
            client.send(data(target))
        return client

    return leave


SLOW = {
    "handshakes": half_a_handshake,
    "heads": opened(lambda t: t.get()[:-2] + b"X: y"),
    "bodies": opened(lambda t: t.put(b"a" * 10_000)[:-9_000]),
    "chunks": opened(lambda t: t.chunked(b"ffff\r\nabc")),
    "endless headers": opened(lambda t: t.get()[:-2] + header(b"X", b"a" * 100_000) * 10),
    "endless names of chunks": opened(lambda t: t.chunked(b"1;" + b"a" * 1_000_000)),
    "pipelined requests that nobody reads": opened(lambda t: t.get().replace(b"Connection: close\r\n", b"") * 3_000),
    "bodies without a token": opened(lambda t: t.put(bytes(4 * MIB)).replace(t.authorization, b"")),
}


def resident_mib(pid):
    """Return what the children of a process hold of the memory."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    lines = [line for child in children for line in Path(f"/proc/{child}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def test_slow_and_greedy_clients_neither_stop_others_nor_fill_the_memory(target):
    held_memory = []
    for _ in range(3):
        with contextlib.ExitStack() as held:
            for _ in range(20):
                for attack in SLOW.values():
                    held.enter_context(contextlib.closing(attack(target)))
            for _ in range(50):
                assert statuses(target.ask(target.get())) == [200]
            held_memory.append(resident_mib(target.server.process.pid))
    # What a connection may hold is held while it is there (buffers of 256 KiB among it), and not again by the next one.
    assert held_memory[2] - held_memory[1] < 15
    assert held_memory[0] < 400
