"""Who is let in, and what every answer carries."""

from dataclasses import replace
from datetime import timedelta

import pytest

from doubles import TENANT, token_for
from management_doubles import BASE, FOREIGN, KEY_VAULT, MISSING, OTHER_TENANT, RESOURCES, vault_path
from strongroom.access.identity.model import Caller, PrincipalType
from strongroom.cli.recordview import is_challenge
from strongroom.clock import real_now
from strongroom.ids import is_guid
from strongroom.planes.management.places import author
from strongroom.resources.service import Author

LOGIN = f"https://login.localhost:8443/{TENANT.tenant_id}"
TARGET = f"{vault_path()}?api-version={KEY_VAULT}"


@pytest.mark.parametrize(
    ("headers", "repeated", "code"),
    [
        ({}, (), "AuthenticationFailed"),
        ({"authorization": "Basic eDp5"}, (), "AuthenticationFailedInvalidHeader"),
        ({"authorization": "Bearer"}, (), "AuthenticationFailedInvalidHeader"),
        ({"authorization": "Bearer a.b.c"}, (b"authorization",), "AuthenticationFailedInvalidHeader"),
        ({"authorization": "Bearer a.b.c"}, (), "InvalidAuthenticationToken"),
    ],
)
async def test_who_proves_nothing_is_told_where_to_sign_in(world, headers, repeated, code):
    answer = await world.send("GET", TARGET, headers=headers, repeated=repeated)
    assert (answer.status, answer.code) == (401, code)
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith(f'Bearer authorization_uri="{LOGIN}", error="invalid_token", error_description="')
    record = world.records()[-1]
    assert (record["operationName"], record["category"]) == ("Authentication", "Administrative")
    assert record["resultSignature"] == "Unauthorized"
    assert is_challenge(record) is (not headers)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"audience": "https://vault.localhost"}, "InvalidAuthenticationTokenAudience"),
        ({"now": real_now() - timedelta(hours=2)}, "ExpiredAuthenticationToken"),
        ({"iss": "https://sts.localhost/other/"}, "InvalidAuthenticationTokenTenant"),
    ],
)
async def test_tokens_for_something_else_are_refused_in_its_own_words(world, changes, code):
    said = {"audience": "https://management.localhost"} | changes
    token = await token_for(world.storage, world.owner, **said)
    answer = await world.send("GET", TARGET, headers={"authorization": f"Bearer {token}"})
    assert (answer.status, answer.code) == (401, code)
    assert "www-authenticate" in answer.headers


@pytest.mark.parametrize("audience", ["https://management.azure.com/", "https://management.core.windows.net/"])
async def test_the_public_names_of_the_resource_manager_are_its_own_too(world, audience):
    token = await token_for(world.storage, world.owner, audience=audience)
    answer = await world.send(
        "GET", f"/subscriptions?api-version={RESOURCES}", headers={"authorization": f"Bearer {token}"}
    )
    assert answer.status == 200


async def test_a_disabled_application_is_refused_at_the_next_request(world):
    assert (await world.ask("GET", BASE, version=RESOURCES)).status == 200
    await world.stores.identity.replace_application(replace(world.owner, enabled=False))
    assert (await world.ask("GET", BASE, version=RESOURCES)).status == 401


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/", "NotFound"),
        ("/nothing", "NotFound"),
        (f"{BASE}/providers/Microsoft.KeyVault/none", "InvalidResourceType"),
        (vault_path() + "/x", "InvalidResourceType"),
        (f"{BASE}/providers/Microsoft.KeyVault/vaults/kv1", "NotFound"),
    ],
)
async def test_unknown_paths_are_told_to_those_only_who_proved_who_they_are(world, path, code):
    assert (await world.send("GET", path)).status == 401
    answer = await world.ask("GET", path)
    assert (answer.status, answer.code) == (404, code)
    assert world.records()[-1]["operationName"] == "Unknown"


async def test_a_resource_without_a_parent_may_be_written_with_two_slashes(world):
    """SDKs that name any resource write `…/providers/{namespace}/{parent}/{type}/{name}`."""
    await world.a_group()
    made = await world.a_vault()
    doubled = vault_path().replace("KeyVault/", "KeyVault//")
    assert (await world.ask("GET", doubled)).json == made
    lock = f"{doubled}/providers/Microsoft.Authorization/locks/a"
    answer = await world.ask("PUT", lock, {"properties": {"level": "ReadOnly"}}, version="2016-09-01")
    assert (answer.status, answer.json["id"]) == (201, lock.replace("//", "/"))
    for path in (f"{vault_path()}//secrets", vault_path().replace("/providers", "//providers")):
        assert (await world.ask("GET", path, version=RESOURCES)).status == 404


async def test_an_unknown_verb_is_not_allowed(world):
    answer = await world.ask("POST", vault_path())
    assert (answer.status, answer.code) == (405, "MethodNotAllowed")
    assert answer.headers["allow"] == "DELETE, GET, HEAD, PATCH, PUT"


@pytest.mark.parametrize(
    ("subscription", "status", "code"),
    [
        ("me", 400, "InvalidSubscriptionId"),
        (MISSING, 404, "SubscriptionNotFound"),
        (FOREIGN, 401, "InvalidAuthenticationTokenTenant"),
    ],
)
async def test_a_subscription_is_one_of_the_callers_tenant(world, subscription, status, code):
    answer = await world.ask("GET", f"/subscriptions/{subscription}/resourcegroups", version=RESOURCES)
    assert (answer.status, answer.code) == (status, code)
    if status == 401:
        assert OTHER_TENANT in answer.headers["www-authenticate"]


async def test_a_challenge_names_the_tenant_of_the_subscription_that_was_asked_for(world):
    answer = await world.send("GET", f"/subscriptions/{FOREIGN}?api-version={RESOURCES}")
    assert OTHER_TENANT in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    "group", ["rg%2Fproviders%2FMicrosoft.KeyVault%2Fvaults%2Fkv1", "a%5Cb", "a%00b", "a%0Ab", "a//b"]
)
async def test_a_path_segment_never_hides_another(world, group):
    contributor = await world.someone("Owner")
    answer = await world.ask("GET", f"{BASE}/resourceGroups/{group}", version=RESOURCES, who=contributor)
    assert answer.status in {400, 404}


async def test_the_refusal_says_who_what_and_where_and_not_whether_it_exists(world):
    stranger = await world.someone()
    await world.a_group()
    await world.a_vault("kv1")
    refusals = {}
    for name in ("kv1", "kv2"):
        answer = await world.ask("GET", vault_path(name), who=stranger)
        assert (answer.status, answer.code) == (403, "AuthorizationFailed")
        refusals[name] = answer.raw.replace(name.encode(), b"?")
    assert refusals["kv1"] == refusals["kv2"]
    answer = await world.ask("GET", vault_path("kv1"), who=stranger)
    assert answer.message == (
        f"The client '{stranger.app_id}' with object id '{stranger.object_id}' does not have authorization to perform "
        f"action 'Microsoft.KeyVault/vaults/read' over scope '{vault_path('kv1')}' or the scope is invalid. If access "
        "was recently granted, please refresh your credentials."
    )


async def test_every_answer_has_its_ids_and_is_not_cached(world):
    client = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
    headers = {
        "x-ms-client-request-id": client,
        "x-ms-return-client-request-id": "true",
        "x-ms-correlation-request-id": client,
    }
    answers = [
        await world.ask("GET", BASE, version=RESOURCES, headers=headers),
        await world.ask("GET", vault_path(), headers=headers),
        await world.send("GET", TARGET, headers=headers),
    ]
    assert [answer.status for answer in answers] == [200, 404, 401]
    for answer in answers:
        assert is_guid(answer.headers["x-ms-request-id"])
        assert answer.headers["x-ms-correlation-request-id"] == client
        assert answer.headers["x-ms-client-request-id"] == client
        assert answer.headers["cache-control"] == "no-cache"
    assert world.records()[-1]["correlationId"] == client


async def test_ids_that_are_none_are_not_echoed(world):
    headers = {
        "x-ms-client-request-id": "a b",
        "x-ms-return-client-request-id": "true",
        "x-ms-correlation-request-id": "x",
    }
    answer = await world.ask("GET", BASE, version=RESOURCES, headers=headers)
    assert "x-ms-client-request-id" not in answer.headers
    assert answer.headers["x-ms-correlation-request-id"] == answer.headers["x-ms-request-id"]


async def test_a_record_says_which_assignment_allowed(world):
    await world.ask("GET", f"{BASE}/resourcegroups", version=RESOURCES)
    record = world.records()[-1]
    (assignment,) = await world.stores.assignments.list_for(world.owner.object_id)
    assert record["category"] == "Administrative"
    assert record["operationName"] == "Microsoft.Resources/subscriptions/resourceGroups/read"
    assert record["resourceId"] == BASE.upper()
    assert record["properties"]["appliedAssignmentId"] == assignment.assignment_id
    assert record["properties"]["isRbacAuthorized"] is True


async def test_a_server_without_tenants_names_none(world):
    world.stores.identity.tenants.clear()
    answer = await world.send("GET", f"/tenants?api-version={RESOURCES}")
    assert "localhost:8443/common" in answer.headers["www-authenticate"]


@pytest.mark.parametrize(("name", "shown"), [("ann@localhost", "ann@localhost"), (None, "object")])
def test_a_user_stands_in_system_data_by_name(name, shown):
    caller = Caller(
        object_id="object",
        app_id="app",
        tenant_id="t",
        issuer="i",
        type=PrincipalType.USER,
        audience="a",
        token_id="u",
        expires=TENANT.created,
        user_principal_name=name,
    )
    assert author(caller) == Author(shown, "User")
