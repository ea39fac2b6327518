import json

import pytest

from strongroom.audit.local import local_record
from strongroom.cli.data import on_data
from strongroom.clock import real_now
from strongroom.settings import load_settings
from vault_doubles import a_vault


@pytest.fixture
def team(data, done):
    """A group that a user owns, in which an application is through another group."""
    for name in ("payments", "ops", "guest"):
        done("app", "create", name)
    done("directory", "user", "create", "anna@example.com", "--display-name", "Anna")
    for name in ("team", "inner"):
        done("directory", "group", "create", name)
    done("directory", "group", "member", "add", "team", "inner")
    done("directory", "group", "member", "add", "inner", "payments")
    done("directory", "group", "owner", "add", "inner", "anna@example.com")


@pytest.fixture
def roles(data, team, done):
    """A vault in which roles decide, and roles of all kinds."""

    async def work(data):
        subscription = (await data.installation()).subscription_id

        async def unit(stores):
            dev = await stores.vaults.find("dev")
            where = {"resource_group": "dev", "tenant_id": dev.tenant_id, "subscription_id": subscription}
            await stores.vaults.add(a_vault("ruled", rbac=True, **where))
            return None, local_record("any", now=real_now(), properties={})

        await data.storage.change(unit)

    on_data(load_settings({}, {}), work)
    done("role", "assign", "team", "Key Vault Secrets User", "--vault", "ruled")
    done("role", "assign", "ops", "User Access Administrator", "--group", "dev")
    done("role", "assign", "guest", "Key Vault Crypto User", "--vault", "ruled", "--key", "one")


def explained(done, *arguments):
    return done("access", "explain", *arguments, "--json")


def could_of(answer):
    return {
        each["principal"]["displayName"]: [step["way"] for step in each["steps"]] for each in answer["couldGiveItself"]
    }


def test_a_vault_is_explained_with_every_road(roles, done):
    answer = explained(done, "--vault", "RULED", "--operation", "get")
    assert answer["permissionModel"] == "roles"
    able = {each["principal"]["displayName"]: each for each in answer["able"]}
    assert able["payments"]["operations"] == ["secrets/get"]
    (road,) = able["payments"]["roads"]
    assert (road["by"], road["roleName"], road["standing"]) == ("roleAssignment", "Key Vault Secrets User", "holds")
    assert [group["displayName"] for group in road["through"]] == ["inner", "team"]
    (key,) = able["guest"]["roads"]
    assert key["place"].endswith("/vaults/ruled/keys/one")
    assert could_of(answer) == {"Anna": ["joinGroup"], "bootstrap": ["assignRole"], "ops": ["assignRole"]}


def test_columns_are_for_people(roles, done, strongroom):
    said = done("access", "explain", "--vault", "ruled", "--operation", "secrets/get")
    assert "role 'Key Vault Secrets User' at the vault 'ruled', through the group 'inner'" in said
    assert "add itself to the group 'inner', which it owns" in said
    assert "Owners of a group may add members to it in Entra" in said
    done("app", "disable", "payments")
    assert "disabled" in done("access", "explain", "--vault", "ruled")
    assert "is disabled and reaches nothing" in done("access", "reach", "payments")
    code, out, _ = strongroom("access", "explain", "--vault", "ruled", "--secret", "one", "--operation", "purge")
    assert (code, "nobody" in out) == (0, True)


def test_roles_that_count_for_nothing_are_told(roles, done):
    done("role", "assign", "ops", "Key Vault Administrator", "--vault", "dev")
    answer = explained(done, "--vault", "dev", "--secret", "one")
    assert answer["permissionModel"] == "access policies"
    assert [each["principal"]["displayName"] for each in answer["able"]] == ["bootstrap"]
    assert "1 would have it by roles, which count for nothing here: access policies decide." in answer["notes"]
    assert could_of(answer) == {"bootstrap": ["writeAccessPolicy"], "ops": ["assignRole", "writeAccessPolicy"]}


def test_a_principal_is_asked_what_it_reaches(roles, done):
    answer = done("access", "reach", "team", "--json")
    (vault,) = answer["vaults"]
    assert vault["id"].endswith("/vaults/ruled")
    assert [road["roleName"] for road in vault["roads"]] == ["Key Vault Secrets User"]
    assert "key 'one' of the vault 'ruled'" in done("access", "reach", "guest")
    assert "assign roles" in done("access", "reach", "ops")
    assert done("access", "reach", "anna@example.com") == "nothing\n"


def test_asking_changes_nothing(roles, done, records):
    before = len(records())
    done("access", "explain", "--vault", "ruled")
    done("access", "reach", "ops")
    assert len(records()) == before


def changed(done, *arguments):
    found = done("access", "preview", *arguments, "--json")
    return {(each["displayName"], each["place"].rpartition("/")[2]): (each["gains"], each["loses"]) for each in found}


READ = ["secrets/get", "secrets/readmetadata", "secrets/list"]


def test_a_change_is_told_before_it_is_made(roles, done, records):
    before = len(records())
    given = changed(done, "assign", "ops", "Key Vault Secrets User", "--vault", "ruled")
    assert given == {("ops", "ruled"): (READ, [])}
    assert changed(done, "assign", "payments", "Reader") == {}
    assert changed(done, "member", "remove", "inner", "payments") == {("payments", "ruled"): ([], READ)}
    assert changed(done, "member", "add", "team", "ops") == {("ops", "ruled"): (READ, [])}
    policy = ("policy", "add", "ops", "--vault", "dev", "--secrets", "list, get", "--keys", "sign")
    assert changed(done, *policy) == {("ops", "dev"): (["keys/sign", *READ], [])}
    assert set(changed(done, "model", "policies", "--vault", "ruled")) == {("payments", "ruled"), ("guest", "one")}
    assert len(records()) == before


def test_taking_a_role_back_is_told_for_people(roles, done):
    (held,) = [each for each in done("role", "list", "team", "--json") if each["principal"] == "team"]
    said = done("access", "preview", "remove", held["id"]).splitlines()
    assert [line.split() for line in said] == [
        ["who", "where", "gains", "loses"],
        ["payments", "vault", "'ruled'", "secrets/get,", "secrets/readmetadata,", "secrets/list"],
    ]
    assert done("access", "preview", "assign", "payments", "Reader") == "nobody would gain or lose anything\n"


REFUSED = [
    (("preview", "assign", "bootstrap", "King"), "The specified role definition 'King' does not exist."),
    (("preview", "assign", "bootstrap", "Owner"), "already exists"),
    (("preview", "assign", "bootstrap", "Owner", "--group", "a", "--vault", "dev"), "give one of --scope"),
    (("preview", "remove", "none"), "there is no role assignment 'none'; strongroom role list shows them"),
    (("preview", "policy", "add", "bootstrap", "--vault", "dev", "--keys", "fly"), "An invalid value was provided"),
    (("preview", "model", "roles", "--vault", "none"), "there is no vault 'none'"),
    (("preview", "member", "add", "none", "bootstrap"), "There is no group 'none'."),
    (("explain", "--vault", "none"), "there is no vault 'none'; there are: dev"),
    (("explain", "--vault", "dev", "--secret", "a", "--key", "b"), "give one of --secret and --key"),
    (("explain", "--vault", "dev", "--secret", "a/b"), "can be no name of a secret or key"),
    (("explain", "--vault", "dev", "--operation", "fly"), "There is no operation 'fly' here; there are: keys/backup"),
    (("explain", "--vault", "dev", "--key", "a", "--operation", "set"), "There is no operation 'set' here"),
    (("reach", "nobody"), "There is no user, group or application 'nobody'."),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_what_cannot_be_is_said_in_one_line(data, strongroom, arguments, message):
    code, out, err = strongroom("access", *arguments)
    assert (code, out) == (1, "")
    assert message in err
    assert err.count("\n") == 1


def test_json_is_one_object(data, done):
    assert json.dumps(explained(done, "--vault", "dev"))
