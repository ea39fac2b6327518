"""The unmodified asyncio Python clients: every operation of secrets, and the life of a key."""

import uuid

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.identity.aio import ClientSecretCredential
from azure.keyvault.keys.aio import KeyClient
from azure.keyvault.keys.crypto import EncryptionAlgorithm, SignatureAlgorithm
from azure.keyvault.secrets.aio import SecretClient

from canaries import MARK

ONE, TWO = (f"{MARK}{number}" for number in range(2))


@pytest.fixture
async def client(connection, client_environ):
    credential = ClientSecretCredential(
        connection.tenantId, connection.clientId, connection.clientSecret, authority=connection.authority
    )
    async with credential, SecretClient(connection.vaultUrl, credential) as client:
        yield client


@pytest.fixture
def name():
    return f"async-{uuid.uuid4().hex}"


async def test_secrets_are_set_fetched_listed_and_updated(client, name):
    first = await client.set_secret(name, ONE, tags={"a": "1"})
    await client.set_secret(name, TWO)
    assert (await client.get_secret(name)).value == TWO
    assert (await client.get_secret(name, first.properties.version)).value == ONE
    assert len([each async for each in client.list_properties_of_secret_versions(name)]) == 2
    assert name in {each.name async for each in client.list_properties_of_secrets()}
    changed = await client.update_secret_properties(name, first.properties.version, content_type="text")
    assert (changed.content_type, changed.tags) == ("text", {"a": "1"})


async def test_secrets_are_deleted_recovered_purged_and_restored(client, name):
    await client.set_secret(name, ONE)
    backup = await client.backup_secret(name)
    assert (await client.delete_secret(name)).name == name
    assert (await client.get_deleted_secret(name)).name == name
    assert name in {each.name async for each in client.list_deleted_secrets()}
    await client.recover_deleted_secret(name)
    assert (await client.get_secret(name)).value == ONE
    await client.delete_secret(name)
    await client.purge_deleted_secret(name)
    with pytest.raises(ResourceNotFoundError):
        await client.get_deleted_secret(name)
    await client.restore_secret_backup(backup)
    assert (await client.get_secret(name)).value == ONE


@pytest.fixture
async def keys(connection, client_environ):
    credential = ClientSecretCredential(
        connection.tenantId, connection.clientId, connection.clientSecret, authority=connection.authority
    )
    async with credential, KeyClient(connection.vaultUrl, credential) as client:
        yield client


async def test_keys_live_sign_decrypt_and_rotate(keys, name):
    made = await keys.create_rsa_key(name, size=2048)
    crypto = keys.get_cryptography_client(name)  # over the connection of the other, which closes it
    sealed = await crypto.encrypt(EncryptionAlgorithm.rsa_oaep_256, ONE.encode())
    opened = await crypto.decrypt(EncryptionAlgorithm.rsa_oaep_256, sealed.ciphertext)
    assert opened.plaintext == ONE.encode()
    signed = await crypto.sign(SignatureAlgorithm.ps256, bytes(32))
    assert (await crypto.verify(SignatureAlgorithm.ps256, bytes(32), signed.signature)).is_valid
    assert (await keys.rotate_key(name)).id != made.id
    assert len([each async for each in keys.list_properties_of_key_versions(name)]) == 2
    backup = await keys.backup_key(name)
    await keys.delete_key(name)
    await keys.recover_deleted_key(name)
    await keys.delete_key(name)
    await keys.purge_deleted_key(name)
    with pytest.raises(ResourceNotFoundError):
        await keys.get_key(name)
    await keys.restore_key_backup(backup)
    assert (await keys.get_key(name, made.properties.version)).key.n == made.key.n
