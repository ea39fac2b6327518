from datetime import timedelta

import pytest

from doubles import TENANT, token_for
from graph_doubles import AUDIENCE
from strongroom.access.identity.applications import Applications
from strongroom.audit.event import Category
from strongroom.cli.recordview import is_challenge
from strongroom.clock import real_now


@pytest.mark.parametrize(
    "audience",
    [
        "https://graph.localhost",
        "https://graph.localhost:8443/",
        "https://graph.microsoft.com",
        "00000003-0000-0000-c000-000000000000",
    ],
)
async def test_tokens_for_graph_by_any_of_its_names(world, audience):
    token = await token_for(world.storage, world.application, audience=audience)
    assert (await world.ask("/users", token=token)).status == 200


async def test_whoever_proves_nobody_is_told_where_to_sign_in(world):
    old = await token_for(world.storage, world.application, audience=AUDIENCE, now=real_now() - timedelta(hours=2))
    vault = await token_for(world.storage, world.application)
    foreign = await token_for(world.storage, world.application, audience=AUDIENCE, iss="https://sts.localhost/x/")
    for token, message in (
        (None, "Access token is empty."),
        ("", "Access token is empty."),
        ("x.y.z", "Access token validation failure."),
        (old, "Lifetime validation failed, the token is expired."),
        (vault, "Access token validation failure. Invalid audience."),
        (foreign, "Access token validation failure. Invalid issuer."),
    ):
        answer = await world.ask("/users", token=token)
        assert (answer.status, answer.code, answer.message) == (401, "InvalidAuthenticationToken", message)
        assert is_challenge(world.storage.bodies()[-1]) is (not token)
        assert answer.headers["www-authenticate"] == (
            'Bearer realm="", authorization_uri="https://login.localhost:8443/common/oauth2/authorize", '
            'client_id="00000003-0000-0000-c000-000000000000"'
        )


async def test_two_tokens_are_none(world):
    answer = await world.send(
        "GET", "/v1.0/users", headers={"authorization": f"Bearer {world.token}"}, repeated=[b"authorization"]
    )
    assert (answer.status, answer.message) == (401, "Request has more than one Authorization header.")


async def test_a_disabled_application_reads_nothing_more(world):
    assert (await world.ask("/users")).status == 200
    applications = Applications(world.storage.stores.identity, world.storage.stores.keyring, world.storage.custodian)
    await applications.disable("payments")
    assert (await world.ask("/users")).status == 401


WRITES = [
    ("POST", "/users"),
    ("PATCH", "/users/anna@example.com"),
    ("DELETE", "/users/anna@example.com"),
    ("POST", "/groups"),
    ("POST", "/groups/x/members/$ref"),
    ("DELETE", "/groups/x/members/y/$ref"),
    ("POST", "/applications"),
    ("POST", "/applications/x/addPassword"),
    ("PUT", "/anything/at/all"),
    ("DELETE", "/servicePrincipals(appId='x')"),
]


@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_whatever_would_write_is_refused_and_says_what_does(world, method, path):
    answer = await world.ask(path, method, {"displayName": "x"})
    assert (answer.status, answer.code) == (403, "Authorization_RequestDenied")
    assert "strongroom directory" in answer.message
    assert (await world.ask(path, method, {}, token=None)).status == 401


async def test_other_verbs_are_not_allowed(world):
    answer = await world.ask("/users", "OPTIONS")
    assert (answer.status, answer.code, answer.headers["allow"]) == (405, "MethodNotAllowed", "GET")
    assert (await world.ask("/nothing/at/all", "OPTIONS")).status == 400


async def test_both_versions_of_graph_are_one(world):
    headers = {"authorization": f"Bearer {world.token}"}
    first, beta = [await world.send("GET", f"/{each}/users", headers=headers) for each in ("v1.0", "beta")]
    assert first.json == beta.json
    assert (await world.send("GET", "/v2.0/users", headers=headers)).status == 400
    assert (await world.send("GET", "/", headers=headers)).status == 400


async def test_ids_of_a_request_are_told(world):
    answer = await world.ask("/groups/x", headers={"client-request-id": "mine"})
    inner = answer.json["error"]["innerError"]
    assert inner["request-id"] == answer.headers["request-id"] == answer.headers["x-ms-request-id"]
    assert inner["client-request-id"] == answer.headers["client-request-id"] == "mine"
    assert (await world.ask("/users", headers={"client-request-id": "a\tb"})).headers["client-request-id"] != "a\tb"


async def test_every_request_is_recorded(world):
    await world.ask("/users")
    await world.ask(f"/groups/{world.team.object_id}/members")
    await world.ask("/groups", "POST", {})
    await world.ask("/users", token=None)
    records = world.storage.bodies(Category.GRAPH)
    assert [(each["operationName"], each["resultSignature"]) for each in records] == [
        ("Microsoft.Directory/users/read", "OK"),
        ("Microsoft.Directory/groups/members/read", "OK"),
        ("Unknown", "Forbidden"),
        ("Authentication", "Unauthorized"),
    ]
    assert records[0]["identity"]["claim"]["appid"] == world.application.app_id
    assert records[0]["resourceId"] == f"/TENANTS/{TENANT.tenant_id}/PROVIDERS/MICROSOFT.AADIAM".upper()
    assert records[3]["identity"] == {}
