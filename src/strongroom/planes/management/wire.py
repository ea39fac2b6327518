"""What the management plane reads and writes, field by field: the only place that knows these names.

Unknown fields are ignored, as the resource manager ignores them; so are the read-only ones that clients send back.
Sources: REST Vaults, Resource Groups, Resources, Subscriptions, Providers; `reference` of the service's errors.
"""

from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from strongroom.ids import group_scope, vault_scope
from strongroom.planes.http import JSON, Headers, Response
from strongroom.resources.model import ResourceGroup, SystemData
from strongroom.vaults.model import AccessPolicy, Vault
from strongroom.vaults.policies import KINDS, permission_names
from strongroom.vaults.request import SKU_FAMILY, NetworkRequest, VaultRequest

VAULT_TYPE = "Microsoft.KeyVault/vaults"
GROUP_TYPE = "Microsoft.Resources/resourceGroups"

_encode = msgspec.json.Encoder().encode


class Wire(msgspec.Struct, rename="camel", kw_only=True):
    """A wire object whose names are written in camel case."""


class GroupBody(Wire):
    """What a resource group is asked to be."""

    location: str | None = None
    tags: dict[str, str] | None = None


class Permissions(Wire):
    """Permission names by kind of object."""

    keys: list[str] | None = None
    secrets: list[str] | None = None
    certificates: list[str] | None = None
    storage: list[str] | None = None


class PolicyEntry(Wire):
    """An access policy."""

    tenant_id: str
    object_id: str
    permissions: Permissions
    application_id: str | None = None


class Sku(Wire):
    """A vault's SKU."""

    name: str
    family: str | None = None


class NetworkAcls(Wire):
    """Network rules."""

    bypass: str | None = None
    default_action: str | None = None
    ip_rules: list[Any] | None = None
    virtual_network_rules: list[Any] | None = None


class VaultProperties(Wire):
    """What a vault is asked to be."""

    tenant_id: str | None = None
    sku: Sku | None = None
    access_policies: list[PolicyEntry] | None = None
    enable_rbac_authorization: bool | None = None
    enable_soft_delete: bool | None = None
    soft_delete_retention_in_days: int | None = None
    enable_purge_protection: bool | None = None
    enabled_for_deployment: bool | None = None
    enabled_for_disk_encryption: bool | None = None
    enabled_for_template_deployment: bool | None = None
    public_network_access: str | None = None
    network_acls: NetworkAcls | None = None
    create_mode: str | None = None


class VaultBody(Wire):
    """The body of a vault's PUT."""

    properties: VaultProperties
    location: str | None = None
    tags: dict[str, str] | None = None


class VaultPatch(Wire):
    """The body of a vault's PATCH."""

    properties: VaultProperties | None = None
    tags: dict[str, str] | None = None


class PoliciesProperties(Wire):
    """The policies that are added, replaced or removed."""

    access_policies: list[PolicyEntry]


class PoliciesBody(Wire):
    """The body of an access-policy change."""

    properties: PoliciesProperties


class NameBody(Wire):
    """The body of a check of a vault's name."""

    name: str
    type: Literal["Microsoft.KeyVault/vaults"]


class HsmNameBody(Wire):
    """The body of a check of a managed HSM's name."""

    name: str


class ClockBody(Wire):
    """How to move the rehearsal clock: to an offset, or ahead by an ISO 8601 duration of weeks, days and time."""

    offset_seconds: int | None = None
    advance: str | None = None


def render(body: Any, status: int = 200, headers: Headers = ()) -> Response:
    """Return a JSON answer."""
    return Response(status, _encode(body), (JSON, *headers))


def render_list(items: list[dict[str, Any]], next_link: str | None = None) -> Response:
    """Return a list as the resource manager writes it."""
    return render({"value": items, "nextLink": next_link} if next_link else {"value": items})


def policies_of(entries: list[PolicyEntry]) -> tuple[AccessPolicy, ...]:
    """Return access policies as the domain has them; BadRequest for a permission that is none."""
    return tuple(_policy_of(entry) for entry in entries)


def _policy_of(entry: PolicyEntry) -> AccessPolicy:
    given = entry.permissions
    return AccessPolicy(
        tenant_id=entry.tenant_id,
        object_id=entry.object_id,
        application_id=entry.application_id or None,
        keys=permission_names("keys", given.keys or ()),
        secrets=permission_names("secrets", given.secrets or ()),
        certificates=permission_names("certificates", given.certificates or ()),
        storage=permission_names("storage", given.storage or ()),
    )


def vault_request(body: VaultBody | VaultPatch, recover: bool) -> VaultRequest:  # noqa: FBT001 - read at two places
    """Return what the body of a PUT or PATCH asks for."""
    asked = body.properties or VaultProperties()
    return VaultRequest(
        location=body.location if isinstance(body, VaultBody) else None,
        tags=body.tags,
        tenant_id=asked.tenant_id,
        sku_family=asked.sku.family if asked.sku else None,
        sku=asked.sku.name if asked.sku else None,
        access_policies=None if asked.access_policies is None else policies_of(asked.access_policies),
        rbac=asked.enable_rbac_authorization,
        soft_delete=asked.enable_soft_delete,
        retention_days=asked.soft_delete_retention_in_days,
        purge_protection=asked.enable_purge_protection,
        enabled_for_deployment=asked.enabled_for_deployment,
        enabled_for_disk_encryption=asked.enabled_for_disk_encryption,
        enabled_for_template_deployment=asked.enabled_for_template_deployment,
        public_network_access=asked.public_network_access,
        network=_network_of(asked.network_acls),
        recover=recover,
    )


def _network_of(acls: NetworkAcls | None) -> NetworkRequest | None:
    if acls is None:
        return None
    restricting = bool(acls.ip_rules or acls.virtual_network_rules)
    return NetworkRequest(bypass=acls.bypass, default_action=acls.default_action, restricting=restricting)


def wire_date(moment: datetime) -> str:
    """Return a time as the resource manager writes it: RFC 3339, UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def system_data(data: SystemData) -> dict[str, str]:
    """Return who made a resource and who changed it last."""
    return {
        "createdBy": data.created_by,
        "createdByType": data.created_by_type,
        "createdAt": wire_date(data.created_at),
        "lastModifiedBy": data.last_modified_by,
        "lastModifiedByType": data.last_modified_by_type,
        "lastModifiedAt": wire_date(data.last_modified_at),
    }


def group(value: ResourceGroup) -> dict[str, Any]:
    """Return a resource group."""
    return {
        "id": group_scope(value.subscription_id, value.name),
        "name": value.name,
        "type": GROUP_TYPE,
        "location": value.location,
        "tags": dict(value.tags),
        "properties": {"provisioningState": "Succeeded"},
    }


def policy(value: AccessPolicy) -> dict[str, Any]:
    """Return an access policy."""
    application = {"applicationId": value.application_id} if value.application_id else {}
    return {
        "tenantId": value.tenant_id,
        "objectId": value.object_id,
        **application,
        "permissions": {kind: sorted(getattr(value, kind)) for kind in KINDS},
    }


def vault_id(value: Vault) -> str:
    """Return the resource id of a vault."""
    return vault_scope(value.subscription_id, value.resource_group, value.name)


class Resource(Wire):
    """A resource as the lists of all resources write it."""

    id: str
    name: str
    type: str
    location: str
    tags: dict[str, str]
    created_time: str | UnsetType = UNSET
    changed_time: str | UnsetType = UNSET
    provisioning_state: str | UnsetType = UNSET


def vault(value: Vault, uri: str) -> dict[str, Any]:
    """Return a vault; uri: its data plane as this client reaches it."""
    return {
        "id": vault_id(value),
        "name": value.name,
        "type": VAULT_TYPE,
        "location": value.location,
        "tags": dict(value.tags),
        "systemData": system_data(value.system_data),
        "properties": _vault_properties(value, uri),
    }


def _vault_properties(value: Vault, uri: str) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "sku": {"family": SKU_FAMILY, "name": value.sku},
        "tenantId": value.tenant_id,
        "accessPolicies": [policy(entry) for entry in value.access_policies],
        "enabledForDeployment": value.enabled_for_deployment,
        "enabledForDiskEncryption": value.enabled_for_disk_encryption,
        "enabledForTemplateDeployment": value.enabled_for_template_deployment,
        "enableSoftDelete": True,
        "softDeleteRetentionInDays": value.retention_days,
        "enableRbacAuthorization": value.rbac,
        "vaultUri": uri,
        "provisioningState": "Succeeded",
        "publicNetworkAccess": value.public_network_access,
    }
    if value.purge_protection:
        properties["enablePurgeProtection"] = True
    if value.network_bypass is not None:
        properties["networkAcls"] = {
            "bypass": value.network_bypass,
            "defaultAction": "Allow",
            "ipRules": [],
            "virtualNetworkRules": [],
        }
    return properties


def deleted_vault(value: Vault) -> dict[str, Any]:
    """Return a deleted vault."""
    assert value.deletion is not None  # the service hands out deleted vaults as such only when they are
    properties: dict[str, Any] = {
        "vaultId": vault_id(value),
        "location": value.location,
        "tags": dict(value.tags),
        "deletionDate": wire_date(value.deletion.deleted),
        "scheduledPurgeDate": wire_date(value.deletion.scheduled_purge),
    }
    if value.purge_protection:
        properties["purgeProtectionEnabled"] = True
    place = f"/subscriptions/{value.subscription_id}/providers/Microsoft.KeyVault/locations/{value.location}"
    return {
        "id": f"{place}/deletedVaults/{value.name}",
        "name": value.name,
        "type": "Microsoft.KeyVault/deletedVaults",
        "properties": properties,
    }


def resource(value: Vault, expand: frozenset[str]) -> Resource:
    """Return a vault as the lists of all resources write it; expand: names of the fields to add."""
    return Resource(
        id=vault_id(value),
        name=value.name,
        type=VAULT_TYPE,
        location=value.location,
        tags=dict(value.tags),
        created_time=wire_date(value.system_data.created_at) if "createdtime" in expand else UNSET,
        changed_time=wire_date(value.system_data.last_modified_at) if "changedtime" in expand else UNSET,
        provisioning_state="Succeeded" if "provisioningstate" in expand else UNSET,
    )
