import json

import pytest

from doubles import TENANT
from management_doubles import (
    BASE,
    FOREIGN,
    RESOURCES,
    a_policy,
    deleted_path,
    group_path,
    vault_body,
    vault_path,
)
from strongroom.custody.store import Purpose

ALICE = "c0ffee00-0000-4000-8000-000000000001"
BOB = "c0ffee00-0000-4000-8000-000000000002"


@pytest.fixture
async def furnished(world):
    await world.a_group()
    return world


# ---- making and showing


async def test_a_new_vault_is_shown_as_the_service_shows_it(furnished):
    made = await furnished.a_vault(tags={"team": "red"}, accessPolicies=[a_policy(secrets=["Get", "LIST"])])
    app_id = furnished.owner.app_id
    data = made.pop("systemData")
    assert (data["createdBy"], data["createdByType"]) == (app_id, "Application")
    assert made == {
        "id": vault_path("kv1"),
        "name": "kv1",
        "type": "Microsoft.KeyVault/vaults",
        "location": "westeurope",
        "tags": {"team": "red"},
        "properties": {
            "sku": {"family": "A", "name": "standard"},
            "tenantId": TENANT.tenant_id,
            "accessPolicies": [
                {
                    "tenantId": TENANT.tenant_id,
                    "objectId": ALICE,
                    "permissions": {"keys": [], "secrets": ["get", "list"], "certificates": [], "storage": []},
                }
            ],
            "enabledForDeployment": False,
            "enabledForDiskEncryption": False,
            "enabledForTemplateDeployment": False,
            "enableSoftDelete": True,
            "softDeleteRetentionInDays": 90,
            "enableRbacAuthorization": True,
            "vaultUri": "https://kv1.vault.localhost:8443/",
            "provisioningState": "Succeeded",
            "publicNetworkAccess": "Enabled",
        },
    }


async def test_a_vault_gets_a_data_key_of_its_own(furnished):
    await furnished.a_vault()
    vault = await furnished.stores.vaults.find("kv1")
    assert await furnished.stores.keyring.newest(Purpose.VAULT, vault.vault_id) is not None


@pytest.mark.parametrize(
    ("version", "default"),
    [("2026-02-01", True), ("2026-05-15", True), ("2025-05-01", False), ("2015-06-01", False)],
)
async def test_rbac_is_the_default_from_2026_on(furnished, version, default):
    answer = await furnished.ask("PUT", vault_path(), vault_body(), version=version)
    assert answer.json["properties"]["enableRbacAuthorization"] is default


async def test_an_update_keeps_the_permission_model_whatever_the_api_version(furnished):
    await furnished.ask("PUT", vault_path(), vault_body(), version="2023-07-01")
    answer = await furnished.ask("PUT", vault_path(), vault_body(), version="2026-02-01")
    assert answer.json["properties"]["enableRbacAuthorization"] is False


async def test_the_name_is_kept_as_first_written_and_found_in_any_case(furnished):
    await furnished.a_vault("KeyVault1")
    answer = await furnished.ask("GET", vault_path("KEYVAULT1", "RG").replace("resourceGroups", "RESOURCEGROUPS"))
    assert (answer.json["name"], answer.json["id"]) == ("KeyVault1", vault_path("KeyVault1"))
    assert answer.json["properties"]["vaultUri"] == "https://keyvault1.vault.localhost:8443/"


async def test_the_vault_uri_follows_the_host_of_the_request(furnished):
    await furnished.a_vault()
    answer = await furnished.ask("GET", vault_path(), host="management.localhost")
    assert answer.json["properties"]["vaultUri"] == "https://kv1.vault.localhost/"


async def test_what_az_reads_it_may_send_back(furnished):
    made = await furnished.a_vault(
        networkAcls={"bypass": "AzureServices", "defaultAction": "Allow", "ipRules": [], "virtualNetworkRules": []},
        accessPolicies=[a_policy()],
        enablePurgeProtection=True,
        softDeleteRetentionInDays=7,
    )
    answer = await furnished.ask("PUT", vault_path(), made)
    assert answer.status == 200
    assert answer.json["properties"] == made["properties"]


# ---- rules


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"tenantId": None}, "BadRequest", "tenantId"),
        ({"tenantId": FOREIGN}, "BadRequest", TENANT.tenant_id),
        ({"sku": None}, "BadRequest", "sku"),
        ({"sku": {"family": "A", "name": "gold"}}, "SkuNotSupported", "gold"),
        ({"sku": {"family": "B", "name": "standard"}}, "SkuNotSupported", "family"),
        ({"accessPolicies": None, "enableRbacAuthorization": False}, "BadRequest", "accessPolicies is not specified"),
        ({"enableSoftDelete": False}, "BadRequest", '"enableSoftDelete" cannot be set to false'),
        ({"enablePurgeProtection": False}, "BadRequest", '"enablePurgeProtection" cannot be set to false'),
        ({"softDeleteRetentionInDays": 6}, "BadRequest", "softDeleteRetentionInDays"),
        ({"softDeleteRetentionInDays": 91}, "BadRequest", "softDeleteRetentionInDays"),
        ({"createMode": "clone"}, "BadRequest", "createMode"),
        ({"publicNetworkAccess": "perhaps"}, "BadRequest", "publicNetworkAccess"),
        ({"networkAcls": {"defaultAction": "Maybe"}}, "BadRequest", "defaultAction"),
        ({"networkAcls": {"bypass": "Everyone"}}, "BadRequest", "bypass"),
        ({"networkAcls": {"ipRules": [{"value": "1.2.3"}]}}, "BadRequest", "1.2.3 is not an IPv4 address"),
        ({"accessPolicies": [a_policy(secrets=["fly"])]}, "BadRequest", "'accessPolicies'"),
        ({"accessPolicies": [a_policy("me")]}, "BadRequest", "Invalid value found at accessPolicies[0].ObjectId: me"),
        ({"location": "atlantis"}, "RegionNotSupported", "atlantis"),
        ({"location": ""}, "LocationRequired", "location"),
        ({"tags": {"<>": "x"}}, "InvalidTags", "reserved"),
    ],
)
async def test_a_vault_that_breaks_a_rule_is_not_made(furnished, change, code, text):
    answer = await furnished.ask("PUT", vault_path(), vault_body(**change))
    assert (answer.status, answer.code) == (400, code)
    assert text in answer.message
    assert await furnished.stores.vaults.find("kv1") is None


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"location":"local"}', b'{"properties":7}', b"\xff", b'{"x":' + b"[" * 3000],
    ids=["none", "broken", "array", "no properties", "number", "no text", "deep"],
)
async def test_a_body_that_does_not_fit_is_refused_as_the_resource_manager_does(furnished, body):
    answer = await furnished.ask("PUT", vault_path(), body)
    assert (answer.status, answer.code) == (400, "InvalidRequestContent")


@pytest.mark.parametrize("name", ["ab", "a" * 25, "1abc", "abc-", "a--b", "a_bc", "k v1"])
async def test_a_bad_name_is_refused(furnished, name):
    answer = await furnished.ask("PUT", vault_path(name.replace(" ", "%20")), vault_body())
    assert (answer.status, answer.code) == (400, "VaultNameNotValid")


@pytest.mark.parametrize("properties", [{}, {"enablePurgeProtection": None}, {"enablePurgeProtection": True}])
async def test_purge_protection_is_true_or_absent_and_never_goes_back(furnished, properties):
    await furnished.a_vault(enablePurgeProtection=True)
    answer = await furnished.ask("PUT", vault_path(), vault_body(**properties))
    assert answer.json["properties"]["enablePurgeProtection"] is True
    refused = await furnished.ask("PATCH", vault_path(), {"properties": {"enablePurgeProtection": False}})
    assert refused.status == 400
    assert "enablePurgeProtection" not in (await furnished.a_vault("kv2"))["properties"]


async def test_retention_is_fixed_when_the_vault_is_made(furnished):
    await furnished.a_vault(softDeleteRetentionInDays=7)
    same = await furnished.ask("PUT", vault_path(), vault_body(softDeleteRetentionInDays=7))
    assert (same.status, same.json["properties"]["softDeleteRetentionInDays"]) == (200, 7)
    silent = await furnished.ask("PUT", vault_path(), vault_body())
    assert silent.json["properties"]["softDeleteRetentionInDays"] == 7
    for verb, body in (
        ("PUT", vault_body(softDeleteRetentionInDays=8)),
        ("PATCH", {"properties": {"softDeleteRetentionInDays": 8}}),
    ):
        answer = await furnished.ask(verb, vault_path(), body)
        assert (answer.status, answer.code) == (400, "BadRequest")
        assert "has been set already and it can't be modified" in answer.message


async def test_open_network_settings_are_accepted_and_echoed(furnished):
    made = await furnished.a_vault(networkAcls={"bypass": "none"}, publicNetworkAccess="Enabled")
    assert made["properties"]["networkAcls"] == {
        "bypass": "None",
        "defaultAction": "Allow",
        "ipRules": [],
        "virtualNetworkRules": [],
    }


async def test_a_put_replaces_what_it_does_not_say(furnished):
    await furnished.a_vault(
        tags={"a": "b"}, accessPolicies=[a_policy()], enabledForDeployment=True, networkAcls={"bypass": "None"}
    )
    made = await furnished.a_vault(sku={"name": "premium"})
    assert made["tags"] == {}
    assert made["properties"]["accessPolicies"] == []
    assert made["properties"]["enabledForDeployment"] is False
    assert "networkAcls" not in made["properties"]
    assert made["properties"]["sku"] == {"family": "A", "name": "premium"}


async def test_a_patch_keeps_what_it_does_not_say(furnished):
    before = await furnished.a_vault(tags={"a": "b"}, accessPolicies=[a_policy()])
    answer = await furnished.ask("PATCH", vault_path(), {"properties": {"enabledForTemplateDeployment": True}})
    assert answer.json["tags"] == {"a": "b"}
    assert answer.json["properties"] == before["properties"] | {"enabledForTemplateDeployment": True}
    answer = await furnished.ask("PATCH", vault_path(), {"tags": {"c": "d"}})
    assert answer.json["tags"] == {"c": "d"}


async def test_location_does_not_move(furnished):
    await furnished.a_vault()
    answer = await furnished.ask("PUT", vault_path(), vault_body(location="eastus"))
    assert (answer.status, answer.code) == (409, "InvalidResourceLocation")
    answer = await furnished.ask("PUT", vault_path(), vault_body(location="West Europe"))
    assert answer.status == 200


async def test_names_are_unique_everywhere(furnished):
    await furnished.a_group("other")
    await furnished.a_vault()
    answer = await furnished.ask("PUT", vault_path(group="other"), vault_body())
    assert (answer.status, answer.code) == (409, "VaultAlreadyExists")
    await furnished.ask("DELETE", vault_path())
    for group in ("rg", "other"):
        answer = await furnished.ask("PUT", vault_path(group=group), vault_body())
        assert (answer.status, answer.code) == (409, "ConflictError")
        assert "already exists in deleted state" in answer.message


@pytest.mark.parametrize("verb", ["GET", "PATCH"])
async def test_what_is_not_there_is_not_found(furnished, verb):
    answer = await furnished.ask(verb, vault_path("none"), None if verb == "GET" else {})
    assert (answer.status, answer.code) == (404, "ResourceNotFound")
    answer = await furnished.ask(verb, vault_path("none", "nowhere"), None if verb == "GET" else {})
    assert (answer.status, answer.code) == (404, "ResourceGroupNotFound")


async def test_a_vault_of_another_group_is_not_found_in_this_one(furnished):
    await furnished.a_group("other")
    await furnished.a_vault()
    assert (await furnished.ask("GET", vault_path(group="other"))).code == "ResourceNotFound"


async def test_a_vault_needs_its_group(furnished):
    answer = await furnished.ask("PUT", vault_path(group="nowhere"), vault_body())
    assert (answer.status, answer.code) == (404, "ResourceGroupNotFound")


# ---- who decides on access to data


async def test_changing_the_permission_model_takes_who_may_assign_roles(furnished):
    contributor = await furnished.someone("Contributor")
    await furnished.a_vault(enableRbacAuthorization=False)
    for verb, body in (
        ("PUT", vault_body(enableRbacAuthorization=True)),
        ("PATCH", {"properties": {"enableRbacAuthorization": True}}),
    ):
        answer = await furnished.ask(verb, vault_path(), body, who=contributor)
        assert (answer.status, answer.code) == (403, "InsufficientPermissions")
        assert answer.message == (
            "Caller is not allowed to change permission model. For more information on how to change the permissions "
            "model follow this link: https://go.microsoft.com/fwlink/?linkid=2155160. Details: "
            f"oid={contributor.object_id}; action=Microsoft.Authorization/roleAssignments/write; "
            f"resource={vault_path().replace('resourceGroups', 'resourcegroups')}; decision=NotAllowed;"
        )
    kept = await furnished.ask(
        "PATCH", vault_path(), {"properties": {"enableRbacAuthorization": False}}, who=contributor
    )
    assert kept.status == 200
    changed = await furnished.ask("PATCH", vault_path(), {"properties": {"enableRbacAuthorization": True}})
    assert changed.json["properties"]["enableRbacAuthorization"] is True
    record = furnished.records()[-1]
    assert record["properties"]["enableRbacAuthorization"] is True


async def change_policies(world, kind, *policies):
    return await world.ask(
        "PUT", f"{vault_path()}/accessPolicies/{kind}", {"properties": {"accessPolicies": list(policies)}}
    )


def held(answer):
    return {
        entry["objectId"]: {kind: names for kind, names in entry["permissions"].items() if names}
        for entry in answer.json["properties"]["accessPolicies"]
    }


async def test_policies_are_added_replaced_and_removed(furnished):
    await furnished.a_vault(accessPolicies=[a_policy(BOB)])
    added = await change_policies(furnished, "add", a_policy(ALICE, secrets=["get"], keys=["sign"]))
    assert held(added) == {BOB: {"secrets": ["get", "list"]}, ALICE: {"secrets": ["get"], "keys": ["sign"]}}
    assert added.json["type"] == "Microsoft.KeyVault/vaults/accessPolicies"
    added = await change_policies(furnished, "Add", a_policy(ALICE.upper(), secrets=["SET"]))
    assert held(added)[ALICE] == {"secrets": ["get", "set"], "keys": ["sign"]}
    replaced = await change_policies(furnished, "replace", a_policy(ALICE, secrets=["list"]))
    assert held(replaced) == {BOB: {"secrets": ["get", "list"]}, ALICE: {"secrets": ["list"]}}
    removed = await change_policies(furnished, "remove", a_policy(BOB, secrets=["get"]), a_policy(ALICE))
    assert held(removed) == {BOB: {"secrets": ["list"]}}
    assert held(await furnished.ask("GET", vault_path())) == {BOB: {"secrets": ["list"]}}


async def test_an_unknown_policy_operation_is_refused(furnished):
    await furnished.a_vault()
    answer = await change_policies(furnished, "drop", a_policy())
    assert (answer.status, answer.code) == (400, "BadRequest")


async def test_a_policy_change_is_recorded_with_who_and_what(furnished):
    await furnished.a_vault(accessPolicies=[a_policy(BOB)])
    made = furnished.records()[-1]
    assert (made["operationName"], made["category"]) == ("VaultPut", "AuditEvent")
    assert made["resourceId"] == vault_path().upper()
    assert made["properties"]["id"] == "https://kv1.vault.localhost:8443/"
    await change_policies(furnished, "replace", a_policy(BOB, secrets=["list", "set"]))
    record = furnished.records()[-1]
    assert record["operationName"] == "VaultPatch"
    assert record["identity"]["claim"]["appid"] == furnished.owner.app_id
    assert record["properties"]["accessPolicyChanges"] == [
        {
            "tenantId": TENANT.tenant_id,
            "objectId": BOB,
            "applicationId": None,
            "granted": ["secrets/set"],
            "revoked": ["secrets/get"],
        }
    ]
    await furnished.ask("PATCH", vault_path(), {"tags": {"a": "b"}})
    assert "accessPolicyChanges" not in furnished.records()[-1]["properties"]


async def test_a_refused_change_changes_nothing_and_is_recorded(furnished):
    reader = await furnished.someone("Reader")
    await furnished.a_vault()
    answer = await furnished.ask("PATCH", vault_path(), {"tags": {"a": "b"}}, who=reader)
    assert (answer.status, answer.code) == (403, "AuthorizationFailed")
    assert (await furnished.stores.vaults.find("kv1")).tags == ()
    record = furnished.records()[-1]
    assert (record["operationName"], record["resultType"]) == ("VaultPatch", "Failed")
    assert (record["resultSignature"], record["properties"]["isRbacAuthorized"]) == ("Forbidden", False)


# ---- lists


async def test_lists_by_group_and_by_subscription(furnished):
    await furnished.a_group("other")
    await furnished.a_vault("kv1")
    await furnished.a_vault("kv2", "other")
    path = f"{group_path()}/providers/Microsoft.KeyVault/vaults"
    assert [v["name"] for v in (await furnished.ask("GET", path)).json["value"]] == ["kv1"]
    path = f"{BASE}/providers/Microsoft.KeyVault/vaults"
    assert [v["name"] for v in (await furnished.ask("GET", path)).json["value"]] == ["kv1", "kv2"]
    path = f"{group_path('nowhere')}/providers/Microsoft.KeyVault/vaults"
    assert (await furnished.ask("GET", path)).code == "ResourceGroupNotFound"
    assert furnished.records()[-1]["operationName"] == "VaultList"


async def test_pages_follow_each_other_and_tokens_open_where_they_were_given_only(furnished):
    for name in ("kv1", "kv2", "kv3"):
        await furnished.a_vault(name)
    path = f"{BASE}/providers/Microsoft.KeyVault/vaults"
    first = await furnished.ask("GET", path, query="$top=2")
    assert [v["name"] for v in first.json["value"]] == ["kv1", "kv2"]
    link = first.json["nextLink"]
    assert link.startswith(f"https://management.localhost:8443{path}?api-version=2026-02-01&$top=2&$skiptoken=")
    query = link.partition("?")[2].partition("&")[2]
    second = await furnished.ask("GET", path, query=query)
    assert [v["name"] for v in second.json["value"]] == ["kv3"]
    assert "nextLink" not in second.json
    for elsewhere in (
        f"{group_path()}/providers/Microsoft.KeyVault/vaults",
        f"{BASE}/providers/Microsoft.KeyVault/deletedVaults",
    ):
        assert (await furnished.ask("GET", elsewhere, query=query)).status == 400
    assert (await furnished.ask("GET", path, query=query, host="management.localhost")).status == 400
    assert (await furnished.ask("GET", path, query="$top=2&$skiptoken=AAAA")).status == 400


@pytest.mark.parametrize("top", ["0", "-1", "x", "1001", "", "²", "00000000199999", "000000001" + "9" * 5000])
async def test_a_page_has_a_size(furnished, top):
    answer = await furnished.ask("GET", f"{BASE}/providers/Microsoft.KeyVault/vaults", query=f"$top={top}")
    assert (answer.status, answer.code) == (400, "InvalidTopValue")


# ---- the end of a vault


async def test_a_deleted_vault_is_shown_recovered_and_purged(furnished):
    made = await furnished.a_vault(tags={"a": "b"}, enableRbacAuthorization=False, accessPolicies=[a_policy()])
    assert (await furnished.ask("DELETE", vault_path())).status == 200
    assert (await furnished.ask("DELETE", vault_path())).status == 204
    assert (await furnished.ask("GET", vault_path())).code == "ResourceNotFound"
    shown = (await furnished.ask("GET", deleted_path())).json
    assert (shown["id"], shown["name"], shown["type"]) == (deleted_path(), "kv1", "Microsoft.KeyVault/deletedVaults")
    assert set(shown["properties"]) == {"vaultId", "location", "tags", "deletionDate", "scheduledPurgeDate"}
    assert shown["properties"]["vaultId"] == vault_path()
    listed = await furnished.ask("GET", f"{BASE}/providers/Microsoft.KeyVault/deletedVaults")
    assert listed.json["value"] == [shown]

    recovered = await furnished.ask(
        "PUT", vault_path(), vault_body(createMode="recover", accessPolicies=None, enableRbacAuthorization=True)
    )
    assert recovered.status == 200
    assert recovered.json["properties"] == made["properties"]
    assert furnished.records()[-1]["operationName"] == "VaultRecover"
    assert (await furnished.ask("GET", deleted_path())).code == "DeletedVaultNotFound"

    await furnished.ask("DELETE", vault_path())
    purged = await furnished.ask("POST", deleted_path() + "/purge")
    assert purged.status == 202
    assert purged.headers["retry-after"] == "1"
    assert await furnished.stores.vaults.find("kv1") is None
    assert not [key for key in furnished.stores.keyring.keys if key.purpose is Purpose.VAULT]
    record = furnished.records()[-1]
    assert (record["operationName"], record["resourceId"]) == ("VaultPurge", vault_path().upper())
    where = purged.headers["location"].removeprefix("https://management.localhost:8443")
    done = await furnished.ask("GET", where.partition("?")[0])
    assert done.status == 200
    assert (await furnished.ask("GET", where.partition("?")[0][:-4] + "AAAA")).code == "OperationNotFound"
    assert (await furnished.ask("POST", deleted_path() + "/purge")).code == "DeletedVaultNotFound"


@pytest.mark.parametrize("path", [deleted_path("none"), deleted_path(location="eastus"), deleted_path("kv2")])
async def test_an_unknown_deleted_vault_is_not_found(furnished, path):
    await furnished.a_vault()
    await furnished.a_vault("kv2")
    await furnished.ask("DELETE", vault_path())
    for verb, target in (("GET", path), ("POST", path + "/purge")):
        answer = await furnished.ask(verb, target)
        assert (answer.status, answer.code) == (404, "DeletedVaultNotFound")


async def test_purge_protection_holds_against_an_owner_until_the_time_has_come(furnished):
    await furnished.a_vault(enablePurgeProtection=True, softDeleteRetentionInDays=7)
    await furnished.ask("DELETE", vault_path())
    assert (await furnished.ask("GET", deleted_path())).json["properties"]["purgeProtectionEnabled"] is True
    answer = await furnished.ask("POST", deleted_path() + "/purge")
    assert (answer.status, answer.code, answer.headers["allow"]) == (405, "MethodNotAllowed", "")
    assert answer.message == "Operation 'DeletedVaultPurge' is not allowed."
    await furnished.move_clock(days=7, seconds=1)
    assert (await furnished.ask("GET", deleted_path())).code == "DeletedVaultNotFound"
    assert (await furnished.ask("POST", deleted_path() + "/purge")).code == "DeletedVaultNotFound"
    recover = await furnished.ask("PUT", vault_path(), vault_body(createMode="recover"))
    assert recover.code == "DeletedVaultNotFound"
    listed = await furnished.ask("GET", f"{BASE}/providers/Microsoft.KeyVault/deletedVaults")
    assert listed.json["value"] == []
    assert "enablePurgeProtection" not in (await furnished.a_vault())["properties"]
    assert len([key for key in furnished.stores.keyring.keys if key.purpose is Purpose.VAULT]) == 1


async def test_recovery_is_for_deleted_vaults_in_their_own_place(furnished):
    await furnished.a_group("other")
    body = vault_body(createMode="recover")
    assert (await furnished.ask("PUT", vault_path(), body)).code == "DeletedVaultNotFound"
    await furnished.a_vault()
    assert (await furnished.ask("PUT", vault_path(), body)).code == "VaultAlreadyExists"
    await furnished.ask("DELETE", vault_path())
    assert (await furnished.ask("PUT", vault_path(group="other"), body)).code == "BadRequest"
    assert (await furnished.ask("PUT", vault_path(), body)).status == 200


async def test_roles_at_a_vault_go_with_it_and_do_not_come_back(furnished):
    await furnished.a_vault()
    reader = await furnished.someone("Reader", vault_path())
    await furnished.give(furnished.owner, "Reader", vault_path())
    assert (await furnished.ask("GET", vault_path(), who=reader)).status == 200
    await furnished.ask("DELETE", vault_path())
    await furnished.ask("PUT", vault_path(), vault_body(createMode="recover"))
    assert (await furnished.ask("GET", vault_path(), who=reader)).status == 403
    assert (await furnished.ask("GET", vault_path())).status == 200


async def test_a_group_takes_its_vaults_along(furnished):
    await furnished.a_vault()
    reader = await furnished.someone("Reader", group_path())
    answer = await furnished.ask("DELETE", group_path(), version=RESOURCES)
    assert answer.status == 202
    assert furnished.records()[-1]["properties"]["deletedVaults"] == [vault_path()]
    where = answer.headers["location"].removeprefix("https://management.localhost:8443").partition("?")[0]
    assert (await furnished.ask("GET", where, version=RESOURCES)).status == 200
    assert (await furnished.ask("GET", deleted_path())).status == 200
    recover = vault_body(createMode="recover")
    assert (await furnished.ask("PUT", vault_path(), recover)).code == "ResourceGroupNotFound"
    await furnished.a_group()
    assert (await furnished.ask("PUT", vault_path(), recover)).status == 200
    assert (await furnished.ask("GET", group_path(), who=reader, version=RESOURCES)).status == 403


# ---- names


@pytest.mark.parametrize(
    ("name", "reason"),
    [("free1", None), ("kv1", "AlreadyExists"), ("KV2", "AlreadyExists"), ("a", "AccountNameInvalid")],
)
async def test_a_name_is_free_or_not(furnished, name, reason):
    await furnished.a_vault("kv1")
    await furnished.a_vault("kv2")
    await furnished.ask("DELETE", vault_path("kv2"))
    answer = await furnished.ask(
        "POST",
        f"{BASE}/providers/Microsoft.KeyVault/checkNameAvailability",
        {"name": name, "type": "Microsoft.KeyVault/vaults"},
    )
    assert answer.json["nameAvailable"] is (reason is None)
    assert answer.json.get("reason") == reason
    assert furnished.records()[-1]["operationName"] == "VaultCheckNameAvailability"


async def test_a_name_is_free_again_when_retention_has_passed(furnished):
    await furnished.a_vault(softDeleteRetentionInDays=7)
    await furnished.ask("DELETE", vault_path())
    await furnished.move_clock(days=8)
    body = {"name": "kv1", "type": "Microsoft.KeyVault/vaults"}
    answer = await furnished.ask("POST", f"{BASE}/providers/Microsoft.KeyVault/checkNameAvailability", body)
    assert answer.json == {"nameAvailable": True}


@pytest.mark.parametrize("body", [{"name": "kv1"}, {"name": "kv1", "type": "x"}, {}])
async def test_a_name_check_says_what_it_asks_about(furnished, body):
    answer = await furnished.ask("POST", f"{BASE}/providers/Microsoft.KeyVault/checkNameAvailability", body)
    assert (answer.status, answer.code) == (400, "InvalidRequestContent")


async def test_answers_are_json_that_says_so(furnished):
    await furnished.a_vault()
    answer = await furnished.ask("GET", vault_path())
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert json.loads(answer.raw)
