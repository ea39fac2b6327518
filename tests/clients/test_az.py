"""The unmodified Azure CLI: one session, from the registration of the cloud to the purge of a vault; keys are beside.

Each command starts a process of a second or two, so that one session shows all of them in their order.
"""

import json

import pytest

pytestmark = pytest.mark.xdist_group("az")
SECRET = "az-secret"


@pytest.fixture(scope="module")
def object_id(server, connection):
    listed = json.loads(server.strongroom("app", "list", "--json").stdout)
    return next(each["objectId"] for each in listed if each["clientId"] == connection.clientId)


@pytest.fixture(scope="module")
def vault(az, connection, object_id):
    """A vault that az made, in a group that az made, open to the caller by a policy."""
    az(f"group create -n az-group -l {connection.location}")
    mode = "--enable-rbac-authorization false --no-self-perms true"  # else az asks Graph who the caller is
    made = az(f"keyvault create -n az-vault -g az-group -l {connection.location} {mode}")
    assert made["properties"]["vaultUri"].startswith("https://az-vault.vault.localhost")
    permissions = "get list set delete recover purge backup restore"
    az(f"keyvault set-policy -n az-vault --object-id {object_id} --secret-permissions {permissions}")
    return "az-vault"


def test_a_cloud_that_is_registered_is_updated(az, connection):
    options = "-n Strongroom --endpoint-resource-manager"
    assert "already registered" in az(f"cloud register {options}", connection.managementUrl, fails=True)
    az(f"cloud update {options}", connection.managementUrl)
    assert az("cloud show -n Strongroom")["endpoints"]["resourceManager"] == connection.managementUrl


def test_the_account_is_the_tenant_and_the_subscription(az, connection):
    account = az("account show")
    assert (account["id"], account["tenantId"]) == (connection.subscriptionId, connection.tenantId)
    assert account["environmentName"] == "Strongroom"


def test_groups(az, vault, connection):
    assert az("group show -n az-group")["location"] == connection.location
    assert "az-group" in {each["name"] for each in az("group list")}
    assert az("group exists -n az-group") is True
    assert az("group exists -n none") is False
    az(f"group create -n az-passing -l {connection.location}")
    az("group delete -n az-passing --yes")
    assert az("group exists -n az-passing") is False


def test_vaults_are_found(az, vault):
    assert az("keyvault show -n az-vault")["properties"]["enableRbacAuthorization"] is False
    assert "az-vault" in {each["name"] for each in az("keyvault list")}
    assert {each["name"] for each in az("keyvault list -g az-group")} >= {"az-vault"}
    assert az("keyvault check-name -n az-hsm")["nameAvailable"] is True  # az asks of managed HSMs only


def test_a_vault_is_updated(az, vault, object_id):
    assert az("keyvault update -n az-vault --set tags.team=blue")["tags"] == {"team": "blue"}
    other = "11111111-2222-3333-4444-555555555555"
    changed = az(f"keyvault set-policy -n az-vault --object-id {other} --secret-permissions get --key-permissions all")
    policies = {each["objectId"]: each["permissions"] for each in changed["properties"]["accessPolicies"]}
    assert policies.keys() == {object_id, other}
    assert (policies[other]["secrets"], policies[other]["keys"]) == (["get"], ["all"])
    changed = az(f"keyvault delete-policy -n az-vault --object-id {other}")
    assert [each["objectId"] for each in changed["properties"]["accessPolicies"]] == [object_id]


def test_secrets(az, vault, tmp_path):
    made = az(f"keyvault secret set --vault-name {vault} -n {SECRET} --value one --description text")
    assert (made["value"], made["contentType"]) == ("one", "text")
    az(f"keyvault secret set --vault-name {vault} -n {SECRET} --value two")
    assert az(f"keyvault secret show --vault-name {vault} -n {SECRET}")["value"] == "two"
    assert az(f"keyvault secret show --id {made['id']}")["value"] == "one"
    assert {each["name"] for each in az(f"keyvault secret list --vault-name {vault}")} == {SECRET}
    assert len(az(f"keyvault secret list-versions --vault-name {vault} -n {SECRET}")) == 2
    changed = az(f"keyvault secret set-attributes --vault-name {vault} -n {SECRET} --tags a=1")
    assert changed["tags"] == {"a": "1"}
    az(f"keyvault secret download --vault-name {vault} -n {SECRET} -f", str(tmp_path / "value"))
    assert (tmp_path / "value").read_text() == "two"
    az(f"keyvault secret backup --vault-name {vault} -n {SECRET} -f", str(tmp_path / "backup"))
    az(f"keyvault secret delete --vault-name {vault} -n {SECRET}")
    assert "SecretNotFound" in az(f"keyvault secret show --vault-name {vault} -n {SECRET}", fails=True)
    assert {each["name"] for each in az(f"keyvault secret list-deleted --vault-name {vault}")} == {SECRET}
    assert az(f"keyvault secret show-deleted --vault-name {vault} -n {SECRET}")["name"] == SECRET
    az(f"keyvault secret recover --vault-name {vault} -n {SECRET}")
    az(f"keyvault secret delete --vault-name {vault} -n {SECRET}")
    az(f"keyvault secret purge --vault-name {vault} -n {SECRET}")
    az(f"keyvault secret restore --vault-name {vault} -f", str(tmp_path / "backup"))
    assert az(f"keyvault secret show --vault-name {vault} -n {SECRET}")["value"] == "two"


def test_network_rules(az, vault, connection):
    """Outside, the vault is seen and its secrets are refused; back inside, they are told."""
    changed = az(f"keyvault update -n {vault} --default-action Deny --bypass None")
    assert changed["properties"]["networkAcls"]["ipRules"] == []
    refused = az(f"keyvault secret list --vault-name {vault}", fails=True)
    assert "ForbiddenByFirewall" in refused
    assert "Client address: 127.0.0.1" in refused
    assert vault in {each["name"] for each in az("keyvault list")}
    assert az(f"keyvault show -n {vault}")["properties"]["networkAcls"]["defaultAction"] == "Deny"
    az(f"keyvault network-rule add -n {vault} --ip-address 203.0.113.0/24 127.0.0.1")
    told = az(f"keyvault network-rule list -n {vault}")
    assert [rule["value"] for rule in told["ipRules"]] == ["203.0.113.0/24", "127.0.0.1/32"]
    assert (told["defaultAction"], told["bypass"]) == ("Deny", "None")
    assert isinstance(az(f"keyvault secret list --vault-name {vault}"), list)
    az(f"keyvault network-rule remove -n {vault} --ip-address 203.0.113.0/24")
    assert [each["value"] for each in az(f"keyvault network-rule list -n {vault}")["ipRules"]] == ["127.0.0.1/32"]
    az(f"keyvault update -n {vault} --public-network-access Disabled")
    assert "ForbiddenByConnection" in az(f"keyvault secret list --vault-name {vault}", fails=True)
    changed = az(f"keyvault update -n {vault} --public-network-access Enabled --default-action Allow")
    assert changed["properties"]["networkAcls"]["ipRules"] == [{"value": "127.0.0.1/32"}]
    az(f"keyvault network-rule remove -n {vault} --ip-address 127.0.0.1")
    made = az(
        f"keyvault create -n az-shut -g az-group -l {connection.location} --enable-rbac-authorization false "
        "--no-self-perms true --default-action Deny --bypass AzureServices --network-acls-ips 198.51.100.0/24 "
        "--public-network-access Disabled"
    )["properties"]
    assert (made["networkAcls"]["ipRules"], made["publicNetworkAccess"]) == ([{"value": "198.51.100.0/24"}], "Disabled")


def test_a_vault_is_deleted_recovered_and_purged(az, vault):
    az(f"keyvault secret set --vault-name {vault} -n az-kept --value two")
    az("keyvault delete -n az-vault")
    assert "az-vault" in {each["name"] for each in az("keyvault list-deleted")}
    assert az("keyvault show-deleted -n az-vault")["name"] == "az-vault"
    az("keyvault recover -n az-vault")
    assert az(f"keyvault secret show --vault-name {vault} -n az-kept")["value"] == "two"
    az("keyvault delete -n az-vault")
    az("keyvault purge -n az-vault")
    assert "az-vault" not in {each["name"] for each in az("keyvault list-deleted")}


def test_a_group_takes_its_vaults_with_it(az, connection):
    az(f"group create -n az-doomed -l {connection.location}")
    az(f"keyvault create -n az-doomed-vault -g az-doomed -l {connection.location}")
    az("group delete -n az-doomed --yes")
    assert "az-doomed-vault" in {each["name"] for each in az("keyvault list-deleted --resource-type vault")}
