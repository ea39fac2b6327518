"""What a change would change, over the API: told at its scope and below, and nothing is changed."""

import pytest

from directory_doubles import a_membership, a_security_group, a_user
from management_doubles import (
    AUTHORIZATION,
    BASE,
    MISSING,
    OTHER_TENANT,
    TENANT,
    a_policy,
    an_assignment_body,
    group_path,
    vault_path,
)

SOMEONE = "c0ffee00-0000-4000-8000-00000000000a"
TEAM = "c0ffee00-0000-4000-8000-00000000000b"
FOREIGNER, ELSEWHERE = "c0ffee00-0000-4000-8000-00000000000c", "c0ffee00-0000-4000-8000-00000000000d"
HELD = "11111111-0000-4000-8000-000000000001"
USER = "4633458b-17de-408a-b874-0445c86b69e6"  # Key Vault Secrets User
KV1, KV2 = vault_path().lower(), vault_path("kv2").lower()
GIVEN = {"roleDefinitionId": USER, "principalId": SOMEONE}
GETS = ["secrets/get", "secrets/readmetadata"]


async def preview(world, place=BASE, who=None, **change):
    return await world.ask("POST", f"{place}/providers/Strongroom.Access/preview", change, version=None, who=who)


def told(answer):
    """Return who gains and loses what where; of the first two operations."""
    assert answer.status == 200, answer.json
    return {
        (each["principal"]["id"], each["place"]): (each["gains"][:2], each["loses"][:2])
        for each in answer.json["differences"]
    }


@pytest.fixture
async def furnished(world):
    await world.a_group()
    await world.a_vault()
    await world.a_vault("kv2", enableRbacAuthorization=False, accessPolicies=[a_policy(TEAM)])
    await world.stores.identity.add_user(a_user(object_id=SOMEONE, tenant_id=TENANT.tenant_id))
    await world.stores.identity.add_group(a_security_group(object_id=TEAM, tenant_id=TENANT.tenant_id))
    return world


async def give(world, place, principal=SOMEONE):
    path = f"{place}/providers/Microsoft.Authorization/roleAssignments/{HELD}"
    body = an_assignment_body(principal, "Key Vault Secrets User", principalType=None)
    assert (await world.ask("PUT", path, body, version=AUTHORIZATION)).status == 201


@pytest.mark.parametrize("place", [BASE, group_path(), vault_path()])
async def test_a_role_that_would_be_given_is_told_and_not_given(furnished, place):
    before = await furnished.stores.assignments.list_all()
    answer = await preview(furnished, place, roleAssignment=GIVEN)
    assert told(answer) == {(SOMEONE, KV1): (GETS, [])}
    assert answer.json["id"] == place
    assert await furnished.stores.assignments.list_all() == before
    record = furnished.records()[-1]
    assert (record["operationName"], record["resultType"]) == ("Strongroom.Access/preview/read", "Success")


async def test_what_would_be_taken_back_is_found_at_the_scope_above_it_and_below_it(furnished):
    await give(furnished, group_path())
    removed = {"removedRoleAssignment": {"name": HELD.upper()}}
    for place in (BASE, group_path(), vault_path()):
        assert told(await preview(furnished, place, **removed)) == {(SOMEONE, KV1): ([], GETS)}
    await furnished.a_group("other")
    answer = await preview(furnished, group_path("other"), **removed)
    assert (answer.status, answer.code) == (404, "RoleAssignmentNotFound")


async def test_who_would_join_a_group_or_leave_it(furnished):
    asked = {"groupId": TEAM.upper(), "memberId": SOMEONE.upper()}
    answer = await preview(furnished, membership=asked | {"change": "add"})
    assert told(answer) == {(SOMEONE, KV2): (GETS, [])}
    assert told(await preview(furnished, vault_path(), membership=asked | {"change": "add"})) == {}
    await furnished.stores.identity.add_membership(a_membership(TEAM, SOMEONE))
    answer = await preview(furnished, membership=asked | {"change": "remove"})
    assert told(answer) == {(SOMEONE, KV2): ([], GETS)}


async def test_policies_and_the_model_of_a_vault(furnished):
    policies = {"change": "add", "accessPolicies": [a_policy(SOMEONE)]}
    place = vault_path("kv2")
    assert told(await preview(furnished, place, accessPolicies=policies)) == {(SOMEONE, KV2): (GETS, [])}
    taken = {"change": "remove", "accessPolicies": [a_policy(TEAM)]}
    await furnished.stores.identity.add_membership(a_membership(TEAM, SOMEONE))
    assert told(await preview(furnished, place, accessPolicies=taken)) == {(SOMEONE, KV2): ([], GETS)}
    assert told(await preview(furnished, place, enableRbacAuthorization=True)) == {(SOMEONE, KV2): ([], GETS)}
    assert told(await preview(furnished, place, enableRbacAuthorization=False)) == {}


@pytest.mark.parametrize(
    ("place", "change", "status", "code"),
    [
        (BASE, {}, 400, "InvalidRequestContent"),
        (
            vault_path(),
            {"roleAssignment": GIVEN, "enableRbacAuthorization": True},
            400,
            "InvalidRequestContent",
        ),
        (BASE, {"enableRbacAuthorization": True}, 400, "InvalidScope"),
        (group_path(), {"accessPolicies": {"change": "add", "accessPolicies": []}}, 400, "InvalidScope"),
        (BASE, {"roleAssignment": GIVEN | {"principalId": MISSING}}, 404, "PrincipalNotFound"),
        (BASE, {"roleAssignment": GIVEN | {"roleDefinitionId": MISSING}}, 404, "RoleDefinitionDoesNotExist"),
        (BASE, {"roleAssignment": GIVEN | {"condition": "x"}}, 400, "InvalidCondition"),
        (BASE, {"removedRoleAssignment": {"name": MISSING}}, 404, "RoleAssignmentNotFound"),
        (BASE, {"membership": {"change": "add", "groupId": MISSING, "memberId": SOMEONE}}, 404, "PrincipalNotFound"),
        (BASE, {"membership": {"change": "add", "groupId": TEAM, "memberId": TEAM}}, 400, "BadRequest"),
        (
            vault_path(),
            {"accessPolicies": {"change": "add", "accessPolicies": [a_policy() | {"tenantId": MISSING}]}},
            400,
            "BadRequest",
        ),
        (vault_path("none"), {"enableRbacAuthorization": True}, 404, "ResourceNotFound"),
    ],
)
async def test_what_could_not_be_done_is_refused_as_it_would_be(furnished, place, change, status, code):
    answer = await preview(furnished, place, **change)
    assert (answer.status, answer.code) == (status, code), answer.json


async def test_what_is_given_already_is_refused(furnished):
    await give(furnished, BASE)
    answer = await preview(furnished, roleAssignment=GIVEN)
    assert (answer.status, answer.code) == (409, "RoleAssignmentExists")


async def test_who_may_not_read_role_assignments_there_is_told_nothing(furnished):
    someone = await furnished.someone("Owner", vault_path())
    assert (await preview(furnished, vault_path(), who=someone, enableRbacAuthorization=False)).status == 200
    answer = await preview(furnished, who=someone, roleAssignment=GIVEN)
    assert (answer.status, answer.code) == (403, "AuthorizationFailed")


async def test_principals_of_other_tenants_are_not_there(furnished):
    stores = furnished.stores.identity
    await stores.add_user(a_user(2, object_id=FOREIGNER, tenant_id=OTHER_TENANT))
    await stores.add_group(a_security_group(object_id=ELSEWHERE, tenant_id=OTHER_TENANT))
    for change in (
        {"roleAssignment": GIVEN | {"principalId": FOREIGNER}},
        {"membership": {"change": "add", "groupId": TEAM, "memberId": FOREIGNER}},
        {"membership": {"change": "add", "groupId": ELSEWHERE, "memberId": SOMEONE}},
    ):
        answer = await preview(furnished, vault_path(), **change)
        assert (answer.status, answer.code) == (404, "PrincipalNotFound")
