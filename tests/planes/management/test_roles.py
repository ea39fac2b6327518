"""Roles over the API: given, changed, listed, taken back; custom ones made and removed."""

import pytest

from management_doubles import AUTHORIZATION, BASE, TENANT, a_role_body, an_assignment_body, group_path, vault_path

NAME = "11111111-0000-4000-8000-000000000001"
OTHER = "11111111-0000-4000-8000-000000000002"
SOMEONE = "c0ffee00-0000-4000-8000-00000000000a"
SECRET = f"{vault_path()}/secrets/Key"
MINE = "@Resource[Microsoft.KeyVault/vaults/secrets:name] StringEquals 'mine'"


@pytest.fixture
async def furnished(world):
    await world.a_group()
    await world.a_vault()
    return world


def held(scope=BASE, name=NAME):
    return f"{scope}/providers/Microsoft.Authorization/roleAssignments" + (f"/{name}" if name else "")


def roles(scope=BASE, name=NAME):
    return f"{scope}/providers/Microsoft.Authorization/roleDefinitions" + (f"/{name}" if name else "")


async def ask(world, method, path, body=None, **more):
    return await world.ask(method, path, body, version=AUTHORIZATION, **more)


@pytest.mark.parametrize("scope", [BASE, group_path(), vault_path(), SECRET, f"{vault_path()}/keys/k"])
async def test_a_role_is_given_shown_and_taken_back(furnished, scope):
    answer = await ask(furnished, "PUT", held(scope), an_assignment_body())
    assert answer.status == 201
    told = answer.json
    assert (told["id"], told["name"], told["type"]) == (held(scope), NAME, "Microsoft.Authorization/roleAssignments")
    said = told["properties"]
    assert (said["scope"], said["principalId"], said["principalType"]) == (scope, SOMEONE, "User")
    assert said["roleDefinitionId"] == an_assignment_body()["properties"]["roleDefinitionId"]
    assert said["createdBy"] == said["updatedBy"] == furnished.owner.object_id
    assert (said["condition"], said["conditionVersion"], said["description"]) == (None, None, None)
    record = furnished.records()[-1]
    assert record["operationName"] == "Microsoft.Authorization/roleAssignments/write"
    assert record["properties"]["principalId"] == SOMEONE
    assert (await ask(furnished, "GET", held(scope))).json == told
    taken = await ask(furnished, "DELETE", held(scope))
    assert (taken.status, taken.json) == (200, told)
    assert (await ask(furnished, "DELETE", held(scope))).status == 204
    missing = await ask(furnished, "GET", held(scope))
    assert (missing.status, missing.code) == (404, "RoleAssignmentNotFound")
    for method in ("GET", "DELETE"):
        refused = await ask(furnished, method, held(scope, "mine"))
        assert (refused.status, refused.code) == (400, "InvalidRoleAssignmentId")


async def test_condition_and_description_change_and_nothing_else(furnished):
    await ask(furnished, "PUT", held(), an_assignment_body())
    more = an_assignment_body(condition=MINE, conditionVersion="2.0", description="his own")
    changed = await ask(furnished, "PUT", held(), more)
    assert changed.status == 200
    assert changed.json["properties"]["condition"] == MINE
    assert changed.json["properties"]["conditionVersion"] == "2.0"
    assert furnished.records()[-1]["properties"]["condition"] == MINE
    for body, scope in ((an_assignment_body(role="Owner"), BASE), (an_assignment_body(), group_path())):
        refused = await ask(furnished, "PUT", held(scope), body)
        assert (refused.status, refused.code) == (409, "RoleAssignmentUpdateNotPermitted")
    again = await ask(furnished, "PUT", held(name=OTHER), an_assignment_body())
    assert (again.status, again.code) == (409, "RoleAssignmentExists")
    assert NAME.replace("-", "") in again.message


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        (held(name="mine"), an_assignment_body(), 400, "InvalidRoleAssignmentId"),
        (held(), an_assignment_body(roleDefinitionId="Owner"), 400, "InvalidRoleDefinitionId"),
        (held(), an_assignment_body(roleDefinitionId=roles(name=OTHER)), 404, "RoleDefinitionDoesNotExist"),
        (held(), an_assignment_body(principalType="Robot"), 400, "InvalidPrincipalType"),
        (held(), an_assignment_body(principalType=None), 400, "PrincipalNotFound"),
        (held(), an_assignment_body("me"), 400, "InvalidPrincipalId"),
        (held(), an_assignment_body(condition="x"), 400, "InvalidCondition"),
        (held(), an_assignment_body(condition=MINE, conditionVersion="1.0"), 400, "InvalidCondition"),
        (held(), an_assignment_body(delegatedManagedIdentityResourceId="x"), 400, "InvalidRequestContent"),
        (held(), {}, 400, "InvalidRequestContent"),
        (held(f"{vault_path()}/storage/s"), an_assignment_body(), 400, "InvalidScope"),
        (held(group_path("none")), an_assignment_body(), 404, "ResourceGroupNotFound"),
        (held(vault_path("none")), an_assignment_body(), 404, "ResourceNotFound"),
        (held(f"{vault_path('none')}/secrets/s"), an_assignment_body(), 404, "ResourceNotFound"),
    ],
)
async def test_what_cannot_be_given(furnished, path, body, status, code):
    refused = await ask(furnished, "PUT", path, body)
    assert (refused.status, refused.code) == (status, code), refused.raw
    assert [each.principal_id for each in furnished.stores.assignments.rows] == [furnished.owner.object_id]


async def test_of_which_type_a_principal_is_the_directory_says(furnished):
    someone = await furnished.someone()
    body = an_assignment_body(someone.object_id)
    refused = await ask(furnished, "PUT", held(), body)
    assert (refused.status, refused.code) == (400, "UnmatchedPrincipalType")
    for kind in (None, "serviceprincipal"):
        answer = await ask(furnished, "PUT", held(), an_assignment_body(someone.object_id, principalType=kind))
        assert answer.json["properties"]["principalType"] == "ServicePrincipal"


async def test_lists_tell_what_counts_at_a_scope_and_below(furnished):
    places = {BASE: "1", group_path(): "2", vault_path(): "3", SECRET: "4"}
    for place, number in places.items():
        name = NAME[:-1] + number
        body = an_assignment_body(SOMEONE if number != "3" else TENANT.tenant_id)
        assert (await ask(furnished, "PUT", held(place, name), body)).status == 201

    async def listed(scope, kept=""):
        answer = await ask(furnished, "GET", held(scope, ""), query=f"$filter={kept}" if kept else "")
        assert answer.status == 200, answer.raw
        numbers = {each["name"][-1] for each in answer.json["value"] if each["name"][:-1] == NAME[:-1]}
        return "".join(sorted(numbers))

    assert await listed(BASE) == await listed(group_path()) == await listed(vault_path()) == "1234"
    assert await listed(BASE, "atScope()") == "1"
    assert await listed(group_path(), "atscope()") == "12"
    assert await listed(SECRET) == await listed(SECRET, "atScope()") == "1234"
    assert await listed(f"{vault_path()}/secrets/other") == "123"
    assert await listed(BASE, f"principalId%20eq%20'{SOMEONE.upper()}'") == "124"
    assert await listed(vault_path(), f"atScope()%20and%20assignedTo('{TENANT.tenant_id}')") == "3"
    for kept in (
        *("nonsense", "principalId%20eq%20x", "principalId%20eq%20'x'", "atScope()%20or%20atScope()"),
        *("scope%20eq%20'x'", "atScope()%20and", "atScope()" + "%20" * 5000 + "x"),
        f"assignedTo('{SOMEONE}')%20and%20principalId%20eq%20'{SOMEONE}'",
    ):
        refused = await ask(furnished, "GET", held(BASE, ""), query=f"$filter={kept}")
        assert (refused.status, refused.code) == (400, "InvalidFilterInQueryString")
    for scope, code in ((group_path("none"), "ResourceGroupNotFound"), (f"{vault_path()}/x/y", "InvalidScope")):
        assert (await ask(furnished, "GET", held(scope, ""))).code == code


async def test_a_custom_role_is_made_given_changed_and_removed(furnished):
    made = await ask(furnished, "PUT", roles(), a_role_body())
    assert made.status == 201
    said = made.json["properties"]
    assert (said["roleName"], said["type"], said["assignableScopes"]) == ("Watcher", "CustomRole", [BASE])
    assert said["permissions"][0]["actions"] == ["Microsoft.KeyVault/vaults/read"]
    assert (await ask(furnished, "GET", roles(group_path()))).json["properties"] == said
    watcher = await furnished.someone()
    body = an_assignment_body(watcher.object_id, roleDefinitionId=roles(), principalType="ServicePrincipal")
    assert (await furnished.ask("GET", vault_path(), who=watcher)).status == 403
    assert (await ask(furnished, "PUT", held(), body)).status == 201
    assert (await furnished.ask("GET", vault_path(), who=watcher)).status == 200
    permissions = [{"actions": ["*/read"], "notActions": ["Microsoft.KeyVault/vaults/read"]}]
    changed = await ask(furnished, "PUT", roles(), a_role_body(name="Blind", permissions=permissions))
    assert changed.json["properties"]["createdOn"] == said["createdOn"]
    assert (await furnished.ask("GET", vault_path(), who=watcher)).status == 403
    refused = await ask(furnished, "DELETE", roles())
    assert (refused.status, refused.code) == (409, "RoleDefinitionHasAssignments")
    await ask(furnished, "DELETE", held())
    gone = await ask(furnished, "DELETE", roles())
    assert (gone.status, gone.json["properties"]["roleName"]) == (200, "Blind")
    assert (await ask(furnished, "DELETE", roles())).status == 204
    assert (await ask(furnished, "GET", roles())).code == "RoleDefinitionDoesNotExist"


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        ({"type": "BuiltInRole"}, 400, "InvalidRoleDefinitionType"),
        ({"permissions": [{"actions": ["*"]}] * 2}, 400, "InvalidRoleDefinitionPermissions"),
        ({"permissions": [{"actions": ["*"], "condition": MINE}]}, 400, "InvalidRoleDefinitionPermissions"),
        ({"permissions": None}, 400, "InvalidActionOrNotAction"),
        ({"roleName": None}, 400, "RoleDefinitionNameNullOrEmpty"),
        ({"assignableScopes": None}, 400, "MissingAssignableScopes"),
        ({"roleName": "Owner"}, 409, "RoleDefinitionWithSameNameExists"),
    ],
)
async def test_what_no_custom_role_can_be(furnished, said, status, code):
    refused = await ask(furnished, "PUT", roles(), a_role_body(**said))
    assert (refused.status, refused.code) == (status, code), refused.raw


async def test_a_role_reaches_no_further_than_who_makes_it(furnished):
    await furnished.a_group("mine")
    mine = await furnished.someone("User Access Administrator", group_path("mine"))
    assert (await ask(furnished, "PUT", roles(group_path("mine")), a_role_body(), who=mine)).code == (
        "AuthorizationFailed"
    )
    made = await ask(furnished, "PUT", roles(group_path("mine")), a_role_body(group_path("mine")), who=mine)
    assert made.status == 201
    await ask(furnished, "PUT", roles(), a_role_body())  # now it reaches further
    for method, body in (("PUT", a_role_body(group_path("mine"))), ("DELETE", None)):
        refused = await ask(furnished, method, roles(group_path("mine")), body, who=mine)
        assert (refused.status, refused.code) == (403, "AuthorizationFailed")


async def test_roles_are_listed_where_they_can_be_given(furnished):
    await furnished.a_group("mine")
    await ask(furnished, "PUT", roles(), a_role_body(group_path("mine")))

    async def listed(scope, kept=""):
        answer = await ask(furnished, "GET", roles(scope, ""), query=f"$filter={kept}" if kept else "")
        return {each["properties"]["roleName"] for each in answer.json["value"]}

    assert {"Owner", "Watcher", "Key Vault Data Access Administrator"} <= await listed(group_path("mine"))
    assert "Watcher" not in await listed(group_path()) | await listed(BASE) | await listed("")
    assert "Watcher" in await listed(BASE, "atScopeAndBelow()")
    assert "Watcher" not in await listed("", "atScopeAndBelow()")  # whoever signs in may ask there
    assert await listed(group_path("mine"), "type%20eq%20'CustomRole'") == {"Watcher"}
    assert await listed(BASE, "roleName%20eq%20'key%20vault%20reader'") == {"Key Vault Reader"}
    assert await listed(BASE, "roleName%20eq%20'salt%20and%20pepper'%20and%20atScopeAndBelow()") == set()
    assert await listed(BASE, "type%20eq%20'BuiltInRole'%20and%20roleName%20eq%20'it''s'") == set()
    refused = await ask(furnished, "GET", roles(BASE, ""), query="$filter=name%20eq%20'x'")
    assert (refused.status, refused.code) == (400, "InvalidFilterInQueryString")
    for scope in ("", group_path()):
        assert (await ask(furnished, "GET", roles(scope))).status == 404
    owner = (await ask(furnished, "GET", roles("", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"))).json
    assert owner["id"] == "/providers/Microsoft.Authorization/roleDefinitions/8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
    assert owner["properties"]["type"] == "BuiltInRole"


async def test_who_gives_data_roles_gives_no_others_and_takes_no_others(furnished):
    keeper = await furnished.someone("Key Vault Data Access Administrator", vault_path())
    given = await ask(furnished, "PUT", held(vault_path()), an_assignment_body(role="Key Vault Reader"), who=keeper)
    assert given.status == 201
    refused = await ask(furnished, "PUT", held(vault_path(), OTHER), an_assignment_body(role="Owner"), who=keeper)
    assert (refused.status, refused.code) == (403, "AuthorizationFailed")
    record = furnished.records()[-1]
    assert record["properties"]["isRbacAuthorized"] is False
    assert "its condition does not hold" in record["properties"]["decisionReason"]
    await ask(furnished, "PUT", held(vault_path(), OTHER), an_assignment_body(role="Owner"))
    refused = await ask(furnished, "DELETE", held(vault_path(), OTHER), who=keeper)
    assert (refused.status, refused.code) == (403, "AuthorizationFailed")
    assert (await ask(furnished, "DELETE", held(vault_path()), who=keeper)).status == 200
    model = {"properties": {"enableRbacAuthorization": False}}
    contributor = await furnished.someone("Key Vault Contributor", vault_path())
    await furnished.give(contributor, "Key Vault Data Access Administrator", vault_path())
    refused = await furnished.ask("PATCH", vault_path(), model, who=contributor)
    assert (refused.status, refused.code) == (403, "InsufficientPermissions")  # the right must be unrestricted


async def test_a_role_that_is_taken_while_a_change_waits_for_its_turn_allows_it_no_more(furnished, monkeypatch):
    contributor = await furnished.someone()
    given = await furnished.give(contributor, "Contributor", vault_path())
    change = furnished.storage.change

    async def after_its_end(work):
        await furnished.stores.assignments.remove(given.assignment_id)
        return await change(work)

    monkeypatch.setattr(furnished.storage, "change", after_its_end)
    refused = await furnished.ask("DELETE", vault_path(), who=contributor)
    assert (refused.status, refused.code) == (403, "AuthorizationFailed")
    told = furnished.records()[-1]["properties"]
    assert told["isRbacAuthorized"] is False
    assert "appliedAssignmentId" not in told


async def test_what_was_given_to_an_object_counts_there_only(furnished):
    await furnished.a_vault("kv2", enableRbacAuthorization=True)
    place = f"{vault_path('kv2')}/secrets/One"
    assert (await ask(furnished, "PUT", held(place), an_assignment_body(role="Key Vault Secrets User"))).status == 201
    await furnished.ask("DELETE", vault_path("kv2"))
    assert [each.principal_id for each in furnished.stores.assignments.rows] == [furnished.owner.object_id]
