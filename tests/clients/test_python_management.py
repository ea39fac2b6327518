"""The unmodified management client for Python: vaults from their making to their purge."""

import re
import uuid

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.keyvault.secrets import SecretClient
from azure.mgmt.keyvault import KeyVaultManagementClient
from azure.mgmt.keyvault.models import (
    AccessPolicyEntry,
    IPRule,
    NetworkRuleSet,
    Permissions,
    Sku,
    VaultAccessPolicyParameters,
    VaultAccessPolicyProperties,
    VaultCheckNameAvailabilityParameters,
    VaultCreateOrUpdateParameters,
    VaultPatchParameters,
    VaultPatchProperties,
    VaultProperties,
)

from clients.harness import ROOT

GROUP = "dev"


@pytest.fixture
def management(connection, credential):
    with KeyVaultManagementClient(
        credential,
        connection.subscriptionId,
        base_url=connection.managementUrl,
        credential_scopes=[f"{connection.managementUrl}/.default"],
        polling_interval=0,
    ) as client:
        yield client


def test_the_python_of_the_documents_makes_a_group_and_lists_its_vaults(connection, client_environ):
    document = (ROOT / "docs" / "clients.md").read_text()
    code = "".join(re.findall(r"^```python\n(.*?)^```$", document, re.DOTALL | re.MULTILINE))
    names = {}
    exec(code.replace("https://management.localhost:8443", connection.managementUrl), names)
    assert list(names["management"].vaults.list_by_resource_group("production")) == []


@pytest.fixture
def name():
    return f"v{uuid.uuid4().hex[:16]}"


def parameters(connection, **properties):
    return VaultCreateOrUpdateParameters(
        location=connection.location,
        tags={"team": "blue"},
        properties=VaultProperties(tenant_id=connection.tenantId, sku=Sku(name="standard", family="A"), **properties),
    )


@pytest.fixture
def vault(management, connection, name):
    """A vault in access-policy mode, open to nobody yet."""
    wanted = parameters(connection, access_policies=[], enable_rbac_authorization=False)
    return management.vaults.begin_create_or_update(GROUP, name, wanted).result()


def entry(connection, server, *permissions):
    listed = [each for each in _applications(server) if each["clientId"] == connection.clientId]
    return AccessPolicyEntry(
        tenant_id=connection.tenantId,
        object_id=listed[0]["objectId"],
        permissions=Permissions(secrets=list(permissions)),
    )


def _applications(server):
    import json

    return json.loads(server.strongroom("app", "list", "--json").stdout)


def test_a_vault_is_made_and_found(management, vault, connection, name):
    assert vault.name == name
    assert vault.properties.vault_uri == f"https://{name}.vault.{connection.managementUrl.partition('management.')[2]}/"
    assert vault.properties.enable_soft_delete
    assert vault.properties.soft_delete_retention_in_days == 90
    found = management.vaults.get(GROUP, name)
    assert (found.id, found.tags) == (vault.id, {"team": "blue"})
    assert name in {each.name for each in management.vaults.list_by_resource_group(GROUP)}
    assert name in {each.name for each in management.vaults.list_by_subscription()}
    assert name in {each.name for each in management.vaults.list()}


def test_a_policy_opens_the_vault_and_its_removal_closes_it(management, server, connection, credential, vault, name):
    with SecretClient(vault.properties.vault_uri, credential) as secrets:
        with pytest.raises(HttpResponseError) as refused:
            secrets.get_secret("any")
        assert refused.value.status_code == 403
        assert refused.value.error.innererror["code"] == "ForbiddenByPolicy"
        policies = VaultAccessPolicyParameters(
            properties=VaultAccessPolicyProperties(access_policies=[entry(connection, server, "get", "set")])
        )
        management.vaults.update_access_policy(GROUP, name, "add", policies)
        secrets.set_secret("any", "value")
        assert secrets.get_secret("any").value == "value"
        policies.properties.access_policies[0].permissions.secrets = ["list"]
        management.vaults.update_access_policy(GROUP, name, "replace", policies)
        assert [each.name for each in secrets.list_properties_of_secrets()] == ["any"]
        with pytest.raises(HttpResponseError):
            secrets.get_secret("any")
        management.vaults.update_access_policy(GROUP, name, "remove", policies)
        with pytest.raises(HttpResponseError):
            list(secrets.list_properties_of_secrets())


def test_a_patch_changes_what_it_names(management, vault, name):
    patch = VaultPatchParameters(tags={"a": "1"}, properties=VaultPatchProperties(enabled_for_deployment=True))
    changed = management.vaults.update(GROUP, name, patch)
    assert changed.tags == {"a": "1"}
    assert changed.properties.enabled_for_deployment
    assert changed.properties.soft_delete_retention_in_days == 90


def test_a_deleted_vault_is_recovered_and_another_purged(management, connection, vault, name):
    def available():
        asked = VaultCheckNameAvailabilityParameters(name=name, type="Microsoft.KeyVault/vaults")
        return management.vaults.check_name_availability(asked).name_available

    assert not available()
    management.vaults.delete(GROUP, name)
    with pytest.raises(ResourceNotFoundError):
        management.vaults.get(GROUP, name)
    assert management.vaults.get_deleted(name, connection.location).name == name
    assert name in {each.name for each in management.vaults.list_deleted()}
    recovery = VaultCreateOrUpdateParameters(
        location=connection.location,
        properties=VaultProperties(
            tenant_id=connection.tenantId, sku=Sku(name="standard", family="A"), create_mode="recover"
        ),
    )
    management.vaults.begin_create_or_update(GROUP, name, recovery).result()
    assert management.vaults.get(GROUP, name).tags == {"team": "blue"}
    management.vaults.delete(GROUP, name)
    management.vaults.begin_purge_deleted(name, connection.location).result()
    with pytest.raises(ResourceNotFoundError):
        management.vaults.get_deleted(name, connection.location)
    assert available()


def test_a_new_vault_has_rbac_and_a_role_opens_it(management, server, connection, credential, name):
    vault = management.vaults.begin_create_or_update(GROUP, name, parameters(connection)).result()
    assert vault.properties.enable_rbac_authorization
    with SecretClient(vault.properties.vault_uri, credential) as secrets:
        with pytest.raises(HttpResponseError) as refused:
            secrets.set_secret("any", "value")
        assert refused.value.error.innererror["code"] == "ForbiddenByRbac"
        server.strongroom("role", "assign", "bootstrap", "Key Vault Secrets Officer", "--vault", name)
        secrets.set_secret("any", "value")
        assert secrets.get_secret("any").value == "value"


def test_a_vault_is_used_from_where_its_network_rules_say(management, connection, server, credential, name):
    """The rules as the client reads them back may be sent again, as tools do that read, change and write."""
    here, elsewhere = [IPRule(value="127.0.0.1"), IPRule(value="127.0.0.0/8")], [IPRule(value="203.0.113.0/24")]
    acls = NetworkRuleSet(default_action="Deny", bypass="None", ip_rules=here)
    policies = [entry(connection, server, "list")]
    wanted = parameters(connection, access_policies=policies, enable_rbac_authorization=False, network_acls=acls)
    made = management.vaults.begin_create_or_update(GROUP, name, wanted).result()
    told = made.properties.network_acls
    assert [rule.value for rule in told.ip_rules] == ["127.0.0.1/32", "127.0.0.0/8"]
    assert (told.default_action, told.bypass, told.virtual_network_rules) == ("Deny", "None", [])
    with SecretClient(made.properties.vault_uri, credential, retry_total=0) as secrets:

        def inner_code():
            try:
                return list(secrets.list_properties_of_secrets())
            except HttpResponseError as error:
                return error.error.innererror["code"]

        assert inner_code() == []
        told.ip_rules = elsewhere
        again = VaultCreateOrUpdateParameters(location=made.location, properties=made.properties)
        management.vaults.begin_create_or_update(GROUP, name, again).result()
        assert inner_code() == "ForbiddenByFirewall"
        assert name in {each.name for each in management.vaults.list_by_resource_group(GROUP)}
        shut = VaultPatchProperties(
            network_acls=NetworkRuleSet(default_action="Allow"), public_network_access="disabled"
        )
        changed = management.vaults.update(GROUP, name, VaultPatchParameters(properties=shut))
        assert changed.properties.public_network_access == "Disabled"
        assert [rule.value for rule in changed.properties.network_acls.ip_rules] == ["203.0.113.0/24"]
        assert inner_code() == "ForbiddenByConnection"
        management.vaults.update(
            GROUP, name, VaultPatchParameters(properties=VaultPatchProperties(public_network_access="Enabled"))
        )
        assert inner_code() == []
