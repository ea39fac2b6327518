"""Whoever gives itself access to data: what its record notes, and what the log is told."""

import pytest
from structlog.testing import capture_logs

from directory_doubles import a_membership, a_security_group
from management_doubles import (
    AUTHORIZATION,
    BASE,
    TENANT,
    a_policy,
    a_role_body,
    an_assignment_body,
    group_path,
    vault_body,
    vault_path,
)

NAME = "11111111-0000-4000-8000-000000000001"
GET = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
MINE = "@Resource[Microsoft.KeyVault/vaults/secrets:name] StringEquals '%s'"


@pytest.fixture
async def furnished(world):
    await world.a_group()
    await world.a_vault(enableRbacAuthorization=False)
    return world


def assert_told_of(event, change, answer):
    """The event names the change, by its record, and says who gained what where."""
    same = ("resourceId", "identity", "time", "correlationId", "callerIpAddress")
    assert [event[name] for name in same] == [change[name] for name in same]
    assert (event["category"], event["resultType"]) == ("Administrative", "Success")
    assert event["properties"] == {
        "change": change["operationName"],
        "requestUri": change["properties"]["requestUri"],
        "requestId": answer.headers["x-ms-request-id"],
        "selfGranted": change["properties"]["selfGranted"],
    }


async def gained(world, method, path, body, who, version=AUTHORIZATION):
    """Return what the record of a change notes, and how often the log was told."""
    with capture_logs() as lines:
        answer = await world.ask(method, path, body, who=who, version=version)
    assert answer.status in {200, 201}, answer.raw
    told = [line for line in lines if line["event"] == "somebody gave itself access to data"]
    change, event = world.records()[-2:]
    if event["operationName"] != "Strongroom.Access/selfGrant/write":
        change, event = event, None
    noted = change["properties"].get("selfGranted")
    assert (event is None) is (noted is None)
    if event is not None:
        assert_told_of(event, change, answer)
    assert [line["gained"] for line in told] == ([] if noted is None else [noted])
    assert all(line["caller"] == who.object_id for line in told)
    return noted


def policies(*given):
    return {"properties": {"accessPolicies": list(given)}}


def own(application, role="Key Vault Secrets User", **said):
    return an_assignment_body(application.object_id, role, principalType="ServicePrincipal", **said)


def held(scope, name=NAME):
    return f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"


ADD = f"{vault_path()}/accessPolicies/add"


async def test_a_contributor_who_gives_itself_access_is_told(furnished):
    contributor = await furnished.someone("Contributor")
    mine = policies(a_policy(contributor.object_id, secrets=["get", "list"], keys=["sign"]))
    said = await gained(furnished, "PUT", ADD, mine, contributor, "2023-07-01")
    assert said == ["keys/sign", "secrets/get", "secrets/readmetadata", "secrets/list"]
    assert await gained(furnished, "PUT", ADD, mine, contributor, "2023-07-01") is None, "it had it"
    others = policies(a_policy(secrets=["all"]))
    assert await gained(furnished, "PUT", ADD, others, contributor, "2023-07-01") is None


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_a_change_of_the_vault_is_told_as_well(furnished, method):
    contributor = await furnished.someone("Contributor")
    body = vault_body(accessPolicies=[a_policy(contributor.object_id, secrets=["get"])])
    said = await gained(furnished, method, vault_path(), body, contributor, "2023-07-01")
    assert said == ["secrets/get", "secrets/readmetadata"]


async def test_what_is_given_to_a_group_that_one_is_in_is_given_to_oneself(furnished):
    contributor = await furnished.someone("Contributor")
    group = "c0ffee00-0000-4000-8000-0000000000c1"
    identity = furnished.stores.identity
    await identity.add_group(a_security_group(object_id=group, tenant_id=TENANT.tenant_id))
    await identity.add_membership(a_membership(group, contributor.object_id))
    given = policies(a_policy(group, secrets=["get"]))
    assert await gained(furnished, "PUT", ADD, given, contributor, "2023-07-01")


async def test_who_makes_a_vault_is_no_such_case_nor_is_a_policy_that_does_not_count(furnished):
    contributor = await furnished.someone("Contributor")
    mine = [a_policy(contributor.object_id, secrets=["all"])]
    made = vault_body(accessPolicies=mine)
    assert await gained(furnished, "PUT", vault_path("kv2"), made, contributor, "2023-07-01") is None
    await furnished.a_vault("kv3", enableRbacAuthorization=True)
    path = f"{vault_path('kv3')}/accessPolicies/add"
    assert await gained(furnished, "PUT", path, policies(*mine), contributor, "2023-07-01") is None


async def test_who_switches_the_permission_model_to_where_it_may(furnished):
    owner = await furnished.someone("Owner")
    await furnished.give(owner, "Key Vault Secrets User", BASE)
    body = {"properties": {"enableRbacAuthorization": True}}
    said = await gained(furnished, "PATCH", vault_path(), body, owner, "2023-07-01")
    assert said == ["secrets/get", "secrets/readmetadata", "secrets/list"]


@pytest.mark.parametrize("scope", [BASE, group_path(), vault_path(), f"{vault_path()}/secrets/one"])
async def test_who_assigns_itself_a_role_on_data(furnished, scope):
    owner = await furnished.someone("Owner")
    said = await gained(furnished, "PUT", held(scope), own(owner), owner)
    assert said == ["secrets/get", "secrets/readmetadata", "secrets/list"]
    assert await gained(furnished, "PUT", held(scope), own(owner, description="why"), owner) is None
    assert await gained(furnished, "PUT", held(scope, NAME[:-1] + "2"), own(owner, "Reader"), owner) is None


async def test_another_condition_of_ones_own_role_is_told(furnished):
    owner = await furnished.someone("Owner")
    for condition in (MINE % "mine", MINE % "another", None):
        said = {} if condition is None else {"condition": condition, "conditionVersion": "2.0"}
        assert await gained(furnished, "PUT", held(vault_path()), own(owner, **said), owner)


async def test_who_changes_a_custom_role_that_it_has(furnished):
    owner = await furnished.someone("Owner")
    path = f"{BASE}/providers/Microsoft.Authorization/roleDefinitions/{NAME}"
    assert await gained(furnished, "PUT", path, a_role_body(), owner) is None
    await furnished.give(owner, "Watcher", BASE)
    more = a_role_body(permissions=[{"actions": [], "dataActions": [GET]}])
    assert await gained(furnished, "PUT", path, more, owner) == ["secrets/get"]
