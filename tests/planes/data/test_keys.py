"""The keys of the data plane as they stand on the wire. What keys may and do is held by the service and by custody."""

import json
from datetime import timedelta

import pytest

from data_doubles import token_for
from jwk_doubles import COORDINATE_BYTES, an_ec_key, decoded, digest_of, ec_jwk, encoded, rsa_jwk
from strongroom.clock import real_now
from vault_doubles import a_vault

BASE = "https://kv1.vault.localhost:8443"
DIGEST = encoded(digest_of())
RSA_OPERATIONS = ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"]


async def create(world, name="k", **body):
    answer = await world.ask("POST", f"/keys/{name}/create", {"kty": "EC"} | body)
    assert answer.status == 200, answer.raw
    return answer.json


@pytest.fixture
async def premium(world):
    await world.change_vault(sku="premium")
    return world


async def test_a_created_key_is_told_as_the_service_tells_it(world):
    before = int(real_now().timestamp())
    made = await create(world, "Name", tags={"a": "b"}, attributes={"nbf": 0, "exp": 4_000_000_000})
    version = made["key"]["kid"].rpartition("/")[2]
    created = made["attributes"]["created"]
    assert before <= created <= int(real_now().timestamp())
    assert made == {
        "key": {
            "kid": f"{BASE}/keys/Name/{version}",
            "kty": "EC",
            "key_ops": ["sign", "verify"],
            "crv": "P-256",
            "x": made["key"]["x"],
            "y": made["key"]["y"],
        },
        "attributes": {
            "enabled": True,
            "nbf": 0,
            "exp": 4_000_000_000,
            "created": created,
            "updated": created,
            "recoveryLevel": "Recoverable+Purgeable",
            "recoverableDays": 90,
            "exportable": False,
            "hsmPlatform": "0",
        },
        "tags": {"a": "b"},
    }
    for path in ("/keys/name", f"/keys/NAME/{version}", "/keys/name/", f"//keys/name/{version.upper()}"):
        assert (await world.ask("GET", path)).json == made, path
    assert world.last_record["properties"]["id"] == made["key"]["kid"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"kty": "RSA"}, {"kty": "RSA", "e": "AQAB", "key_ops": RSA_OPERATIONS}),
        ({"kty": "RSA", "public_exponent": 0}, {"kty": "RSA", "e": "AQAB"}),
        ({"kty": "rsa", "public_exponent": 3, "key_ops": ["SIGN"]}, {"kty": "RSA", "e": "Aw", "key_ops": ["sign"]}),
        ({"kty": "EC", "crv": "p-256k"}, {"kty": "EC", "crv": "P-256K", "key_ops": ["sign", "verify"]}),
        ({"kty": "EC", "crv": "P-521"}, {"kty": "EC", "crv": "P-521"}),
        ({"kty": "EC", "crv": "secp256k1"}, {"kty": "EC", "crv": "P-256K"}),
        ({"kty": "EC-HSM", "crv": "P-384"}, {"kty": "EC-HSM", "crv": "P-384"}),
        ({"kty": "RSA-HSM"}, {"kty": "RSA-HSM", "e": "AQAB"}),
        (
            {"kty": "oct-HSM", "key_size": 192},
            {"kty": "oct-HSM", "key_ops": ["encrypt", "decrypt", "wrapKey", "unwrapKey"]},
        ),
    ],
)
async def test_keys_of_every_type_are_made(premium, body, told):
    made = (await create(premium, **body))["key"]
    assert {name: made[name] for name in told} == told
    length = COORDINATE_BYTES.get(made.get("crv"))
    assert [len(decoded(made[each])) for each in "xy" if each in made] == ([length, length] if length else [])
    assert len(decoded(made.get("n", ""))) == (256 if "n" in made else 0)
    assert not set(made) & {"d", "p", "q", "dp", "dq", "qi", "k"}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"kty": "oct"}, "kty has invalid value: keys of type oct are not offered in vaults"),
        ({"kty": "RSA-HSM"}, "kty has invalid value: keys of type RSA-HSM need a vault of the SKU premium"),
        ({"kty": "DSA"}, "kty has invalid value: it is EC, EC-HSM, RSA"),
        ({"kty": "RSA", "key_size": 1024}, "Unsupported key size (1024)"),
        ({"kty": "RSA", "public_exponent": 17}, "public_exponent has invalid value"),
        ({"kty": "EC", "crv": "P-192"}, "crv has invalid value"),
        ({"kty": "EC", "key_ops": ["encrypt"]}, "key_ops has invalid value: a key of type EC can sign, verify"),
        ({"kty": "EC", "key_ops": ["export"]}, "key_ops has invalid value"),
        ({"kty": "EC", "attributes": {"exportable": True}}, "Exportable keys must have release policy"),
        ({"kty": "EC", "release_policy": {"data": "e30"}}, "Non-exportable keys must not have release policy"),
        ({"kty": "EC", "attributes": {"exp": -1}}, "exp has invalid value"),
        ({"kty": "EC", "tags": {"a" * 257: ""}}, "tags has invalid value"),
        ({}, "required field `kty`"),
        ({"kty": 1}, "Expected `str`, got `int` - at `$.kty`"),
        ({"kty": "RSA", "key_size": "2048"}, "Expected `int"),
    ],
)
async def test_what_no_key_can_be_is_refused_and_nothing_is_kept(world, body, told):
    answer = await world.ask("POST", "/keys/k/create", body)
    assert (answer.status, answer.error["code"]) == (400, "BadParameter")
    assert told in answer.error["message"]
    assert not world.storage.stores.keys.states
    assert [each["operationName"] for each in world.storage.bodies()] == ["KeyCreate"]


async def test_exportable_may_be_said_to_be_false(world):
    assert (await create(world, attributes={"exportable": False}))["attributes"]["exportable"] is False


@pytest.mark.parametrize("key", [rsa_jwk(), rsa_jwk(key_ops=["sign"]), ec_jwk(), ec_jwk("P-521"), ec_jwk("P-256K")])
async def test_an_imported_key_is_told_without_what_is_private(world, key):
    answer = await world.ask("PUT", "/keys/k", {"key": key, "tags": {"a": "b"}, "attributes": {"enabled": False}})
    assert answer.status == 200, answer.raw
    told = answer.json["key"]
    assert {name: told[name] for name in key if name in "nexy"} == {name: key[name] for name in key if name in "nexy"}
    assert not set(told) & {"d", "p", "q", "dp", "dq", "qi", "k"}
    assert told["key_ops"] == key.get("key_ops", RSA_OPERATIONS if key["kty"] == "RSA" else ["sign", "verify"])
    assert answer.json["attributes"]["enabled"] is False
    assert (await world.ask("GET", "/keys/k")).json == answer.json


@pytest.mark.parametrize(("key", "told"), [(rsa_jwk(), RSA_OPERATIONS), (ec_jwk(), ["sign", "verify"])])
async def test_an_imported_key_with_an_empty_list_of_operations_can_what_its_type_can(world, key, told):
    answer = await world.ask("PUT", "/keys/k", {"key": key | {"key_ops": []}})
    assert answer.json["key"]["key_ops"] == told


async def test_a_key_that_az_imports_under_an_old_name_of_its_curve_is_on_that_curve(world):
    answer = await world.ask("PUT", "/keys/k", {"key": ec_jwk("P-256K", crv="SECP256K1")})
    assert answer.json["key"]["crv"] == "P-256K"


@pytest.mark.parametrize(("kty", "hsm"), [("EC", True), ("EC-HSM", False), ("EC-HSM", None)])
async def test_a_key_is_imported_for_an_hsm_by_its_type_or_by_the_word(premium, kty, hsm):
    answer = await premium.ask("PUT", "/keys/k", {"key": ec_jwk(kty=kty), "Hsm": hsm})
    assert answer.json["key"]["kty"] == "EC-HSM"
    assert answer.json["attributes"]["hsmPlatform"] == "0"


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ({"kty": "RSA"}, "JsonWebKey"),
        (ec_jwk(y=encoded(bytes(32))), "EC key is not valid"),
        (ec_jwk(kty="oct", k="AA"), "keys of type oct are not offered"),
        (ec_jwk(key_hsm="AA"), "a key that comes wrapped is of type RSA-HSM or EC-HSM"),
        (ec_jwk(d="?="), "Expected base64url - at `$.key.d`"),
        (ec_jwk(d=1), "Expected `str` - at `$.key.d`"),
    ],
)
async def test_what_is_no_key_is_not_imported(world, key, told):
    answer = await world.ask("PUT", "/keys/k", {"key": key})
    assert (answer.status, answer.error["code"]) == (400, "BadParameter")
    assert told in answer.error["message"], answer.error
    assert str(key.get("d", "…")) not in answer.error["message"]


@pytest.mark.parametrize("path", ["/keys/k/{}", "/keys/k//{}", "/keys/k/{version}/{}"])
async def test_a_key_is_used_with_its_version_without_and_with_an_empty_one(world, path):
    kid = (await create(world))["key"]["kid"]
    place = path.replace("{version}", kid.rpartition("/")[2])
    signed = await world.ask("POST", place.format("sign"), {"alg": "ES256", "value": DIGEST})
    assert signed.json["kid"] == kid
    assert len(decoded(signed.json["value"])) == 64
    body = {"alg": "ES256", "digest": DIGEST, "value": signed.json["value"]}
    verified = await world.ask("POST", place.format("verify"), body)
    assert verified.json == {"value": True}
    properties = world.last_record["properties"]
    assert (properties["algorithm"], properties["id"]) == ("ES256", kid)
    body["value"] = encoded(bytes(64))
    assert (await world.ask("POST", place.format("verify"), body)).json == {"value": False}


async def test_what_is_encrypted_or_wrapped_comes_back(world):
    kid = (await create(world, kty="RSA"))["key"]["kid"]
    for there, back in (("encrypt", "decrypt"), ("wrapkey", "unwrapkey"), ("wrapKey", "UnwrapKey")):
        made = (await world.ask("POST", f"/keys/k/{there}", {"alg": "RSA-OAEP-256", "value": "aHVudGVyMg"})).json
        assert set(made) == {"kid", "value"}
        found = (await world.ask("POST", f"/keys/k/{back}", {"alg": "RSA-OAEP-256", "value": made["value"]})).json
        assert found == {"kid": kid, "value": "aHVudGVyMg"}


async def test_what_an_aes_key_encrypts_comes_with_what_decrypting_needs(premium):
    await create(premium, kty="oct-HSM", key_size=256)
    asked = {"alg": "A256GCM", "value": "aHVudGVyMg", "aad": encoded(b"aad")}
    made = (await premium.ask("POST", "/keys/k/encrypt", asked)).json
    assert (len(decoded(made["iv"])), len(decoded(made["tag"])), made["aad"]) == (12, 16, encoded(b"aad"))
    back = {"alg": "A256GCM", **{name: made[name] for name in ("value", "iv", "tag", "aad")}}
    assert (await premium.ask("POST", "/keys/k/decrypt", back)).json["value"] == "aHVudGVyMg"
    for changed in ("value", "iv", "tag", "aad"):
        answer = await premium.ask(
            "POST", "/keys/k/decrypt", back | {changed: encoded(bytes(len(decoded(back[changed]))))}
        )
        assert answer.says(400, "BadParameter")
        assert answer.error["message"] == "Unable to decrypt specified value with this key."


@pytest.mark.parametrize(
    ("change", "inner"),
    [
        ({"attributes": {"enabled": False}}, "KeyDisabled"),
        ({"key_ops": ["verify"]}, "KeyOperationForbidden"),
        ({"attributes": {"nbf": 4_000_000_000}}, "KeyNotYetValid"),
        ({"attributes": {"exp": 1}}, "KeyExpired"),
    ],
)
async def test_a_key_that_may_not_says_why(world, change, inner):
    await create(world)
    assert (await world.ask("PATCH", "/keys/k", change)).status == 200
    answer = await world.ask("POST", "/keys/k/sign", {"alg": "ES256", "value": DIGEST})
    assert answer.says(403, "Forbidden", inner)
    assert world.last_record["properties"]["httpStatusCode"] == 403


async def test_an_update_edits_one_version(world):
    first = await create(world)
    second = await create(world)
    version = first["key"]["kid"].rpartition("/")[2]
    answer = await world.ask("PATCH", f"/keys/k/{version}", {"tags": {"x": "y"}, "key_ops": ["verify"]})
    assert (answer.json["tags"], answer.json["key"]["key_ops"]) == ({"x": "y"}, ["verify"])
    assert (await world.ask("GET", "/keys/k")).json == second
    assert (await world.ask("PATCH", "/keys/k", {})).json["key"] == second["key"]
    assert (await world.ask("PATCH", "/keys/k", {"key_ops": ["wrapKey"]})).says(400, "BadParameter")


async def test_a_rotated_key_is_the_like_of_the_one_before(world):
    first = await create(world, crv="P-384", tags={"a": "b"}, key_ops=["sign"], attributes={"enabled": False})
    second = (await world.ask("POST", "/keys/k/rotate")).json
    assert second["key"]["kid"] != first["key"]["kid"]
    assert (second["key"]["crv"], second["key"]["key_ops"], second["tags"]) == ("P-384", ["sign"], {"a": "b"})
    assert second["attributes"]["enabled"] is True
    assert (await world.ask("POST", "/keys/none/rotate")).says(404, "KeyNotFound")
    await world.ask("DELETE", "/keys/k")
    assert (await world.ask("POST", "/keys/k/rotate")).says(404, "KeyNotFound")


async def test_lists_show_the_newest_version_of_each_page_by_page(world):
    for name in ("b", "A", "c", "A"):
        await create(world, name)
    page = (await world.ask("GET", "/keys?api-version=7.4&maxresults=2")).json
    assert [item["kid"] for item in page["value"]] == [f"{BASE}/keys/A", f"{BASE}/keys/b"]
    assert set(page["value"][0]) == {"kid", "attributes"}
    rest = (await world.ask("GET", page["nextLink"].removeprefix(BASE))).json
    assert ([item["kid"] for item in rest["value"]], rest["nextLink"]) == ([f"{BASE}/keys/c"], None)
    first = (await world.ask("GET", "/keys/a/versions?api-version=7.4&maxresults=1")).json
    second = (await world.ask("GET", first["nextLink"].removeprefix(BASE))).json
    kids = [item["kid"] for item in first["value"] + second["value"]]
    assert kids[1] == (await world.ask("GET", "/keys/a")).json["key"]["kid"]
    assert len(set(kids)) == 2
    assert (await world.ask("GET", "/keys/none/versions")).json == {"value": [], "nextLink": None}


async def test_a_deleted_key_waits_comes_back_and_goes(world):
    made = await create(world, tags={"a": "b"})
    deleted = (await world.ask("DELETE", "/keys/k")).json
    assert deleted["key"] == made["key"]
    assert deleted["recoveryId"] == f"{BASE}/deletedkeys/k"
    assert deleted["scheduledPurgeDate"] - deleted["deletedDate"] == 90 * 86400
    assert (await world.ask("GET", "/deletedkeys/k")).json == deleted
    (item,) = (await world.ask("GET", "/deletedkeys")).json["value"]
    assert item == {name: value for name, value in deleted.items() if name != "key"} | {"kid": f"{BASE}/keys/k"}
    for method, path in (("GET", "/keys/k"), ("POST", "/keys/k/sign")):
        answer = await world.ask(method, path, {"alg": "ES256", "value": DIGEST} if method == "POST" else None)
        assert answer.says(404, "KeyNotFound")
    answer = await world.ask("POST", "/keys/k/create", {"kty": "EC"})
    assert answer.says(409, "Conflict", "ObjectIsDeletedButRecoverable")
    assert (await world.ask("PUT", "/keys/k", {"key": ec_jwk()})).says(409, "Conflict", "ObjectIsDeletedButRecoverable")
    assert (await world.ask("POST", "/deletedkeys/k/recover")).json == made
    await world.ask("DELETE", "/keys/k")
    assert (await world.ask("DELETE", "/deletedkeys/k")).status == 204
    assert (await world.ask("GET", "/deletedkeys/k")).says(404, "KeyNotFound")
    assert (await world.ask("DELETE", "/deletedkeys/k")).error["message"] == "Deleted Key not found: k"


async def test_a_backup_brings_a_key_back_and_elsewhere(world):
    made = await create(world)
    blob = (await world.ask("POST", "/keys/k/backup")).json
    assert (await world.ask("POST", "/keys/restore", blob)).says(409, "Conflict")
    await world.add_vault(a_vault("kv2", access_policies=world.vault.access_policies))
    there = await world.ask("POST", "/keys/restore", blob, host="kv2.vault.localhost:8443")
    assert there.json["key"] == made["key"] | {"kid": made["key"]["kid"].replace("kv1", "kv2")}
    assert (await world.ask("POST", "/keys/restore", {"value": "AAAA"})).says(400, "BadParameter")


async def test_a_key_and_a_secret_of_one_name_live_beside_each_other(world):
    await create(world, "s")
    await world.set("s")
    await world.ask("DELETE", "/keys/s")
    assert (await world.ask("GET", "/secrets/s")).status == 200
    assert (await world.ask("GET", "/deletedsecrets")).json["value"] == []


async def test_keys_live_in_the_time_of_the_vault(world):
    await create(world, attributes={"exp": int((real_now() + timedelta(days=1)).timestamp())})
    await world.move_clock(timedelta(days=2))
    answer = await world.ask(
        "POST", "/keys/k/sign", {"alg": "ES256", "value": DIGEST}, token=token_for(world.application)
    )
    assert answer.says(403, "Forbidden", "KeyExpired")


@pytest.mark.parametrize("kty", ["EC", "EC-HSM"])
async def test_a_key_is_told_without_an_attestation_since_nothing_here_can_attest_it(premium, kty):
    old = await create(premium, kty=kty)
    new = await create(premium, kty=kty)
    versions = [made["key"]["kid"].rpartition("/")[2] for made in (old, new)]
    for version, told in (("", new), ("/", new), (f"/{versions[0]}", old), (f"/{versions[1].upper()}", new)):
        answer = await premium.ask("GET", f"/keys/K{version}/attestation")
        assert (answer.status, answer.json) == (200, told), version
        assert "attestation" not in answer.json["attributes"]
        record = premium.last_record
        assert (record["operationName"], record["properties"]["id"]) == ("KeyGetAttestation", told["key"]["kid"])


async def test_what_cannot_be_got_is_not_attested_either(world):
    version = (await create(world))["key"]["kid"].rpartition("/")[2]
    assert (await world.ask("GET", "/keys/none/attestation")).says(404, "KeyNotFound")
    assert (await world.ask("GET", f"/keys/k/{'0' * 32}/attestation")).says(404, "KeyNotFound")
    refused = await world.ask("POST", f"/keys/k/{version}/attestation", {})
    assert refused.says(405, "MethodNotAllowed")
    await world.ask("DELETE", "/keys/k")
    assert (await world.ask("GET", f"/keys/k/{version}/attestation")).says(404, "KeyNotFound")


async def test_there_are_no_random_bytes_to_be_had_from_a_vault(world):
    assert (await world.ask("POST", "/rng", {"count": 16})).says(404, "NotFound")


async def test_nothing_private_is_kept_in_clear_or_told_anywhere(world):
    private = an_ec_key().private_numbers().private_value.to_bytes(32)
    jwk = ec_jwk()
    answer = await world.ask("PUT", "/keys/k", {"key": jwk})
    assert jwk["d"] not in answer.raw.decode()
    (versions,) = world.storage.stores.keys.versions.values()
    assert private not in b"".join(version.sealed for version in versions.values())
    assert jwk["d"] not in json.dumps(world.storage.bodies())
    assert jwk["d"] not in repr(versions)


async def test_a_rotation_policy_is_told_as_it_was_given(world):
    await create(world)
    told = (await world.ask("GET", "/keys/k/rotationpolicy")).json
    assert told == {
        "id": f"{BASE}/keys/k/rotationpolicy",
        "lifetimeActions": [{"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "Notify"}}],
        "attributes": {},
    }
    given = {
        "lifetimeActions": [
            {"trigger": {"timeAfterCreate": "P18M", "timeBeforeExpiry": None}, "action": {"type": "rotate"}},
            {"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "NOTIFY"}},
        ],
        "attributes": {"expiryTime": "P2Y", "created": 1},
    }
    kept = await world.ask("PUT", "/keys/k/rotationpolicy", given)
    assert kept.status == 200, kept.raw
    actions = kept.json["lifetimeActions"]
    assert [each["action"]["type"] for each in actions] == ["Rotate", "Notify"]
    assert actions[0]["trigger"] == {"timeAfterCreate": "P18M"}
    attributes = kept.json["attributes"]
    assert attributes["expiryTime"] == "P2Y"
    assert attributes["created"] == attributes["updated"] > 1
    assert (await world.ask("GET", "/keys/k/rotationpolicy")).json == kept.json
    assert (await world.ask("PUT", "/keys/k/rotationpolicy", kept.json)).status == 200
    rotated = (await world.ask("POST", "/keys/k/rotate")).json["attributes"]
    assert 729 * 86400 < rotated["exp"] - rotated["created"] < 732 * 86400


@pytest.mark.parametrize(
    "body",
    [
        {"attributes": {"expiryTime": "P1D"}},
        {"attributes": {"expiryTime": "soon"}},
        {"lifetimeActions": [{"trigger": {}, "action": {"type": "Rotate"}}]},
        {"lifetimeActions": [{"trigger": {"timeAfterCreate": "P30D"}, "action": {"type": "Dance"}}]},
        {"lifetimeActions": [{"trigger": {"timeAfterCreate": "P30D"}, "action": {"type": "Rotate"}}] * 2},
        {"lifetimeActions": [{"trigger": {"timeAfterCreate": "P30D"}}]},
        {"lifetimeActions": {}},
    ],
)
async def test_a_rotation_policy_without_sense_is_refused(world, body):
    await create(world)
    assert (await world.ask("PUT", "/keys/k/rotationpolicy", body)).says(400, "BadParameter")
    assert (await world.ask("PUT", "/keys/none/rotationpolicy", {})).says(404, "KeyNotFound")


@pytest.mark.parametrize(("said", "told"), [("ES256", "ES256"), (encoded(b"a plaintext"), None), ("", None)])
async def test_records_name_algorithms_and_nothing_else_that_a_caller_put_there(world, said, told):
    await create(world)
    await world.ask("POST", "/keys/k/sign", {"alg": said, "value": DIGEST})
    assert world.last_record["properties"].get("algorithm") == told
