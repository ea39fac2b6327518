import pytest

from management_doubles import BASE, FOREIGN, RESOURCES, SUBSCRIPTION, deleted_path, group_path, vault_body, vault_path
from strongroom.clock import real_now
from strongroom.vaults.service import delete_group, delete_vault

LOCKS = "2016-09-01"
EXTENSION = "/providers/Microsoft.Authorization/locks"


@pytest.fixture
async def furnished(world):
    for group in ("rg", "other"):
        await world.a_group(group)
    await world.a_vault("kv1")
    await world.a_vault("kv2", "other")
    return world


async def ask(world, method, scope, name="", properties=None, **more):
    body = None if properties is None else {"properties": properties}
    path = f"{scope}{EXTENSION}" + (f"/{name}" if name else "")
    return await world.ask(method, path, body, version=more.pop("version", LOCKS), **more)


async def lock(world, scope, level="CanNotDelete", name="keep"):
    answer = await ask(world, "PUT", scope, name, {"level": level})
    assert answer.status == 201, answer.raw


@pytest.mark.parametrize("scope", [BASE, group_path(), vault_path()])
async def test_the_life_of_a_lock(furnished, scope):
    asked = {"level": "readonly", "notes": "why", "owners": [{"applicationId": "app-1"}]}
    made = await ask(furnished, "PUT", scope.replace("rg", "RG"), "Keep", asked)
    assert made.status == 201
    assert made.json["systemData"]["createdBy"] == furnished.owner.app_id
    assert {name: value for name, value in made.json.items() if name != "systemData"} == {
        "id": f"{scope}{EXTENSION}/Keep",
        "name": "Keep",
        "type": "Microsoft.Authorization/locks",
        "properties": {"level": "ReadOnly", "notes": "why", "owners": [{"applicationId": "app-1"}]},
    }
    assert furnished.records()[-1]["properties"]["lockLevel"] == "ReadOnly"
    assert furnished.records()[-1]["resourceId"].endswith("/LOCKS/KEEP")
    for version in ("2015-01-01", "2017-04-01", "2020-05-01"):
        assert (await ask(furnished, "GET", scope, "KEEP", version=version)).json == made.json
    changed = await ask(furnished, "PUT", scope, "keep", {"level": "CanNotDelete"})
    assert (changed.status, changed.json["name"]) == (200, "Keep")
    assert changed.json["properties"] == {"level": "CanNotDelete"}
    assert [each["id"] for each in (await ask(furnished, "GET", scope)).json["value"]] == [made.json["id"]]
    assert [(await ask(furnished, "DELETE", scope, "keep")).status for _ in range(2)] == [200, 204]
    gone = await ask(furnished, "GET", scope, "keep")
    assert (gone.status, gone.code) == (404, "LockNotFound")


async def test_a_lock_that_is_set_while_a_change_waits_for_its_turn_counts_for_it(furnished, monkeypatch):
    change = furnished.storage.change

    async def after_a_lock(work):
        monkeypatch.setattr(furnished.storage, "change", change)
        await lock(furnished, vault_path())
        return await change(work)

    monkeypatch.setattr(furnished.storage, "change", after_a_lock)
    refused = await furnished.ask("DELETE", vault_path())
    assert (refused.status, refused.code) == (409, "ScopeLocked")
    assert (await furnished.ask("GET", vault_path())).status == 200


async def test_a_list_has_what_counts_at_a_scope_and_what_lies_below(furnished):
    for scope in (BASE, group_path(), vault_path(), group_path("other")):
        await lock(furnished, scope)

    async def listed(scope, query=""):
        answer = await ask(furnished, "GET", scope, query=query)
        return {each["id"].partition(EXTENSION)[0] for each in answer.json["value"]}

    assert await listed(BASE) == {BASE, group_path(), vault_path(), group_path("other")}
    assert await listed(group_path()) == {BASE, group_path(), vault_path()}
    assert await listed(group_path(), "$filter=atScope()") == {BASE, group_path()}
    assert await listed(vault_path("kv2", "other")) == {BASE, group_path("other")}
    refused = await ask(furnished, "GET", BASE, query="$filter=name eq 'x'")
    assert (refused.status, refused.code) == (400, "InvalidFilterInQueryString")
    page = (await ask(furnished, "GET", BASE, query="$top=2")).json
    assert len(page["value"]) == 2
    assert "nextLink" in page


@pytest.mark.parametrize(
    ("properties", "name", "status", "code"),
    [
        ({}, "keep", 400, "InvalidRequestContent"),
        ({"level": "NotSpecified"}, "keep", 400, "InvalidLock"),
        ({"level": "ReadOnly"}, "a%3Fb", 400, "InvalidLock"),
        ({"level": "ReadOnly", "notes": "n" * 513}, "keep", 400, "InvalidLock"),
        ({"level": "ReadOnly", "owners": [{"applicationId": "a"}] * 101}, "keep", 400, "InvalidLock"),
    ],
)
async def test_what_is_no_lock_is_refused(furnished, properties, name, status, code):
    answer = await ask(furnished, "PUT", group_path(), name, properties)
    assert (answer.status, answer.code) == (status, code)
    assert (await ask(furnished, "GET", BASE)).json["value"] == []


async def test_a_scope_that_is_not_there_cannot_be_locked(furnished):
    for scope, code in ((group_path("none"), "ResourceGroupNotFound"), (vault_path("none"), "ResourceNotFound")):
        for method, properties in (("PUT", {"level": "ReadOnly"}), ("GET", None), ("DELETE", None)):
            answer = await ask(furnished, method, scope, "keep", properties)
            assert (answer.status, answer.code) == (404, code)
        assert (await ask(furnished, "GET", scope)).code == code


async def test_a_scope_has_twenty_locks(furnished):
    for number in range(20):
        await lock(furnished, group_path(), name=f"keep-{number}")
    answer = await ask(furnished, "PUT", group_path(), "one-more", {"level": "ReadOnly"})
    assert (answer.status, answer.code) == (409, "LockCountQuotaReached")
    assert (await ask(furnished, "PUT", group_path(), "keep-1", {"level": "ReadOnly"})).status == 200


async def attempts(world):
    """Return the codes, "" for what is done, of things that change something; nothing is left of what was done."""
    before = world.stores.snapshot()
    found = {}
    for name, (method, path, body, version) in {
        "patch vault": ("PATCH", vault_path(), {"tags": {}}, "2026-02-01"),
        "put vault": ("PUT", vault_path(), vault_body(), "2026-02-01"),
        "new vault": ("PUT", vault_path("kv9"), vault_body(), "2026-02-01"),
        "delete vault": ("DELETE", vault_path(), None, "2026-02-01"),
        "patch group": ("PATCH", group_path(), {"tags": {}}, RESOURCES),
        "delete group": ("DELETE", group_path(), None, RESOURCES),
        "register": ("POST", f"{BASE}/providers/Microsoft.KeyVault/register", None, RESOURCES),
        "delete other": ("DELETE", vault_path("kv2", "other"), None, "2026-02-01"),
        "patch other": ("PATCH", group_path("other"), {"tags": {}}, RESOURCES),
    }.items():
        answer = await world.ask(method, path, body, version=version)
        found[name] = "" if answer.status < 300 else answer.code
        world.stores.restore(before)
        before = world.stores.snapshot()
    return found


WRITES_IN_GROUP = {"patch vault", "put vault", "new vault", "patch group"}
DELETES_IN_GROUP = {"delete vault", "delete group"}


@pytest.mark.parametrize(
    ("scope", "level", "blocked"),
    [
        (vault_path(), "CanNotDelete", DELETES_IN_GROUP),
        (vault_path(), "ReadOnly", {"patch vault", "put vault"} | DELETES_IN_GROUP),
        (group_path(), "CanNotDelete", DELETES_IN_GROUP),
        (group_path(), "ReadOnly", WRITES_IN_GROUP | DELETES_IN_GROUP),
        (BASE, "CanNotDelete", DELETES_IN_GROUP | {"delete other"}),
        (BASE, "ReadOnly", WRITES_IN_GROUP | DELETES_IN_GROUP | {"register", "delete other", "patch other"}),
    ],
)
async def test_what_a_lock_blocks(furnished, scope, level, blocked):
    assert set((await attempts(furnished)).values()) == {""}
    await lock(furnished, scope, level)
    assert {name for name, code in (await attempts(furnished)).items() if code == "ScopeLocked"} == blocked
    assert {code for name, code in (await attempts(furnished)).items() if name not in blocked} <= {""}
    read = await furnished.ask("GET", vault_path())
    assert read.status == 200
    assert (await ask(furnished, "DELETE", scope, "keep")).status == 200
    assert set((await attempts(furnished)).values()) == {""}


async def test_the_refusal_says_what_is_locked_and_is_recorded(furnished):
    await lock(furnished, vault_path())
    answer = await furnished.ask("DELETE", group_path(), version=RESOURCES)
    assert answer.status == 409
    assert answer.message == (
        f"The scope '{group_path()}' cannot perform delete operation because following scope(s) are locked: "
        f"'{vault_path()}'. Please remove the lock and try again."
    )
    assert furnished.records()[-1]["resultDescription"] == answer.message


async def test_who_may_not_is_told_so_and_not_what_is_locked(furnished):
    await lock(furnished, group_path(), "ReadOnly")
    reader = await furnished.someone("Reader")
    assert (await furnished.ask("DELETE", vault_path(), who=reader)).code == "AuthorizationFailed"
    contributor = await furnished.someone("Contributor")
    assert (await furnished.ask("DELETE", vault_path(), who=contributor)).code == "ScopeLocked"
    for method in ("PUT", "DELETE"):
        properties = {"level": "ReadOnly"} if method == "PUT" else None
        refused = await ask(furnished, method, group_path(), "keep", properties, who=contributor)
        assert refused.code == "AuthorizationFailed"


async def test_purging_is_a_post_that_a_lock_against_deleting_lets_pass(furnished):
    await furnished.ask("DELETE", vault_path())
    await lock(furnished, BASE, "ReadOnly")
    assert (await furnished.ask("POST", f"{deleted_path()}/purge")).code == "ScopeLocked"
    await ask(furnished, "PUT", BASE, "keep", {"level": "CanNotDelete"})
    assert (await furnished.ask("POST", f"{deleted_path()}/purge")).status == 202


async def test_a_lock_ends_with_its_scope(furnished):
    """Such a lock was set while the deletion was on its way: one that was there before it had blocked it."""
    for scope in (vault_path(), group_path(), vault_path("kv2", "other")):
        await lock(furnished, scope)
    stores = furnished.stores
    await delete_vault(stores, await stores.vaults.find("kv2"), real_now())
    await delete_group(stores, SUBSCRIPTION, "rg", real_now())
    assert await stores.locks.list_in(SUBSCRIPTION) == ()


async def test_the_subscriptions_of_others_are_as_unknown_as_ever(furnished):
    assert (await ask(furnished, "GET", f"/subscriptions/{FOREIGN}")).status == 401
