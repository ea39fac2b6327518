"""Release over the data plane: who asks, what was attested, what leaves, and that it counts when it leaves."""

import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from canaries import MARK
from data_doubles import DOMAIN, DataWorld, signing_material, signing_parts
from jwk_doubles import ec_jwk, encoded
from release_doubles import (
    AUTHORITY,
    SomeAuthorities,
    a_policy,
    attest,
    claims_of,
    environment,
    payload_of,
    released_key,
    runtime,
)
from strongroom.access.identity.verifier import Verifier
from strongroom.objects.keys.model import KeyEdit
from strongroom.planes.data.plane import DataPlane
from strongroom.planes.gate import Gate
from vault_doubles import a_vault, keys_of

VERSION = "api-version=7.4"


class ReleaseWorld(DataWorld):
    """A premium vault, and an authority that is known; what is to happen while it is asked happens then."""

    def __init__(self):
        super().__init__()
        self.authorities = SomeAuthorities()
        self.meanwhile = None
        plane = DataPlane(Verifier(DOMAIN), self.limiter, self.keepers, self)
        self.gate = Gate(plane, self.storage, self.storage.custodian, DOMAIN)

    async def furnish(self):
        await self.storage.stores.keyring.add(signing_parts()[0])
        return await super().furnish()

    async def find_key(self, authority, kid):
        if self.meanwhile is not None:
            await self.meanwhile()
        return await self.authorities.find_key(authority, kid)

    async def make(self, name="k", policy=None, **body):
        said = {
            "kty": "EC-HSM",
            "attributes": {"exportable": True},
            "release_policy": {"data": encoded(json.dumps(policy or a_policy()).encode())},
        }
        answer = await self.ask("POST", f"/keys/{name}/create", said | body)
        assert answer.status == 200, answer.raw
        return answer.json

    async def release(self, token=None, path="/keys/k/release", **body):
        return await self.ask("POST", path, {"target": token or attest()} | body, query=VERSION)

    async def keys(self):
        return keys_of(self.storage, await self.storage.stores.vaults.find("kv1"), keepers=self.keepers)


@pytest.fixture
async def world():
    made = ReleaseWorld()
    await made.furnish()
    vault = await made.storage.stores.vaults.find("kv1")
    await made.storage.stores.vaults.replace(a_vault(sku="premium", access_policies=vault.access_policies))
    return made


async def test_a_key_is_told_with_its_terms(world):
    made = await world.make(release_policy={"data": encoded(json.dumps(a_policy()).encode()), "immutable": True})
    assert made["attributes"]["exportable"] is True
    assert made["release_policy"] == {
        "contentType": "application/json; charset=utf-8",
        "data": encoded(json.dumps(a_policy(), separators=(",", ":")).encode()),
        "immutable": True,
    }
    assert (await world.ask("GET", "/keys/k")).json == made
    (item,) = (await world.ask("GET", "/keys")).json["value"]
    assert "release_policy" not in item


@pytest.mark.parametrize("nonce", [None, "", "a nonce"])
async def test_a_key_leaves_with_what_was_asked(world, nonce):
    made = await world.make(tags={"a": "b"})
    answer = await world.release(nonce=nonce, enc="RSA_AES_KEY_WRAP_384")
    assert answer.status == 200, answer.raw
    jws = answer.json["value"]
    kept, _ = signing_material()
    assert jwt.get_unverified_header(jws) == {"alg": "RS256", "kid": kept.kid, "typ": "JWT"}
    said = payload_of(jws)
    kid = made["key"]["kid"].rpartition("/")[0]
    asked = {"api-version": "7.4", "enc": "RSA_AES_KEY_WRAP_384", "kid": kid}
    assert said["request"] == asked | ({} if nonce is None else {"nonce": nonce})
    told = said["response"]["key"]
    assert {**told, "key": {**told["key"], "key_hsm": None}} == {**made, "key": {**made["key"], "key_hsm": None}}
    found = released_key(jws)
    assert isinstance(found, ec.EllipticCurvePrivateKey)
    assert encoded(found.public_key().public_numbers().x.to_bytes(32)) == made["key"]["x"]


async def test_an_imported_key_leaves_as_it_came(world):
    body = {
        "key": ec_jwk(kty="EC-HSM", key_ops=["sign", "export"]),
        "attributes": {"exportable": True},
        "release_policy": {"data": encoded(json.dumps(a_policy()).encode())},
    }
    made = await world.ask("PUT", "/keys/k", body)
    assert made.json["key"]["key_ops"] == ["sign", "export"]
    found = released_key((await world.release()).json["value"])
    assert encoded(found.private_numbers().private_value.to_bytes(32)) == ec_jwk()["d"]


async def test_the_record_says_who_attested_and_nothing_of_the_key(world):
    made = await world.make()
    version = made["key"]["kid"].rpartition("/")[2]
    await world.release(path=f"/keys/k/{version}/release", nonce=f"{MARK}nonce")
    record = world.last_record
    assert (record["operationName"], record["resultType"]) == ("KeyRelease", "Success")
    told = record["properties"]
    assert (told["attestationAuthority"], told["algorithm"]) == (AUTHORITY, "CKM_RSA_AES_KEY_WRAP")
    assert told["id"] == made["key"]["kid"]
    await world.release(attest(claims_of(**{"sdk-test": False})))
    assert world.last_record["resultSignature"] == "Forbidden"
    assert world.last_record["properties"]["attestationAuthority"] == AUTHORITY


async def test_the_record_says_who_attested_also_when_the_caller_is_asked_again_after_it(world, monkeypatch):
    await world.make()
    monkeypatch.setattr("strongroom.planes.gate.PATIENCE_SECONDS", -1)
    assert (await world.release()).status == 200
    told = world.last_record["properties"]
    assert (told["attestationAuthority"], told["algorithm"]) == (AUTHORITY, "CKM_RSA_AES_KEY_WRAP")


async def test_the_answer_is_no_token(world):
    await world.make()
    jws = (await world.release()).json["value"]
    assert (await world.ask("GET", "/keys/k", token=jws)).says(401, "Unauthorized")


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"sdk-test": None}, "does not meet key release policy requirements"),
        ({"sdk-test": False}, "does not meet key release policy requirements"),
        ({"sdk-test": [True]}, "does not meet key release policy requirements"),
        ({"iss": "https://other.example.test"}, "does not meet key release policy requirements"),
        ({"exp": 1}, "cannot be verified: it has expired"),
        ({"x-ms-runtime": None}, "'x-ms-runtime.keys' has no RSA key for encryption"),
        ({"x-ms-runtime": []}, "has no RSA key for encryption"),
        ({"x-ms-runtime": {"keys": "x"}}, "has no RSA key for encryption"),
        ({"x-ms-runtime": {"keys": ["x"]}}, "has no RSA key for encryption"),
        ({"x-ms-runtime": runtime(use="sig")}, "has no RSA key for encryption"),
        ({"x-ms-runtime": runtime(kty="EC")}, "has no RSA key for encryption"),
        ({"x-ms-runtime": runtime(n="!")}, "is malformed"),
        ({"x-ms-isolation-tee": {"x-ms-runtime": runtime()}, "x-ms-runtime": {}}, "has no RSA key for encryption"),
    ],
)
async def test_what_was_not_attested_as_the_policy_asks_gets_nothing(world, claims, told):
    await world.make()
    answer = await world.release(attest(claims_of(**claims)))
    assert answer.says(403, "Forbidden")
    assert told in answer.error["message"]


@pytest.mark.parametrize(
    "changes", [{"use": None, "key_ops": ["encrypt"]}, {"use": None, "key_use": ["enc"]}, {"kid": None}]
)
async def test_the_environment_s_key_is_the_first_for_encryption(world, changes):
    await world.make()
    keys = [
        runtime(environment(3072), use="sig")["keys"][0],
        *runtime(**changes)["keys"],
        *runtime(environment(3072))["keys"],
    ]
    answer = await world.release(attest(claims_of(**{"x-ms-runtime": {"keys": keys}})))
    assert released_key(answer.json["value"])


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"enc": "RSA-OAEP"}, "Property enc has invalid value: it is one of CKM_RSA_AES_KEY_WRAP"),
        ({"nonce": "x" * 1025}, "Property nonce has invalid value"),
        ({"target": 1}, "Expected `str`"),
    ],
)
async def test_what_is_no_release_is_refused(world, body, told):
    await world.make()
    answer = await world.release(**body)
    assert answer.says(400, "BadParameter")
    assert told in answer.error["message"]


async def test_a_key_of_another_size_receives_nothing(world):
    await world.make()
    token = attest(claims_of(**{"x-ms-runtime": runtime(n=encoded(b"\xff" * 128))}))
    answer = await world.release(token)
    assert answer.says(400, "BadParameter")
    assert "no RSA key of 2048, 3072 or 4096 bits" in answer.error["message"]


async def test_a_token_larger_than_any_is_refused(world):
    await world.make()
    assert (await world.release("x" * 50_000)).says(403, "Forbidden")
    assert (await world.release("x" * 70_000)).says(413, "RequestEntityTooLarge")


async def test_a_key_that_is_not_exportable_never_leaves_and_nobody_is_asked(world):
    await world.ask("POST", "/keys/k/create", {"kty": "EC-HSM"})
    assert (await world.release()).says(403, "Forbidden", "KeyOperationForbidden")
    assert (await world.release(path="/keys/none/release")).says(404, "KeyNotFound")
    assert world.authorities.asked == []


async def test_a_key_leaves_outside_its_dates_but_not_while_it_is_disabled(world):
    await world.make(attributes={"exportable": True, "nbf": 4_000_000_000, "exp": 1})
    assert (await world.release()).status == 200
    await world.ask("PATCH", "/keys/k", {"attributes": {"enabled": False}})
    assert (await world.release()).says(403, "Forbidden", "KeyDisabled")


OTHER = {
    "data": encoded(
        json.dumps(a_policy(anyOf=[{"authority": AUTHORITY, "allOf": [{"claim": "x", "equals": 1}]}])).encode()
    )
}


@pytest.mark.parametrize(
    ("change", "status", "code", "inner"),
    [
        (("PATCH", "/keys/k", {"release_policy": OTHER}), 403, "Forbidden", None),
        (("PATCH", "/keys/k", {"attributes": {"enabled": False}}), 403, "Forbidden", "KeyDisabled"),
        (("DELETE", "/keys/k", None), 404, "KeyNotFound", None),
    ],
)
async def test_what_changed_while_the_authority_was_asked_counts(world, change, status, code, inner):
    await world.make()

    async def meanwhile():
        world.meanwhile = None
        assert (await world.ask(*change)).status == 200

    world.meanwhile = meanwhile
    assert (await world.release()).says(status, code, inner)


async def test_the_policy_of_the_newest_version_counts_for_all_of_them(world):
    first = (await world.make())["key"]["kid"].rpartition("/")[2]
    await world.make(release_policy=OTHER)
    path = f"/keys/k/{first}/release"
    assert (await world.release(path=path)).says(403, "Forbidden")
    released = await world.release(attest(claims_of(x=1)), path=path)
    told = payload_of(released.json["value"])["response"]["key"]
    assert told["key"]["kid"].endswith(first)
    shown = (await world.ask("GET", f"/keys/k/{first}")).json
    assert shown["release_policy"] == (await world.ask("GET", "/keys/k")).json["release_policy"]
    edited = (await world.ask("PATCH", f"/keys/k/{first}", {"tags": {"a": "b"}})).json
    assert (edited["tags"], edited["release_policy"]) == ({"a": "b"}, shown["release_policy"])


async def test_a_rotated_key_keeps_its_terms(world):
    made = await world.make(release_policy=OTHER | {"immutable": True})
    rotated = (await world.ask("POST", "/keys/k/rotate")).json
    assert rotated["release_policy"] == made["release_policy"]
    assert rotated["attributes"]["exportable"] is True
    assert (await world.release(attest(claims_of(x=1)))).status == 200


@pytest.mark.parametrize("version", ["7.0", "7.1", "7.2"])
@pytest.mark.parametrize("said", [{"attributes": {"exportable": True}}, {"release_policy": OTHER}])
async def test_versions_before_release_know_no_exportable_keys(world, version, said):
    asked = {"kty": "EC-HSM"} | said
    for method, path, body in (
        ("POST", "/keys/k/create", asked),
        ("PUT", "/keys/k", {"key": ec_jwk(kty="EC-HSM")} | said),
    ):
        answer = await world.ask(method, path, body, query=f"api-version={version}")
        assert answer.says(400, "BadParameter")
        assert answer.error["message"].startswith("AKV.SKR.1001: The exportable attribute is only supported with")


@pytest.mark.parametrize(
    ("body", "number"),
    [
        ({"attributes": {"exportable": False}}, "1014"),
        ({"attributes": {"exportable": False}, "release_policy": OTHER}, "1014"),
        ({"release_policy": {"data": "e30", "immutable": True}}, "1020"),
        ({"release_policy": OTHER}, "1020"),
        ({"release_policy": {"immutable": True}}, "1020"),
    ],
)
async def test_neither_an_update_nor_a_new_version_gets_round_an_immutable_policy(world, body, number):
    made = await world.make(release_policy={"data": encoded(json.dumps(a_policy()).encode()), "immutable": True})
    version = made["key"]["kid"].rpartition("/")[2]
    for method, path, sent in (
        ("PATCH", "/keys/k", body),
        ("POST", "/keys/k/create", {"kty": "EC-HSM"} | body),
        ("PUT", "/keys/k", {"key": ec_jwk(kty="EC-HSM")} | body),
    ):
        answer = await world.ask(method, path, sent)
        assert answer.says(400, "BadParameter")
        assert answer.error["message"].startswith(f"AKV.SKR.{number}: ")
    if "release_policy" in body and "attributes" not in body:
        answer = await world.ask("PATCH", f"/keys/k/{version}", body)
        assert answer.error["message"].startswith("AKV.SKR.1016: ")
    assert (await world.ask("GET", "/keys/k")).json == made
    assert (await world.ask("POST", "/keys/k/create", {"kty": "RSA-HSM"})).json["release_policy"] == made[
        "release_policy"
    ]


async def test_a_policy_may_be_changed_until_it_is_immutable(world):
    await world.make()
    answer = await world.ask("PATCH", "/keys/k", {"release_policy": OTHER | {"immutable": True}})
    assert answer.json["release_policy"]["immutable"] is True
    assert (await world.release()).says(403, "Forbidden")
    assert (await world.release(attest(claims_of(x=1)))).status == 200


async def test_a_key_that_was_replaced_by_one_on_other_terms_meanwhile_is_told(world):
    from strongroom.errors import Conflict

    await world.make()
    keys = await world.keys()
    newest = (await keys.get("k")).version
    made = await keys.make("k", newest.spec, KeyEdit(), hsm=True)
    assert made.exportable
    await keys.delete("k")
    await keys.purge("k")
    edit = KeyEdit()
    await keys.add("k", await keys.make("k", newest.spec, edit, hsm=True), edit)
    with pytest.raises(Conflict, match="was replaced by another while this one was made"):
        await keys.add("k", made, edit)


async def test_a_keeper_that_lets_none_go_makes_none_exportable(world, monkeypatch):
    monkeypatch.setattr(type(world.keepers.hsm), "releases", False)
    said = {"kty": "EC-HSM", "attributes": {"exportable": True}, "release_policy": OTHER}
    answer = await world.ask("POST", "/keys/k/create", said)
    assert answer.says(400, "BadParameter")
    assert "the HSM of this server lets no key leave it" in answer.error["message"]
