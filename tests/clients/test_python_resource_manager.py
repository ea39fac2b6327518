"""The unmodified resource manager clients for Python: groups, resources, providers, tags, subscriptions, locks."""

import uuid

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.resource.locks import ManagementLockClient
from azure.mgmt.resource.locks.models import ManagementLockObject, ManagementLockOwner
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.resource.resources.models import (
    ResourceGroup,
    ResourceGroupPatchable,
    Tags,
    TagsPatchResource,
    TagsResource,
)
from azure.mgmt.resource.subscriptions import SubscriptionClient

VAULT_VERSION = "2023-07-01"


@pytest.fixture
def opened(connection, credential):
    """How these clients find this server."""
    return {
        "credential": credential,
        "base_url": connection.managementUrl,
        "credential_scopes": [f"{connection.managementUrl}/.default"],
        "polling_interval": 0,
    }


@pytest.fixture
def resources(connection, opened):
    with ResourceManagementClient(subscription_id=connection.subscriptionId, **opened) as client:
        yield client


@pytest.fixture
def locks(connection, opened):
    with ManagementLockClient(subscription_id=connection.subscriptionId, **opened) as client:
        yield client


@pytest.fixture
def group(connection, resources):
    """A resource group, with the name of a vault that may be made in it."""
    name = f"g{uuid.uuid4().hex[:16]}"
    resources.resource_groups.create_or_update(name, ResourceGroup(location=connection.location))
    yield name
    resources.resource_groups.begin_delete(name).result()
    assert resources.resource_groups.check_existence(name) is False


@pytest.fixture
def vault(connection, resources, group):
    """A vault that was made as any resource is: its id."""
    properties = {
        "tenantId": connection.tenantId,
        "sku": {"family": "A", "name": "standard"},
        "enableRbacAuthorization": True,
    }
    made = resources.resources.begin_create_or_update(
        group,
        "Microsoft.KeyVault",
        "",
        "vaults",
        f"v{group[1:]}",
        {"location": connection.location, "properties": properties},
        api_version=VAULT_VERSION,
    ).result()
    return made.id


def test_groups(connection, resources, group):
    assert resources.resource_groups.get(group).properties.provisioning_state == "Succeeded"
    assert resources.resource_groups.check_existence(group) is True
    changed = resources.resource_groups.update(group, ResourceGroupPatchable(tags={"mark": group}))
    assert changed.tags == {"mark": group}
    kept = resources.resource_groups.list(filter=f"tagName eq 'mark' and tagValue eq '{group}'")
    assert [each.name for each in kept] == [group]
    with pytest.raises(HttpResponseError):
        list(resources.resource_groups.list(filter="tagName ne 'mark'"))


def test_resources_of_any_kind(resources, group, vault):
    name = vault.rpartition("/")[2]
    where = (group, "Microsoft.KeyVault", "", "vaults", name)
    assert resources.resources.get(*where, api_version=VAULT_VERSION).id == vault
    assert resources.resources.get_by_id(vault, api_version=VAULT_VERSION).properties["enableRbacAuthorization"] is True
    assert resources.resources.check_existence(*where, api_version=VAULT_VERSION) is True
    assert resources.resources.check_existence_by_id(vault, api_version=VAULT_VERSION) is True
    assert resources.resources.check_existence_by_id(f"{vault}x", api_version=VAULT_VERSION) is False
    changed = resources.resources.begin_update_by_id(vault, {"tags": {"a": "b"}}, api_version=VAULT_VERSION).result()
    assert changed.tags == {"a": "b"}
    for kept in (
        f"substringof('{name[2:9]}', name)",
        f"resourceType eq 'Microsoft.KeyVault/vaults' and name eq '{name}'",
        f"resourceGroup eq '{group}' and location ne 'nowhere'",
        f"startswith(tagName, 'a') and resourceGroup eq '{group}'",
    ):
        assert [each.id for each in resources.resources.list(filter=kept)] == [vault], kept
    (listed,) = resources.resources.list_by_resource_group(group, expand="createdTime,provisioningState")
    assert (listed.id, listed.provisioning_state) == (vault, "Succeeded")
    resources.resources.begin_delete_by_id(vault, api_version=VAULT_VERSION).result()
    assert resources.resources.check_existence_by_id(vault, api_version=VAULT_VERSION) is False


def test_providers(resources):
    assert {"Microsoft.KeyVault", "Microsoft.Authorization"} <= {each.namespace for each in resources.providers.list()}
    assert resources.providers.get("Microsoft.KeyVault").registration_state == "Registered"
    assert resources.providers.register("Microsoft.KeyVault").registration_state == "Registered"
    types = {each.resource_type for each in resources.provider_resource_types.list("Microsoft.KeyVault").value}
    assert "vaults" in types


def test_tags(resources, vault):
    tags = resources.tags
    _wait(tags, "create_or_update", vault, TagsResource(properties=Tags(tags={"a": "b", "c": "d"})))
    patch = TagsPatchResource(operation="Merge", properties=Tags(tags={"e": "f"}))
    assert _wait(tags, "update", vault, patch).properties.tags == {"a": "b", "c": "d", "e": "f"}
    patch = TagsPatchResource(operation="Delete", properties=Tags(tags={"a": "b"}))
    assert _wait(tags, "update", vault, patch).properties.tags == {"c": "d", "e": "f"}
    assert tags.get_at_scope(vault).properties.tags == {"c": "d", "e": "f"}
    _wait(tags, "delete", vault)
    assert tags.get_at_scope(vault).properties.tags == {}


def _wait(tags, verb, scope, *body):
    """Change tags; the client takes it for work that may last."""
    return getattr(tags, f"begin_{verb}_at_scope")(scope, *body).result()


def test_subscriptions(connection, opened):
    with SubscriptionClient(**opened) as client:
        assert connection.subscriptionId in {each.subscription_id for each in client.subscriptions.list()}
        assert client.subscriptions.get(connection.subscriptionId).state == "Enabled"
        names = {each.name for each in client.subscriptions.list_locations(connection.subscriptionId)}
        assert connection.location in names
        assert connection.tenantId in {each.tenant_id for each in client.tenants.list()}


def test_locks(resources, locks, group, vault):
    held = locks.management_locks
    asked = ManagementLockObject(level="CanNotDelete", notes="why", owners=[ManagementLockOwner(application_id="app")])
    where = (group, "Microsoft.KeyVault", "", "vaults", vault.rpartition("/")[2])
    made = held.create_or_update_at_resource_level(*where, "keep", asked)
    assert (made.level, made.notes, made.owners[0].application_id) == ("CanNotDelete", "why", "app")
    assert held.get_at_resource_level(*where, "keep").id == made.id
    with pytest.raises(ResourceExistsError) as refused:
        resources.resource_groups.begin_delete(group).result()
    assert (refused.value.status_code, refused.value.error.code) == (409, "ScopeLocked")
    held.create_or_update_at_resource_group_level(group, "group", ManagementLockObject(level="ReadOnly"))
    with pytest.raises(HttpResponseError) as refused:
        resources.resources.begin_update_by_id(vault, {"tags": {"a": "b"}}, api_version=VAULT_VERSION).result()
    assert refused.value.error.code == "ScopeLocked"
    assert {each.name for each in held.list_at_resource_group_level(group)} == {"group", "keep"}
    assert {"group", "keep"} <= {each.name for each in held.list_at_subscription_level()}
    assert {each.name for each in held.list_at_resource_level(*where)} == {"group", "keep"}
    held.delete_at_resource_group_level(group, "group")
    held.delete_at_resource_level(*where, "keep")
    with pytest.raises(ResourceNotFoundError):
        held.get_at_resource_level(*where, "keep")
