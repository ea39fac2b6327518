"""The unmodified Azure CLI on what is set on scopes and what is told of resources: locks, tags, lists, providers."""

import pytest

pytestmark = pytest.mark.xdist_group("az")


@pytest.fixture(scope="module")
def vault(az, connection):
    """The id of a vault in a group of this module."""
    az(f"group create -n az-scoped -l {connection.location} --tags team=blue")
    mode = "--enable-rbac-authorization true"
    return az(f"keyvault create -n az-scoped-vault -g az-scoped -l {connection.location} {mode}")["id"]


def test_locks(az, vault, connection):
    where = "--resource-group az-scoped --resource az-scoped-vault --resource-type Microsoft.KeyVault/vaults"
    made = az(f"lock create -n keep --lock-type CanNotDelete --notes why {where}")
    assert (made["level"], made["notes"]) == ("CanNotDelete", "why")
    assert made["id"] == f"{vault}/providers/Microsoft.Authorization/locks/keep"
    assert "ScopeLocked" in az("keyvault delete -n az-scoped-vault", fails=True)
    assert "ScopeLocked" in az("group delete -n az-scoped --yes", fails=True)
    az(f"lock update -n keep --lock-type ReadOnly {where}")
    assert az(f"lock show -n keep {where}")["level"] == "ReadOnly"
    assert "ScopeLocked" in az("keyvault update -n az-scoped-vault --set tags.a=b", fails=True)
    az("lock create -n group --lock-type CanNotDelete --resource-group az-scoped")
    az("lock create -n all --lock-type CanNotDelete")
    assert {each["name"] for each in az("lock list --resource-group az-scoped")} >= {"group", "keep"}
    assert {each["name"] for each in az("lock list")} >= {"all", "group", "keep"}
    az("lock delete -n all")
    az("lock delete -n group --resource-group az-scoped")
    az("lock delete --ids", made["id"])
    assert not {each["name"] for each in az("lock list")} & {"all", "group", "keep"}


def test_tags(az, vault, connection):
    for scope in (vault, vault.partition("/providers/")[0], f"/subscriptions/{connection.subscriptionId}"):
        az("tag create --tags a=b --resource-id", scope)
        az("tag update --operation merge --tags c=d --resource-id", scope)
        assert az("tag list --resource-id", scope)["properties"]["tags"] == {"a": "b", "c": "d"}
        az("tag update --operation delete --tags a=b --resource-id", scope)
        assert az("tag list --resource-id", scope)["properties"]["tags"] == {"c": "d"}
        az("tag delete --yes --resource-id", scope)
        assert not az("tag list --resource-id", scope)["properties"]["tags"]


def test_names_of_tags(az, vault):
    az("tag create -n az-kept")
    az("tag add-value -n az-kept --value one")
    (kept,) = [each for each in az("tag list") if each["tagName"] == "az-kept"]
    assert [each["tagValue"] for each in kept["values"]] == ["one"]
    az("tag remove-value -n az-kept --value one")
    az("tag delete -n az-kept --yes")
    assert "az-kept" not in {each["tagName"] for each in az("tag list")}


def test_resources(az, vault):
    az("resource tag --tags team=blue --ids", vault)
    assert az("resource show --ids", vault)["tags"] == {"team": "blue"}
    for kept in (
        "-g az-scoped",
        "-g az-scoped --resource-type Microsoft.KeyVault/vaults",
        "-g az-scoped -n az-scoped-vault",
        "--tag team=blue",
        "--tag team",
        "--tag te*",
    ):
        assert [each["id"] for each in az(f"resource list {kept}") if "scoped" in each["id"]] == [vault], kept
    assert az("resource list --tag team=red") == []
    changed = az("resource update --set tags.team=green --ids", vault)
    assert changed["tags"] == {"team": "green"}
    where = "-g az-scoped -n az-scoped-vault --resource-type Microsoft.KeyVault/vaults"
    assert az(f"resource show {where}")["id"] == vault
    az("group update -n az-scoped --set tags.more=1")
    assert az("group show -n az-scoped")["tags"]["more"] == "1"


def test_providers(az):
    assert {each["namespace"] for each in az("provider list")} >= {"Microsoft.KeyVault", "Microsoft.Authorization"}
    assert az("provider show -n Microsoft.KeyVault")["registrationState"] == "Registered"


def test_what_is_deleted_by_its_id_is_gone(az, vault):
    az("resource delete --ids", vault)
    assert "ResourceNotFound" in az("resource show --ids", vault, fails=True)
    az("group delete -n az-scoped --yes")


def test_the_activity_log(az, connection):
    az(f"group create -n az-logged -l {connection.location}")
    az("group delete -n az-logged --yes")
    told = az("monitor activity-log list -g az-logged --offset 1h")
    assert [(each["operationName"]["value"], each["status"]["value"]) for each in told] == [
        ("Microsoft.Resources/subscriptions/resourceGroups/delete", "Succeeded"),
        ("Microsoft.Resources/subscriptions/resourceGroups/write", "Succeeded"),
    ]
    assert {each["caller"] for each in told} == {connection.clientId}
    assert "az-group" not in str(told)
    narrowed = az("monitor activity-log list --select operationName --max-events 1 --status Succeeded")
    assert len(narrowed) == 1
