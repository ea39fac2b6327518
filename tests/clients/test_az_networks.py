"""The unmodified Azure CLI on the private endpoints of a vault, by the commands of vaults and by those of networks."""

import pytest

pytestmark = pytest.mark.xdist_group("az")

VAULT = "az-linked-vault"
IN = f"--vault-name {VAULT} -g az-linked"


@pytest.fixture(scope="module")
def vault(az, connection, server):
    """The id of a vault with a private endpoint."""
    az(f"group create -n az-linked -l {connection.location}")
    made = az(f"keyvault create -n {VAULT} -g az-linked -l {connection.location} --enable-rbac-authorization true")
    add = ("network", "endpoint", "add")
    server.strongroom(*add, "az-pe", "--vault", VAULT, "--address", "127.0.0.98")
    server.strongroom(*add, "az-pe2", "--vault", VAULT, "--address", "127.0.0.97", "--approve")
    return made["id"]


def state_of(connection):
    said = connection.get("properties", connection)["privateLinkServiceConnectionState"]
    return said["status"], said["description"]


def test_by_the_commands_of_vaults(az, vault):
    (link,) = az(f"keyvault private-link-resource list {IN}")
    assert link["groupId"] == "vault"
    told = az(f"keyvault show -n {VAULT}")["properties"]["privateEndpointConnections"]
    assert {each["id"].rpartition("/")[2] for each in told} == {"az-pe", "az-pe2"}
    (pending,) = [each for each in told if each["id"].endswith("/az-pe")]
    assert pending["privateLinkServiceConnectionState"]["status"] == "Pending"
    one = "keyvault private-endpoint-connection"
    assert state_of(az(f"{one} approve --description fine --id", pending["id"])) == ("Approved", "fine")
    assert state_of(az(f"{one} reject --description no {IN} -n az-pe")) == ("Rejected", "no")
    assert state_of(az(f"{one} show {IN} -n az-pe")) == ("Rejected", "no")
    assert state_of(az(f"{one} approve {IN} -n az-pe")) == ("Approved", "no")
    az(f"{one} delete --id", pending["id"])
    assert "ResourceNotFound" in az(f"{one} show {IN} -n az-pe", fails=True)


def test_by_the_commands_of_networks(az, vault):
    typed = "--type Microsoft.KeyVault/vaults -g az-linked"
    (link,) = az(f"network private-link-resource list {typed} --name {VAULT}")
    assert link["properties"]["groupId"] == "vault"
    one, named = "network private-endpoint-connection", f"{typed} --resource-name {VAULT} --name az-pe2"
    shown = az(f"{one} show {named}")
    assert (shown["name"], shown["properties"]["provisioningState"]) == ("az-pe2", "Succeeded")
    assert state_of(az(f"{one} reject --description no --id", shown["id"])) == ("Rejected", "no")
    assert state_of(az(f"{one} approve --description yes {named}")) == ("Approved", "yes")
    assert shown["id"] in {each["id"] for each in az(f"{one} list --id", vault)}
    az(f"{one} delete -y --id", shown["id"])
    # Its own list fails where a vault tells none.
    assert "ResourceNotFound" in az(f"{one} show {named}", fails=True)
