"""What is taken away is gone at the very next request: of every connection, on every worker, whatever token is held.

One server with two workers, and connections kept alive until both of them hold many. A change is made by its command or
over the management plane; when that has been answered, each connection's next request must be refused.
"""

import json
import re
from types import SimpleNamespace

import pytest

from clients.crowd import WORKERS, Crowd, outcome
from clients.direct import GROUP_VERSION, Direct, make_applications, unique
from clients.harness import start_server

pytestmark = pytest.mark.xdist_group("revocation")


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


def disable(server, direct, vault, someone):
    server.strongroom("app", "disable", someone[0])


def remove_policy(server, direct, vault, someone):
    direct.change_policies("remove", vault.name, direct.policy(someone[1], "get"))


def change_model(server, direct, vault, someone):
    body = {"properties": {"enableRbacAuthorization": True}}
    assert direct.manage("PATCH", direct.vault_path(vault.name), body).status == 200


def shut_network(server, direct, vault, someone):
    body = {"properties": {"networkAcls": {"defaultAction": "Deny", "ipRules": [{"value": "203.0.113.0/24"}]}}}
    assert direct.manage("PATCH", direct.vault_path(vault.name), body).status == 200


def delete_vault(server, direct, vault, someone):
    assert direct.manage("DELETE", direct.vault_path(vault.name)).status == 200


@pytest.mark.parametrize(
    ("change", "status"),
    [(disable, 401), (remove_policy, 403), (change_model, 403), (shut_network, 403), (delete_vault, 404)],
)
def test_no_request_that_begins_after_the_answer_gets_through(server, direct, vault, someone, crowd, change, status):
    """Requests to every worker never stop meanwhile: those that began after the answer must all be refused."""
    seen = crowd.ask_around(lambda: change(server, direct, vault, someone))
    assert len({each.worker for each in seen}) == WORKERS
    for each in seen:
        assert each.before[0] == 200
        assert set(each.before) <= {200, status}
        assert set(each.after) == {status}


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


def test_other_network_rules_count_at_once(direct, vault, crowd):
    refused = (403, "ForbiddenByFirewall")
    here, elsewhere = [{"value": "127.0.0.1"}], [{"value": "203.0.113.0/24"}]
    for said, expected in (
        ({"networkAcls": {"defaultAction": "Deny"}}, refused),
        ({"networkAcls": {"ipRules": here}}, (200, "")),
        ({"publicNetworkAccess": "Disabled"}, (403, "ForbiddenByConnection")),
        ({"publicNetworkAccess": "Enabled"}, (200, "")),
        ({"networkAcls": {"ipRules": elsewhere}}, refused),
        ({"networkAcls": {"ipRules": [*elsewhere, *here]}}, (200, "")),
        ({"networkAcls": {"ipRules": elsewhere, "defaultAction": "Allow"}}, (200, "")),
    ):
        assert direct.manage("PATCH", direct.vault_path(vault.name), {"properties": said}).status == 200
        assert crowd.outcomes() == {expected}


def test_proposed_rules_refuse_nobody_until_they_are_adopted(server, someone, vault, crowd):
    named = ("--vault", vault.name)
    server.strongroom("network", "propose", *named, "--default-action", "Deny", "--allow", "203.0.113.0/24")
    assert crowd.outcomes() == {(200, "")}
    report = json.loads(server.strongroom("network", "report", *named, "--json").stdout)
    assert report["refused"] == report["requests"] > 0
    assert someone[1] in {caller["objectId"] for caller in report["callers"]}
    server.strongroom("network", "adopt", *named)
    assert crowd.outcomes() == {(403, "ForbiddenByFirewall")}
    server.strongroom("network", "propose", *named, "--allow", "127.0.0.1")
    assert crowd.outcomes() == {(403, "ForbiddenByFirewall")}
    server.strongroom("network", "adopt", *named)
    assert crowd.outcomes() == {(200, "")}


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


@pytest.fixture
def outer(server, direct, someone, vault):
    """A group that may get secrets by the vault's policy, with a group in it that the application is in."""
    names = [unique("outer"), unique("inner")]
    made = [json.loads(server.strongroom("directory", "group", "create", name, "--json").stdout) for name in names]
    server.strongroom("directory", "group", "member", "add", names[0], names[1])
    server.strongroom("directory", "group", "member", "add", names[1], someone[0])
    direct.change_policies("add", vault.name, direct.policy(made[0]["objectId"], "get"))
    direct.change_policies("remove", vault.name, direct.policy(someone[1], "get"))
    return SimpleNamespace(id=made[0]["objectId"], name=names[0], inner=names[1])


def test_who_leaves_a_group_has_nothing_of_it_any_more(server, outer, someone, crowd):
    for group, member in ((outer.inner, someone[0]), (outer.name, outer.inner)):
        server.strongroom("directory", "group", "member", "remove", group, member)
        assert crowd.outcomes() == {(403, "ForbiddenByPolicy")}
        server.strongroom("directory", "group", "member", "add", group, member)
        assert crowd.outcomes() == {(200, "")}
    server.strongroom("directory", "group", "delete", outer.inner)
    assert crowd.outcomes() == {(403, "ForbiddenByPolicy")}


def test_a_role_of_a_group_counts_for_its_members_while_they_are_in_it(server, direct, outer, vault, someone, crowd):
    body = {"properties": {"enableRbacAuthorization": True}}
    assert direct.manage("PATCH", direct.vault_path(vault.name), body).status == 200
    assert crowd.outcomes() == {(403, "ForbiddenByRbac")}
    server.strongroom("role", "assign", outer.name, "Key Vault Secrets User", "--vault", vault.name)
    assert crowd.outcomes() == {(200, "")}
    server.strongroom("directory", "group", "member", "remove", outer.inner, someone[0])
    assert crowd.outcomes() == {(403, "ForbiddenByRbac")}


def test_a_role_of_a_group_manages_for_its_members_while_they_are_in_it(server, direct, someone):
    group = unique("managers")
    server.strongroom("directory", "group", "create", group)
    server.strongroom("role", "assign", group, "Reader")
    token = direct.sign_in(someone[0], someone[2], "management")
    crowd = [direct.open(direct.facts.managementUrl) for _ in range(24)]
    path = f"{direct.subscription}/resourceGroups?api-version={GROUP_VERSION}"
    for verb, expected in (("add", (200, "")), ("remove", (403, "AuthorizationFailed")), ("add", (200, ""))):
        server.strongroom("directory", "group", "member", verb, group, someone[0])
        assert {outcome(connection.ask("GET", path, token=token)) for connection in crowd} == {expected}
    server.strongroom("directory", "group", "delete", group)
    assert {outcome(connection.ask("GET", path, token=token)) for connection in crowd} == {(403, "AuthorizationFailed")}
    for connection in crowd:
        connection.close()


def leave_group(server, outer, someone):
    server.strongroom("directory", "group", "member", "remove", outer.inner, someone[0])


def delete_group(server, outer, someone):
    server.strongroom("directory", "group", "delete", outer.name)


@pytest.mark.parametrize("change", [leave_group, delete_group])
def test_no_request_that_begins_after_a_group_was_left_gets_through(server, outer, someone, crowd, change):
    seen = crowd.ask_around(lambda: change(server, outer, someone))
    assert len({each.worker for each in seen}) == WORKERS
    for each in seen:
        assert set(each.before) <= {200, 403}
        assert set(each.after) == {403}
