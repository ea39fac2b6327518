"""Secrets as resources of the resource manager: written, shown without their values, under the rules of the vault."""

import json

import pytest

from management_doubles import vault_path
from strongroom.access.authorization.model import RoleAssignment
from strongroom.access.authorization.roles import READER
from strongroom.access.identity.model import PrincipalType
from strongroom.clock import real_now
from strongroom.ids import new_guid
from strongroom.objects.secrets.model import MAX_VALUE_BYTES
from strongroom.objects.secrets.service import Secrets

CANARY = "canary-7f3a9b51c0de"
AT = 1_900_000_000


@pytest.fixture
async def furnished(world):
    await world.a_group()
    await world.a_vault()
    return world


def secret_path(name="db", vault="kv1"):
    return f"{vault_path(vault)}/secrets/{name}"


def body(value=CANARY, tags=None, **properties):
    return {"tags": tags or {}, "properties": {"value": value, **properties}}


async def value_of(world, name="db", version=None):
    _, value = await (await world.secrets()).get(name, version)
    return value.reveal().decode()


async def test_a_new_secret_is_shown_as_the_service_shows_it(furnished):
    attributes = {"enabled": True, "nbf": AT, "exp": AT + 60}
    answer = await furnished.ask(
        "PUT", secret_path(), body(tags={"team": "red"}, contentType="text/plain", attributes=attributes)
    )
    assert answer.status == 201
    made = answer.json
    told, properties = made["properties"]["attributes"], made["properties"]
    assert told.pop("created") == told.pop("updated")
    version = properties["secretUriWithVersion"].rpartition("/")[2]
    assert made == {
        "id": secret_path(),
        "name": "db",
        "type": "Microsoft.KeyVault/vaults/secrets",
        "location": "westeurope",
        "tags": {"team": "red"},
        "properties": {
            "attributes": attributes,
            "contentType": "text/plain",
            "secretUri": "https://kv1.vault.localhost:8443/secrets/db",
            "secretUriWithVersion": f"https://kv1.vault.localhost:8443/secrets/db/{version}",
        },
    }
    assert len(version) == 32
    assert await value_of(furnished) == CANARY


async def test_a_value_stands_in_no_answer_and_no_record(furnished):
    answers = [
        await furnished.ask("PUT", secret_path(), body()),
        await furnished.ask("PATCH", secret_path(), {"properties": {"value": CANARY + "2"}}),
        await furnished.ask("PATCH", secret_path(), {"tags": {"a": "b"}}),
        await furnished.ask("GET", secret_path()),
        await furnished.ask("GET", secret_path("")[:-1]),
        await furnished.ask("PUT", secret_path(), body(contentType=7)),
        await furnished.ask("PUT", secret_path("no_name"), body()),
        await furnished.ask("PUT", secret_path(), body(CANARY * 2000)),
    ]
    assert [answer.status for answer in answers] == [201, 200, 200, 200, 200, 400, 400, 400]
    assert CANARY.encode() not in b"".join(answer.raw for answer in answers)
    assert CANARY not in json.dumps(furnished.records())


async def test_reading_a_secret_opens_nothing(furnished, monkeypatch):
    await furnished.ask("PUT", secret_path(), body())

    def refuse(*_):
        raise AssertionError("opened")

    monkeypatch.setattr(Secrets, "open", refuse)
    assert (await furnished.ask("GET", secret_path())).status == 200
    assert (await furnished.ask("GET", f"{vault_path()}/secrets")).status == 200


async def test_putting_an_existing_secret_makes_a_version_that_takes_nothing_over(furnished):
    first = (await furnished.ask("PUT", secret_path(), body("1", tags={"a": "b"}, contentType="x"))).json
    answer = await furnished.ask("PUT", secret_path("DB"), body("2"))
    assert answer.status == 200
    second = answer.json
    assert (second["name"], second["tags"]) == ("db", {})
    assert "contentType" not in second["properties"]
    versions = [each["properties"]["secretUriWithVersion"].rpartition("/")[2] for each in (first, second)]
    assert [await value_of(furnished, version=version) for version in versions] == ["1", "2"]
    assert await value_of(furnished) == "2"


async def test_a_patch_edits_the_newest_version(furnished):
    made = (await furnished.ask("PUT", secret_path(), body("1", tags={"a": "b"}, contentType="x"))).json
    change = {"tags": {"c": "d"}, "properties": {"attributes": {"enabled": False, "exp": AT}}}
    changed = (await furnished.ask("PATCH", secret_path(), change)).json
    assert changed["tags"] == {"c": "d"}
    assert changed["properties"]["contentType"] == "x"
    assert (changed["properties"]["attributes"]["enabled"], changed["properties"]["attributes"]["exp"]) == (False, AT)
    assert changed["properties"]["secretUriWithVersion"] == made["properties"]["secretUriWithVersion"]
    assert (await furnished.ask("GET", secret_path())).json == changed, "what is disabled is shown too"


async def test_a_patch_with_a_value_makes_a_version_that_says_the_same(furnished):
    attributes = {"enabled": True, "nbf": AT, "exp": AT + 60}
    made = (
        await furnished.ask("PUT", secret_path(), body("1", tags={"a": "b"}, contentType="x", attributes=attributes))
    ).json
    changed = (await furnished.ask("PATCH", secret_path(), {"properties": {"value": "2", "contentType": "y"}})).json
    assert changed["properties"]["secretUriWithVersion"] != made["properties"]["secretUriWithVersion"]
    assert (changed["tags"], changed["properties"]["contentType"]) == ({"a": "b"}, "y")
    assert {name: changed["properties"]["attributes"][name] for name in attributes} == attributes
    assert await value_of(furnished) == "2"
    old = made["properties"]["secretUriWithVersion"].rpartition("/")[2]
    assert await value_of(furnished, version=old) == "1"


async def test_an_empty_patch_changes_nothing_but_the_time(furnished):
    made = (await furnished.ask("PUT", secret_path(), body(contentType="x", tags={"a": "b"}))).json
    changed = (await furnished.ask("PATCH", secret_path(), {})).json
    for each in (made, changed):
        del each["properties"]["attributes"]["updated"]
    assert changed == made


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "code", "text"),
    [
        ("PUT", secret_path("no_name"), body(), 400, "BadParameter", "invalid name"),
        ("PUT", secret_path(), {}, 400, "InvalidRequestContent", "properties"),
        ("PUT", secret_path(), {"properties": {}}, 400, "InvalidRequestContent", "value"),
        ("PUT", secret_path(), body(7), 400, "InvalidRequestContent", "Expected"),
        ("PUT", secret_path(), body("x" * (MAX_VALUE_BYTES + 1)), 400, "SecretTooLarge", "(BadParameter)] Secret is"),
        ("PUT", secret_path(), body(contentType="x" * 256), 400, "BadParameter", "contentType"),
        ("PUT", secret_path(), body(tags={str(n): "" for n in range(16)}), 400, "BadParameter", "tags"),
        ("PUT", secret_path(), body(attributes={"exp": -1}), 400, "BadParameter", "exp"),
        ("PUT", secret_path(vault="kv9"), body(), 404, "ResourceNotFound", "kv9"),
        ("PATCH", secret_path(), {}, 404, "SecretNotFound", "db was not found"),
        ("PATCH", secret_path(), {"properties": {"value": "2"}}, 404, "SecretNotFound", "db was not found"),
        ("GET", secret_path(), None, 404, "SecretNotFound", "db was not found"),
        ("GET", secret_path(vault="kv9"), None, 404, "ResourceNotFound", "kv9"),
        ("DELETE", secret_path(), None, 405, "MethodNotAllowed", "DELETE"),
        ("GET", f"{secret_path()}/versions", None, 404, "InvalidResourceType", "vaults/secrets"),
    ],
)
async def test_what_is_refused(furnished, method, path, sent, status, code, text):
    answer = await furnished.ask(method, path, sent)
    assert (answer.status, answer.code) == (status, code), answer.raw
    assert text in answer.message


async def test_a_deleted_secret_holds_its_name(furnished):
    await furnished.ask("PUT", secret_path(), body())
    await (await furnished.secrets()).delete("db")
    answer = await furnished.ask("PUT", secret_path(), body())
    assert (answer.status, answer.code) == (409, "ObjectIsDeletedButRecoverable")
    assert answer.message.startswith("[ObjectIsDeletedButRecoverable (Conflict)] Secret db is currently in a deleted")
    assert (await furnished.ask("PATCH", secret_path(), {})).code == "SecretNotFound"
    assert (await furnished.ask("GET", secret_path())).code == "SecretNotFound"
    assert (await furnished.ask("GET", f"{vault_path()}/secrets")).json == {"value": []}


async def test_a_deleted_vault_has_no_secrets(furnished):
    await furnished.ask("PUT", secret_path(), body())
    await furnished.ask("DELETE", vault_path())
    for method, sent in (("PUT", body()), ("PATCH", {}), ("GET", None)):
        assert (await furnished.ask(method, secret_path(), sent)).code == "ResourceNotFound"


async def test_lists_come_in_pages(furnished):
    for number in range(5):
        await furnished.ask("PUT", secret_path(f"s{number}"), body())
    found = await furnished.all_pages(f"{vault_path()}/secrets", "$top=2")
    assert [each["name"] for each in found] == ["s0", "s1", "s2", "s3", "s4"]
    assert (await furnished.ask("GET", f"{vault_path()}/secrets", query="$top=0")).code == "InvalidTopValue"


@pytest.mark.parametrize(
    ("role", "reads", "writes"),
    [
        ("Owner", True, True),
        ("Contributor", True, True),
        ("Key Vault Contributor", True, True),
        ("Reader", True, False),
        ("Key Vault Reader", True, False),
        ("Key Vault Secrets Officer", True, False),
        ("Key Vault Secrets User", False, False),
        (None, False, False),
    ],
)
async def test_control_actions_decide_and_no_data_action(furnished, role, reads, writes):
    await furnished.ask("PUT", secret_path(), body())
    someone = await furnished.someone(role)
    for method, sent, path, allowed in (
        ("GET", None, secret_path(), reads),
        ("GET", None, f"{vault_path()}/secrets", reads),
        ("PUT", body(), secret_path(), writes),
        ("PATCH", {}, secret_path(), writes),
    ):
        answer = await furnished.ask(method, path, sent, who=someone)
        assert answer.status == (200 if allowed else 403), (method, answer.raw)
        assert allowed or answer.code == "AuthorizationFailed"


async def test_a_role_at_a_secret_counts_for_that_secret_only(furnished):
    for name in ("db", "other"):
        await furnished.ask("PUT", secret_path(name), body())
    someone = await furnished.someone()
    reader = RoleAssignment(
        assignment_id=new_guid(),
        scope=secret_path().lower(),
        role_id=READER.role_id,
        principal_id=someone.object_id,
        principal_type=PrincipalType.SERVICE_PRINCIPAL,
        created=real_now(),
    )
    await furnished.stores.assignments.add(reader)
    assert (await furnished.ask("GET", secret_path(), who=someone)).status == 200
    assert (await furnished.ask("GET", secret_path("other"), who=someone)).status == 403


async def test_what_is_written_is_recorded_as_the_vault_s_own(furnished):
    made = (await furnished.ask("PUT", secret_path(), body())).json
    await furnished.ask("PATCH", secret_path(), {})
    await furnished.ask("GET", secret_path())
    await furnished.ask("GET", f"{vault_path()}/secrets")
    records = furnished.records()[-4:]
    assert [record["operationName"] for record in records] == [
        "SecretSet", "SecretUpdate", "SecretGetMetadata", "SecretList",
    ]  # fmt: skip
    assert {record["category"] for record in records} == {"AuditEvent"}
    assert {record["resourceId"] for record in records} == {vault_path().upper()}
    uri = made["properties"]["secretUriWithVersion"]
    assert [record["properties"]["id"] for record in records] == [uri, uri, uri, "https://kv1.vault.localhost:8443/"]
    assert all(record["properties"]["isRbacAuthorized"] for record in records)


async def test_what_is_asked_counts_for_the_vault(furnished):
    limiter = furnished.plane._limiter
    await furnished.ask("PUT", secret_path(), body())
    vault = await furnished.stores.vaults.find("kv1")
    limiter.admit = lambda vault_id, *_: vault_id != vault.vault_id
    for method, sent in (("PUT", body()), ("PATCH", {}), ("GET", None)):
        answer = await furnished.ask(method, secret_path(), sent)
        assert (answer.status, answer.code) == (429, "Throttled")
    assert (await furnished.ask("GET", vault_path())).status == 200


@pytest.mark.parametrize("version", ["2015-06-01", "2019-09-01", "2026-05-15"])
async def test_secrets_are_as_old_as_vaults_are(furnished, version):
    assert (await furnished.ask("PUT", secret_path(), body(), version=version)).status == 201
