"""The unmodified asyncio Python client: every operation of secrets."""

import uuid

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.identity.aio import ClientSecretCredential
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
