"""Private endpoints of a server that listens on more than one address: who comes there, and what the records say."""

from types import SimpleNamespace

import pytest

from clients.direct import Direct, unique
from clients.harness import start_server

PRIVATE = "127.0.0.61"
WHERE = ("--listen", "127.0.0.1", "--listen", PRIVATE, "--workers", "2")


@pytest.fixture(scope="module")
def linked(tmp_path_factory):
    server = start_server(tmp_path_factory.mktemp("linked"), "--dev", *WHERE)
    yield server
    server.stop()


@pytest.fixture
def direct(linked):
    found = Direct(SimpleNamespace(**linked.connection))
    yield found
    found.close()


@pytest.fixture
def vault(direct):
    name = unique("priv")
    direct.make_vault(name, accessPolicies=[direct.policy(direct.owner_id, "get", "list", "set")])
    return name


def test_a_vault_without_public_access_is_reached_by_its_endpoint_alone(linked, direct, vault):
    group = f"{direct.facts.managementUrl}/subscriptions/{direct.facts.subscriptionId}/resourceGroups/dev"
    resource = f"{group}/providers/Microsoft.KeyVault/vaults/{vault}"
    manage = {"token": direct.owner("management")}

    def statuses(address, name=vault):
        """Ask over connections of their own, so that every worker is asked."""
        found = set()
        for _ in range(6):
            connection = direct.open(direct.vault_url(name))
            connection.address = address
            answer = connection.ask("GET", "/secrets?api-version=7.6", token=direct.owner("vault"))
            found.add(answer.status)
            connection.close()
        return found

    assert statuses("127.0.0.1") == statuses(PRIVATE) == {200}
    closed = {"properties": {"publicNetworkAccess": "Disabled"}}
    assert direct.ask("PATCH", f"{resource}?api-version=2023-07-01", body=closed, **manage).status == 200
    linked.strongroom("network", "endpoint", "add", "pe", "--vault", vault, "--address", PRIVATE)
    assert statuses("127.0.0.1") == statuses(PRIVATE) == {403}
    for status, expected in (("Approved", 200), ("Rejected", 403), ("Approved", 200)):
        body = {"properties": {"privateLinkServiceConnectionState": {"status": status}}}
        place = f"{resource}/privateEndpointConnections/pe?api-version=2023-07-01"
        assert direct.ask("PUT", place, body=body, **manage).status == 200
        assert statuses(PRIVATE) == {expected}
        assert statuses("127.0.0.1") == {403}
    assert statuses(PRIVATE, "dev") == {403}
    assert statuses("127.0.0.1", "dev") == {200}
    linked.strongroom("network", "endpoint", "remove", "pe", "--vault", vault)
    assert statuses(PRIVATE) == {403}
    assert statuses(PRIVATE, "dev") == {200}
    linked.strongroom("network", "trust", "add", "bootstrap")
    assert statuses("127.0.0.1") == {200}
    linked.strongroom("network", "trust", "remove", "bootstrap")
    assert statuses("127.0.0.1") == {403}
