"""The unmodified Azure CLI on virtual networks, on rules for their subnets, and on private endpoints of a vault."""

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


def test_networks_and_subnets(az, connection):
    az(f"group create -n az-net -l {connection.location}")
    space = "--address-prefixes 10.7.0.0/16 --subnet-name first --subnet-prefixes 10.7.1.0/24"
    made = az(f"network vnet create -n az-vnet -g az-net -l {connection.location} {space}")["newVNet"]
    assert made["addressSpace"]["addressPrefixes"] == ["10.7.0.0/16"]
    assert [each["name"] for each in made["subnets"]] == ["first"]
    named = "-g az-net --vnet-name az-vnet"
    az(f"network vnet subnet create -n second {named} --address-prefixes 10.7.2.0/24")
    updated = az(f"network vnet subnet update -n second {named} --service-endpoints Microsoft.KeyVault")
    assert [each["service"] for each in updated["serviceEndpoints"]] == ["Microsoft.KeyVault"]
    updated = az(f"network vnet subnet update -n second {named} --address-prefixes 10.7.2.0/24 127.0.0.0/8", fails=True)
    assert "NetcfgSubnetRangeOutsideVnet" in updated
    az("network vnet update -n az-vnet -g az-net --address-prefixes 10.7.0.0/16 127.0.0.0/8")
    updated = az(f"network vnet subnet update -n second {named} --address-prefixes 10.7.2.0/24 127.0.0.0/8")
    assert updated["addressPrefixes"] == ["10.7.2.0/24", "127.0.0.0/8"]
    assert updated["serviceEndpoints"][0]["service"] == "Microsoft.KeyVault"
    assert {each["name"] for each in az(f"network vnet subnet list {named}")} == {"first", "second"}
    assert az(f"network vnet subnet show -n first {named}")["addressPrefix"] == "10.7.1.0/24"
    assert "az-vnet" in {each["name"] for each in az("network vnet list")}
    assert "This server has of that namespace: virtualNetworks," in az("network nsg list", fails=True)
    assert (
        az("resource show -n az-vnet -g az-net --resource-type Microsoft.Network/virtualNetworks")["id"] == made["id"]
    )
    listed = az("resource list -g az-net --resource-type Microsoft.Network/virtualNetworks")
    assert [each["id"] for each in listed] == [made["id"]]


def test_rules_for_subnets(az, connection):
    """Of the network of the test before; every request of this machine comes from its second subnet."""
    vault = "-n az-net-vault -g az-net"
    az(f"keyvault create {vault} -l {connection.location} --enable-rbac-authorization false --no-self-perms true "
       "--default-action Deny")  # fmt: skip
    assert "ForbiddenByFirewall" in az("keyvault secret list --vault-name az-net-vault", fails=True)
    added = az(f"keyvault network-rule add {vault} --vnet-name az-vnet --subnet second")
    (rule,) = added["properties"]["networkAcls"]["virtualNetworkRules"]
    assert rule["id"].endswith("/virtualnetworks/az-vnet/subnets/second")
    assert "ForbiddenByPolicy" in az("keyvault secret list --vault-name az-net-vault", fails=True)
    refused = az(f"keyvault network-rule add {vault} --vnet-name az-vnet --subnet first", fails=True)
    assert "SubnetsHaveNoServiceEndpointsConfigured" in refused
    az("network vnet subnet delete -n second -g az-net --vnet-name az-vnet")
    assert "ForbiddenByFirewall" in az("keyvault secret list --vault-name az-net-vault", fails=True)
    assert az(f"keyvault network-rule list {vault}")["virtualNetworkRules"] == []
    az("network vnet delete -n az-vnet -g az-net")
    assert "ResourceNotFound" in az("network vnet show -n az-vnet -g az-net", fails=True)
