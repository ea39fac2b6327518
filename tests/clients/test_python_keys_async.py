"""`azure.keyvault.keys.aio`, unmodified: every operation of keys; algorithms by the client alone and by the server."""

import hashlib

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity.aio import ClientSecretCredential
from azure.keyvault.keys import (
    JsonWebKey,
    KeyCurveName,
    KeyOperation,
    KeyRotationLifetimeAction,
    KeyRotationPolicy,
    KeyRotationPolicyAction,
)
from azure.keyvault.keys.aio import KeyClient
from azure.keyvault.keys.crypto import EncryptionAlgorithm, KeyWrapAlgorithm, SignatureAlgorithm
from azure.keyvault.keys.crypto.aio import CryptographyClient

from canaries import MARK
from clients.direct import unique
from jwk_doubles import decoded, ec_jwk, rsa_jwk

PLAIN = f"{MARK}plaintext-of-asyncio".encode()
RSA_SIGNATURES = [each for each in SignatureAlgorithm if each.name[:2] in {"rs", "ps"}]
EC_SIGNATURES = {"P-256": "ES256", "P-256K": "ES256K", "P-384": "ES384", "P-521": "ES512"}
RSA_CIPHERS = [EncryptionAlgorithm.rsa_oaep, EncryptionAlgorithm.rsa_oaep_256, EncryptionAlgorithm.rsa1_5]


@pytest.fixture
async def credential(connection, client_environ):
    async with ClientSecretCredential(
        connection.tenantId, connection.clientId, connection.clientSecret, authority=connection.authority
    ) as credential:
        yield credential


@pytest.fixture
async def client(connection, credential):
    async with KeyClient(connection.vaultUrl, credential) as client:
        yield client


@pytest.fixture
def name():
    return unique("async-key-")


@pytest.fixture
async def by_itself(credential):
    """Return a client that has read the key and does what it can with what is public of it."""
    clients = []

    def make(key):
        clients.append(CryptographyClient(key, credential))
        return clients[-1]

    yield make
    for each in clients:
        await each.close()


@pytest.fixture
def by_the_server(by_itself):
    """Return a client that does nothing by itself, as one that may not read the key."""

    def make(key):
        client = by_itself(key.id)
        client._keys_get_forbidden = True
        return client

    return make


def digest(algorithm, said=PLAIN):
    return hashlib.new(f"sha{SignatureAlgorithm(algorithm).value[2:5]}", said).digest()


async def test_keys_are_made_found_and_edited(client, name):
    first = await client.create_rsa_key(name, size=2048, tags={"a": "1"}, enabled=False)
    second = await client.create_ec_key(name, curve=KeyCurveName.p_384, key_operations=[KeyOperation.sign])
    assert (first.key_type, first.properties.enabled, first.properties.tags) == ("RSA", False, {"a": "1"})
    assert (second.key_type, second.key.crv, second.key_operations) == ("EC", "P-384", ["sign"])
    assert (await client.get_key(name)).id == second.id
    assert (await client.get_key(name, first.properties.version)).key.n == first.key.n
    crypto = client.get_cryptography_client(name)  # over the connection of the other, which closes it
    assert (await crypto.sign(SignatureAlgorithm.es384, digest("ES384"))).key_id == second.id
    changed = await client.update_key_properties(name, first.properties.version, enabled=True, tags={"b": "2"})
    assert (changed.properties.enabled, changed.properties.tags) == (True, {"b": "2"})
    versions = {each.version async for each in client.list_properties_of_key_versions(name)}
    assert versions == {first.properties.version, second.properties.version}
    assert name in {each.name async for each in client.list_properties_of_keys(max_page_size=2)}


async def test_keys_are_deleted_recovered_purged_and_restored(client, name):
    made = await client.create_ec_key(name)
    backup = await client.backup_key(name)
    with pytest.raises(ResourceExistsError):
        await client.restore_key_backup(backup)
    assert (await client.delete_key(name)).recovery_id.endswith(f"/deletedkeys/{name}")
    assert (await client.get_deleted_key(name)).id == made.id
    assert name in {each.name async for each in client.list_deleted_keys()}
    with pytest.raises(ResourceExistsError):
        await client.create_ec_key(name)
    assert (await client.recover_deleted_key(name)).id == made.id
    await client.delete_key(name)
    await client.purge_deleted_key(name)
    with pytest.raises(ResourceNotFoundError):
        await client.get_deleted_key(name)
    assert (await client.restore_key_backup(backup)).key.x == made.key.x


async def test_keys_are_got_without_an_attestation(client, name):
    made = await client.create_ec_key(name)
    for version in (None, made.properties.version):
        found = await client.get_key_attestation(name, version)
        assert (found.id, found.key.x, found.properties.attestation) == (made.id, made.key.x, None)


async def test_keys_are_rotated_by_their_policy(client, name):
    made = await client.create_ec_key(name, tags={"a": "1"})
    action = KeyRotationLifetimeAction(KeyRotationPolicyAction.rotate, time_before_expiry="P30D")
    policy = KeyRotationPolicy(lifetime_actions=[action], expires_in="P90D")
    told = await client.update_key_rotation_policy(name, policy)
    found = await client.get_key_rotation_policy(name)
    assert (found.id, found.expires_in) == (told.id, "P90D")
    rotations = [each for each in found.lifetime_actions if each.action == KeyRotationPolicyAction.rotate]
    assert [each.time_before_expiry for each in rotations] == ["P30D"]
    rotated = await client.rotate_key(name)
    assert (rotated.id != made.id, rotated.properties.tags) == (True, {"a": "1"})
    assert (rotated.properties.expires_on - rotated.properties.created_on).days == 90


async def test_what_either_side_seals_the_server_opens(client, name, by_itself, by_the_server):
    key = await client.create_rsa_key(name, size=2048)
    server = by_the_server(key)
    for algorithm in RSA_CIPHERS:
        wrapping = KeyWrapAlgorithm(algorithm.value)
        for maker in (by_itself(key), CryptographyClient.from_jwk(key.key), server):
            sealed, wrapped = await maker.encrypt(algorithm, PLAIN), await maker.wrap_key(wrapping, PLAIN)
            assert (await server.decrypt(algorithm, sealed.ciphertext)).plaintext == PLAIN
            assert (await server.unwrap_key(wrapping, wrapped.encrypted_key)).key == PLAIN


@pytest.mark.parametrize("kind", ["RSA", *EC_SIGNATURES])
async def test_what_the_server_signs_both_sides_verify(client, name, by_itself, by_the_server, kind):
    rsa = kind == "RSA"
    key = await (client.create_rsa_key(name) if rsa else client.create_ec_key(name, curve=kind))
    for algorithm in RSA_SIGNATURES if rsa else [SignatureAlgorithm(EC_SIGNATURES[kind])]:
        signed = await by_the_server(key).sign(algorithm, digest(algorithm))
        assert (signed.key_id, signed.algorithm) == (key.id, algorithm)
        for said, is_one in ((PLAIN, True), (b"other", False)):
            for verifier in (by_itself(key), by_the_server(key)):
                found = await verifier.verify(algorithm, digest(algorithm, said), signed.signature)
                assert found.is_valid is is_one


@pytest.mark.parametrize("described", [rsa_jwk(), *map(ec_jwk, EC_SIGNATURES)], ids=lambda each: each.get("crv", "RSA"))
async def test_what_the_maker_of_an_imported_key_signs_the_server_verifies(client, name, by_the_server, described):
    """The client signs by itself where it has what is private."""
    brought = JsonWebKey(
        **{part: value if part in {"kty", "crv"} else decoded(value) for part, value in described.items()},
        key_ops=["sign", "verify"],
    )
    key = await client.import_key(name, brought)
    algorithm = SignatureAlgorithm(EC_SIGNATURES.get(described.get("crv"), "PS384"))
    maker = CryptographyClient.from_jwk(brought)
    own = await maker.sign(algorithm, digest(algorithm))
    assert (await by_the_server(key).verify(algorithm, digest(algorithm), own.signature)).is_valid
    signed = await by_the_server(key).sign(algorithm, digest(algorithm))
    assert (await maker.verify(algorithm, digest(algorithm), signed.signature)).is_valid


@pytest.mark.parametrize("size", [128, 192, 256])
async def test_an_aes_key_encrypts_and_wraps(client, name, by_itself, size):
    server = by_itself(await client.create_oct_key(name, size=size, hardware_protected=True))
    gcm, padded, wrapping = EncryptionAlgorithm(f"A{size}GCM"), f"A{size}CBCPAD", KeyWrapAlgorithm(f"A{size}KW")
    sealed = await server.encrypt(gcm, PLAIN, additional_authenticated_data=b"aad")
    opened = {"iv": sealed.iv, "authentication_tag": sealed.tag, "additional_authenticated_data": sealed.aad}
    assert (await server.decrypt(gcm, sealed.ciphertext, **opened)).plaintext == PLAIN
    sealed = await server.encrypt(EncryptionAlgorithm(padded), PLAIN, iv=bytes(16))
    found = await server.decrypt(EncryptionAlgorithm(padded), sealed.ciphertext, iv=bytes(16))
    assert found.plaintext == PLAIN
    wrapped = await server.wrap_key(wrapping, bytes(range(16)))
    assert (await server.unwrap_key(wrapping, wrapped.encrypted_key)).key == bytes(range(16))


async def test_a_key_that_may_not_is_refused(client, name, by_the_server):
    key = await client.create_ec_key(name, enabled=False)
    with pytest.raises(HttpResponseError) as refused:
        await by_the_server(key).sign(SignatureAlgorithm.es256, digest("ES256"))
    assert (refused.value.status_code, refused.value.error.innererror["code"]) == (403, "KeyDisabled")
