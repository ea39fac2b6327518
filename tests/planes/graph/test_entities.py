import pytest

from doubles import TENANT, sign_up, token_for
from graph_doubles import AUDIENCE
from strongroom.access.identity.model import Relation

SECRETS = ("digest", "hint", "secrets")
NOBODY = "11111111-2222-3333-4444-555555555555"


async def test_users(world):
    answer = await world.ask("/users")
    assert answer.status == 200
    assert answer.json["@odata.context"] == "https://graph.localhost:8443/v1.0/$metadata#users"
    assert [each["userPrincipalName"] for each in answer.json["value"]] == ["anna@example.com", "bert@example.com"]
    assert answer.json["value"][0] == {
        "id": world.anna.object_id,
        "displayName": "Anna O'Neill",
        "businessPhones": [],
        "givenName": None,
        "jobTitle": None,
        "mail": "anna@mail.example",
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
        "surname": None,
        "userPrincipalName": "anna@example.com",
    }


@pytest.mark.parametrize("name", ["ANNA@example.com", "id"])
async def test_a_user_is_found_by_either_name(world, name):
    answer = await world.ask(f"/users/{world.anna.object_id.upper() if name == 'id' else name}")
    assert answer.json["@odata.context"].endswith("$metadata#users/$entity")
    assert answer.json["id"] == world.anna.object_id


async def test_what_is_not_told_unasked_is_told_when_it_is_asked_for(world):
    await world.directory.set_user_enabled("anna@example.com", enabled=False)
    answer = await world.ask("/users/anna@example.com", select="accountEnabled, CREATEDdatetime,userType,mailNickname")
    told = {name: value for name, value in answer.json.items() if name[0] != "@"}
    assert told == {
        "accountEnabled": False,
        "createdDateTime": f"{world.anna.created:%Y-%m-%dT%H:%M:%SZ}",
        "userType": "Member",
        "mailNickname": "anna",
    }


async def test_groups(world):
    answer = await world.ask("/groups")
    assert [each["displayName"] for each in answer.json["value"]] == ["Inner", "Team"]
    team = answer.json["value"][1]
    assert (team["description"], team["securityEnabled"], team["mailEnabled"]) == ("All of us", True, False)
    assert (await world.ask(f"/groups/{world.inner.object_id}")).json["description"] is None


async def test_service_principals_and_applications_tell_nothing_of_credentials(world):
    for collection in ("servicePrincipals", "applications"):
        answer = await world.ask(f"/{collection}")
        (found,) = answer.json["value"]
        assert (found["id"], found["appId"]) == (world.application.object_id, world.application.app_id)
        assert found["keyCredentials"] == found["passwordCredentials"] == []
        assert not [word for word in SECRETS if word in answer.raw.decode()]
        one = await world.ask(f"/{collection}/{world.application.object_id}")
        named = await world.ask(f"/{collection}(appId='{world.application.app_id.upper()}')")
        assert one.json == named.json == {"@odata.context": one.json["@odata.context"]} | found
        assert one.json["@odata.context"].endswith(f"#{collection}/$entity")


async def test_the_tenant(world):
    (found,) = (await world.ask("/organization")).json["value"]
    assert (found["id"], found["displayName"]) == (TENANT.tenant_id, TENANT.display_name)
    assert found["verifiedDomains"][0]["name"] == "localhost"


async def test_who_asks_is_no_user(world):
    answer = await world.ask("/me")
    assert (answer.status, answer.code) == (400, "BadRequest")
    assert answer.message == "/me request is only valid with delegated authentication flow."


async def test_any_object_by_its_id_says_its_type(world):
    for found, kind in (
        (world.anna, "user"),
        (world.team, "group"),
        (world.application, "servicePrincipal"),
    ):
        answer = await world.ask(f"/directoryObjects/{found.object_id}")
        assert (answer.json["@odata.type"], answer.json["id"]) == (f"#microsoft.graph.{kind}", found.object_id)
    assert "accountEnabled" not in (await world.ask(f"/directoryObjects/{world.anna.object_id}")).json


@pytest.mark.parametrize(
    ("collection", "text", "found"),
    [
        ("users", "userPrincipalName eq 'ANNA@example.com'", ["Anna O'Neill"]),
        ("users", "startswith(displayName,'anna') or startswith(userPrincipalName,'bert')", ["Anna O'Neill", "Bert"]),
        ("users", "mail eq 'anna@mail.example'", ["Anna O'Neill"]),
        ("users", "accountEnabled eq true and displayName eq 'bert'", ["Bert"]),
        ("groups", "displayName eq 'team'", ["Team"]),
        ("groups", "securityEnabled eq false", []),
        ("servicePrincipals", "servicePrincipalNames/any(c:c eq '{app}')", ["payments"]),
        ("servicePrincipals", "servicePrincipalNames/any(c:c eq 'https://other')", []),
        ("applications", "appId eq '{app}'", ["payments"]),
        ("applications", "id eq '{oid}' and startswith(displayName,'pay')", ["payments"]),
    ],
)
async def test_filters_that_clients_send(world, collection, text, found):
    said = text.format(app=world.application.app_id, oid=world.application.object_id)
    answer = await world.ask(f"/{collection}", filter=said)
    assert [each["displayName"] for each in answer.json["value"]] == found


async def test_pages_lead_to_the_end_and_keep_what_was_asked(world):
    for number in range(5):
        await world.user(f"u{number}", "Same")
    seen, target = [], ("/v1.0/users", "$top=3&$select=id&$count=true&$filter=displayName%20eq%20'Same'")
    headers = {"authorization": f"Bearer {world.token}"}
    while target:
        answer = await world.send("GET", *target, headers=headers)
        assert answer.json["@odata.count"] == 5
        assert all(each.keys() == {"id"} for each in answer.json["value"])
        seen += [each["id"] for each in answer.json["value"]]
        link = answer.json.get("@odata.nextLink", "")
        target = link.removeprefix("https://graph.localhost:8443").split("?", 1) if link else None
    assert len(seen) == len(set(seen)) == 5


async def test_a_page_goes_on_where_it_was_though_things_came_and_went(world):
    link = (await world.ask("/groups", top=1)).json["@odata.nextLink"]
    await world.directory.delete_group("Inner", world.storage.stores.assignments)
    await world.group("A new one, before")
    path, query = link.removeprefix("https://graph.localhost:8443").split("?", 1)
    answer = await world.send("GET", path, query, headers={"authorization": f"Bearer {world.token}"})
    assert [each["displayName"] for each in answer.json["value"]] == ["Team"]


async def test_a_paging_token_is_good_for_its_own_list_alone(world):
    link = (await world.ask("/groups", top=1)).json["@odata.nextLink"]
    token = link.rpartition("$skiptoken=")[2]
    for answer in (
        await world.ask("/users", skiptoken=token),
        await world.ask("/groups", skiptoken=token, filter="displayName eq 'Team'"),
        await world.ask("/groups", skiptoken=token[:-4] + "AAAA"),
        await world.ask("/groups", skiptoken="x"),
    ):
        assert (answer.status, answer.code) == (400, "Directory_ExpiredPageToken")


REFUSED = [
    ("/users/nobody@example.com", {}, 404, "Request_ResourceNotFound"),
    (f"/groups/{NOBODY}", {}, 404, "Request_ResourceNotFound"),
    (f"/servicePrincipals(appId='{NOBODY}')", {}, 404, "Request_ResourceNotFound"),
    ("/groups/x/members", {}, 404, "Request_ResourceNotFound"),
    ("/users", {"filter": "nothing eq 'x'"}, 400, "BadRequest"),
    ("/users", {"filter": "displayName"}, 400, "Request_UnsupportedQuery"),
    ("/users", {"select": "displayName,password"}, 400, "BadRequest"),
    ("/users/anna@example.com", {"select": ""}, 400, "BadRequest"),
    ("/users", {"top": "0"}, 400, "BadRequest"),
    ("/users", {"top": "1000"}, 400, "BadRequest"),
    ("/users", {"top": "٣"}, 400, "BadRequest"),
    ("/users", {"orderby": "displayName"}, 400, "Request_UnsupportedQuery"),
    ("/users/anna@example.com", {"expand": "memberOf"}, 400, "Request_UnsupportedQuery"),
    ("/organization", {"search": "x"}, 400, "Request_UnsupportedQuery"),
    ("/servicePrincipals(name='x')", {}, 400, "BadRequest"),
    ("/devices", {}, 400, "BadRequest"),
    ("/users/anna@example.com/photo", {}, 400, "BadRequest"),
    ("/users/anna@example.com/photo/size", {}, 400, "BadRequest"),
]


@pytest.mark.parametrize(("path", "query", "status", "code"), REFUSED)
async def test_what_is_refused(world, path, query, status, code):
    answer = await world.ask(path, **query)
    assert (answer.status, answer.code) == (status, code)


async def test_objects_of_another_tenant_are_not_there(world):
    other, _ = await sign_up(world.storage, "other")
    tenant = "99999999-9999-4999-8999-999999999999"
    stores = world.storage.stores
    moved = type(other)(**{name: getattr(other, name) for name in other.__slots__} | {"tenant_id": tenant})
    await stores.identity.replace_application(moved)
    await world.directory.add_to_group("Team", Relation.MEMBER, moved.object_id, now=TENANT.created)
    for path in (f"/servicePrincipals/{moved.object_id}", f"/directoryObjects/{moved.object_id}"):
        assert (await world.ask(path)).status == 404
    for path in ("/servicePrincipals", f"/groups/{world.team.object_id}/members"):
        assert moved.object_id not in (await world.ask(path)).raw.decode()
    asked = await world.ask("/directoryObjects/getByIds", "POST", {"ids": [moved.object_id]})
    assert asked.json["value"] == []
    token = await token_for(world.storage, moved, audience=AUDIENCE, tid=tenant, iss=f"https://sts.localhost/{tenant}/")
    assert (await world.ask("/users", token=token)).json["value"] == []
