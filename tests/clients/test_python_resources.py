"""The unmodified management client for Python: what a vault holds as resources, its private links, the operations."""

import base64
import json
from datetime import UTC, datetime

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.keyvault.keys import KeyClient
from azure.keyvault.secrets import SecretClient
from azure.mgmt.keyvault import KeyVaultManagementClient
from azure.mgmt.keyvault.models import (
    Action,
    KeyAttributes,
    KeyCreateParameters,
    KeyProperties,
    KeyReleasePolicy,
    KeyRotationPolicyAttributes,
    LifetimeAction,
    PrivateEndpointConnection,
    PrivateEndpointConnectionProperties,
    PrivateLinkServiceConnectionState,
    RotationPolicy,
    SecretAttributes,
    SecretCreateOrUpdateParameters,
    SecretPatchParameters,
    SecretPatchProperties,
    SecretProperties,
    Trigger,
)

from canaries import MARK
from clients.direct import Direct, unique
from release_doubles import a_policy

APPROVED = PrivateEndpointConnection(
    properties=PrivateEndpointConnectionProperties(
        private_link_service_connection_state=PrivateLinkServiceConnectionState(status="Approved")
    )
)

GROUP = "dev"
VERSIONS = ("2016-10-01", "2019-09-01", "2023-07-01", "2026-05-15")
END = datetime(2040, 1, 1, tzinfo=UTC)
PREMIUM = {"family": "A", "name": "premium"}


@pytest.fixture
def direct(connection):
    found = Direct(connection)
    yield found
    found.close()


@pytest.fixture
def vault(direct):
    """The name of a premium vault that the owner may do everything in."""
    name = unique("res")
    everything = direct.policy(direct.owner_id, "all", keys=["all"])
    direct.make_vault(name, sku=PREMIUM, accessPolicies=[everything])
    return name


@pytest.fixture
def client_of(connection, credential):
    """Return a function that opens a management client, of an api-version if one is said."""
    opened = []

    def open_client(**more):
        client = KeyVaultManagementClient(
            credential,
            connection.subscriptionId,
            base_url=connection.managementUrl,
            credential_scopes=[f"{connection.managementUrl}/.default"],
            polling_interval=0,
            **more,
        )
        opened.append(client)
        return client

    yield open_client
    for client in opened:
        client.close()


@pytest.fixture
def management(client_of):
    return client_of()


def secret(value, **more):
    return SecretCreateOrUpdateParameters(properties=SecretProperties(value=value, **more), tags={"team": "red"})


def key(kty="EC", **more):
    return KeyCreateParameters(properties=KeyProperties(kty=kty, **more), tags={"team": "red"})


def test_a_secret_goes_in_and_only_the_vault_tells_its_value(management, direct, credential, vault):
    value = f"{MARK}value-of-arm-python"
    attributes = SecretAttributes(enabled=True, expires=END)
    made = management.secrets.create_or_update(
        GROUP, vault, "db", secret(value, content_type="text/plain", attributes=attributes)
    )
    assert made.properties.value is None
    assert (made.type, made.tags) == ("Microsoft.KeyVault/vaults/secrets", {"team": "red"})
    assert made.properties.attributes.expires == END
    shown = management.secrets.get(GROUP, vault, "db")
    assert shown.as_dict() == made.as_dict()
    with SecretClient(direct.vault_url(vault), credential) as secrets:
        found = secrets.get_secret("db")
        assert (found.value, found.id) == (value, made.properties.secret_uri_with_version)
        assert found.properties.tags == {"team": "red"}


def test_a_patch_of_a_secret_edits_it_and_a_value_makes_a_version(management, direct, credential, vault):
    made = management.secrets.create_or_update(GROUP, vault, "db", secret(f"{MARK}1"))
    patch = SecretPatchProperties(content_type="x", attributes=SecretAttributes(not_before=END))
    edited = management.secrets.update(GROUP, vault, "db", SecretPatchParameters(properties=patch))
    assert edited.properties.secret_uri_with_version == made.properties.secret_uri_with_version
    assert (edited.properties.content_type, edited.properties.attributes.not_before) == ("x", END)
    patch = SecretPatchProperties(value=f"{MARK}2")
    revised = management.secrets.update(GROUP, vault, "db", SecretPatchParameters(properties=patch))
    assert revised.properties.secret_uri_with_version != made.properties.secret_uri_with_version
    assert (revised.properties.content_type, revised.tags) == ("x", {"team": "red"})
    with SecretClient(direct.vault_url(vault), credential) as secrets:
        assert secrets.get_secret("db").value == f"{MARK}2"
        assert len(list(secrets.list_properties_of_secret_versions("db"))) == 2


def test_secrets_are_listed_a_page_at_a_time(management, vault):
    for number in range(5):
        management.secrets.create_or_update(GROUP, vault, f"s{number}", secret(f"{MARK}{number}"))
    pages = [list(page) for page in management.secrets.list(GROUP, vault, top=2).by_page()]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [each.name for page in pages for each in page] == [f"s{number}" for number in range(5)]


def test_a_deleted_secret_or_key_holds_its_name(management, direct, credential, vault):
    management.secrets.create_or_update(GROUP, vault, "x", secret(f"{MARK}1"))
    management.keys.create_if_not_exist(GROUP, vault, "x", key())
    with SecretClient(direct.vault_url(vault), credential) as secrets:
        secrets.begin_delete_secret("x").result()
    with KeyClient(direct.vault_url(vault), credential) as keys:
        keys.begin_delete_key("x").result()
    for ask in (
        lambda: management.secrets.create_or_update(GROUP, vault, "x", secret(f"{MARK}2")),
        lambda: management.keys.create_if_not_exist(GROUP, vault, "x", key()),
    ):
        with pytest.raises(HttpResponseError) as refused:
            ask()
        assert (refused.value.status_code, refused.value.error.code) == (409, "ObjectIsDeletedButRecoverable")
    for ask in (management.secrets.get, management.keys.get):
        with pytest.raises(ResourceNotFoundError):
            ask(GROUP, vault, "x")


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        ({"kty": "RSA"}, {"kty": "RSA", "key_size": 2048}),
        ({"kty": "RSA-HSM", "key_ops": ["sign", "verify"]}, {"kty": "RSA-HSM", "key_ops": ["sign", "verify"]}),
        ({"kty": "EC", "curve_name": "P-521"}, {"kty": "EC", "curve_name": "P-521"}),
        ({"kty": "oct-HSM", "key_size": 256}, {"kty": "oct-HSM", "key_size": 256}),
    ],
)
def test_a_key_is_made_once_and_is_the_vault_s(management, direct, credential, vault, properties, told):
    made = management.keys.create_if_not_exist(GROUP, vault, "k", key(**properties))
    assert {name: getattr(made.properties, name) for name in told} == told
    again = management.keys.create_if_not_exist(GROUP, vault, "k", key("EC", curve_name="P-256K"))
    assert again.as_dict() == made.as_dict()
    with KeyClient(direct.vault_url(vault), credential) as keys:
        found = keys.get_key("k")
        assert (found.id, found.properties.tags) == (made.properties.key_uri_with_version, {"team": "red"})
        newer = keys.rotate_key("k").properties.version
    versions = [each.name for each in management.keys.list_versions(GROUP, vault, "k")]
    assert versions == [made.properties.key_uri_with_version.rpartition("/")[2], newer]
    assert management.keys.get_version(GROUP, vault, "k", versions[0]).tags == {"team": "red"}
    assert management.keys.get(GROUP, vault, "k").properties.key_uri_with_version.endswith(newer)
    assert [each.name for each in management.keys.list(GROUP, vault)] == ["k"]


def test_a_key_comes_with_its_policies(management, direct, credential, vault):
    rotation = RotationPolicy(
        attributes=KeyRotationPolicyAttributes(expiry_time="P1Y"),
        lifetime_actions=[LifetimeAction(trigger=Trigger(time_after_create="P90D"), action=Action(type="rotate"))],
    )
    policy = json.dumps(a_policy()).encode()
    wanted = key(
        "RSA-HSM",
        rotation_policy=rotation,
        release_policy=KeyReleasePolicy(content_type="application/json; charset=utf-8", data=policy),
        attributes=KeyAttributes(enabled=True, exportable=True, expires=int(END.timestamp())),
        key_ops=["encrypt", "decrypt", "release"],
    )
    made = management.keys.create_if_not_exist(GROUP, vault, "k", wanted).properties
    assert made.attributes.exportable
    assert made.attributes.expires == int(END.timestamp())
    assert made.key_ops == ["encrypt", "decrypt", "release"]
    assert json.loads(made.release_policy.data) == a_policy()
    assert made.rotation_policy.attributes.expiry_time == "P1Y"
    assert made.rotation_policy.lifetime_actions[0].action.type == "rotate"
    with KeyClient(direct.vault_url(vault), credential) as keys:
        assert keys.get_key_rotation_policy("k").expires_in == "P1Y"
        assert base64.b64encode(keys.get_key("k").properties.release_policy.encoded_policy)


def test_private_links_have_a_zone_and_at_first_no_connections(management, connection, vault):
    (link,) = management.private_link_resources.list_by_vault(GROUP, vault).value
    domain = connection.managementUrl.partition("management.")[2].partition(":")[0]
    assert link.properties.group_id == "vault"
    assert link.properties.required_zone_names == [f"privatelink.vaultcore.{domain}"]
    connections = management.private_endpoint_connections
    assert list(connections.list_by_resource(GROUP, vault)) == []
    for ask in (
        lambda: connections.get(GROUP, vault, "none"),
        lambda: connections.put(GROUP, vault, "none", APPROVED),
    ):
        with pytest.raises(ResourceNotFoundError):
            ask()
    connections.begin_delete(GROUP, vault, "none").result()


def test_a_private_endpoint_connection_is_approved_rejected_and_removed(management, server, vault):
    made = json.loads(
        server.strongroom(
            *("network", "endpoint", "add", "py-pe", "--vault", vault, "--address", "127.0.0.96:1", "--json")
        ).stdout
    )
    connections = management.private_endpoint_connections
    (listed,) = connections.list_by_resource(GROUP, vault)
    found = connections.get(GROUP, vault, "py-pe")
    assert listed.as_dict() == found.as_dict()
    assert found.properties.private_endpoint.id == made["id"]
    state = found.properties.private_link_service_connection_state
    assert (state.status, state.actions_required) == ("Pending", "None")
    for status in ("Approved", "Rejected"):
        before = found.etag
        found.properties.private_link_service_connection_state.status = status
        found = connections.put(GROUP, vault, "py-pe", found)
        assert found.properties.private_link_service_connection_state.status == status
        assert found.etag != before
    (told,) = management.vaults.get(GROUP, vault).properties.private_endpoint_connections
    assert (told.id, told.etag) == (found.id, found.etag)
    removed = connections.begin_delete(GROUP, vault, "py-pe").result()
    assert removed.properties.private_link_service_connection_state.status == "Disconnected"
    assert list(connections.list_by_resource(GROUP, vault)) == []
    server.strongroom("network", "endpoint", "remove", "py-pe", "--vault", vault)


def test_the_operations_are_those_that_roles_may_grant(management):
    names = {each.name: each.is_data_action for each in management.operations.list()}
    assert names["Microsoft.KeyVault/vaults/secrets/write"] is False
    assert names["Microsoft.KeyVault/vaults/secrets/getSecret/action"] is True


@pytest.mark.parametrize("version", VERSIONS)
def test_every_api_version_speaks_of_secrets(client_of, vault, version):
    client = client_of(api_version=version)
    client.secrets.create_or_update(GROUP, vault, "v", secret(f"{MARK}1"))
    assert client.secrets.get(GROUP, vault, "v").name == "v"
    if version >= "2019-09-01":
        assert client.keys.create_if_not_exist(GROUP, vault, "v", key()).name == "v"
