import pytest

from management_doubles import BASE, RESOURCES, group_path, vault_path

EXTENSION = "/providers/Microsoft.Resources/tags/default"
SCOPES = [BASE, group_path(), vault_path()]


@pytest.fixture
async def furnished(world):
    await world.a_group()
    await world.a_vault()
    return world


async def ask(world, method, scope, body=None, **more):
    return await world.ask(method, scope + EXTENSION, body, version=RESOURCES, **more)


def tagged(tags, operation=None):
    return {"properties": {"tags": tags}} | ({"operation": operation} if operation else {})


@pytest.mark.parametrize("scope", SCOPES)
async def test_the_tags_of_a_scope(furnished, scope):
    made = await ask(furnished, "PUT", scope, tagged({"a": "b", "c": "d"}))
    assert (made.status, made.json) == (
        200,
        {
            "id": scope + EXTENSION,
            "name": "default",
            "type": "Microsoft.Resources/tags",
            "properties": {"tags": {"a": "b", "c": "d"}},
        },
    )
    assert (await ask(furnished, "GET", scope)).json == made.json
    for operation, given, left in (
        ("Merge", {"A": "x", "e": "f"}, {"a": "x", "c": "d", "e": "f"}),
        ("delete", {"a": "other", "c": "d", "e": ""}, {"a": "x"}),
        ("Replace", {"g": "h"}, {"g": "h"}),
    ):
        changed = await ask(furnished, "PATCH", scope, tagged(given, operation))
        assert (changed.status, changed.json["properties"]["tags"]) == (200, left)
    shown = await furnished.ask("GET", scope, version=RESOURCES if scope != vault_path() else "2023-07-01")
    assert shown.json["tags"] == {"g": "h"}
    deleted = await ask(furnished, "DELETE", scope)
    assert (deleted.status, deleted.raw) == (200, b"")
    assert (await ask(furnished, "GET", scope)).json["properties"]["tags"] == {}


@pytest.mark.parametrize("scope", SCOPES)
async def test_nothing_but_the_tags_changes(furnished, scope):
    version = RESOURCES if scope != vault_path() else "2023-07-01"
    before = (await furnished.ask("GET", scope, version=version)).json
    await ask(furnished, "PUT", scope, tagged({"a": "b"}))
    after = (await furnished.ask("GET", scope, version=version)).json
    ignored = {"tags", "systemData"}
    assert {k: v for k, v in after.items() if k not in ignored} == {k: v for k, v in before.items() if k not in ignored}


@pytest.mark.parametrize(
    ("method", "body", "code"),
    [
        ("PUT", {}, "InvalidRequestContent"),
        ("PUT", tagged({"a/b": "c"}), "InvalidTags"),
        ("PUT", tagged({f"a{number}": "" for number in range(51)}), "InvalidTags"),
        ("PATCH", tagged({"a": "b"}), "InvalidRequestContent"),
        ("PATCH", tagged({"a": "b"}, "add"), "InvalidTagsPatchOperation"),
    ],
)
async def test_what_is_no_change_is_refused(furnished, method, body, code):
    answer = await ask(furnished, method, group_path(), body)
    assert (answer.status, answer.code) == (400, code)


async def test_what_is_not_there_has_no_tags(furnished):
    for scope, code in ((group_path("none"), "ResourceGroupNotFound"), (vault_path("none"), "ResourceNotFound")):
        for method, body in (("GET", None), ("PUT", tagged({})), ("PATCH", tagged({}, "Merge")), ("DELETE", None)):
            assert (await ask(furnished, method, scope, body)).code == code


async def test_a_lock_keeps_tags_as_it_keeps_everything(furnished):
    lock = f"{vault_path()}/providers/Microsoft.Authorization/locks/keep"
    await furnished.ask("PUT", lock, {"properties": {"level": "CanNotDelete"}}, version="2016-09-01")
    assert (await ask(furnished, "PUT", vault_path(), tagged({"a": "b"}))).status == 200
    assert (await ask(furnished, "DELETE", vault_path())).code == "ScopeLocked"
    assert (await ask(furnished, "DELETE", group_path())).status == 200  # what is locked lies below, and stays
    await furnished.ask("PUT", lock, {"properties": {"level": "ReadOnly"}}, version="2016-09-01")
    assert (await ask(furnished, "PUT", vault_path(), tagged({}))).code == "ScopeLocked"
