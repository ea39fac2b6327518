"""Bring your own key: a key exchange key, and keys that come wrapped to it."""

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from data_doubles import DOMAIN, DataWorld
from jwk_doubles import digest_of, encoded, rsa_jwk
from release_doubles import a_policy, environment, wrapped_blob
from strongroom.access.identity.verifier import Verifier
from strongroom.custody.software import SoftwareProvider
from strongroom.planes.data.plane import DataPlane
from strongroom.planes.gate import Gate
from vault_doubles import a_vault


@pytest.fixture
async def world():
    made = await DataWorld().furnish()
    vault = await made.storage.stores.vaults.find("kv1")
    await made.storage.stores.vaults.replace(a_vault(sku="premium", access_policies=vault.access_policies))
    return made


@pytest.fixture
async def kek(world):
    answer = await world.ask("POST", "/keys/kek/create", {"kty": "RSA-HSM", "key_ops": ["import"]})
    assert answer.status == 200, answer.raw
    return answer.json["key"]


def pkcs8(key):
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def header(kid):
    return {"kid": kid, "alg": "dir", "enc": "CKM_RSA_AES_KEY_WRAP"}


async def bring(world, kek, key=None, *, kty="RSA-HSM", blob=None, name="k", body=None, **members):
    """Import a key as a `.byok` file; blob: changes to it."""
    made = wrapped_blob(kek, pkcs8(key or environment())) | (blob or {})
    sent = {"kty": kty, "key_hsm": encoded(json.dumps(made).encode())} | members
    return await world.ask("PUT", f"/keys/{name}", {"key": sent} | (body or {}))


async def test_an_rsa_key_comes_in_and_works(world, kek):
    answer = await bring(world, kek, key_ops=["decrypt", "encrypt"], body={"tags": {"a": "b"}})
    assert answer.status == 200, answer.raw
    told = answer.json["key"]
    assert (told["kty"], told["n"]) == ("RSA-HSM", rsa_jwk(environment())["n"])
    assert "key_hsm" not in told
    asked = {"alg": "RSA-OAEP", "value": "AAAA"}
    sealed = (await world.ask("POST", "/keys/k/encrypt", asked)).json["value"]
    assert (await world.ask("POST", "/keys/k/decrypt", asked | {"value": sealed})).json["value"] == "AAAA"


@pytest.mark.parametrize("members", [{}, {"crv": "P-384"}])
async def test_an_elliptic_key_comes_in_and_works(world, kek, members):
    key = ec.generate_private_key(ec.SECP384R1())
    answer = await bring(world, kek, key, kty="EC-HSM", **members)
    assert answer.json["key"]["crv"] == "P-384", answer.raw
    signed = await world.ask("POST", "/keys/k/sign", {"alg": "ES384", "value": encoded(digest_of(48))})
    assert signed.status == 200


async def test_the_newest_version_unwraps_where_the_blob_names_none_and_a_port_says_nothing(world, kek):
    for kid in (
        kek["kid"].rpartition("/")[0],
        kek["kid"].replace(":8443", ""),
        kek["kid"].replace("kv1", "KV1"),
        kek["kid"] + "/",
    ):
        assert (await bring(world, kek, blob={"header": header(kid), "schema_version": "1.0"})).status == 200


async def test_a_rotated_key_exchange_key_is_one_and_the_one_before_still_unwraps(world, kek):
    rotated = (await world.ask("POST", "/keys/kek/rotate")).json["key"]
    assert rotated["key_ops"] == ["import"]
    for each in (kek, rotated):
        assert (await bring(world, each)).status == 200


@pytest.mark.parametrize(
    "asked",
    [
        {"kty": "RSA", "key_ops": ["import"]},
        {"kty": "EC-HSM", "key_ops": ["import"]},
        {"kty": "oct-HSM", "key_ops": ["import"]},
        {"kty": "RSA-HSM", "key_ops": ["import", "sign"]},
        {"kty": "RSA-HSM", "key_ops": ["import"], "attributes": {"exportable": True}, "release_policy": "policy"},
    ],
)
async def test_nothing_else_is_a_key_exchange_key(world, asked):
    if "release_policy" in asked:
        asked = asked | {"release_policy": {"data": encoded(json.dumps(a_policy()).encode())}}
    answer = await world.ask("POST", "/keys/k/create", asked)
    assert answer.says(400, "BadParameter")
    assert "import stands alone, in keys of type RSA-HSM" in answer.error["message"]


async def test_a_key_exchange_key_does_nothing_else_and_stays_one(world, kek):
    for use, alg in (("decrypt", "RSA-OAEP"), ("unwrapkey", "RSA-OAEP"), ("sign", "RS256"), ("encrypt", "RSA-OAEP")):
        answer = await world.ask("POST", f"/keys/kek/{use}", {"alg": alg, "value": encoded(bytes(32))})
        assert answer.says(403, "Forbidden", "KeyOperationForbidden")
    await world.ask("POST", "/keys/k/create", {"kty": "RSA-HSM"})
    for name, operations in (("kek", ["decrypt"]), ("kek", []), ("k", ["import"])):
        answer = await world.ask("PATCH", f"/keys/{name}", {"key_ops": operations})
        assert answer.says(400, "BadParameter")
        assert "keeps it, or never has it" in answer.error["message"]
    assert (await world.ask("PATCH", "/keys/kek", {"key_ops": ["import"], "tags": {"a": "b"}})).status == 200


@pytest.mark.parametrize(
    ("blob", "told"),
    [
        ({"schema_version": "2.0"}, "schema_version"),
        ({"schema_version": 1}, "no key transfer blob"),
        ({"header": None}, "no key transfer blob"),
        ({"ciphertext": "!"}, "no key transfer blob"),
        ({"ciphertext": encoded(bytes(300))}, "does not unwrap"),
        ({"header": {"kid": "K", "alg": "RSA-OAEP", "enc": "CKM_RSA_AES_KEY_WRAP"}}, "the blob's alg is dir"),
        ({"header": {"kid": "K", "alg": "dir", "enc": "RSA_AES_KEY_WRAP_256"}}, "its enc CKM_RSA_AES_KEY_WRAP"),
        ({"header": header("kek")}, "in this vault"),
        (
            {
                "header": {
                    "kid": "https://kv2.vault.localhost:8443/keys/kek",
                    "alg": "dir",
                    "enc": "CKM_RSA_AES_KEY_WRAP",
                }
            },
            "in this vault",
        ),
        (
            {"header": header("https://kv1.vault.localhost/secrets/kek")},
            "in this vault",
        ),
        ({"header": header("https://" + "a" * 2000)}, "in this vault"),
    ],
)
async def test_what_is_no_blob_for_a_key_here_is_refused(world, kek, blob, told):
    answer = await bring(world, kek, blob=blob)
    assert answer.says(400, "BadParameter")
    assert answer.error["message"].startswith("Property key_hsm has invalid value: ")
    assert told in answer.error["message"]
    assert (await world.ask("GET", "/keys/k")).status == 404


@pytest.mark.parametrize("raw", [b"", b"[]", b"\xff", b"[" * 9000])
async def test_what_is_no_json_is_no_blob(world, raw):
    answer = await world.ask("PUT", "/keys/k", {"key": {"kty": "RSA-HSM", "key_hsm": encoded(raw)}})
    assert answer.says(400, "BadParameter")


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"kty": "RSA"}, "a key that comes wrapped is of type RSA-HSM or EC-HSM"),
        ({"kty": "oct-HSM"}, "a key that comes wrapped is of type RSA-HSM or EC-HSM"),
        ({"d": "AA"}, "wrapped, in key_hsm, or with its private members, not both"),
        ({"kty": "EC-HSM"}, "what was wrapped is of another kty or crv"),
        ({"key_ops": ["import", "sign"]}, "import stands alone"),
        ({"key_ops": ["import"]}, "a key for import is made here, and not brought"),
        ({"n": "AQID"}, "what was wrapped has another n"),
        ({"x": "AQID"}, "what was wrapped has another x"),
    ],
)
async def test_what_goes_with_a_blob_must_fit(world, kek, members, told):
    answer = await bring(world, kek, **members)
    assert answer.says(400, "BadParameter")
    assert told in answer.error["message"]


async def test_the_key_exchange_key_must_be_there_and_be_one(world, kek):
    gone = await bring(world, kek, blob={"header": header(kek["kid"].replace("/kek/", "/none/"))})
    assert gone.says(404, "KeyNotFound")
    other = (await world.ask("POST", "/keys/other/create", {"kty": "RSA-HSM"})).json["key"]
    assert (await bring(world, other)).says(403, "Forbidden", "KeyOperationForbidden")
    await world.ask("PATCH", "/keys/kek", {"attributes": {"enabled": False}})
    assert (await bring(world, kek)).says(403, "Forbidden", "KeyDisabled")
    await world.ask("PATCH", "/keys/kek", {"attributes": {"enabled": True, "exp": 1}})
    assert (await bring(world, kek)).says(403, "Forbidden", "KeyExpired")
    await world.ask("DELETE", "/keys/kek")
    assert (await bring(world, kek)).says(404, "KeyNotFound")


async def test_a_key_that_is_brought_in_clear_is_no_key_exchange_key_either(world):
    answer = await world.ask("PUT", "/keys/k", {"key": rsa_jwk(environment(), kty="RSA-HSM", key_ops=["import"])})
    assert answer.says(400, "BadParameter")
    assert "a key for import is made here, and not brought" in answer.error["message"]


async def test_what_is_told_of_a_wrapped_key_beside_it_and_is_so_does_no_harm(world, kek):
    told = {name: rsa_jwk(environment())[name] for name in ("n", "e")}
    assert (await bring(world, kek, **told)).status == 200


async def test_a_key_that_is_kept_elsewhere_unwraps_nothing_here(world, kek):
    elsewhere = SoftwareProvider(world.storage.custodian)
    world.keepers = replace(world.keepers, hsm=elsewhere)
    plane = DataPlane(Verifier(DOMAIN), world.limiter, world.keepers)
    world.gate = Gate(plane, world.storage, world.storage.custodian, DOMAIN)
    answer = await bring(world, kek)
    assert answer.says(400, "BadParameter")
    assert "kept elsewhere" in answer.error["message"]


async def test_a_standard_vault_takes_no_wrapped_keys(world, kek):
    vault = await world.storage.stores.vaults.find("kv1")
    await world.storage.stores.vaults.replace(a_vault(access_policies=vault.access_policies))
    answer = await bring(world, kek)
    assert answer.says(400, "BadParameter")
    assert "need a vault of the SKU premium" in answer.error["message"]
