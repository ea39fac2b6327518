"""Bring your own key where a token of SoftHSM2 keeps the keys: the way of every request, and what it leaves there."""

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from data_doubles import DOMAIN, DataWorld
from hsm_doubles import SoftHsm
from jwk_doubles import digest_of, ec_jwk, encoded, rsa_jwk
from release_doubles import environment, wrapped_blob
from strongroom.access.identity.verifier import Verifier
from strongroom.custody import tokenkeys
from strongroom.custody.pkcs11 import Pkcs11Provider
from strongroom.errors import Conflict
from strongroom.objects.keys.service import Keys
from strongroom.planes.data.plane import DataPlane
from strongroom.planes.gate import Gate
from vault_doubles import a_vault


@pytest.fixture(scope="module")
def softhsm(tmp_path_factory):
    softhsm = SoftHsm(tmp_path_factory.mktemp("hsm"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(softhsm.configuration))
        yield softhsm
        softhsm.close()


@pytest.fixture(scope="module")
def token(softhsm):
    return softhsm.token()


@pytest.fixture
async def world(token):
    made = await DataWorld().furnish()
    vault = await made.storage.stores.vaults.find("kv1")
    await made.storage.stores.vaults.replace(a_vault(sku="premium", access_policies=vault.access_policies))
    keeper = Pkcs11Provider(made.storage.custodian, token)
    made.keepers = replace(made.keepers, hsm=keeper)
    plane = DataPlane(Verifier(DOMAIN), made.limiter, made.keepers)
    made.gate = Gate(plane, made.storage, made.storage.custodian, DOMAIN)
    yield made
    keeper.close()


@pytest.fixture
async def kek(world):
    answer = await world.ask("POST", "/keys/kek/create", {"kty": "RSA-HSM", "key_ops": ["import"]})
    assert answer.status == 200, answer.raw
    return answer.json["key"]


async def bring(world, kek, key, *, kty="RSA-HSM", name="k", blob=None, **members):
    material = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    made = wrapped_blob(kek, material) | (blob or {})
    sent = {"kty": kty, "key_hsm": encoded(json.dumps(made).encode())} | members
    return await world.ask("PUT", f"/keys/{name}", {"key": sent})


@pytest.fixture
def kept(token):
    """What is in the token: a function."""
    return lambda: set(token.use(tokenkeys.list_kept))


async def test_keys_come_in_work_and_go_from_the_token(world, kek, kept):
    before, theirs = kept(), ec.generate_private_key(ec.SECP384R1())
    brought = await bring(world, kek, environment(), key_ops=["sign", "decrypt"])
    assert brought.status == 200, brought.raw
    told = brought.json["key"]
    assert (told["kty"], told["n"], told["key_ops"]) == ("RSA-HSM", rsa_jwk(environment())["n"], ["sign", "decrypt"])
    assert brought.json["attributes"]["hsmPlatform"] == "pkcs11"
    curve = await bring(world, kek, theirs, kty="EC-HSM", name="e", crv="P-384", x=ec_jwk("P-384", theirs)["x"])
    assert curve.json["key"]["y"] == ec_jwk("P-384", theirs)["y"], curve.raw
    for name, alg, length in (("k", "PS256", 32), ("e", "ES384", 48)):
        signed = await world.ask("POST", f"/keys/{name}/sign", {"alg": alg, "value": encoded(digest_of(length))})
        assert signed.status == 200, signed.raw
    assert len(kept() - before) == 2
    for name in ("k", "e"):
        await world.ask("DELETE", f"/keys/{name}")
        assert (await world.ask("DELETE", f"/deletedkeys/{name}")).status == 204
    assert kept() == before


async def test_a_rotated_key_exchange_key_is_one_in_the_token_too(world, kek):
    rotated = (await world.ask("POST", "/keys/kek/rotate")).json["key"]
    for each in (kek, rotated):
        assert (await bring(world, each, environment())).status == 200


async def test_a_key_whose_version_does_not_come_about_is_destroyed(world, kek, kept, monkeypatch):
    before = kept()

    async def fail(*_):
        raise Conflict("not now")

    monkeypatch.setattr(Keys, "add", fail)
    assert (await bring(world, kek, environment())).says(409, "Conflict")
    assert kept() == before


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"blob": {"ciphertext": encoded(bytes(600))}}, "it does not unwrap with its key exchange key."),
        ({"kty": "EC-HSM"}, "it does not unwrap with its key exchange key."),
        ({"n": encoded(bytes([1, 2, 3]))}, "what was wrapped has another n"),
        ({"key_ops": ["import"]}, "a key for import is made here, and not brought"),
    ],
)
async def test_what_does_not_come_in_leaves_nothing(world, kek, kept, members, told):
    before = kept()
    answer = await bring(world, kek, environment(), **members)
    assert answer.says(400, "BadParameter")
    assert told in answer.error["message"]
    assert (await world.ask("GET", "/keys/k")).status == 404
    assert kept() == before


async def test_a_token_that_is_away_is_told_and_takes_the_key_later(world, kek, softhsm):
    softhsm.take_away()
    try:
        assert (await bring(world, kek, environment())).says(503, "ServiceUnavailable")
    finally:
        softhsm.bring_back()
    assert (await bring(world, kek, environment())).status == 200
