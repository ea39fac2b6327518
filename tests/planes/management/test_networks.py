"""Virtual networks and subnets over the wire: what is kept, refused, listed, locked and removed."""

import pytest

from management_doubles import BASE, RESOURCES, group_path, vault_path
from strongroom.clock import real_now
from strongroom.planes.management import networks
from strongroom.vaults.service import delete_group

VERSION = "2025-07-01"
NETWORKS = f"{group_path()}/providers/Microsoft.Network/virtualNetworks"
NETWORK = f"{NETWORKS}/net"
SUBNET = f"{NETWORK}/subnets/web"
ENDPOINT = {"service": "Microsoft.KeyVault"}


@pytest.fixture
async def furnished(world):
    await world.a_group()
    return world


async def ask(world, method, path=NETWORK, body=None, **more):
    return await world.ask(method, path, body, version=more.pop("version", VERSION), **more)


def a_body(*subnets, prefixes=("10.0.0.0/16",), **properties):
    named = [{"name": name, "properties": said} for name, said in subnets]
    space = {"addressSpace": {"addressPrefixes": list(prefixes)}}
    return {"location": "West Europe", "properties": space | ({"subnets": named} if named else {}) | properties}


async def made(world, *subnets, path=NETWORK, **said):
    answer = await ask(world, "PUT", path, a_body(*subnets, **said))
    assert answer.status in {200, 201}, answer.raw
    return answer.json


async def test_the_life_of_a_network(furnished):
    body = a_body(("web", {"addressPrefix": "10.0.1.0/24", "serviceEndpoints": [ENDPOINT]})) | {"tags": {"a": "b"}}
    answer = await ask(furnished, "PUT", NETWORK, body)
    assert answer.status == 201
    network = answer.json
    etag = network["etag"]
    assert (answer.headers["etag"], network["id"], network["name"]) == (etag, NETWORK, "net")
    assert (network["type"], network["location"]) == ("Microsoft.Network/virtualNetworks", "westeurope")
    assert network["tags"] == {"a": "b"}
    assert network["properties"]["addressSpace"] == {"addressPrefixes": ["10.0.0.0/16"]}
    (subnet,) = network["properties"]["subnets"]
    assert subnet == {
        "id": SUBNET,
        "name": "web",
        "type": "Microsoft.Network/virtualNetworks/subnets",
        "etag": etag,
        "properties": {
            "provisioningState": "Succeeded",
            "addressPrefix": "10.0.1.0/24",
            "serviceEndpoints": [{"provisioningState": "Succeeded", "locations": ["*"], **ENDPOINT}],
            "delegations": [],
            "privateEndpointNetworkPolicies": "Disabled",
            "privateLinkServiceNetworkPolicies": "Enabled",
        },
    }
    assert (await ask(furnished, "GET", NETWORK.replace("net", "NET").replace("rg", "RG"))).json == network
    again = await ask(furnished, "PUT", NETWORK, network)
    assert (again.status, again.json["properties"]) == (200, network["properties"] | {"subnets": [subnet | {
        "etag": again.json["etag"]}]})  # fmt: skip
    assert again.json["etag"] != etag
    kept = await ask(furnished, "PUT", NETWORK, a_body())  # says nothing of subnets
    assert [each["name"] for each in kept.json["properties"]["subnets"]] == ["web"]
    emptied = await ask(furnished, "PUT", NETWORK, a_body(subnets=[]))
    assert emptied.json["properties"]["subnets"] == []
    assert [(await ask(furnished, "DELETE")).status for _ in range(2)] == [200, 204]
    gone = await ask(furnished, "GET")
    assert (gone.status, gone.code) == (404, "ResourceNotFound")


async def test_the_life_of_a_subnet(furnished):
    await made(furnished)
    body = {"properties": {"addressPrefixes": ["10.0.1.0/24", "10.0.3.0/24"]}}
    assert [(await ask(furnished, "PUT", SUBNET, body)).status for _ in range(2)] == [201, 200]
    shown = (await ask(furnished, "GET", SUBNET)).json
    assert shown["properties"]["addressPrefixes"] == ["10.0.1.0/24", "10.0.3.0/24"]
    assert (await ask(furnished, "GET", f"{NETWORK}/subnets")).json == {"value": [shown]}
    assert [(await ask(furnished, "DELETE", SUBNET)).status for _ in range(2)] == [200, 204]
    gone = await ask(furnished, "GET", SUBNET)
    assert (gone.status, gone.code) == (404, "NotFound")
    assert (await ask(furnished, "PUT", f"{NETWORKS}/none/subnets/web", body)).code == "ResourceNotFound"


async def test_a_change_happens_only_to_what_it_expects(furnished):
    network = await made(furnished, ("web", {"addressPrefix": "10.0.1.0/24"}))
    stale = {"if-match": 'W/"00000000-0000-4000-8000-000000000000"'}
    subnet = {"properties": {"addressPrefix": "10.0.2.0/24"}}
    for method, path, body in (
        ("PUT", NETWORK, a_body()),
        ("PATCH", NETWORK, {"tags": {}}),
        ("DELETE", NETWORK, None),
        ("PUT", SUBNET, subnet),
        ("DELETE", SUBNET, None),
        ("PUT", f"{NETWORKS}/new", a_body()),
    ):
        refused = await ask(furnished, method, path, body, headers=stale)
        assert (refused.status, refused.code) == (412, "PreconditionFailed")
    assert (await ask(furnished, "PUT", NETWORK, a_body(), headers={"if-none-match": "*"})).status == 412
    assert (await ask(furnished, "PUT", SUBNET, subnet, headers={"if-match": network["etag"]})).status == 200
    assert (await ask(furnished, "PUT", SUBNET, subnet, headers={"if-match": network["etag"]})).status == 412
    assert (await ask(furnished, "PUT", NETWORK, a_body(), headers={"if-match": "*"})).status == 200
    twice = await ask(furnished, "DELETE", headers=stale, repeated=(b"if-match",))
    assert (twice.status, twice.code) == (400, "InvalidHeader")


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        (f"{NETWORKS}/-net", a_body(), "InvalidResourceName"),
        (f"{NETWORK}/subnets/web.", {"properties": {"addressPrefix": "10.0.1.0/24"}}, "InvalidResourceName"),
        (NETWORK, a_body(prefixes=()), "AddressPrefixMissing"),
        (NETWORK, a_body(prefixes=("10.0.0.0",)), "InvalidAddressPrefixFormat"),
        (NETWORK, a_body(prefixes=("10.0.0.1/16",)), "InvalidCIDRNotation"),
        (NETWORK, a_body(prefixes=("0.0.0.0/1",)), "InvalidAddressPrefix"),
        (NETWORK, a_body(prefixes=("::ffff:10.0.0.0/104",)), "InvalidAddressPrefix"),
        (NETWORK, a_body(prefixes=("10.0.0.0/16", "10.0.1.0/24")), "AddressPrefixesOverlap"),
        (NETWORK, a_body(("web", {"addressPrefix": "10.1.0.0/24"})), "NetcfgSubnetRangeOutsideVnet"),
        (NETWORK, a_body((None, {"addressPrefix": "10.0.0.0/24"})), "InvalidResourceName"),
        (NETWORK, a_body(*[(name, {"addressPrefix": "10.0.0.0/24"}) for name in "ab"]), "NetcfgSubnetRangesOverlap"),
        (NETWORK, a_body(("a", {"addressPrefix": "10.0.0.0/24"}), ("A", {"addressPrefix": "10.0.1.0/24"})),
         "DuplicateResourceName"),
        (NETWORK, a_body(prefixes=("10.1.0.0/16",)), "NetcfgSubnetRangeOutsideVnet"),  # shrunk below what is there
        (NETWORK, a_body() | {"location": "mars"}, "LocationNotAvailableForResourceType"),
        (NETWORK, a_body() | {"location": None}, "LocationRequired"),
        (NETWORK, a_body() | {"location": "eastus"}, "InvalidResourceLocation"),
        (NETWORK, a_body() | {"tags": {"a/b": ""}}, "InvalidTags"),
        (NETWORK, a_body(enableDdosProtection=True), "UnsupportedProperty"),
        (NETWORK, a_body(dhcpOptions={"dnsServers": ["10.0.0.4"]}), "UnsupportedProperty"),
        (NETWORK, a_body(("web", {"addressPrefix": "10.0.1.0/24", "networkSecurityGroup": {"id": "/x"}})),
         "UnsupportedProperty"),
        (NETWORK, a_body(("web", {"addressPrefix": "10.0.1.0/24", "serviceEndpoints": [{"service": "x"}]})),
         "InvalidServiceEndpoint"),
        (NETWORK, a_body(("web", {"addressPrefix": "10.0.1.0/24", "serviceEndpoints": [ENDPOINT | {"locations": [
            "mars"]}]})), "InvalidServiceEndpoint"),
        (NETWORK, a_body(("web", {"addressPrefix": "10.0.1.0/24", "addressPrefixes": ["10.0.2.0/24"]})),
         "InvalidAddressPrefix"),
        (NETWORK, a_body(*[(f"s{number}", {}) for number in range(3001)]), "SubnetCountLimitReached"),
    ],
)  # fmt: skip
async def test_what_is_refused_changes_nothing(furnished, path, body, code):
    before = await made(furnished, ("kept", {"addressPrefix": "10.0.9.0/24"}))
    refused = await ask(furnished, "PUT", path, body)
    assert (refused.status, refused.code) == (409 if code in {"InvalidResourceLocation", "SubnetCountLimitReached"} else
                                              400, code)  # fmt: skip
    assert (await ask(furnished, "GET")).json == before


async def test_tags_are_replaced_by_both_ways(furnished):
    await made(furnished)
    assert (await ask(furnished, "PATCH", NETWORK, {"tags": {"x": "y"}})).json["tags"] == {"x": "y"}
    extension = f"{NETWORK}/providers/Microsoft.Resources/tags/default"
    merged = {"operation": "Merge", "properties": {"tags": {"z": "1"}}}
    answer = await furnished.ask("PATCH", extension, merged, version=RESOURCES)
    assert answer.json["properties"]["tags"] == {"x": "y", "z": "1"}
    assert (await ask(furnished, "GET")).json["tags"] == {"x": "y", "z": "1"}


async def test_networks_are_listed_with_all_resources(furnished):
    await furnished.a_group("other")
    await furnished.a_vault("kv1")
    await made(furnished)
    other = NETWORK.replace("/rg/", "/other/")
    await made(furnished, path=other)
    provider = f"{BASE}/providers/Microsoft.Network/virtualNetworks"
    assert [each["id"] for each in (await ask(furnished, "GET", NETWORKS)).json["value"]] == [NETWORK]
    assert [each["id"] for each in (await ask(furnished, "GET", provider)).json["value"]] == [other, NETWORK]
    every = await furnished.all_pages(f"{BASE}/resources", "$top=1", version=RESOURCES)
    assert [each["id"] for each in every] == [vault_path(), other, NETWORK]
    wanted = "$filter=resourceType eq 'Microsoft.Network/virtualNetworks'"
    found = await furnished.ask("GET", f"{group_path()}/resources", version=RESOURCES, query=wanted)
    assert [each["id"] for each in found.json["value"]] == [NETWORK]


async def test_a_page_has_no_more_networks_than_one_answer_can_hold(furnished, monkeypatch):
    monkeypatch.setattr(networks, "MAX_PAGE", 2)
    for number in range(5):
        await made(furnished, path=f"{NETWORKS}/net{number}")
    page = (await ask(furnished, "GET", NETWORKS, query="$top=1000")).json
    assert ([each["name"] for each in page["value"]], "nextLink" in page) == (["net0", "net1"], True)
    found = await furnished.all_pages(NETWORKS, "", version=VERSION)
    assert [each["name"] for each in found] == [f"net{number}" for number in range(5)]


async def test_a_list_shows_the_networks_that_the_caller_may_read(furnished):
    await furnished.a_group("other")
    await made(furnished)
    await made(furnished, path=NETWORK.replace("/rg/", "/other/"))
    reader = await furnished.someone("Reader", group_path("other"))
    found = await furnished.ask("GET", f"{BASE}/resources", version=RESOURCES, who=reader)
    assert [each["name"] for each in found.json["value"]] == ["net"]
    vaults_only = await furnished.someone("Key Vault Contributor")
    found = await furnished.ask("GET", f"{BASE}/resources", version=RESOURCES, who=vaults_only)
    assert found.json["value"] == []
    assert (await ask(furnished, "GET", who=vaults_only)).code == "AuthorizationFailed"


async def rules_of(world, vault="kv1"):
    shown = (await world.ask("GET", vault_path(vault))).json["properties"]["networkAcls"]
    return [each["id"] for each in shown["virtualNetworkRules"]]


@pytest.fixture
async def guarded(furnished):
    """A vault that lets a subnet in, and a network with that subnet."""
    await made(furnished, ("web", {"addressPrefix": "10.0.1.0/24", "serviceEndpoints": [ENDPOINT]}))
    rules = [{"id": SUBNET}]
    await furnished.a_vault("kv1", networkAcls={"defaultAction": "Deny", "virtualNetworkRules": rules})
    assert await rules_of(furnished) == [SUBNET.lower()]
    return furnished


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("DELETE", SUBNET, None), ("DELETE", NETWORK, None), ("PUT", NETWORK, a_body(subnets=[]))],
)
async def test_the_rules_of_vaults_end_with_their_subnet(guarded, method, path, body):
    assert (await ask(guarded, method, path, body)).status == 200
    assert guarded.records()[-1]["properties"]["subnetRulesRemovedFrom"] == [vault_path()]
    await made(guarded, ("web", {"addressPrefix": "10.0.1.0/24", "serviceEndpoints": [ENDPOINT]}))
    assert await rules_of(guarded) == [], "a subnet that comes to be under the same id is another one"
    shown = (await guarded.ask("GET", vault_path())).json["properties"]["networkAcls"]
    assert shown["defaultAction"] == "Deny"


async def test_the_rules_of_vaults_elsewhere_end_with_the_group_of_their_subnet(guarded):
    await guarded.a_group("other")
    acls = {"defaultAction": "Deny", "virtualNetworkRules": [{"id": SUBNET}]}
    await guarded.a_vault("kv2", "other", networkAcls=acls)
    await delete_group(guarded.stores, BASE.rpartition("/")[2], "rg", real_now())
    assert (await guarded.stores.vaults.find("kv2")).network.subnet_rules == ()
    assert (await guarded.stores.vaults.find("kv1")).network.subnet_rules == ()


async def test_who_sets_a_rule_must_be_allowed_to_join_the_subnet(guarded):
    someone = await guarded.someone("Key Vault Contributor")
    rule = {"properties": {"networkAcls": {"virtualNetworkRules": [{"id": SUBNET}]}}}
    refused = await guarded.ask("PATCH", vault_path(), rule, who=someone)
    assert (refused.status, refused.code) == (403, "LinkedAuthorizationFailed")
    assert someone.object_id in refused.message
    other = {"properties": {"networkAcls": {"bypass": "None"}}}  # says nothing of subnets
    assert (await guarded.ask("PATCH", vault_path(), other, who=someone)).status == 200
    await guarded.give(someone, "Contributor", group_path())
    assert (await guarded.ask("PATCH", vault_path(), rule, who=someone)).status == 200


@pytest.mark.parametrize("scope", [group_path(), NETWORK])
async def test_a_lock_keeps_a_network_and_its_subnets(furnished, scope):
    await made(furnished, ("web", {"addressPrefix": "10.0.1.0/24"}))
    lock = f"{scope}/providers/Microsoft.Authorization/locks/keep"
    await furnished.ask("PUT", lock, {"properties": {"level": "CanNotDelete"}}, version="2016-09-01")
    for path in (NETWORK, SUBNET):
        assert (await ask(furnished, "DELETE", path)).code == "ScopeLocked"
    assert (await ask(furnished, "PATCH", NETWORK, {"tags": {}})).status == 200


async def test_a_group_takes_its_networks_with_it_and_a_network_its_locks(furnished):
    await made(furnished)
    lock = f"{NETWORK}/providers/Microsoft.Authorization/locks/keep"
    await furnished.ask("PUT", lock, {"properties": {"level": "CanNotDelete"}}, version="2016-09-01")
    await delete_group(furnished.stores, BASE.rpartition("/")[2], "RG", real_now())
    await furnished.a_group()
    assert (await ask(furnished, "GET")).status == 404
    await made(furnished)
    assert (await ask(furnished, "DELETE")).status == 200


async def test_the_provider_and_its_actions_are_told(furnished):
    provider = await furnished.ask("GET", f"{BASE}/providers/microsoft.network", version=RESOURCES)
    types = {each["resourceType"]: each for each in provider.json["resourceTypes"]}
    assert VERSION in types["virtualNetworks"]["apiVersions"]
    told = await ask(furnished, "GET", "/providers/Microsoft.Network/operations")
    names = {each["name"] for each in told.json["value"]}
    assert "Microsoft.Network/virtualNetworks/subnets/joinViaServiceEndpoint/action" in names
