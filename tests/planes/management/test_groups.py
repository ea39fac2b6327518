import pytest

from management_doubles import BASE, RESOURCES, group_path, vault_path

LIST = "2015-11-01"


async def ask(world, method, path, body=None, **more):
    return await world.ask(method, path, body, version=RESOURCES, **more)


async def test_a_group_is_made_shown_and_changed(world):
    made = await ask(world, "PUT", group_path("Rg-1"), {"location": "West Europe", "tags": {"a": "b"}})
    assert made.status == 201
    assert made.json == {
        "id": group_path("Rg-1"),
        "name": "Rg-1",
        "type": "Microsoft.Resources/resourceGroups",
        "location": "westeurope",
        "tags": {"a": "b"},
        "properties": {"provisioningState": "Succeeded"},
    }
    assert (await ask(world, "GET", group_path("RG-1"))).json == made.json
    again = await ask(world, "PUT", group_path("rg-1"), {"location": "westeurope"})
    assert (again.status, again.json["name"], again.json["tags"]) == (200, "Rg-1", {})
    assert (await ask(world, "PATCH", group_path("rg-1"), {})).json["tags"] == {}
    assert (await ask(world, "PATCH", group_path("rg-1"), {"tags": {"c": "d"}})).json["tags"] == {"c": "d"}
    assert (await ask(world, "HEAD", group_path("rg-1"))).status == 204


async def test_what_is_not_there_is_not_found(world):
    for method in ("GET", "HEAD", "PATCH", "DELETE"):
        answer = await ask(world, method, group_path("none"), {} if method == "PATCH" else None)
        assert (answer.status, answer.code) == (404, "ResourceGroupNotFound")


@pytest.mark.parametrize(
    ("name", "body", "status", "code"),
    [
        ("rg", {}, 400, "LocationRequired"),
        ("rg", {"location": " "}, 400, "LocationRequired"),
        ("rg", {"location": "atlantis"}, 400, "LocationNotAvailableForResourceGroup"),
        ("rg", {"location": "local", "tags": {"": "x"}}, 400, "InvalidTags"),
        ("rg", {"location": "local", "tags": {"a": "x", "A": "y"}}, 400, "InvalidTags"),
        ("rg", {"location": "local", "tags": {"a": "x" * 257}}, 400, "InvalidTags"),
        ("rg", {"location": "local", "tags": {str(i): "" for i in range(51)}}, 400, "InvalidTags"),
        ("rg", {"location": 7}, 400, "InvalidRequestContent"),
        ("rg.", {"location": "local"}, 400, "InvalidResourceGroup"),
        ("r" * 91, {"location": "local"}, 400, "InvalidResourceGroup"),
        ("r@g", {"location": "local"}, 400, "InvalidResourceGroup"),
        ("here", {"location": "eastus"}, 409, "InvalidResourceGroupLocation"),
    ],
)
async def test_a_group_that_breaks_a_rule_is_not_made(world, name, body, status, code):
    await world.a_group("here")
    answer = await ask(world, "PUT", group_path(name), body)
    assert (answer.status, answer.code) == (status, code)


async def test_groups_are_listed_by_tag(world):
    for name, tags in (("a", {"env": "dev"}), ("b", {"env": "prod"}), ("c", {})):
        await ask(world, "PUT", group_path(name), {"location": "local", "tags": tags})

    async def names(query=""):
        answer = await ask(world, "GET", f"{BASE}/resourcegroups", query=query)
        return [group["name"] for group in answer.json["value"]]

    assert await names() == ["a", "b", "c"]
    assert await names("$filter=tagName%20eq%20'Env'") == ["a", "b"]
    assert await names("$filter=tagName%20eq%20'env'%20and%20tagValue%20eq%20'prod'") == ["b"]
    assert await names("$filter=tagValue%20eq%20'dev'") == ["a"]
    assert await names("$top=1") == ["a"]


@pytest.mark.parametrize(
    "text",
    ["x", "name eq 'a'", "tagName eq", "tagName eq 'a' and", "tagName ne 'a'"],
)
async def test_a_filter_that_is_not_kept_is_refused(world, text):
    answer = await ask(world, "GET", f"{BASE}/resourcegroups", query="$filter=" + text.replace(" ", "%20"))
    assert (answer.status, answer.code) == (400, "InvalidFilterInQueryString")


async def test_az_finds_vaults_among_the_resources(world):
    await world.a_group()
    await world.a_group("other")
    await world.a_vault("kv1", tags={"a": "b"})
    await world.a_vault("kv2", "other")

    async def found(text="", path=f"{BASE}/resources", **more):
        query = "$filter=" + text.replace(" ", "%20") if text else ""
        answer = await world.ask("GET", path, version=LIST, query=query, **more)
        assert answer.status == 200
        return [resource["name"] for resource in answer.json["value"]]

    assert await found() == ["kv1", "kv2"]
    assert await found("resourceType eq 'Microsoft.KeyVault/vaults'") == ["kv1", "kv2"]
    assert await found("resourceType eq 'microsoft.keyvault/vaults' and name eq 'KV1'") == ["kv1"]
    assert await found("resourceType eq 'Microsoft.Compute/disks'") == []
    assert await found("name eq 'it''s'") == []
    assert await found("resourceGroup eq 'other'") == ["kv2"]
    assert await found("location eq 'eastus'") == []
    assert await found(path=f"{group_path('other')}/resources") == ["kv2"]

    answer = await world.ask("GET", f"{BASE}/resources", version=LIST, query="$filter=name%20eq%20'kv1'")
    assert answer.json["value"] == [
        {
            "id": vault_path("kv1"),
            "name": "kv1",
            "type": "Microsoft.KeyVault/vaults",
            "location": "westeurope",
            "tags": {"a": "b"},
        }
    ]
    query = "$expand=createdTime,changedTime,provisioningState"
    answer = await world.ask("GET", f"{group_path()}/resources", version=LIST, query=query)
    assert {"createdTime", "changedTime", "provisioningState"} <= set(answer.json["value"][0])
    answer = await world.ask("GET", f"{group_path('no')}/resources", version=LIST)
    assert answer.code == "ResourceGroupNotFound"

    reader = await world.someone("Reader", vault_path("kv2", "other"))
    assert await found(who=reader) == ["kv2"]
