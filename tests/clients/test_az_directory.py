"""The unmodified Azure CLI finds users, groups and service principals, and names them in access policies."""

import json
from types import SimpleNamespace

import pytest

from clients.direct import unique

pytestmark = pytest.mark.xdist_group("az")


@pytest.fixture(scope="module")
def people(server, connection):
    """A user in a group in a group that the user owns; the bootstrap application is in it too."""

    def make(*arguments):
        return json.loads(server.strongroom("directory", *arguments, "--json").stdout)

    user = make("user", "create", f"{unique('anna')}@example.com", "--display-name", unique("Anna Ames "))
    outer, inner = [make("group", "create", unique(name)) for name in ("az-outer", "az-inner")]
    for group, relation, member in (
        (outer, "member", inner["objectId"]),
        (outer, "member", connection.clientId),
        (inner, "member", user["userPrincipalName"]),
        (outer, "owner", user["objectId"]),
    ):
        server.strongroom("directory", "group", relation, "add", group["objectId"], member)
    return SimpleNamespace(user=user, outer=outer, inner=inner)


def ids(found):
    return {each["id"] for each in found}


def test_users(az, people):
    upn, object_id = people.user["userPrincipalName"], people.user["objectId"]
    assert object_id in ids(az("ad user list"))
    for found in (
        az(f"ad user list --upn {upn}"),
        az("ad user list --display-name", people.user["displayName"]),
        az("ad user list --filter", f"startswith(userPrincipalName,'{upn[:8]}')"),
    ):
        assert object_id in ids(found)
    for name in (upn, object_id):
        assert az(f"ad user show --id {name}")["userPrincipalName"] == upn
    assert ids(az(f"ad user get-member-groups --id {upn}")) == {people.inner["objectId"], people.outer["objectId"]}
    assert "does not exist" in az("ad user show --id nobody@example.com", fails=True)


def test_groups(az, people, connection):
    name, object_id = people.outer["displayName"], people.outer["objectId"]
    assert object_id in ids(az("ad group list"))
    assert ids(az(f"ad group list --display-name {name}")) == {object_id}
    assert az(f"ad group show -g {name}")["id"] == az(f"ad group show -g {object_id}")["id"] == object_id
    members = az(f"ad group member list -g {name}")
    assert {each["@odata.type"] for each in members} == {"#microsoft.graph.group", "#microsoft.graph.servicePrincipal"}
    assert people.inner["objectId"] in ids(members)
    assert ids(az(f"ad group owner list -g {name}")) == {people.user["objectId"]}
    for member, inside in ((people.user["objectId"], True), (object_id, False)):
        assert az(f"ad group member check -g {object_id} --member-id {member}") == {"value": inside}
    assert az(f"ad group get-member-groups -g {people.inner['displayName']}") == [object_id]


def test_service_principals_and_applications(az, connection):
    shown = az(f"ad sp show --id {connection.clientId}")
    assert (shown["appId"], shown["displayName"]) == (connection.clientId, "bootstrap")
    assert shown["id"] in ids(az("ad sp list --all"))
    assert shown["id"] in ids(az("ad sp list --display-name boot"))
    assert az(f"ad sp show --id {shown['id']}")["appId"] == connection.clientId
    assert az(f"ad app show --id {connection.clientId}")["appId"] == connection.clientId
    assert az(f"ad app list --app-id {connection.clientId}")[0]["passwordCredentials"] == []


def test_the_directory_is_not_changed_over_the_network(az, people):
    for line in (
        "ad group create --display-name x --mail-nickname x",
        f"ad group member add -g {people.outer['objectId']} --member-id {people.user['objectId']}",
        "ad user create --display-name x --password Abc123!! --user-principal-name x@example.com",
        f"ad user delete --id {people.user['objectId']}",
        "ad app create --display-name x",
    ):
        assert "strongroom directory" in az(line, fails=True)


def test_access_policies_name_users_and_applications(az, people, connection):
    """The vault is made with a policy for its maker, whom az looks up first."""
    name = unique("az-dir-")
    made = az(f"keyvault create -n {name} -g dev -l {connection.location} --enable-rbac-authorization false")
    own = az(f"ad sp show --id {connection.clientId}")["id"]
    assert [each["objectId"] for each in made["properties"]["accessPolicies"]] == [own]
    upn = people.user["userPrincipalName"]
    az(f"keyvault set-policy -n {name} --upn {upn} --secret-permissions get")
    changed = az(f"keyvault set-policy -n {name} --spn {connection.clientId} --secret-permissions list")
    policies = {each["objectId"]: each["permissions"]["secrets"] for each in changed["properties"]["accessPolicies"]}
    assert policies == {own: ["list"], people.user["objectId"]: ["get"]}
    changed = az(f"keyvault delete-policy -n {name} --upn {upn}")
    assert [each["objectId"] for each in changed["properties"]["accessPolicies"]] == [own]
    assert "Unable to get object id" in az(
        f"keyvault set-policy -n {name} --upn nobody@example.com --secret-permissions get", fails=True
    )
