import asyncio
from datetime import timedelta

import pytest

from management_doubles import BASE, RESOURCES, SUBSCRIPTION, a_policy, deleted_path, group_path, vault_path
from strongroom.audit.event import Record
from strongroom.clock import microseconds, real_now
from strongroom.planes.management import activity

LOG = f"{BASE}/providers/Microsoft.Insights/eventtypes/management/values"


def since(**ago):
    return f"eventTimestamp ge '{(real_now() - timedelta(**ago or {'hours': 1})).isoformat()}'"


async def ask(world, text, *, extra="", **more):
    return await world.ask("GET", LOG, version="2015-04-01", query=f"$filter={text.replace('+', '%2B')}{extra}", **more)


async def events(world, more="", **said):
    answer = await ask(world, since() + more, **said)
    assert answer.status == 200, answer.raw
    return answer.json["value"]


@pytest.fixture
async def lived(world):
    """A world in which much was done, and read."""
    await world.a_group("Rg")
    await world.a_vault("Kv1", "Rg")
    policies = {"properties": {"accessPolicies": [a_policy()]}}
    await world.ask("PUT", f"{vault_path('Kv1', 'Rg')}/accessPolicies/add", policies)
    await world.ask("GET", vault_path("Kv1", "Rg"))
    await world.ask("PATCH", vault_path("Kv1", "Rg"), {"tags": {}})
    reader = await world.someone("Reader")
    await world.ask("DELETE", vault_path("Kv1", "Rg"), who=reader)
    await world.ask("DELETE", vault_path("Kv1", "Rg"))
    await world.ask("POST", f"{deleted_path('Kv1')}/purge")
    world.reader = reader
    return world


async def test_a_group_whose_name_is_a_word_of_paths_changes_nothing_in_what_is_told(world):
    await world.a_group("accessPolicies")
    await world.a_vault("Kv1", "accessPolicies")
    assert told(await events(world)) == [
        ("KeyVault/vaults/write", "Succeeded"),
        ("Resources/subscriptions/resourceGroups/write", "Succeeded"),
    ]


async def test_who_gives_itself_access_is_told_beside_the_change_that_does(world):
    await world.a_group("Rg")
    await world.a_vault("Kv1", "Rg", enableRbacAuthorization=False)
    policies = {"properties": {"accessPolicies": [a_policy(world.owner.object_id)]}}
    await world.ask("PUT", f"{vault_path('Kv1', 'Rg')}/accessPolicies/add", policies)
    event, change = (await events(world))[:2]
    assert event["operationName"]["value"] == "Strongroom.Access/selfGrant/write"
    assert event["resourceId"] == change["resourceId"] == vault_path("Kv1", "Rg")


def told(found):
    return [(each["operationName"]["value"].rpartition("Microsoft.")[2], each["status"]["value"]) for each in found]


async def test_what_was_changed_or_refused_is_told_newest_first_and_nothing_that_was_read(lived):
    assert told(await events(lived)) == [
        ("KeyVault/locations/deletedVaults/purge/action", "Succeeded"),
        ("KeyVault/vaults/delete", "Succeeded"),
        ("KeyVault/vaults/delete", "Failed"),
        ("KeyVault/vaults/write", "Succeeded"),
        ("KeyVault/vaults/accessPolicies/write", "Succeeded"),
        ("KeyVault/vaults/write", "Succeeded"),
        ("Resources/subscriptions/resourceGroups/write", "Succeeded"),
    ]


async def test_an_event_tells_who_did_what_where(lived):
    event = next(each for each in await events(lived) if each["status"]["value"] == "Failed")
    record = next(body for body in lived.records() if body["operationName"] == "VaultDelete")
    place = vault_path("Kv1", "Rg")
    assert event["eventTimestamp"] == record["time"]
    assert (event["resourceId"], event["resourceGroupName"]) == (place, "Rg")
    assert event["resourceProviderName"] == {"value": "Microsoft.KeyVault", "localizedValue": "Microsoft.KeyVault"}
    assert event["authorization"] == {"action": "Microsoft.KeyVault/vaults/delete", "scope": place}
    assert event["caller"] == lived.reader.app_id
    assert lived.reader.object_id in event["claims"].values()
    assert event["httpRequest"]["method"] == "DELETE"
    assert event["httpRequest"]["clientIpAddress"] == "127.0.0.1"
    assert event["httpRequest"]["uri"].partition("?")[0].endswith(place)
    assert (event["level"], event["category"]["value"]) == ("Error", "Administrative")
    assert event["subStatus"] == {"value": "Forbidden", "localizedValue": "Forbidden (HTTP Status Code: 403)"}
    assert event["properties"]["statusMessage"] == record["resultDescription"]
    assert event["subscriptionId"] == SUBSCRIPTION
    assert event["id"] == f"{place}/events/{event['eventDataId']}"


async def test_what_is_written_into_a_vault_as_a_resource_is_told_and_never_its_value(lived):
    await lived.a_vault("management", "Rg")
    place = vault_path("management", "Rg")
    value = {"properties": {"value": "a value that nobody is told"}}
    assert (await lived.ask("PUT", f"{place}/secrets/One", value)).status == 201
    await lived.ask("PATCH", f"{place}/secrets/One", value)
    await lived.ask("PUT", f"{place}/keys/Two", {"properties": {"kty": "EC"}}, who=lived.reader)
    await lived.ask("GET", f"{place}/secrets/One")
    found = (await events(lived))[:4]
    assert told(found) == [
        ("KeyVault/vaults/keys/write", "Failed"),
        ("KeyVault/vaults/secrets/write", "Succeeded"),
        ("KeyVault/vaults/secrets/write", "Succeeded"),
        ("KeyVault/vaults/write", "Succeeded"),
    ]
    assert [each["resourceId"] for each in found] == [f"{place}/keys/Two", *[f"{place}/secrets/One"] * 2, place]
    assert value["properties"]["value"] not in str(found)


async def test_what_a_vault_is_asked_itself_is_not_told_whatever_its_name(lived):
    await lived.a_vault("management", "Rg")
    await lived.ask("PUT", f"{vault_path('management', 'Rg')}/secrets/One", {"properties": {"value": "v"}})
    every, written = await events(lived), lived.storage.records[-2]
    managed = f"management.localhost:8443{vault_path('management', 'Rg')}".encode()
    assert managed in written.body
    direct = written.body.replace(managed, b"management.vault.localhost:8443")
    lived.storage.records.append(Record(b"0" * 16, microseconds(real_now()), direct))
    assert await events(lived) == every


async def test_the_correlation_id_is_what_the_answer_told(lived):
    answer = await lived.ask("DELETE", group_path("none"), version=RESOURCES)
    own = answer.headers["x-ms-correlation-request-id"]
    (event,) = await events(lived, f" and correlationId eq '{own}'")
    assert event["subStatus"]["value"] == "NotFound"


@pytest.mark.parametrize(
    ("term", "count"),
    [
        ("resourceGroupName eq 'rg'", 7),
        ("resourceGroupName eq 'other'", 0),
        (f"resourceUri eq '{vault_path('kv1', 'rg')}'", 6),
        (f"resourceId eq '{group_path('RG')}'", 7),
        ("resourceProvider eq 'Microsoft.Resources'", 1),
        ("status eq 'failed'", 1),
        ("caller eq 'nobody'", 0),
    ],
)
async def test_what_a_filter_keeps(lived, term, count):
    assert len(await events(lived, f" and {term}")) == count


async def test_only_what_is_selected_is_told(lived):
    for event in await events(lived, extra="&$select=eventTimestamp , OperationName"):
        assert set(event) == {"eventTimestamp", "operationName"}
    refused = await ask(lived, since(), extra="&$select=colour")
    assert (refused.status, refused.code) == (400, "BadRequest")


async def test_what_began_before_or_after_is_left_out(lived):
    assert (await ask(lived, since(seconds=-60))).json["value"] == []
    assert (await ask(lived, f"{since()} and eventTimestamp le '2026-01-01'")).json["value"] == []


async def test_it_reaches_ninety_days_back(lived):
    assert (await ask(lived, since(days=89))).status == 200
    for text in (since(days=91), "", "resourceGroupName eq 'a'"):
        assert (await ask(lived, text)).status == 400


async def test_those_who_may_not_read_it_are_refused(lived):
    stranger = await lived.someone("Key Vault Reader")
    assert (await ask(lived, since(), who=stranger)).code == "AuthorizationFailed"


async def test_pages_lead_to_each_other_and_miss_nothing(lived, monkeypatch):
    every = await events(lived)
    monkeypatch.setattr(activity, "EVENTS_OF_A_PAGE", 2)
    monkeypatch.setattr(activity, "STEP", 3)
    monkeypatch.setattr(activity, "STEPS", 1)
    answer, found, pages = await ask(lived, since()), [], 1
    while "nextLink" in answer.json:
        found += answer.json["value"]
        link = answer.json["nextLink"].partition("localhost:8443")[2]
        headers = {"authorization": f"Bearer {lived.tokens[lived.owner.object_id]}"}
        answer, pages = await lived.send("GET", link, headers=headers), pages + 1
        assert answer.status == 200, answer.raw
    assert found + answer.json["value"] == every
    assert pages > 3


async def test_a_worker_looks_for_one_caller_at_a_time(lived, monkeypatch):
    collect, looking = activity._collect, []

    async def alone(*asked):
        looking.append(asked)
        await asyncio.sleep(0)
        assert len(looking) == 1
        found = await collect(*asked)
        looking.clear()
        return found

    monkeypatch.setattr(activity, "_collect", alone)
    first, second, third = await asyncio.gather(events(lived), events(lived), events(lived))
    assert first == second == third != []


async def test_a_record_that_is_none_of_ours_is_left_out(lived):
    every = await events(lived)
    body = lived.storage.records[0].body
    for other in (b"{}", body[:-9], body.replace(b'"httpStatusCode"', b"\xff")):
        odd = activity.OURS + f'"resourceId":"{BASE.upper()}'.encode() + other
        lived.storage.records.insert(1, Record(b"0" * 16, microseconds(real_now()), odd))
    assert await events(lived) == every
