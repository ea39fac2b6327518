import pytest

from doubles import TENANT
from management_doubles import BASE, FOREIGN, RESOURCES, SUBSCRIPTION, group_path


async def test_the_metadata_are_open_to_all_and_follow_the_host(world):
    answer = await world.send("GET", "//metadata/endpoints?api-version=2022-09-01")
    cloud = answer.json
    assert answer.status == 200
    assert cloud["authentication"]["loginEndpoint"] == "https://login.localhost:8443"
    assert cloud["authentication"]["audiences"][0] == "https://management.localhost:8443"
    assert cloud["suffixes"] == {"keyVaultDns": "vault.localhost:8443", "mhsmDns": "managedhsm.localhost:8443"}
    assert cloud["resourceManager"] == "https://management.localhost:8443"
    assert cloud["microsoftGraphResourceId"] == "https://graph.localhost:8443/"
    assert world.records()[-1]["operationName"] == "metadata/endpoints/read"


async def test_older_metadata_are_a_list_of_clouds(world):
    answer = await world.send("GET", "/metadata/endpoints?api-version=2019-05-01", host="management.localhost")
    (cloud,) = answer.json
    assert cloud["suffixes"]["keyVaultDns"] == "vault.localhost"


@pytest.mark.parametrize(
    ("query", "code"),
    [("", "MissingApiVersionParameter"), ("?api-version=x", "InvalidApiVersionParameter")],
)
async def test_metadata_have_versions_too(world, query, code):
    answer = await world.send("GET", "/metadata/endpoints" + query)
    assert (answer.status, answer.code) == (400, code)


async def test_tenants_are_the_callers_own(world):
    (tenant,) = (await world.ask("GET", "/tenants", version=RESOURCES)).json["value"]
    assert (tenant["tenantId"], tenant["displayName"]) == (TENANT.tenant_id, TENANT.display_name)


@pytest.mark.parametrize(
    ("role", "scope", "seen"),
    [
        (None, BASE, False),
        ("Reader", BASE, True),
        ("Key Vault Secrets User", group_path(), True),
        ("Owner", f"/subscriptions/{FOREIGN}", False),
    ],
)
async def test_a_subscription_is_seen_by_who_holds_a_role_in_it(world, role, scope, seen):
    await world.a_group()
    someone = await world.someone(role, scope)
    listed = (await world.ask("GET", "/subscriptions", version=RESOURCES, who=someone)).json["value"]
    assert [s["subscriptionId"] for s in listed] == ([SUBSCRIPTION] if seen else [])
    answer = await world.ask("GET", BASE, version=RESOURCES, who=someone)
    assert answer.status == (200 if seen else 403)
    if seen:
        assert answer.json == listed[0]
        assert answer.json["id"] == BASE
        assert answer.json["state"] == "Enabled"
        assert answer.json["tenantId"] == TENANT.tenant_id
    else:
        assert answer.code == "AuthorizationFailed"


async def test_locations_begin_with_the_servers_own(world):
    listed = (await world.ask("GET", f"{BASE}/locations", version=RESOURCES)).json["value"]
    assert listed[0]["name"] == "local"
    assert {"westeurope", "eastus"} <= {location["name"] for location in listed}


async def test_providers_are_registered_always(world):
    listed = (await world.ask("GET", f"{BASE}/providers", version=RESOURCES)).json["value"]
    assert {provider["namespace"] for provider in listed} == {
        "Microsoft.Authorization",
        "Microsoft.Insights",
        "Microsoft.KeyVault",
        "Microsoft.Network",
        "Microsoft.Resources",
    }
    for verb, path in (
        ("GET", f"{BASE}/providers/microsoft.keyvault"),
        ("POST", f"{BASE}/providers/Microsoft.KeyVault/register"),
        ("POST", f"{BASE}/providers/Microsoft.KeyVault/unregister"),
        ("GET", "/providers/Microsoft.KeyVault"),
    ):
        answer = await world.ask(verb, path, version=RESOURCES)
        assert answer.json["registrationState"] == "Registered"
        vaults = next(t for t in answer.json["resourceTypes"] if t["resourceType"] == "vaults")
        assert vaults["defaultApiVersion"] == "2026-05-15"
    assert len((await world.ask("GET", "/providers", version=RESOURCES)).json["value"]) == 5


async def test_the_types_of_a_provider_are_listed(world):
    path = f"{BASE}/providers/Microsoft.KeyVault"
    types = (await world.ask("GET", f"{path}/resourceTypes", version=RESOURCES)).json["value"]
    assert types == (await world.ask("GET", path, version=RESOURCES)).json["resourceTypes"]


@pytest.mark.parametrize(
    ("namespace", "status"), [("Microsoft.Compute", 404), ("a%20b", 400), ("-", 400), ("{subscription}", 400)]
)
async def test_an_unknown_provider_is_not_found(world, namespace, status):
    for verb, path in (("GET", ""), ("POST", "/register")):
        answer = await world.ask(verb, f"{BASE}/providers/{namespace}{path}", version=RESOURCES)
        assert (answer.status, answer.code) == (status, "InvalidResourceNamespace")


@pytest.mark.parametrize(
    ("verb", "place", "kind"),
    [
        ("GET", BASE, "privateEndpoints"),
        ("PUT", group_path(), "networkSecurityGroups/nsg"),
        ("DELETE", group_path(), "privateEndpoints/pe"),
        ("GET", group_path(), "virtualNetworks/net/virtualNetworkPeerings"),
        ("GET", "", "privateLinkServices"),
    ],
)
async def test_a_type_that_a_provider_has_not_is_told_with_those_that_it_has(world, verb, place, kind):
    nobody = await world.someone()
    path = f"{place}/providers/microsoft.network/{kind}"
    answer = await world.ask(verb, path, {} if verb == "PUT" else None, version="2024-05-01", who=nobody)
    assert (answer.status, answer.code) == (404, "InvalidResourceType")
    assert answer.message == (
        "The resource type could not be found in the namespace 'Microsoft.Network' for api version '2024-05-01'. This "
        "server has of that namespace: virtualNetworks, virtualNetworks/subnets, operations."
    )
    assert world.records()[-1]["resultDescription"] == answer.message


@pytest.mark.parametrize(
    "path", ["Microsoft.Compute/virtualMachines", "Microsoft.Network/virtualNetworks/net", "Strongroom.Access/other"]
)
async def test_what_names_no_provider_of_ours_or_a_type_of_one_is_an_unknown_path(world, path):
    answer = await world.ask("GET", f"{BASE}/providers/{path}", version="2024-05-01")
    assert (answer.status, answer.code) == (404, "NotFound")


async def test_another_verb_of_a_path_that_is_there_is_not_allowed(world):
    answer = await world.ask("DELETE", f"{BASE}/providers/Microsoft.Network/virtualNetworks", version="2024-05-01")
    assert (answer.status, answer.code) == (405, "MethodNotAllowed")


async def test_registering_takes_the_providers_own_permission(world):
    contributor = await world.someone("Key Vault Contributor")
    for namespace, status in (("Microsoft.KeyVault", 200), ("Microsoft.Resources", 403)):
        answer = await world.ask("POST", f"{BASE}/providers/{namespace}/register", version=RESOURCES, who=contributor)
        assert answer.status == status


async def test_operations_list_what_roles_may_grant(world):
    stranger = await world.someone()
    listed = (await world.ask("GET", "/providers/Microsoft.KeyVault/operations", who=stranger)).json["value"]
    data = {entry["name"] for entry in listed if entry["isDataAction"]}
    assert "Microsoft.KeyVault/vaults/secrets/getSecret/action" in data
    assert {"Microsoft.KeyVault/vaults/write"} <= {entry["name"] for entry in listed if not entry["isDataAction"]}


async def test_managed_hsms_are_none(world):
    await world.a_group()
    provider = f"{BASE}/providers/Microsoft.KeyVault"
    for path in (
        f"{provider}/managedHSMs",
        f"{group_path()}/providers/Microsoft.KeyVault/managedHSMs",
        f"{provider}/deletedManagedHSMs",
    ):
        assert (await world.ask("GET", path)).json == {"value": []}
    for path, code in (
        (f"{group_path()}/providers/Microsoft.KeyVault/managedHSMs/h1", "ResourceNotFound"),
        (f"{group_path('no')}/providers/Microsoft.KeyVault/managedHSMs", "ResourceGroupNotFound"),
        (f"{provider}/locations/local/deletedManagedHSMs/h1", "DeletedManagedHsmNotFound"),
    ):
        answer = await world.ask("GET", path)
        assert (answer.status, answer.code) == (404, code)


@pytest.mark.parametrize(("name", "available"), [("hsm1", True), ("1", False)])
async def test_a_managed_hsms_name(world, name, available):
    path = f"{BASE}/providers/Microsoft.KeyVault/checkMhsmNameAvailability"
    assert (await world.ask("POST", path, {"name": name})).json["nameAvailable"] is available
