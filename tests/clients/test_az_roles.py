"""The unmodified Azure CLI gives roles, makes custom ones, and takes them back, at every scope."""

import json

import pytest

pytestmark = pytest.mark.xdist_group("az")
SOMEONE = "c0ffee00-0000-4000-8000-00000000000a"
WHO = f"--assignee-object-id {SOMEONE} --assignee-principal-type User"


@pytest.fixture(scope="module")
def scopes(az, connection):
    """A subscription, a group, a vault and a secret."""
    here = f"/subscriptions/{connection.subscriptionId}"
    az(f"group create -n az-roles -l {connection.location}")
    made = az(f"keyvault create -n az-role-vault -g az-roles -l {connection.location} --no-self-perms true")
    return here, f"{here}/resourceGroups/az-roles", made["id"], f"{made['id']}/secrets/az-one"


def test_built_in_roles_are_told(az):
    (role,) = az("role definition list -n", "Key Vault Secrets User")
    assert role["roleType"] == "BuiltInRole"
    assert "Microsoft.KeyVault/vaults/secrets/getSecret/action" in role["permissions"][0]["dataActions"]
    assert {"Owner", "Reader"} <= {each["roleName"] for each in az("role definition list")}


def test_roles_are_given_and_taken_back_at_every_scope(az, scopes):
    for scope in scopes:
        made = az(f"role assignment create {WHO} --scope {scope} --role", "Key Vault Secrets User")
        assert (made["principalId"], made["scope"]) == (SOMEONE, scope)
        (listed,) = az(f"role assignment list --scope {scope} --role", "Key Vault Secrets User")
        assert listed["id"] == made["id"]
        az(f"role assignment delete --ids {made['id']}")
        assert az(f"role assignment list --scope {scope} --role", "Key Vault Secrets User") == []


def test_a_condition_is_put_on_and_taken_off(az, scopes, tmp_path):
    vault = scopes[2]
    condition = "@Resource[Microsoft.KeyVault/vaults/secrets:name] StringEquals 'az-one'"
    made = az(
        f"role assignment create {WHO} --scope {vault} --condition-version 2.0 --role",
        "Key Vault Secrets User",
        "--condition",
        condition,
    )
    assert made["condition"] == condition
    told = tmp_path / "assignment.json"
    told.write_text(json.dumps(made | {"description": "one only"}))
    assert az("role assignment update --role-assignment", str(told))["description"] == "one only"
    refused = az(f"role assignment create {WHO} --scope {vault} --role Reader --condition", "nonsense", fails=True)
    assert "condition is invalid" in refused
    az(f"role assignment delete --ids {made['id']}")


def test_a_custom_role_lives(az, scopes, tmp_path):
    here, group = scopes[:2]
    asked = {
        "Name": "az Watcher",
        "Description": "Watches.",
        "Actions": ["Microsoft.KeyVault/vaults/read"],
        "DataActions": ["Microsoft.KeyVault/vaults/secrets/readMetadata/action"],
        "AssignableScopes": [here],
    }
    told = tmp_path / "role.json"
    told.write_text(json.dumps(asked))
    made = az("role definition create --role-definition", str(told))
    assert (made["roleName"], made["roleType"]) == ("az Watcher", "CustomRole")
    assert "az Watcher" in {each["roleName"] for each in az("role definition list --custom-role-only true")}
    told.write_text(json.dumps(asked | {"Description": "Watches on.", "AssignableScopes": [here, group]}))
    changed = az("role definition update --role-definition", str(told))
    assert (changed["name"], changed["description"]) == (made["name"], "Watches on.")
    given = az(f"role assignment create {WHO} --scope {group} --role", "az Watcher")
    assert "RoleDefinitionHasAssignments" in az("role definition delete -n", "az Watcher", fails=True)
    az(f"role assignment delete --ids {given['id']}")
    az("role definition delete -n", "az Watcher")
    assert az("role definition list -n", "az Watcher") == []


def test_what_cannot_be_is_said(az, scopes):
    assert "doesn't exist" in az(f"role assignment create {WHO} --scope {scopes[0]} --role King", fails=True)
    az(f"role assignment create {WHO} --scope {scopes[1]} --role Reader")
    az(f"role assignment create {WHO} --scope {scopes[1]} --role Reader")  # az says that it is there already
    az("group delete -n az-roles --yes")
    left = az("role assignment list --all")
    assert SOMEONE not in {each["principalId"] for each in left}
