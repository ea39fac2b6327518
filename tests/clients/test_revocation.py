"""What is taken away is gone at the very next request: of every connection, on every worker, whatever token is held.

One server with two workers, and connections kept alive until both of them hold many. A change is made by its command or
over the management plane; when that has been answered, each connection's next request must be refused.
"""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from clients.direct import DATA_VERSION, GROUP_VERSION, Direct, make_applications, unique
from clients.harness import STOP_SECONDS, start_server
from clients.processes import holders

pytestmark = pytest.mark.xdist_group("revocation")

WORKERS = 2
HELD_BY_EACH = 8
MOST_CONNECTIONS = 400
ASKING = 6
MORE_REQUESTS = 25
PATH = f"/secrets/any?api-version={DATA_VERSION}"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = start_server(tmp_path_factory.mktemp("revocation"), "--dev", "--no-proxy", "--workers", str(WORKERS))
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.errors


@pytest.fixture(scope="module")
def direct(server):
    made = Direct(SimpleNamespace(**server.connection))
    yield made
    made.close()


@pytest.fixture
def someone(server):
    """An application of its own for each test: its client id, object id and secret."""
    return make_applications(server, ["someone"])["someone"]


@pytest.fixture
def vault(direct, someone):
    """A vault that lets it get secrets, with one in it."""
    name = unique("rev")
    policies = [
        direct.policy(someone[1], "get"),
        direct.policy(direct.owner_id, "all", "purge"),
    ]
    url = direct.make_vault(name, accessPolicies=policies)
    assert direct.secret("PUT", url, "/secrets/any", {"value": "v"}).status == 200
    return SimpleNamespace(name=name, url=url)


@pytest.fixture
def token(direct, someone):
    return direct.sign_in(someone[0], someone[2])


class Crowd:
    """Connections to one vault, kept alive, at least `HELD_BY_EACH` on each worker; all of them hold one token."""

    def __init__(self, direct, server, url, token):
        self.token = token
        self.connections = []
        held = {}
        while len(held) < WORKERS or min(map(len, held.values())) < HELD_BY_EACH:
            assert len(self.connections) < MOST_CONNECTIONS, held
            self.connections += [direct.open(url) for _ in range(HELD_BY_EACH)]
            for connection in self.connections[-HELD_BY_EACH:]:
                connection.ask("GET", PATH, token=token)
            held = holders(server.process.pid, [each.sock.getsockname()[1] for each in self.connections])

    def ask(self, path=PATH):
        """Send the next request of every connection, then read what each was answered."""
        for connection in self.connections:
            connection.send_request("GET", path, token=self.token)
        return [connection.read() for connection in self.connections]

    def outcomes(self):
        """Return what the connections' next requests met: pairs of status and inner, else outer, code."""
        return {outcome(answer) for answer in self.ask()}

    def close(self):
        for connection in self.connections:
            connection.close()


def outcome(answer):
    if answer.status == 200:
        return 200, ""
    error = answer.error
    return answer.status, error.get("innererror", error)["code"]


@pytest.fixture
def crowd(direct, server, vault, token):
    made = Crowd(direct, server, vault.url, token)
    assert made.outcomes() == {(200, "")}
    yield made
    made.close()


def test_a_disabled_application_is_refused_until_it_is_enabled(server, direct, someone, crowd):
    server.strongroom("app", "disable", someone[0])
    assert crowd.outcomes() == {(401, "Unauthorized")}
    assert crowd.outcomes() == {(401, "Unauthorized")}
    refused = direct.post_form(
        {
            "grant_type": "client_credentials",
            "client_id": someone[0],
            "client_secret": someone[2],
            "scope": "https://vault.azure.net/.default",
        }
    )
    assert refused.json["error_codes"] == [7000112]
    server.strongroom("app", "enable", someone[0])
    assert crowd.outcomes() == {(200, "")}


def test_a_deleted_application_is_refused_for_good(server, someone, crowd):
    server.strongroom("app", "delete", someone[0])
    assert crowd.outcomes() == {(401, "Unauthorized")}
    assert server.strongroom("app", "enable", someone[0], check=False).returncode != 0
    assert crowd.outcomes() == {(401, "Unauthorized")}


def test_a_disabled_application_manages_nothing_more(server, direct, someone):
    server.strongroom("role", "assign", someone[0], "Reader")
    token = direct.sign_in(someone[0], someone[2], "management")
    crowd = [direct.open(direct.facts.managementUrl) for _ in range(24)]
    path = f"{direct.subscription}/resourceGroups?api-version={GROUP_VERSION}"
    assert {connection.ask("GET", path, token=token).status for connection in crowd} == {200}
    server.strongroom("app", "disable", someone[0])
    assert {outcome(connection.ask("GET", path, token=token)) for connection in crowd} == {
        (401, "InvalidAuthenticationToken")
    }
    for connection in crowd:
        connection.close()


def test_no_request_that_begins_after_the_answer_gets_through(server, someone, crowd):
    """Requests never stop while the application is disabled: those that began after that must all be refused."""
    revoked, warm = threading.Event(), threading.Barrier(ASKING + 1)

    def ask(connection):
        """Return the statuses of what began before the change was answered, and of what began after."""
        before, after = [connection.ask("GET", PATH, token=crowd.token).status], []
        warm.wait(STOP_SECONDS)
        while len(after) < MORE_REQUESTS:
            seen = after if revoked.is_set() else before
            seen.append(connection.ask("GET", PATH, token=crowd.token).status)
        return before, after

    with ThreadPoolExecutor(ASKING) as pool:
        asking = [pool.submit(ask, connection) for connection in crowd.connections[:ASKING]]
        warm.wait(STOP_SECONDS)
        try:
            server.strongroom("app", "disable", someone[0])
        finally:
            revoked.set()
    for before, after in (each.result() for each in asking):
        assert before[0] == 200
        assert set(before) <= {200, 401}
        assert set(after) == {401}


def test_a_removed_access_policy_counts_no_more(direct, someone, vault, crowd):
    direct.change_policies("remove", vault.name, direct.policy(someone[1], "get"))
    assert crowd.outcomes() == {(403, "ForbiddenByPolicy")}
    direct.change_policies("add", vault.name, direct.policy(someone[1], "get"))
    assert crowd.outcomes() == {(200, "")}
    direct.change_policies("replace", vault.name, direct.policy(someone[1], "list"))
    assert crowd.outcomes() == {(403, "ForbiddenByPolicy")}


def test_another_permission_model_counts_at_once(direct, vault, crowd):
    for rbac, expected in ((True, (403, "ForbiddenByRbac")), (False, (200, ""))):
        body = {"properties": {"enableRbacAuthorization": rbac}}
        assert direct.manage("PATCH", direct.vault_path(vault.name), body).status == 200
        assert crowd.outcomes() == {expected}


def test_a_removed_role_counts_no_more(server, direct, someone, vault, crowd):
    body = {"properties": {"enableRbacAuthorization": True}}
    assert direct.manage("PATCH", direct.vault_path(vault.name), body).status == 200
    for place in (["--vault", vault.name], ["--group", "dev"], []):
        given = server.strongroom("role", "assign", someone[0], "Key Vault Secrets User", *place, "--json")
        assert crowd.outcomes() == {(200, "")}
        server.strongroom("role", "remove", re.search(r'"id": "([^"]+)"', given.stdout).group(1))
        assert crowd.outcomes() == {(403, "ForbiddenByRbac")}


def test_a_deleted_vault_is_not_there_until_it_is_recovered(direct, vault, crowd):
    assert direct.manage("DELETE", direct.vault_path(vault.name)).status == 200
    assert crowd.outcomes() == {(404, "VaultNotFound")}
    recovery = {"location": direct.facts.location, "properties": {"createMode": "recover"}}
    assert direct.manage("PUT", direct.vault_path(vault.name), recovery).status == 200
    assert crowd.outcomes() == {(200, "")}


def test_what_was_granted_at_a_deleted_vault_does_not_come_back_with_it(server, direct, someone, vault, crowd):
    body = {"properties": {"enableRbacAuthorization": True}}
    assert direct.manage("PATCH", direct.vault_path(vault.name), body).status == 200
    server.strongroom("role", "assign", someone[0], "Key Vault Secrets User", "--vault", vault.name)
    assert crowd.outcomes() == {(200, "")}
    assert direct.manage("DELETE", direct.vault_path(vault.name)).status == 200
    recovery = {"location": direct.facts.location, "properties": {"createMode": "recover"}}
    assert direct.manage("PUT", direct.vault_path(vault.name), recovery).status == 200
    assert crowd.outcomes() == {(403, "ForbiddenByRbac")}


def test_the_vaults_of_a_deleted_group_are_not_there(server, direct, someone, token):
    group, name = unique("revoked-"), unique("rev")
    direct.make_group(group)
    policies = [direct.policy(someone[1], "get", "set")]
    url = direct.make_vault(name, group, accessPolicies=policies)
    assert direct.secret("PUT", url, "/secrets/any", {"value": "v"}, token=token).status == 200
    crowd = Crowd(direct, server, url, token)
    assert crowd.outcomes() == {(200, "")}
    assert direct.manage("DELETE", direct.group_path(group), version=GROUP_VERSION).status == 202
    assert crowd.outcomes() == {(404, "VaultNotFound")}
    crowd.close()


def test_a_deleted_secret_is_not_told_and_a_disabled_version_neither(direct, vault, crowd):
    assert direct.secret("PATCH", vault.url, "/secrets/any", {"attributes": {"enabled": False}}).status == 200
    assert crowd.outcomes() == {(403, "SecretDisabled")}
    assert direct.secret("DELETE", vault.url, "/secrets/any").status == 200
    assert crowd.outcomes() == {(404, "SecretNotFound")}
