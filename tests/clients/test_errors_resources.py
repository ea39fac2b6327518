"""What a vault refuses about its secrets and keys as resources, and its private links, provoked through the SDK.

Rows of the table of the management plane; see `test_errors_management.py` and `test_errors.py`.
"""

import pytest
from azure.mgmt.keyvault.models import (
    AccessPolicyEntry,
    KeyCreateParameters,
    KeyProperties,
    Permissions,
    PrivateEndpointConnection,
    PrivateEndpointConnectionProperties,
    PrivateLinkServiceConnectionState,
    SecretCreateOrUpdateParameters,
    SecretProperties,
    VaultAccessPolicyParameters,
    VaultAccessPolicyProperties,
)

from clients.provoking import NOWHERE, fits, meet

pytestmark = [pytest.mark.xdist_group("errors"), pytest.mark.usefixtures("client_environ")]

APPROVED = PrivateEndpointConnection(
    properties=PrivateEndpointConnectionProperties(
        private_link_service_connection_state=PrivateLinkServiceConnectionState(status="Approved")
    )
)


@pytest.fixture(scope="module")
def world(world):
    url = world.direct.vault_url(world.policy_vault)
    for method, path, body in (
        ("POST", "/keys/deleted/create", {"kty": "EC"}),
        ("DELETE", "/keys/deleted", None),
    ):
        assert world.direct.secret(method, url, path, body).status == 200
    return world


def put_secret(name, value="v", **more):
    asked = SecretCreateOrUpdateParameters(properties=SecretProperties(value=value, **more))
    return lambda w: w.management().secrets.create_or_update("dev", w.policy_vault, name, asked)


def put_key(name, **asked):
    wanted = KeyCreateParameters(properties=KeyProperties(**asked))
    return lambda w: w.management().keys.create_if_not_exist("dev", w.policy_vault, name, wanted)


def add_foreign_policy(w):
    entry = AccessPolicyEntry(tenant_id=NOWHERE, object_id=NOWHERE, permissions=Permissions(secrets=["get"]))
    asked = VaultAccessPolicyParameters(properties=VaultAccessPolicyProperties(access_policies=[entry]))
    return w.vaults().update_access_policy("dev", w.policy_vault, "add", asked)


ROWS = {
    "SecretTooLarge": (
        put_secret("large", "x" * 25601),
        (400, "SecretTooLarge"),
        "[SecretTooLarge (BadParameter)] Secret is beyond the maximum permitted length of 25600 characters.",
    ),
    "KeySizeNotSupported": (
        put_key("small", kty="RSA", key_size=1024),
        (400, "KeySizeNotSupported"),
        "[KeySizeNotSupported (BadParameter)] Unsupported key size (1024). …",
    ),
    "BadParameter: a name that is none": (
        put_secret("no_name"),
        (400, "BadParameter"),
        "The request URI contains an invalid name: no_name",
    ),
    "BadParameter: an operation that is none": (
        put_key("k", kty="EC", key_ops=["fly"]),
        (400, "BadParameter"),
        "Property keyOps has invalid value: …",
    ),
    "BadRequest: a policy for another tenant": (
        add_foreign_policy,
        (400, "BadRequest"),
        f"Invalid value found at accessPolicies[0].TenantId: {NOWHERE}. It must be the tenant of the vault, …",
    ),
    "AuthorizationFailed": (
        lambda w: w.management("guest").secrets.get("dev", w.policy_vault, "living"),
        (403, "AuthorizationFailed"),
        "…'Microsoft.KeyVault/vaults/secrets/read' over scope '…/vaults/{vault}/secrets/living' …",
    ),
    "ResourceNotFound": (
        lambda w: w.management().keys.get("dev", "no-such-vault", "any"),
        (404, "ResourceNotFound"),
        "The Resource 'Microsoft.KeyVault/vaults/no-such-vault' under resource group 'dev' was not found. …",
    ),
    "ResourceNotFound: a connection": (
        lambda w: w.management().private_endpoint_connections.put("dev", w.policy_vault, "none", APPROVED),
        (404, "ResourceNotFound"),
        "The private endpoint connection 'none' of the vault '{vault}' was not found.",
    ),
    "SecretNotFound": (
        lambda w: w.management().secrets.get("dev", w.policy_vault, "deleted"),
        (404, "SecretNotFound"),
        "A secret with (name/id) deleted was not found in this key vault. …",
    ),
    "KeyNotFound": (
        lambda w: w.management().keys.get("dev", w.policy_vault, "deleted"),
        (404, "KeyNotFound"),
        "A key with (name/id) deleted was not found in this key vault. …",
    ),
    "ObjectIsDeletedButRecoverable: a secret": (
        put_secret("deleted"),
        (409, "ObjectIsDeletedButRecoverable"),
        "[ObjectIsDeletedButRecoverable (Conflict)] Secret deleted is currently in a deleted but recoverable state, …",
    ),
    "ObjectIsDeletedButRecoverable: a key": (
        put_key("deleted", kty="EC"),
        (409, "ObjectIsDeletedButRecoverable"),
        "[ObjectIsDeletedButRecoverable (Conflict)] Key deleted is currently in a deleted but recoverable state, …",
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_what_a_vault_holds_is_refused_as_its_row_says(world, name):
    provoke, expected, message = ROWS[name]
    met = meet(world, provoke)
    assert (met.status, met.code) == expected, met
    assert fits(message, met.message, world.facts), met.message
    assert met.inner is None
