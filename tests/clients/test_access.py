"""Who is said to reach a secret is who a real server lets read it; who gives itself that is told."""

import json
from contextlib import closing
from types import SimpleNamespace

import pytest

from clients.direct import Direct, make_applications, unique
from faults.load import wait_until

NAMES = ("policied", "member", "named", "other", "outsider", "disabled", "contributor", "administrator")
DATA = "Key Vault Secrets User"
MINE = "@Resource[Microsoft.KeyVault/vaults/secrets:name] StringEquals '%s'"


@pytest.fixture
def direct(server):
    with closing(Direct(SimpleNamespace(**server.connection))) as direct:
        yield direct


@pytest.fixture
def people(server, direct):
    """Applications with the tokens that they were given before anything was granted."""
    made = make_applications(server, NAMES, roles={"contributor": "Contributor"})
    return {
        name: SimpleNamespace(id=object_id, data=direct.sign_in(app_id, secret), app_id=app_id, secret=secret)
        for name, (app_id, object_id, secret) in made.items()
    }


@pytest.fixture
def vaults(server, direct, people):
    """A vault of each kind with the secret `one`, to which some of the people have a road."""
    server.strongroom("directory", "group", "create", inner := unique("inner-"))
    server.strongroom("directory", "group", "create", outer := unique("outer-"))
    server.strongroom("directory", "group", "member", "add", outer, inner)
    server.strongroom("directory", "group", "member", "add", inner, people["member"].id)
    ids = {name: person.id for name, person in people.items()}
    groups = json.loads(server.strongroom("directory", "group", "show", outer, "--json").stdout)
    outer_id = next(value for key, value in groups.items() if key in {"id", "objectId"})
    own = direct.policy(direct.owner_id, "all")
    policies = [direct.policy(ids[name], "get") for name in ("policied", "disabled")]
    names = {"policies": unique("plc"), "roles": unique("rls")}
    direct.make_vault(names["policies"], accessPolicies=[own, *policies, direct.policy(outer_id, "get")])
    direct.make_vault(names["roles"], enableRbacAuthorization=True)
    for who, more in (
        (outer, ()),
        (ids["disabled"], ()),
        (ids["named"], ("--condition", MINE % "one")),
        (ids["other"], ("--condition", MINE % "two")),
    ):
        server.strongroom("role", "assign", who, DATA, "--vault", names["roles"], *more)
    server.strongroom("role", "assign", ids["administrator"], "User Access Administrator", "--vault", names["roles"])
    server.strongroom("role", "assign", direct.owner_id, "Key Vault Administrator", "--vault", names["roles"])
    for name in names.values():
        assert direct.secret("PUT", direct.vault_url(name), "/secrets/one", {"value": "v"}).status == 200
    server.strongroom("app", "disable", ids["disabled"])
    return names


def explained(server, vault):
    said = server.strongroom("access", "explain", "--vault", vault, "--secret", "one", "--operation", "get", "--json")
    answer = json.loads(said.stdout)
    able = {each["principal"]["id"] for each in answer["able"] if each["operations"]}
    return able, {each["principal"]["id"]: each["steps"] for each in answer["couldGiveItself"]}


@pytest.mark.parametrize("kind", ["policies", "roles"])
def test_who_is_listed_as_able_is_who_may(server, direct, people, vaults, kind):
    url = direct.vault_url(vaults[kind])
    may = {
        name
        for name, person in people.items()
        if direct.secret("GET", url, "/secrets/one", token=person.data).status == 200
    }
    able, _ = explained(server, vaults[kind])
    assert {name for name, person in people.items() if person.id in able} == may
    assert may == {"policies": {"policied", "member"}, "roles": {"member", "named"}}[kind]


def test_a_contributor_that_gives_itself_access_was_foretold_and_is_told(server, direct, people, vaults):
    vault, person = vaults["policies"], people["contributor"]
    able, could = explained(server, vault)
    assert person.id not in able
    assert [step["way"] for step in could[person.id]] == ["writeAccessPolicy"]
    token = direct.sign_in(person.app_id, person.secret, "management")
    body = {"properties": {"accessPolicies": [direct.policy(person.id, "get")]}}
    assert direct.manage("PUT", f"{direct.vault_path(vault)}/accessPolicies/add", body, token=token).status == 200
    assert direct.secret("GET", direct.vault_url(vault), "/secrets/one", token=person.data).status == 200
    said = server.strongroom("logs", "--json", "--vault", vault, "--operation", "VaultPatch").stdout.splitlines()
    record = json.loads(said[-1])
    assert record["properties"]["selfGranted"] == ["secrets/get", "secrets/readmetadata"]
    said = server.strongroom("logs", "--json", "--vault", vault, "--operation", "Strongroom.Access/selfGrant/write")
    (event,) = [json.loads(line) for line in said.stdout.splitlines()]
    assert (event["properties"]["change"], event["resourceId"]) == ("VaultPatch", record["resourceId"])
    wait_until(lambda: person.id in server.errors)
    (line,) = [line for line in server.errors.splitlines() if person.id in line]
    assert "somebody gave itself access to data" in line


def test_an_administrator_of_access_was_foretold(server, direct, people, vaults):
    vault, person = vaults["roles"], people["administrator"]
    ((step,),) = [explained(server, vault)[1][person.id]]
    token = direct.sign_in(person.app_id, person.secret, "management")
    role = f"/providers/Microsoft.Authorization/roleDefinitions/{step['roleDefinitionId']}"
    path = f"{step['place']}/providers/Microsoft.Authorization/roleAssignments/11111111-0000-4000-8000-00000000000e"
    said = {"roleDefinitionId": role, "principalId": person.id}
    assert direct.manage("PUT", path, {"properties": said}, token=token, version="2022-04-01").status == 201
    assert person.id in explained(server, vault)[0]
    assert direct.secret("GET", direct.vault_url(vault), "/secrets/one", token=person.data).status == 200
