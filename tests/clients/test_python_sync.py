"""The unmodified synchronous Python client: every operation of secrets, challenge verification on."""

import uuid
from datetime import UTC, datetime

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.identity import (
    CertificateCredential,
    ClientSecretCredential,
    DefaultAzureCredential,
    EnvironmentCredential,
)
from azure.keyvault.secrets import SecretClient

from canaries import MARK

ONE, TWO, VALUE = (f"{MARK}{number}" for number in range(3))
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def client(connection, credential):
    with SecretClient(connection.vaultUrl, credential) as client:
        yield client


@pytest.fixture
def name():
    return f"sync-{uuid.uuid4().hex}"


def test_a_secret_is_kept_and_fetched_with_all_that_belongs_to_it(client, name, connection):
    kept = client.set_secret(name, "välue", content_type="text/plain", tags={"team": "blue"}, not_before=NOON)
    fetched = client.get_secret(name)
    assert fetched.value == "välue"
    assert fetched.id == kept.id == f"{connection.vaultUrl}/secrets/{name}/{kept.properties.version}"
    properties = fetched.properties
    assert (properties.content_type, properties.tags, properties.not_before) == ("text/plain", {"team": "blue"}, NOON)
    assert properties.enabled
    assert properties.recovery_level == "Recoverable+Purgeable"
    assert properties.recoverable_days == 90
    assert properties.created_on == kept.properties.created_on


def test_every_version_is_kept_and_the_newest_is_fetched(client, name):
    versions = [client.set_secret(name, str(number)).properties.version for number in range(3)]
    assert client.get_secret(name).value == "2"
    assert client.get_secret(name, versions[0]).value == "0"
    listed = list(client.list_properties_of_secret_versions(name))
    assert {each.version for each in listed} == set(versions)


def test_properties_are_updated_and_what_is_not_given_stays(client, name):
    version = client.set_secret(name, VALUE, tags={"a": "1"}).properties.version
    client.update_secret_properties(name, version, content_type="json", expires_on=NOON)
    changed = client.get_secret(name, version)
    assert changed.value == VALUE
    assert changed.properties.tags == {"a": "1"}
    assert (changed.properties.content_type, changed.properties.expires_on) == ("json", NOON)
    assert client.update_secret_properties(name, tags={}).tags in ({}, None)


def test_a_disabled_version_is_not_told(client, name):
    client.set_secret(name, VALUE, enabled=False)
    with pytest.raises(HttpResponseError) as refused:
        client.get_secret(name)
    assert refused.value.status_code == 403
    assert refused.value.error.code == "Forbidden"
    assert refused.value.error.innererror["code"] == "SecretDisabled"


def test_lists_come_in_pages(client, name):
    wanted = {f"{name}-{number}" for number in range(5)}
    for each in wanted:
        client.set_secret(each, VALUE)
    pages = [list(page) for page in client.list_properties_of_secrets(max_page_size=2).by_page()]
    assert all(len(page) <= 2 for page in pages)
    assert wanted <= {each.name for page in pages for each in page}


def test_a_deleted_secret_is_recovered_whole(client, name):
    client.set_secret(name, ONE)
    client.set_secret(name, TWO)
    deleted = client.begin_delete_secret(name).result()
    assert deleted.deleted_date < deleted.scheduled_purge_date
    assert deleted.recovery_id.endswith(f"/deletedsecrets/{name}")
    with pytest.raises(ResourceNotFoundError) as missing:
        client.get_secret(name)
    assert missing.value.error.code == "SecretNotFound"
    with pytest.raises(ResourceExistsError) as taken:
        client.set_secret(name, "three")
    assert taken.value.error.innererror["code"] == "ObjectIsDeletedButRecoverable"
    assert client.get_deleted_secret(name).name == name
    assert name in {each.name for each in client.list_deleted_secrets()}
    assert client.begin_recover_deleted_secret(name).result().name == name
    assert client.get_secret(name).value == TWO
    assert len(list(client.list_properties_of_secret_versions(name))) == 2


def test_a_purged_secret_is_gone_and_its_name_is_free(client, name):
    client.set_secret(name, ONE)
    client.begin_delete_secret(name).wait()
    client.purge_deleted_secret(name)
    with pytest.raises(ResourceNotFoundError):
        client.get_deleted_secret(name)
    client.set_secret(name, TWO)
    assert len(list(client.list_properties_of_secret_versions(name))) == 1


def test_a_backup_brings_back_all_versions(client, name):
    versions = {client.set_secret(name, text).properties.version for text in (ONE, TWO)}
    backup = client.backup_secret(name)
    assert TWO.encode() not in backup
    with pytest.raises(ResourceExistsError):
        client.restore_secret_backup(backup)
    client.begin_delete_secret(name).wait()
    client.purge_deleted_secret(name)
    assert client.restore_secret_backup(backup).name == name
    assert client.get_secret(name).value == TWO
    assert {each.version for each in client.list_properties_of_secret_versions(name)} == versions


def test_a_backup_that_was_changed_is_refused(client, name):
    client.set_secret(name, ONE)
    backup = bytearray(client.backup_secret(name))
    backup[-1] ^= 1
    with pytest.raises(HttpResponseError) as refused:
        client.restore_secret_backup(bytes(backup))
    assert refused.value.status_code == 400
    assert refused.value.error.code == "BadParameter"


@pytest.mark.parametrize("version", ["7.0", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "2025-07-01"])
def test_older_versions_of_the_interface_are_spoken(connection, credential, name, version):
    with SecretClient(connection.vaultUrl, credential, api_version=version) as client:
        client.set_secret(name, version)
        assert client.get_secret(name).value == version


def test_a_version_that_is_not_spoken_is_refused(connection, credential, name):
    with SecretClient(connection.vaultUrl, credential, api_version="9.9") as client:
        with pytest.raises(HttpResponseError) as refused:
            client.get_secret(name)
        assert refused.value.status_code == 400


def test_the_environment_is_enough_to_sign_in(client_environ, client, connection, name):
    client.set_secret(name, VALUE)
    for kind in (EnvironmentCredential, DefaultAzureCredential):
        with (
            kind(disable_instance_discovery=True) as credential,
            SecretClient(connection.vaultUrl, credential) as other,
        ):
            assert other.get_secret(name).value == VALUE


def test_a_wrong_client_secret_is_refused_with_the_code_that_people_search_for(connection, client_environ):
    credential = ClientSecretCredential(
        connection.tenantId,
        connection.clientId,
        "wrong",
        authority=connection.authority,
        disable_instance_discovery=True,
    )
    with credential, pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        credential.get_token("https://vault.azure.net/.default")


def test_a_token_for_the_public_names_serves_too(credential):
    assert credential.get_token("https://vault.azure.net/.default").token


def test_a_certificate_signs_in(server, connection, client_environ, tmp_path, name):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    from clients.harness import execute, plain_environ

    execute(
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=robot -keyout {key} -out {certificate}".split(),
        plain_environ(tmp_path),
    )
    server.strongroom("app", "add-certificate", "bootstrap", str(certificate))
    both = tmp_path / "both.pem"
    both.write_text(key.read_text() + certificate.read_text())
    for chain in (False, True):
        credential = CertificateCredential(
            connection.tenantId,
            connection.clientId,
            str(both),
            send_certificate_chain=chain,
            authority=connection.authority,
            disable_instance_discovery=True,
        )
        with credential, SecretClient(connection.vaultUrl, credential) as client:
            client.set_secret(name, f"chain {chain}")
            assert client.get_secret(name).value == f"chain {chain}"
