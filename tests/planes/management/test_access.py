"""Who can reach this, over the API."""

import pytest

from directory_doubles import a_user
from management_doubles import (
    AUTHORIZATION,
    BASE,
    FOREIGN,
    MISSING,
    OTHER_TENANT,
    TENANT,
    a_policy,
    an_assignment_body,
    vault_path,
)

SECRET = f"{vault_path()}/secrets/One"
SOMEONE = "c0ffee00-0000-4000-8000-00000000000a"
FOREIGNER = "c0ffee00-0000-4000-8000-00000000000c"
MINE = "@Resource[Microsoft.KeyVault/vaults/secrets:name] StringEquals 'one'"


def reach(scope=None):
    return f"{scope or vault_path()}/providers/Strongroom.Access/reach"


def reached(principal, place=BASE):
    return f"{place}/providers/Strongroom.Access/principals/{principal}/reach"


async def ask(world, path, query="", who=None):
    return await world.ask("GET", path, version=None, query=query, who=who)


@pytest.fixture
async def furnished(world):
    await world.a_group()
    await world.a_vault()
    await world.stores.identity.add_user(a_user(object_id=SOMEONE, tenant_id=TENANT.tenant_id))
    await world.stores.identity.add_user(a_user(2, object_id=FOREIGNER, tenant_id=OTHER_TENANT))
    return world


async def test_a_vault_tells_who_reaches_it(furnished):
    user = await furnished.someone("Key Vault Secrets User", vault_path())
    answer = await ask(furnished, reach(), "operation=secrets/get")
    assert answer.status == 200
    told = answer.json
    assert (told["id"], told["permissionModel"]) == (vault_path(), "roles")
    (able,) = told["able"]
    assert (able["principal"]["id"], able["operations"]) == (user.object_id, ["secrets/get"])
    (road,) = able["roads"]
    assert (road["by"], road["roleName"], road["scope"]) == (
        "roleAssignment",
        "Key Vault Secrets User",
        vault_path().lower(),
    )
    (could,) = told["couldGiveItself"]
    assert could["principal"]["id"] == furnished.owner.object_id
    assert [step["way"] for step in could["steps"]] == ["assignRole"]
    record = furnished.records()[-1]
    assert (record["operationName"], record["resultType"]) == ("Strongroom.Access/reach/read", "Success")


async def test_an_object_tells_what_conditions_let_in_there(furnished):
    body = an_assignment_body(SOMEONE, "Key Vault Secrets User", condition=MINE, conditionVersion="2.0")
    held = f"{vault_path()}/providers/Microsoft.Authorization/roleAssignments/11111111-0000-4000-8000-000000000001"
    assert (await furnished.ask("PUT", held, body, version=AUTHORIZATION)).status == 201
    (at_vault,) = (await ask(furnished, reach(), "operation=secrets/get")).json["able"]
    assert (at_vault["operations"], at_vault["roads"][0]["standing"]) == ([], "depends on the request")
    assert at_vault["roads"][0]["condition"] == MINE
    told = (await ask(furnished, reach(SECRET), "operation=get")).json
    assert told["id"] == SECRET
    assert [each["operations"] for each in told["able"]] == [["secrets/get"]]
    assert [each["roads"][0]["standing"] for each in told["able"]] == ["holds"]
    other = (await ask(furnished, reach(f"{vault_path()}/secrets/two"), "operation=get")).json
    assert [each["operations"] for each in other["able"]] == [[]]


async def test_access_policies_are_told_on_behalf_of_whom(furnished):
    policy = a_policy(SOMEONE) | {"applicationId": MISSING}
    await furnished.a_vault("kv2", enableRbacAuthorization=False, accessPolicies=[policy])
    told = (await ask(furnished, reach(vault_path("kv2")))).json
    assert told["permissionModel"] == "access policies"
    (road,) = told["able"][0]["roads"]
    assert (road["by"], road["onBehalfOf"]) == ("accessPolicy", MISSING)


async def test_from_where_all_of_them_must_come_is_told_where_it_matters(furnished):
    deny = {"defaultAction": "Deny", "ipRules": [{"value": "203.0.113.0/24"}]}
    for name, said, told in (
        ("kv3", {}, ""),
        ("kv4", {"networkAcls": deny | {"defaultAction": "Allow"}}, ""),
        (
            "kv5",
            {"networkAcls": deny},
            "And only from where the vault's network rules say (1 of them): strongroom network show --vault kv5",
        ),
        ("kv6", {"networkAcls": deny, "publicNetworkAccess": "Disabled"}, "And only by a private endpoint"),
    ):
        await furnished.a_vault(name, **said)
        notes = (await ask(furnished, reach(vault_path(name)))).json["notes"]
        assert [note for note in notes if note.startswith("And only")] == [
            note for note in notes if told and told in note
        ]
        assert bool(told) is any(note.startswith("And only") for note in notes)


async def test_a_principal_tells_what_it_reaches(furnished):
    user = await furnished.someone("Key Vault Secrets User", SECRET)
    (vault,) = (await ask(furnished, reached(user.object_id.upper()))).json["vaults"]
    assert [road["place"] for road in vault["roads"]] == [SECRET.lower()]
    assert vault["control"] == []
    (own,) = (await ask(furnished, reached(furnished.owner.object_id))).json["vaults"]
    assert "assign roles" in own["control"]
    assert (await ask(furnished, reached(SOMEONE))).json["vaults"] == []


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        (reach(), "operation=fly", 400, "BadRequest"),
        (reach(SECRET), "operation=sign", 400, "BadRequest"),
        (reach(f"{vault_path()}/certificates/one"), "", 400, "BadRequest"),
        (reach(f"{vault_path()}/storage/one"), "", 400, "InvalidScope"),
        (reach(f"{vault_path()}/secrets/a_b"), "", 400, "InvalidScope"),
        (reach(vault_path("none")), "", 404, "ResourceNotFound"),
        (reach(vault_path("kv1", "none")), "", 404, "ResourceGroupNotFound"),
        (reached(MISSING), "", 404, "PrincipalNotFound"),
        (reached(FOREIGNER), "", 404, "PrincipalNotFound"),
        (reached(MISSING, f"/subscriptions/{FOREIGN}"), "", 401, "InvalidAuthenticationTokenTenant"),
    ],
)
async def test_what_is_not_there_is_refused(furnished, path, query, status, code):
    answer = await ask(furnished, path, query)
    assert (answer.status, answer.code) == (status, code)


async def test_who_may_not_read_role_assignments_is_told_nothing(furnished):
    someone = await furnished.someone("Key Vault Secrets User", vault_path())
    for path in (reach(), reach(SECRET), reached(SOMEONE)):
        answer = await ask(furnished, path, who=someone)
        assert (answer.status, answer.code) == (403, "AuthorizationFailed")
