from management_doubles import BASE, RESOURCES, group_path
from strongroom.planes.management import tagnames
from strongroom.resources.tagnames import MAX_KEPT

NAMES = f"{BASE}/tagNames"


async def ask(world, method, path="", **more):
    return await world.ask(method, NAMES + path, version=RESOURCES, **more)


async def listed(world):
    return {
        each["tagName"]: (each["count"]["value"], {v["tagValue"]: v["count"]["value"] for v in each["values"]})
        for each in (await ask(world, "GET")).json["value"]
    }


async def test_names_and_values_are_kept_and_forgotten(world):
    made = await ask(world, "PUT", "/Team")
    assert (made.status, made.json) == (
        201,
        {"id": f"{NAMES}/Team", "tagName": "Team", "count": {"type": "Total", "value": 0}, "values": []},
    )
    assert (await ask(world, "PUT", "/team")).status == 200
    value = await ask(world, "PUT", "/team/tagValues/Blue")
    assert (value.status, value.json["tagValue"]) == (201, "Blue")
    assert (await ask(world, "PUT", "/team/tagValues/Blue")).status == 200
    assert (await ask(world, "PUT", "/team/tagValues/blue")).status == 201
    assert await listed(world) == {"Team": (0, {"Blue": 0, "blue": 0})}
    refused = await ask(world, "DELETE", "/team")
    assert (refused.status, refused.code) == (409, "TagNameHasValues")
    for name in ("Blue", "blue"):
        assert [(await ask(world, "DELETE", f"/team/tagValues/{name}")).status for _ in range(2)] == [200, 204]
    assert [(await ask(world, "DELETE", "/TEAM")).status for _ in range(2)] == [200, 204]
    assert await listed(world) == {}


async def test_what_groups_and_vaults_carry_is_counted(world, monkeypatch):
    monkeypatch.setattr(tagnames, "READ_AT_ONCE", 2)
    await world.a_group()
    await world.ask("PATCH", group_path(), {"tags": {"team": "blue"}}, version=RESOURCES)
    for number in range(5):
        answer = await world.a_vault(f"kv{number}")
        path = f"{answer['id']}/providers/Microsoft.Resources/tags/default"
        tags = {"TEAM": "red" if number else "blue", "only": str(number)}
        await world.ask("PUT", path, {"properties": {"tags": tags}}, version=RESOURCES)
    await ask(world, "PUT", "/Team")
    await ask(world, "PUT", "/team/tagValues/green")
    assert await listed(world) == {
        "Team": (6, {"blue": 2, "red": 4, "green": 0}),
        "only": (5, {str(number): 1 for number in range(5)}),
    }
    page = (await ask(world, "GET", query="$top=1")).json
    assert len(page["value"]) == 1
    assert "nextLink" in page


async def test_what_cannot_be_kept_is_refused(world):
    assert (await ask(world, "PUT", "/a%26b")).code == "InvalidTags"
    assert (await ask(world, "PUT", f"/{'n' * 513}")).code == "InvalidTags"
    assert (await ask(world, "PUT", "/none/tagValues/a")).code == "TagNameNotFound"
    await ask(world, "PUT", "/team")
    assert (await ask(world, "PUT", f"/team/tagValues/{'v' * 257}")).code == "InvalidTags"
    for number in range(MAX_KEPT - 1):
        assert (await ask(world, "PUT", f"/team/tagValues/{number}")).status == 201
    assert (await ask(world, "PUT", "/team/tagValues/more")).code == "InvalidTags"
    assert (await ask(world, "PUT", "/another")).code == "InvalidTags"
