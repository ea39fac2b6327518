"""Keys are replaced under a server that serves: unmodified clients notice nothing, on any worker.

Writers and readers never stop while every rotation runs; each notes what it was answered. Then a worker is killed, so
that its successor is forked from a parent that began with a key long replaced, and the server is started anew.
"""

import os
import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import jwt
import pytest
from azure.identity import ClientSecretCredential
from azure.keyvault.secrets import SecretClient

from clients.direct import DATA_VERSION, Direct, unique
from clients.harness import start_server

pytestmark = pytest.mark.xdist_group("rotation")

WRITERS = 2
FEWEST_ROUNDS = 10
PAUSE_SECONDS = 0.05
CROWD = 24
PATH = f"/secrets/any?api-version={DATA_VERSION}"
PASSPHRASE = "four words and one more"


@pytest.fixture
def server(tmp_path):
    running = start_server(tmp_path, "--dev", "--workers", "2")
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.errors


@pytest.fixture
def direct(server):
    made = Direct(SimpleNamespace(**server.connection))
    yield made
    made.close()


@pytest.fixture
def use(monkeypatch):
    """Let the clients in this process find and trust a server."""

    def adopt(server):
        for name, value in server.client_environ().items():
            monkeypatch.setenv(name, value) if value is not None else monkeypatch.delenv(name, raising=False)

    return adopt


class Load:
    """Threads that set, read back and back up secrets, and one that makes vaults, until they are told to stop."""

    def __init__(self, server):
        self.connection = SimpleNamespace(**server.connection)
        self.stopping = threading.Event()
        self.begun = threading.Barrier(WRITERS + 2)
        self.kept = {}
        self.vaults = {}

    @contextmanager
    def client(self):
        """An unmodified client that tries nothing twice: what one request meets is told."""
        found = self.connection
        with (
            ClientSecretCredential(
                found.tenantId,
                found.clientId,
                found.clientSecret,
                authority=found.authority,
                disable_instance_discovery=True,
            ) as credential,
            SecretClient(found.vaultUrl, credential, retry_total=0) as client,
        ):
            yield client

    def moved(self, connection):
        """Ask at another port from now on."""
        before, self.connection = self.connection, connection
        ports = [urlsplit(each.vaultUrl).port for each in (before, connection)]
        self.vaults = {url.replace(f":{ports[0]}", f":{ports[1]}"): value for url, value in self.vaults.items()}

    def write(self, number):
        """Return the rounds that were made; what a client meets but answers ends it."""
        rounds = 0
        with self.client() as client:
            while not self.stopping.is_set() or rounds < FEWEST_ROUNDS:
                name, value = f"load-{number}-{rounds % 20}", f"{number}.{rounds}"
                self.kept[name] = (client.set_secret(name, value).properties.version, value)
                assert client.get_secret(name).value == value
                assert client.get_secret(f"load-{number}-0").value.startswith(f"{number}.")
                if rounds % 7 == 0:
                    assert client.backup_secret(name)
                if rounds == 0:
                    self.begun.wait(60)
                rounds += 1
        return rounds

    def make_vaults(self):
        """Return how many vaults were made: each with a data key of its own, and a secret under it."""
        direct = Direct(self.connection)
        policy = direct.policy(direct.owner_id, "all")
        while not self.stopping.is_set() or len(self.vaults) < FEWEST_ROUNDS:
            url = direct.make_vault(unique("v"), accessPolicies=[policy])
            assert direct.secret("PUT", url, "/secrets/any", {"value": url}).status == 200
            self.vaults[url] = url
            self.stopping.wait(PAUSE_SECONDS)
            if len(self.vaults) == 1:
                self.begun.wait(60)
        direct.close()
        return len(self.vaults)


def rotations(server):
    """Every rotation, one after another; each command succeeds while requests never stop."""
    passphrase = server.data_dir.parent / "passphrase"
    passphrase.write_text(PASSPHRASE)
    passphrase.chmod(0o600)
    under_it = {"STRONGROOM_MASTER_KEY_PASSPHRASE_FILE": str(passphrase)}
    said = [
        server.strongroom("rotate", "master-key"),
        server.strongroom("rotate", "vault", "--all"),
        server.strongroom("rotate", "signing-key", "--now"),
        server.strongroom("rotate", "master-key", "--to", "passphrase", "--new-passphrase-file", str(passphrase)),
        server.strongroom("rotate", "vault", "dev", environ=under_it),
        server.strongroom("rotate", "master-key", "--to", "file", environ=under_it),
    ]
    return [done.stdout for done in said]


def test_every_key_is_replaced_under_load_and_no_client_notices(server, use, tmp_path):
    use(server)
    load = Load(server)
    with ThreadPoolExecutor(WRITERS + 1) as pool:
        working = [pool.submit(load.write, number) for number in range(WRITERS)] + [pool.submit(load.make_vaults)]
        load.begun.wait(60)
        try:
            said = rotations(server)
        finally:
            load.stopping.set()
        assert min(each.result() for each in working) >= FEWEST_ROUNDS
    assert re.search(r"rotated \d+ vaults, \d+ values sealed anew", said[1])
    require_kept(load)
    replace_a_worker(server)
    require_kept(load)
    assert server.stop() == 0
    assert "Traceback" not in server.errors
    again = start_server(tmp_path, "--dev", "--workers", "1")
    try:
        use(again)
        load.moved(SimpleNamespace(**again.connection))
        require_kept(load)
    finally:
        assert again.stop() == 0


def require_kept(load):
    """Require every value that was answered to be there, asked of each worker in turn over new connections."""
    with load.client() as client:
        for name, (version, value) in load.kept.items():
            assert client.get_secret(name).value == client.get_secret(name, version).value == value
    for _ in range(2):
        direct = Direct(load.connection)
        for url, value in load.vaults.items():
            assert direct.secret("GET", url, "/secrets/any").json["value"] == value
        direct.make_vault(unique("v"))
        direct.close()


def workers(server):
    found = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return [int(pid) for pid in found]


def replace_a_worker(server):
    """Kill a worker and wait until there are two again, and both answer."""
    before = workers(server)
    os.kill(before[0], signal.SIGKILL)
    while before[0] in workers(server) or len(workers(server)) < len(before):
        threading.Event().wait(0.05)


def test_a_token_outlives_the_key_that_signed_it_unless_it_is_revoked(server, direct):
    url = direct.vault_url("dev")
    direct.secret("PUT", url, "/secrets/any", {"value": "v"})
    token = direct.owner()
    crowd = [direct.open(url) for _ in range(CROWD)]

    def met(held):
        return {connection.ask("GET", PATH, token=held).status for connection in crowd}

    def published():
        return [key["kid"] for key in direct.ask("GET", f"{direct.facts.authority}/common/discovery/keys").json["keys"]]

    assert met(token) == {200}
    first = jwt.get_unverified_header(token)["kid"]
    server.strongroom("rotate", "signing-key")
    assert len(published()) == 2
    waiting = direct.sign_in(direct.facts.clientId, direct.facts.clientSecret)
    assert jwt.get_unverified_header(waiting)["kid"] == first
    server.strongroom("rotate", "signing-key", "--now")
    following = direct.sign_in(direct.facts.clientId, direct.facts.clientSecret)
    assert jwt.get_unverified_header(following)["kid"] not in {first, *published()[1:]}
    assert met(token) == met(following) == {200}
    server.strongroom("rotate", "signing-key", "--revoke-old")
    assert met(token) == met(following) == {401}
    assert len(published()) == 1
    assert met(direct.sign_in(direct.facts.clientId, direct.facts.clientSecret)) == {200}
    for connection in crowd:
        connection.close()
