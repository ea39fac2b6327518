"""What Azure PowerShell's cmdlets for roles send, written from reading Az.Resources, and replayed: the tool is not run.

They name a role by the scope at which it is given, and ask Graph of which type a principal is.
"""

import uuid
from contextlib import closing
from urllib.parse import quote

import pytest

from clients.direct import Direct, make_applications, unique
from clients.test_powershell_requests import PowerShell

VERSION = "2022-04-01"
AUTHORIZATION = "providers/Microsoft.Authorization"


class Roles(PowerShell):
    """Sends what cmdlets of these names send; gives what the service answered, which was 2xx."""

    def ask(self, method, path, body=None, kept=""):
        query = "?$filter=" + quote(kept, safe="$'()") if kept else ""
        answer = self.send(method, path + query, body, version=VERSION)
        assert answer.status in {200, 201}, answer
        return answer.json

    def type_of(self, object_id):
        """Look an object up as each cmdlet does that is given its id alone."""
        direct = self.direct
        base = direct.facts.managementUrl.replace("//management.", "//graph.")
        asked = {"ids": [object_id]}
        token = direct.owner("graph")
        answer = direct.ask("POST", f"{base}/v1.0/directoryObjects/getByIds", token=token, body=asked)
        return answer.json["value"][0]["@odata.type"].removeprefix("#microsoft.graph.")

    def find_role(self, name, scope):
        """Get-AzRoleDefinition -Name -Scope"""
        return self.ask("GET", f"{scope}/{AUTHORIZATION}/roleDefinitions", kept=f"roleName eq '{name}'")["value"]

    def give(self, object_id, role, scope, **said):
        """New-AzRoleAssignment -ObjectId -RoleDefinitionName -Scope"""
        kind = {"servicePrincipal": "ServicePrincipal", "user": "User"}[self.type_of(object_id)]
        (found,) = self.find_role(role, scope)
        return self.put(str(uuid.uuid4()), object_id, found["name"], scope, principalType=kind, **said)

    def put(self, name, object_id, role_id, scope, **said):
        """Set-AzRoleAssignment -InputObject, and the end of New-AzRoleAssignment"""
        properties = {
            "roleDefinitionId": f"{scope}/{AUTHORIZATION}/roleDefinitions/{role_id}",
            "principalId": object_id,
        }
        path = f"{scope}/{AUTHORIZATION}/roleAssignments/{name}"
        return self.ask("PUT", path, {"properties": properties | said})

    def held(self, scope, kept):
        """Get-AzRoleAssignment -Scope"""
        found = self.ask("GET", f"{scope}/{AUTHORIZATION}/roleAssignments", kept=kept)["value"]
        return {each["name"]: each for each in found}

    def put_role(self, role_id, name, actions, scopes):
        """New-AzRoleDefinition and Set-AzRoleDefinition -Role"""
        permissions = [{"actions": actions, "notActions": [], "dataActions": [], "notDataActions": []}]
        properties = {
            "roleName": name,
            "description": "Watches.",
            "type": "CustomRole",
            "permissions": permissions,
            "assignableScopes": scopes,
        }
        return self.ask("PUT", f"{scopes[0]}/{AUTHORIZATION}/roleDefinitions/{role_id}", {"properties": properties})


@pytest.fixture
def shell(connection):
    with closing(Direct(connection)) as direct:
        yield Roles(direct, VERSION)


@pytest.fixture
def someone(server):
    return make_applications(server, ("powershell",))["powershell"][1]


def test_a_role_is_given_found_changed_and_taken_back(shell, someone):
    here = shell.direct.subscription
    group = f"{here}/resourceGroups/dev"
    given = shell.give(someone, "Key Vault Reader", group, description="reads")
    said = given["properties"]
    assert (said["scope"], said["principalType"], said["description"]) == (group, "ServicePrincipal", "reads")
    assert said["roleDefinitionId"].startswith(f"{here}/{AUTHORIZATION}/roleDefinitions/")
    role_id = said["roleDefinitionId"].rpartition("/")[2]
    changed = shell.put(given["name"], someone, role_id, group, principalType="ServicePrincipal", description="still")
    assert changed["properties"]["description"] == "still"
    for scope, kept in (
        (group, f"principalId eq '{someone}'"),
        (group, "atScope()"),
        (group, f"atScope() and assignedTo('{someone}')"),
        (group, f"assignedTo('{someone}')"),
        (here, f"principalId eq '{someone}'"),
    ):
        assert given["name"] in shell.held(scope, kept), kept
    assert given["name"] not in shell.held(here, "atScope()")
    assert shell.ask("DELETE", given["id"])["name"] == given["name"]
    assert shell.held(group, f"principalId eq '{someone}'") == {}


def test_a_custom_role_lives(shell):
    here, role_id, name = shell.direct.subscription, str(uuid.uuid4()), unique("Watcher ")
    shell.put_role(role_id, name, ["Microsoft.KeyVault/vaults/read"], [here])
    (found,) = shell.find_role(name, here)
    assert (found["name"], found["properties"]["type"]) == (role_id, "CustomRole")
    path = f"{here}/{AUTHORIZATION}/roleDefinitions"
    assert role_id in {each["name"] for each in shell.ask("GET", path, kept="type eq 'CustomRole'")["value"]}
    assert shell.ask("GET", f"{path}/{role_id}")["properties"]["roleName"] == name
    changed = shell.put_role(role_id, name, ["Microsoft.KeyVault/vaults/*/read"], [here])
    assert changed["properties"]["permissions"][0]["actions"] == ["Microsoft.KeyVault/vaults/*/read"]
    assert shell.ask("DELETE", f"{path}/{role_id}")["name"] == role_id
    assert shell.find_role(name, here) == []


def test_nothing_denies_and_nobody_is_classic(shell):
    here = shell.direct.subscription
    assert shell.ask("GET", f"{here}/{AUTHORIZATION}/denyAssignments")["value"] == []
    assert shell.ask("GET", f"{here}/{AUTHORIZATION}/classicAdministrators")["value"] == []
