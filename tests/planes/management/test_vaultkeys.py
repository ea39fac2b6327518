"""Keys as resources of the resource manager: made once, shown in its spelling, under the rules of the vault."""

import asyncio
import json

import pytest

from jwk_doubles import encoded
from management_doubles import vault_path
from release_doubles import a_policy
from strongroom.objects.keys.model import KeyEdit
from strongroom.octets import decode_octets

AT = 1_900_000_000
POLICY = {
    "attributes": {"expiryTime": "P1Y"},
    "lifetimeActions": [
        {"trigger": {"timeAfterCreate": "P90D"}, "action": {"type": "rotate"}},
        {"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "notify"}},
    ],
}
RELEASE = json.dumps(a_policy()).encode()


@pytest.fixture
async def furnished(world):
    await world.a_group()
    await world.a_vault(sku={"family": "A", "name": "premium"})
    return world


def key_path(name="k", vault="kv1"):
    return f"{vault_path(vault)}/keys/{name}"


def body(kty="EC", tags=None, **properties):
    return {"tags": tags or {}, "properties": {"kty": kty, **properties}}


async def test_a_new_key_is_shown_as_the_service_shows_it(furnished):
    attributes = {"enabled": True, "nbf": AT, "exp": AT + 60}
    answer = await furnished.ask("PUT", key_path(), body(tags={"team": "red"}, attributes=attributes))
    assert answer.status == 200
    made = answer.json
    told = made["properties"]["attributes"]
    assert told.pop("created") == told.pop("updated")
    version = made["properties"]["keyUriWithVersion"].rpartition("/")[2]
    assert made == {
        "id": key_path(),
        "name": "k",
        "type": "Microsoft.KeyVault/vaults/keys",
        "location": "westeurope",
        "tags": {"team": "red"},
        "properties": {
            "attributes": attributes | {"recoveryLevel": "Recoverable+Purgeable", "exportable": False},
            "kty": "EC",
            "keyOps": ["sign", "verify"],
            "curveName": "P-256",
            "keyUri": "https://kv1.vault.localhost:8443/keys/k",
            "keyUriWithVersion": f"https://kv1.vault.localhost:8443/keys/k/{version}",
        },
    }
    assert len(version) == 32
    assert (await furnished.ask("GET", key_path())).json == answer.json
    shown = (await furnished.ask("GET", f"{key_path()}/versions/{version}")).json
    assert shown == answer.json | {
        "id": f"{key_path()}/versions/{version}",
        "name": version,
        "type": "Microsoft.KeyVault/vaults/keys/versions",
    }


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (body("RSA"), {"kty": "RSA", "keySize": 2048}),
        (body("rsa", keySize=3072, keyOps=["sign", "VERIFY"]), {"keySize": 3072, "keyOps": ["sign", "verify"]}),
        (body("RSA-HSM"), {"kty": "RSA-HSM", "keySize": 2048}),
        (body("RSA-HSM", keyOps=["import"]), {"kty": "RSA-HSM", "keyOps": ["import"]}),
        (body("EC", curveName="P-521"), {"kty": "EC", "curveName": "P-521"}),
        (body("EC-HSM", curveName="P-256K"), {"kty": "EC-HSM", "curveName": "P-256K"}),
        (body("oct-HSM", keySize=256), {"kty": "oct-HSM", "keySize": 256}),
    ],
)
async def test_keys_of_every_type_are_made(furnished, asked, told):
    properties = (await furnished.ask("PUT", key_path(), asked)).json["properties"]
    assert {name: properties[name] for name in told} == told
    key = await (await furnished.keys()).get("k")
    assert key.version.hsm is properties["kty"].endswith("HSM")
    assert key.version.platform == ("an HSM" if key.version.hsm else "0")


async def test_a_key_that_is_there_is_told_and_stays(furnished):
    first = await furnished.ask("PUT", key_path(), body(tags={"a": "b"}))
    before = furnished.stores.snapshot()
    again = await furnished.ask("PUT", key_path("K"), body("RSA", rotationPolicy=POLICY, attributes={"enabled": False}))
    assert (again.status, again.json) == (200, first.json)
    assert furnished.stores.snapshot() == before
    assert furnished.records()[-1]["operationName"] == "KeyGet"
    assert furnished.records()[-2]["operationName"] == "KeyCreate"


async def test_a_rotation_policy_comes_with_the_key_and_in_lower_case(furnished):
    made = (await furnished.ask("PUT", key_path(), body(rotationPolicy=POLICY))).json["properties"]["rotationPolicy"]
    attributes = made["attributes"]
    assert attributes.pop("created") == attributes.pop("updated")
    assert made == POLICY
    assert (await (await furnished.keys()).get_policy("k")).rotate.after_create.text == "P90D"
    listed = (await furnished.ask("GET", f"{vault_path()}/keys")).json["value"]
    assert "rotationPolicy" not in listed[0]["properties"]


async def test_an_end_alone_is_no_policy_that_was_given(furnished):
    made = (await furnished.ask("PUT", key_path(), body(attributes={"exp": AT}))).json
    assert "rotationPolicy" not in made["properties"]


async def test_an_exportable_key_says_release_where_a_vault_says_export(furnished):
    asked = body(
        "RSA-HSM",
        keyOps=["encrypt", "release"],
        attributes={"exportable": True},
        release_policy={"contentType": "application/json; charset=utf-8", "data": encoded(RELEASE)},
    )
    made = (await furnished.ask("PUT", key_path(), asked)).json["properties"]
    assert made["keyOps"] == ["encrypt", "release"]
    assert made["attributes"]["exportable"] is True
    assert made["release_policy"]["contentType"] == "application/json; charset=utf-8"
    assert json.loads(decode_octets(made["release_policy"]["data"])) == a_policy()
    assert "export" in (await (await furnished.keys()).get("k")).version.operations


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "code", "text"),
    [
        ("PUT", key_path("no_name"), body(), 400, "BadParameter", "invalid name"),
        ("PUT", key_path(), {}, 400, "InvalidRequestContent", "properties"),
        ("PUT", key_path(), {"properties": {}}, 400, "InvalidRequestContent", "kty"),
        ("PUT", key_path(), body("DSA"), 400, "BadParameter", "kty"),
        ("PUT", key_path(), body("oct"), 400, "BadParameter", "oct-HSM"),
        ("PUT", key_path(), body("RSA", keySize=1024), 400, "KeySizeNotSupported", "(1024)"),
        ("PUT", key_path(), body("EC", curveName="P-1"), 400, "BadParameter", "crv"),
        ("PUT", key_path(), body("EC", keyOps=["encrypt"]), 400, "BadParameter", "key_ops"),
        ("PUT", key_path(), body("EC", keyOps=["export"]), 400, "BadParameter", "keyOps"),
        ("PUT", key_path(), body("EC", keyOps=["release"]), 400, "BadParameter", "key_ops"),
        ("PUT", key_path(), body(tags={str(n): "" for n in range(16)}), 400, "BadParameter", "tags"),
        ("PUT", key_path(), body(attributes={"exportable": True}), 400, "BadParameter", "AKV.SKR.1004"),
        ("PUT", key_path(), body(rotationPolicy={"attributes": {"expiryTime": "P1D"}}), 400, "BadParameter", "expiry"),
        ("PUT", key_path(), body(rotationPolicy={"attributes": {"expiryTime": "soon"}}), 400, "BadParameter", "ISO"),
        ("PUT", key_path(vault="kv9"), body(), 404, "ResourceNotFound", "kv9"),
        ("GET", key_path(), None, 404, "KeyNotFound", "k was not found"),
        ("GET", f"{key_path()}/versions/{'0' * 32}", None, 404, "KeyNotFound", "k/000"),
        ("GET", key_path(vault="kv9"), None, 404, "ResourceNotFound", "kv9"),
        ("PATCH", key_path(), {}, 405, "MethodNotAllowed", "PATCH"),
        ("DELETE", key_path(), None, 405, "MethodNotAllowed", "DELETE"),
    ],
)
async def test_what_is_refused(furnished, method, path, sent, status, code, text):
    answer = await furnished.ask(method, path, sent)
    assert (answer.status, answer.code) == (status, code), answer.raw
    assert text in answer.message
    assert (await furnished.ask("GET", f"{vault_path()}/keys")).json == {"value": []}


async def test_a_standard_vault_has_no_keys_of_an_hsm(furnished):
    await furnished.a_vault("plain")
    answer = await furnished.ask("PUT", key_path(vault="plain"), body("RSA-HSM"))
    assert (answer.status, answer.code) == (400, "BadParameter")
    assert "premium" in answer.message


async def test_a_deleted_key_holds_its_name(furnished):
    await furnished.ask("PUT", key_path(), body())
    await (await furnished.keys()).delete("k")
    answer = await furnished.ask("PUT", key_path(), body())
    assert (answer.status, answer.code) == (409, "ObjectIsDeletedButRecoverable")
    assert (await furnished.ask("GET", key_path())).code == "KeyNotFound"
    assert (await furnished.ask("GET", f"{key_path()}/versions")).json == {"value": []}


async def test_lists_come_in_pages(furnished):
    for number in range(5):
        await furnished.ask("PUT", key_path(f"k{number}"), body())
    found = await furnished.all_pages(f"{vault_path()}/keys", "$top=2")
    assert [each["name"] for each in found] == ["k0", "k1", "k2", "k3", "k4"]
    keys = await furnished.keys()
    for _ in range(2):
        await keys.rotate("k0", await keys.make_next("k0"))
    versions = await furnished.all_pages(f"{key_path('k0')}/versions", "$top=2")
    assert [each["id"] for each in versions] == [f"{key_path('k0')}/versions/{each['name']}" for each in versions]
    assert {each["name"] for each in versions} == {
        each.version.version for each in await keys.list_versions("k0", None, 9)
    }
    newest = (await furnished.ask("GET", key_path("k0"))).json["properties"]["keyUriWithVersion"]
    assert newest.endswith(versions[-1]["name"])


# ---- what happens meanwhile


class Meanwhile:
    """Does something between the making of a key and the change that adds it."""

    def __init__(self, keeper, work):
        self.make, self.work = keeper.make, work
        keeper.make = self

    async def __call__(self, spec, place, **said):
        made = await self.make(spec, place, **said)
        work, self.work = self.work, None
        if work is not None:
            await work()
        return made


async def test_one_of_two_that_make_a_key_makes_it_and_the_other_is_told_it(furnished):
    async def other():
        first.append(await furnished.ask("PUT", key_path(), body("EC-HSM")))

    first = []
    Meanwhile(furnished.hsm, other)
    second = await furnished.ask("PUT", key_path(), body("EC-HSM"))
    assert second.json == first[0].json
    assert len(await (await furnished.keys()).list_versions("k", None, 9)) == 1
    assert [name for _, name, _ in furnished.hsm.destroyed] == ["k"], "what the slower one made is destroyed"
    kept = (await (await furnished.keys()).get("k")).version.public
    assert furnished.hsm.destroyed[0][0] != kept


async def test_a_key_that_was_made_for_a_vault_that_is_another_now_is_destroyed(furnished):
    async def remake():
        await furnished.ask("DELETE", vault_path())
        vault = await furnished.stores.vaults.find("kv1")
        await furnished.stores.vaults.purge(vault)
        await furnished.a_vault(sku={"family": "A", "name": "premium"})

    Meanwhile(furnished.hsm, remake)
    answer = await furnished.ask("PUT", key_path(), body("EC-HSM"))
    assert (answer.status, answer.code) == (409, "Conflict")
    assert "try again" in answer.message
    assert len(furnished.hsm.destroyed) == 1
    assert (await furnished.ask("GET", f"{vault_path()}/keys")).json == {"value": []}


async def test_whoever_loses_his_role_while_his_key_is_made_gets_none(furnished, monkeypatch):
    someone = await furnished.someone("Contributor")

    async def take_away():
        (held,) = await furnished.stores.assignments.list_for(someone.object_id)
        await furnished.stores.assignments.remove(held.assignment_id)

    monkeypatch.setattr("strongroom.planes.gate.PATIENCE_SECONDS", -1.0)  # nothing is made fast enough
    Meanwhile(furnished.hsm, take_away)
    answer = await furnished.ask("PUT", key_path(), body("EC-HSM"), who=someone)
    assert (answer.status, answer.code) == (403, "AuthorizationFailed")
    assert len(furnished.hsm.destroyed) == 1


async def test_a_key_that_was_there_when_it_was_asked_and_is_gone_is_a_conflict(furnished):
    await furnished.ask("PUT", key_path(), body())
    change = furnished.storage.change

    async def delete_first(work):
        furnished.storage.change = change
        await (await furnished.keys()).delete("k")
        return await change(work)

    furnished.storage.change = delete_first
    answer = await furnished.ask("PUT", key_path(), body())
    assert (answer.status, answer.code) == (409, "Conflict")


# ---- who may, and what is counted and recorded


async def test_making_a_key_weighs_what_it_does_on_the_data_plane(furnished):
    counted = []
    limiter = furnished.plane._limiter
    admit = limiter.admit

    def note(vault_id, subscription_id, seconds, transactions=1):
        counted.append(transactions)
        return admit(vault_id, subscription_id, seconds, transactions)

    limiter.admit = note
    await furnished.ask("PUT", key_path(), body("EC"))
    await furnished.ask("PUT", key_path(), body("EC"))
    await furnished.ask("PUT", key_path("h"), body("EC-HSM"))
    await furnished.ask("GET", key_path())
    assert counted == [1, 199, 1, 1, 399, 1]


async def test_a_vault_over_its_limit_makes_no_key(furnished):
    furnished.plane._limiter.admit = lambda *_: False
    answer = await furnished.ask("PUT", key_path(), body())
    assert (answer.status, answer.code) == (429, "Throttled")


@pytest.mark.parametrize(("version", "spoken"), [("2018-02-14", False), ("2019-09-01", True), ("2026-05-15", True)])
async def test_keys_are_resources_since_2019(furnished, version, spoken):
    answer = await furnished.ask("PUT", key_path(), body(), version=version)
    assert (answer.status == 200) is spoken
    assert spoken or answer.code == "NoRegisteredProviderFound"


async def test_what_is_done_is_recorded_as_the_vault_s_own(furnished):
    uri = (await furnished.ask("PUT", key_path(), body())).json["properties"]["keyUriWithVersion"]
    version = uri.rpartition("/")[2]
    for path in (key_path(), f"{key_path()}/versions/{version}", f"{key_path()}/versions", f"{vault_path()}/keys"):
        await furnished.ask("GET", path)
    records = furnished.records()[-5:]
    assert [record["operationName"] for record in records] == [
        "KeyCreate", "KeyGet", "KeyGet", "KeyListVersions", "KeyList",
    ]  # fmt: skip
    assert {(record["category"], record["resourceId"]) for record in records} == {("AuditEvent", vault_path().upper())}
    assert [record["properties"]["id"] for record in records[:3]] == [uri] * 3


async def test_keys_made_at_once_under_one_name_are_one_key(furnished):
    answers = await asyncio.gather(
        *[furnished.ask("PUT", key_path(), body("EC", tags={"n": str(n)})) for n in range(5)]
    )
    assert len({answer.raw for answer in answers}) == 1
    keys = await furnished.keys()
    assert len(await keys.list_versions("k", None, 9)) == 1
    assert (await keys.update("k", None, KeyEdit(enabled=False))).version.enabled is False
