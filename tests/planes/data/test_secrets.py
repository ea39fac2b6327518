import json
from datetime import timedelta

import pytest

from strongroom.access.authorization.roles import READER
from strongroom.clock import real_now
from strongroom.resources.model import Subscription
from strongroom.scheduling.retention import sweep_now
from vault_doubles import SUBSCRIPTION, TENANT, a_vault

BASE = "https://kv1.vault.localhost:8443"


def split(secret_id):
    return secret_id.removeprefix(BASE).strip("/").split("/")


async def test_a_set_answers_the_whole_secret(world):
    before = int(real_now().timestamp())
    attributes = {"enabled": True, "nbf": 1, "exp": 9_999_999_999, "created": 5, "recoveryLevel": "none"}
    answer = await world.ask(
        "PUT",
        "/secrets/Name",
        {"value": "ä", "contentType": "text", "attributes": attributes, "tags": {"a": "b"}, "unknown": [1]},
    )
    told = answer.json
    assert answer.status == 200
    assert list(told) == ["value", "contentType", "id", "attributes", "tags"]
    collection, name, version = split(told["id"])
    assert (collection, name, len(version)) == ("secrets", "Name", 32)
    assert before <= told["attributes"]["created"] == told["attributes"]["updated"]
    assert told == {
        "value": "ä",
        "contentType": "text",
        "id": f"{BASE}/secrets/Name/{version}",
        "attributes": {
            "enabled": True,
            "nbf": 1,
            "exp": 9_999_999_999,
            "created": told["attributes"]["created"],
            "updated": told["attributes"]["updated"],
            "recoveryLevel": "Recoverable+Purgeable",
            "recoverableDays": 90,
        },
        "tags": {"a": "b"},
    }


async def test_what_a_secret_does_not_have_is_left_out(world):
    told = await world.set()
    assert set(told) == {"value", "id", "attributes"}
    assert set(told["attributes"]) == {"enabled", "created", "updated", "recoveryLevel", "recoverableDays"}


@pytest.mark.parametrize(
    "path", ["/secrets/s", "/secrets/s/", "//secrets/s", "/secrets/S", "/SECRETS/s", "/secrets/%73"]
)
async def test_a_secret_is_found_however_its_path_is_spelled(world, path):
    made = await world.set()
    answer = await world.ask("GET", path)
    assert (answer.status, answer.json) == (200, made)


async def test_a_version_is_found_by_its_id(world):
    first, second = await world.set(value="1"), await world.set(value="2")
    assert (await world.ask("GET", "/secrets/s")).json == second
    assert (await world.ask("GET", "/" + "/".join(split(first["id"])))).json == first
    assert (await world.ask("GET", f"/secrets/S/{split(first['id'])[2].upper()}")).json == first


async def test_ids_carry_the_host_that_was_asked(world):
    await world.set()
    answer = await world.ask("GET", "/secrets/s", host="kv1.vault.localhost")
    assert answer.json["id"].startswith("https://kv1.vault.localhost/secrets/s/")


async def test_an_edit_answers_without_the_value(world):
    made = await world.set(contentType="c", tags={"a": "b"})
    version = split(made["id"])[2]
    for path in ("/secrets/s", "/secrets/s/", f"/secrets/s/{version}"):
        answer = await world.ask("PATCH", path, {"attributes": {"exp": 7, "nbf": None}})
        assert answer.status == 200
        assert answer.json == {
            "contentType": "c",
            "id": made["id"],
            "attributes": made["attributes"] | {"exp": 7, "updated": answer.json["attributes"]["updated"]},
            "tags": {"a": "b"},
        }
    cleared = await world.ask("PATCH", "/secrets/s", {"tags": {}})
    assert "tags" not in cleared.json
    assert (await world.ask("GET", "/secrets/s")).json["value"].endswith("hunter2")


async def test_a_disabled_secret_is_refused_until_it_is_enabled(world):
    await world.set(attributes={"enabled": False})
    answer = await world.ask("GET", "/secrets/s")
    assert answer.says(403, "Forbidden", "SecretDisabled")
    assert answer.error["message"] == "Operation get is not allowed on a disabled secret."
    await world.ask("PATCH", "/secrets/s", {"attributes": {"enabled": True}})
    assert (await world.ask("GET", "/secrets/s")).json["value"].endswith("hunter2")


async def test_deleted_recovered_deleted_purged(world):
    made = await world.set()
    deleted = await world.ask("DELETE", "/secrets/s")
    told = deleted.json
    assert deleted.status == 200
    assert list(told) == ["recoveryId", "deletedDate", "scheduledPurgeDate", "id", "attributes"]
    assert told["recoveryId"] == f"{BASE}/deletedsecrets/s"
    assert told["id"] == made["id"]
    assert told["scheduledPurgeDate"] - told["deletedDate"] == 90 * 86400
    assert (await world.ask("GET", "/deletedsecrets/s")).json == told
    listed = (await world.ask("GET", "/deletedsecrets")).json
    assert listed == {"value": [told | {"id": f"{BASE}/secrets/s"}], "nextLink": None}

    assert (await world.ask("GET", "/secrets/s")).says(404, "SecretNotFound")
    assert (await world.ask("PUT", "/secrets/s", {"value": "x"})).says(409, "Conflict", "ObjectIsDeletedButRecoverable")

    recovered = await world.ask("POST", "/deletedsecrets/s/recover")
    assert recovered.json == {key: value for key, value in made.items() if key != "value"}
    assert (await world.ask("GET", "/secrets/s")).json == made
    assert (await world.ask("GET", "/deletedsecrets/s")).error["message"] == "Deleted Secret not found: s"

    await world.ask("DELETE", "/secrets/s")
    purged = await world.ask("DELETE", "/deletedsecrets/s")
    assert (purged.status, purged.raw) == (204, b"")
    assert "content-type" not in purged.headers
    assert (await world.ask("POST", "/deletedsecrets/s/recover")).says(404, "SecretNotFound")


PLACE = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/group/providers/microsoft.keyvault/vaults/kv1"


async def purge_now(world):
    assert (await world.ask("DELETE", "/deletedsecrets/s")).status == 204


async def take_the_name(world):
    await world.move_clock(timedelta(days=91))  # its retention has passed, and no sweep has come by
    await world.set()


async def wait_for_the_sweep(world):
    await world.storage.stores.resources.add_subscription(
        Subscription(subscription_id=SUBSCRIPTION, tenant_id=TENANT, display_name="s", created=real_now())
    )
    await world.move_clock(timedelta(days=91))
    await sweep_now(world.storage)


@pytest.mark.parametrize("end", [purge_now, take_the_name, wait_for_the_sweep])
async def test_what_was_given_at_a_secret_ends_with_it(world, end):
    await world.set()
    for kept in (PLACE, f"{PLACE}/secrets/s2", f"{PLACE}/keys/s"):
        await world.grant(READER, kept)
    await world.grant(READER, f"{PLACE}/secrets/s")
    await world.ask("DELETE", "/secrets/s")
    assert len(world.storage.stores.assignments.rows) == 4  # it may be recovered
    await end(world)
    left = {each.scope for each in world.storage.stores.assignments.rows}
    assert left == {PLACE, f"{PLACE}/secrets/s2", f"{PLACE}/keys/s"}


async def test_purge_protection_is_told_in_the_services_words(world):
    await world.change_vault(purge_protection=True)
    await world.set()
    await world.ask("DELETE", "/secrets/s")
    answer = await world.ask("DELETE", "/deletedsecrets/s")
    assert answer.says(403, "Forbidden")
    assert answer.error["message"].startswith('Operation "purge" is not allowed because purge protection is enabled')
    await world.move_clock(timedelta(days=90))
    assert (await world.ask("DELETE", "/deletedsecrets/s")).says(404, "SecretNotFound")
    assert (await world.ask("PUT", "/secrets/s", {"value": "new"})).status == 200


async def test_a_backup_restores_into_another_vault(world):
    made = await world.set(tags={"a": "b"})
    backup = (await world.ask("POST", "/secrets/s/backup")).json
    assert set(backup) == {"value"}
    await world.add_vault(a_vault("kv2", access_policies=world.vault.access_policies))
    elsewhere = "kv2.vault.localhost:8443"
    answer = await world.ask("POST", "/secrets/restore", backup, host=elsewhere)
    assert answer.status == 200
    assert "value" not in answer.json
    assert answer.json["id"] == made["id"].replace("kv1", "kv2")
    assert (await world.ask("GET", "/secrets/s", host=elsewhere)).json["value"].endswith("hunter2")
    assert (await world.ask("POST", "/secrets/restore", backup, host=elsewhere)).says(409, "Conflict")
    assert (await world.ask("POST", "/secrets/restore", {"value": "x" + backup["value"]})).says(400, "BadParameter")


async def test_a_secret_may_be_called_restore_or_versions(world):
    for name in ("restore", "versions", "backup"):
        await world.set(name, value=name)
        assert (await world.ask("GET", f"/secrets/{name}")).json["value"] == name


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("name", ["a_b", "a%2Fb", "a.b", "%00", "x" * 128, "%E4"])
async def test_impossible_names_are_refused(world, method, name):
    answer = await world.ask(method, f"/secrets/{name}", {"value": "x"})
    assert answer.says(400, "BadParameter")
    assert answer.error["message"].startswith("The request URI contains an invalid name: ")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "missing required field `value`"),
        (b"{", "truncated"),
        (b"[]", "Expected `object`"),
        (b"null", "Expected `object`"),
        (b'{"value":null}', "Expected `str`"),
        (b'{"value":5}', "Expected `str`"),
        (b'{"value":{"a":1}}', "Expected `str`"),
        (b'{"value":"\xff"}', "utf-8"),
        (b'{"value":"\\ud800"}', ""),
        (b'{"value":"x","tags":{"a":1}}', "$.tags"),
        (b'{"value":"x","attributes":{"exp":"tomorrow"}}', "$.attributes.exp"),
        (b'{"value":"x","attributes":{"exp":-1}}', "Property exp"),
        (b'{"value":"x","attributes":{"nbf":253402300800}}', "Property nbf"),
        (b'{"value":"x","attributes":{"nbf":1e999}}', ""),
        (b'{"value":"x","y":' + b"[" * 50_000, ""),
        (b'{"value":"' + b"x" * 25_601 + b'"}', "25600"),
    ],
)
async def test_a_body_that_does_not_fit_is_told_where(world, body, told):
    answer = await world.ask("PUT", "/secrets/s", body)
    assert (answer.status, answer.error["code"]) == (400, "BadParameter")
    assert told in answer.error["message"]
    assert (await world.ask("GET", "/secrets/s")).status == 404


async def test_a_value_too_long_names_its_limit(world):
    answer = await world.ask("PUT", "/secrets/s", {"value": "x" * 25_601})
    assert answer.says(400, "BadParameter", "SecretTooLarge")
    assert (await world.ask("PUT", "/secrets/s", {"value": "\x01" * 25_600})).status == 200


async def test_dates_past_2038_are_kept(world):
    told = await world.set(attributes={"nbf": 0, "exp": 253_402_300_799})
    assert (told["attributes"]["nbf"], told["attributes"]["exp"]) == (0, 253_402_300_799)


async def walk(world, path, size):
    pages, link = [], f"{path}?api-version=7.4&maxresults={size}"
    while link:
        page = (await world.ask("GET", link.removeprefix(BASE))).json
        pages.append(page["value"])
        link = page["nextLink"]
    return pages


async def test_a_list_tells_every_secret_once_page_by_page(world):
    names = [f"n{i:02}" for i in range(7)]
    for name in reversed(names):
        await world.set(name, tags={"a": "b"}, contentType="c")
    pages = await walk(world, "/secrets", 3)
    assert [len(page) for page in pages] == [3, 3, 1]
    listed = [item for page in pages for item in page]
    assert [item["id"] for item in listed] == [f"{BASE}/secrets/{name}" for name in names]
    assert all(set(item) == {"contentType", "id", "attributes", "tags"} for item in listed)


async def test_a_page_has_25_items_unless_asked_otherwise(world):
    for i in range(26):
        await world.set(f"n{i:02}")
    first = (await world.ask("GET", "/secrets")).json
    assert len(first["value"]) == 25
    assert first["nextLink"].startswith(f"{BASE}/secrets?api-version=2026-04-01&$skiptoken=")
    assert len((await world.ask("GET", first["nextLink"].removeprefix(BASE))).json["value"]) == 1


async def test_versions_are_listed_in_the_order_of_their_making(world):
    made = [(await world.set(value=str(i)))["id"] for i in range(5)]
    await world.set("other")
    pages = await walk(world, "/secrets/S/versions", 2)
    assert [item["id"] for page in pages for item in page] == made
    assert [len(page) for page in pages] == [2, 2, 1]


async def test_versions_of_nothing_are_none(world):
    assert (await world.ask("GET", "/secrets/s/versions")).json == {"value": [], "nextLink": None}


async def test_deleted_secrets_are_listed_page_by_page_until_their_time_has_come(world):
    for i in range(3):
        await world.set(f"n{i}")
        await world.ask("DELETE", f"/secrets/n{i}")
    pages = await walk(world, "/deletedsecrets", 1)
    assert [item["recoveryId"] for page in pages for item in page] == [f"{BASE}/deletedsecrets/n{i}" for i in range(3)]
    await world.move_clock(timedelta(days=90))
    assert await walk(world, "/deletedsecrets", 1) == [[]]


@pytest.mark.parametrize("size", ["0", "26", "-1", "x", "", "1.0", "٣", "9999999999999999999999"])
async def test_page_sizes_are_1_to_25(world, size):
    answer = await world.ask("GET", f"/secrets?api-version=7.4&maxresults={size}")
    assert answer.says(400, "BadParameter")
    assert "maxresults" in answer.error["message"]


async def test_a_page_token_is_good_for_its_own_collection_only(world):
    await world.add_vault(a_vault("kv2", access_policies=world.vault.access_policies))
    for name in ("a", "b"):
        await world.set(name)
        await world.set(name)
    link = (await world.ask("GET", "/secrets?api-version=7.4&maxresults=1")).json["nextLink"].removeprefix(BASE)
    token = link.split("skiptoken=")[1].split("&")[0]
    query = f"?api-version=7.4&$skiptoken={token}"
    assert (await world.ask("GET", f"/secrets{query}")).status == 200
    assert (await world.ask("GET", f"/secrets{query.replace('$', '%24')}")).status == 200
    for moved in ("/deletedsecrets", "/secrets/a/versions"):
        assert (await world.ask("GET", moved + query)).says(400, "BadParameter")
    assert (await world.ask("GET", f"/secrets{query}", host="kv2.vault.localhost")).says(400, "BadParameter")
    middle = len(token) // 2
    for changed in (token[:-4], token + "AAAA", token[:middle] + "-_"[token[middle] == "-"] + token[middle + 1 :], "x"):
        assert (await world.ask("GET", f"/secrets?api-version=7.4&$skiptoken={changed}")).says(400, "BadParameter")


async def test_values_stand_in_no_record(world):
    await world.set(value="canary-hunter2", contentType="canary-type")
    await world.ask("GET", "/secrets/s")
    await world.ask("PUT", "/secrets/s", b'{"value":"canary-hunter2", "tags":{"canary":5}}')
    assert "canary-hunter2" not in json.dumps(world.storage.bodies())
