"""What a change of a vault leaves alone: property by property, policy by policy."""

import pytest

from doubles import TENANT
from management_doubles import OTHER_TENANT, a_policy, vault_body, vault_path

ALICE = "c0ffee00-0000-4000-8000-000000000001"
APPLICATION = "c0ffee00-0000-4000-8000-000000000002"
OPEN = {"bypass": "AzureServices", "defaultAction": "Allow", "ipRules": [], "virtualNetworkRules": []}
# What a PATCH says of one property, and what of the vault's properties is then another.
CHANGES = {
    "accessPolicies": ([], {"accessPolicies": []}),
    "enabledForDeployment": (True, {"enabledForDeployment": True}),
    "enabledForDiskEncryption": (True, {"enabledForDiskEncryption": True}),
    "enabledForTemplateDeployment": (True, {"enabledForTemplateDeployment": True}),
    "enablePurgeProtection": (True, {"enablePurgeProtection": True}),
    "enableRbacAuthorization": (False, {"enableRbacAuthorization": False}),
    "enableSoftDelete": (True, {}),
    "softDeleteRetentionInDays": (8, {}),
    "tenantId": (TENANT.tenant_id.upper(), {}),
    "sku": ({"family": "A", "name": "premium"}, {"sku": {"family": "A", "name": "premium"}}),
    "networkAcls": ({"bypass": "None"}, {"networkAcls": OPEN | {"bypass": "None"}}),
    "publicNetworkAccess": ("enabled", {}),
    "createMode": ("default", {}),
    "vaultUri": ("https://elsewhere.example/", {}),
    "provisioningState": ("RegisteringDns", {}),
    "hsmPoolResourceId": ("none", {}),
    "privateEndpointConnections": ([{"id": "x"}], {}),
    "somethingNew": (1, {}),
}


@pytest.fixture
async def furnished(world):
    await world.a_group()
    return world


@pytest.mark.parametrize("name", CHANGES)
async def test_a_patch_changes_the_property_that_it_names_and_null_changes_none(furnished, name):
    made = await furnished.a_vault(
        tags={"a": "b"},
        softDeleteRetentionInDays=8,
        accessPolicies=[a_policy()],
        networkAcls={"bypass": "AzureServices"},
    )
    value, told = CHANGES[name]
    silent = await furnished.ask("PATCH", vault_path(), {"properties": {name: None}})
    assert (silent.status, silent.json["properties"]) == (200, made["properties"])
    changed = await furnished.ask("PATCH", vault_path(), {"properties": {name: value}})
    assert changed.status == 200, changed.raw
    assert changed.json["properties"] == made["properties"] | told
    assert changed.json["tags"] == {"a": "b"}
    assert (await furnished.ask("GET", vault_path())).json == changed.json


@pytest.mark.parametrize("verb", ["PUT", "PATCH"])
@pytest.mark.parametrize("version", ["2015-06-01", "2019-09-01", "2026-05-15"])
async def test_every_api_version_says_and_takes_every_property(furnished, verb, version):
    made = await furnished.a_vault(enableRbacAuthorization=True)
    body = {"properties": {"enableRbacAuthorization": False, "enablePurgeProtection": True}}
    if verb == "PUT":
        body = vault_body(**body["properties"])
    changed = await furnished.ask(verb, vault_path(), body, version=version)
    assert changed.json["properties"] == made["properties"] | body["properties"]


async def test_who_changed_a_vault_last_is_told_beside_who_made_it(furnished):
    made = (await furnished.a_vault())["systemData"]
    someone = await furnished.someone("Contributor")
    changed = (await furnished.ask("PATCH", vault_path(), {}, who=someone)).json["systemData"]
    assert (changed["createdBy"], changed["createdAt"]) == (made["createdBy"], made["createdAt"])
    assert (changed["lastModifiedBy"], changed["lastModifiedByType"]) == (someone.app_id, "Application")


# ---- policies


def policies_path(kind):
    return f"{vault_path()}/accessPolicies/{kind}"


def many(count):
    return [a_policy(f"c0ffee00-0000-4000-8000-{number:012x}", secrets=["get"]) for number in range(count)]


async def test_a_vault_holds_1024_policies_and_no_more(furnished):
    await furnished.a_vault(accessPolicies=many(1024))
    one_more = {"properties": {"accessPolicies": [a_policy("deadbeef-0000-4000-8000-000000000000")]}}
    for method, path, body in (
        ("PUT", vault_path(), vault_body(accessPolicies=many(1025))),
        ("PATCH", vault_path(), {"properties": {"accessPolicies": many(1025)}}),
        ("PUT", policies_path("add"), one_more),
    ):
        answer = await furnished.ask(method, path, body)
        assert (answer.status, answer.code) == (400, "BadRequest"), method
        assert "1024" in answer.message
    again = await furnished.ask("PUT", policies_path("add"), {"properties": {"accessPolicies": many(1024)}})
    assert again.status == 200, "policies of those who have one already count once"
    assert len((await furnished.ask("GET", vault_path())).json["properties"]["accessPolicies"]) == 1024


@pytest.mark.parametrize("kind", ["add", "replace"])
async def test_a_policy_for_another_tenant_is_refused(furnished, kind):
    foreign = a_policy() | {"tenantId": OTHER_TENANT}
    await furnished.a_vault(accessPolicies=[a_policy()])
    before = (await furnished.ask("GET", vault_path())).json
    for method, path, body in (
        ("PUT", vault_path(), vault_body(accessPolicies=[a_policy(), foreign])),
        ("PATCH", vault_path(), {"properties": {"accessPolicies": [a_policy(), foreign]}}),
        ("PUT", policies_path(kind), {"properties": {"accessPolicies": [a_policy(), foreign]}}),
    ):
        answer = await furnished.ask(method, path, body)
        assert (answer.status, answer.code) == (400, "BadRequest")
        assert f"accessPolicies[1].TenantId: {OTHER_TENANT}" in answer.message
    assert (await furnished.ask("GET", vault_path())).json == before
    removed = await furnished.ask("PUT", policies_path("remove"), {"properties": {"accessPolicies": [foreign]}})
    assert removed.status == 200, "what nobody has is removed already"


@pytest.mark.parametrize("value", ["", "me", "{}", "0" * 36])
@pytest.mark.parametrize("field", ["tenantId", "objectId"])
async def test_a_policy_with_an_id_that_is_none_is_refused(furnished, field, value):
    await furnished.a_vault()
    broken = a_policy() | {field: value}
    for method, path, body in (
        ("PUT", vault_path(), vault_body(accessPolicies=[broken])),
        ("PUT", policies_path("add"), {"properties": {"accessPolicies": [broken]}}),
    ):
        answer = await furnished.ask(method, path, body)
        assert (answer.status, answer.code) == (400, "BadRequest"), answer.raw
        assert answer.message.startswith(f"Invalid value found at accessPolicies[0].{field[0].upper()}{field[1:]}:")


async def test_an_application_on_behalf_of_a_user_has_a_policy_of_its_own(furnished):
    behalf = a_policy(ALICE, secrets=["get"]) | {"applicationId": APPLICATION}
    made = await furnished.a_vault(accessPolicies=[a_policy(ALICE, keys=["sign"]), behalf])
    told = [each.get("applicationId") for each in made["properties"]["accessPolicies"]]
    assert told == [None, APPLICATION]
    body = {"properties": {"accessPolicies": [behalf]}}
    removed = await furnished.ask("PUT", policies_path("remove"), body)
    assert [each["permissions"]["keys"] for each in removed.json["properties"]["accessPolicies"]] == [["sign"]]


# ---- where a vault comes back


async def test_a_vault_comes_back_at_its_location_only(furnished):
    await furnished.a_vault()
    await furnished.ask("DELETE", vault_path())
    elsewhere = await furnished.ask("PUT", vault_path(), vault_body("eastus", createMode="recover"))
    assert (elsewhere.status, elsewhere.code) == (404, "DeletedVaultNotFound")
    back = await furnished.ask("PUT", vault_path(), vault_body("West Europe", createMode="recover"))
    assert back.status == 200


async def test_recovery_leaves_a_vault_as_it_was_whatever_else_is_said(furnished):
    made = await furnished.a_vault(sku={"family": "A", "name": "premium"}, tags={"a": "b"})
    await furnished.ask("DELETE", vault_path())
    said = {"tenantId": "0" * 8 + "-0000-0000-0000-" + "0" * 12, "createMode": "Recover", "enablePurgeProtection": True}
    back = await furnished.ask("PUT", vault_path(), {"location": "westeurope", "tags": {}, "properties": said})
    assert (back.json["properties"], back.json["tags"]) == (made["properties"], {"a": "b"})
