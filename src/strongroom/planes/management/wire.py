"""What the management plane reads, field by field: with `answers`, the only place that knows these names.

Unknown fields are ignored, as the resource manager ignores them; so are the read-only ones that clients send back.
Sources: REST Vaults, Resource Groups, Resources, Subscriptions, Providers; `reference` of the service's errors.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from strongroom.ids import GUID
from strongroom.planes.http import JSON, Headers, Response
from strongroom.planes.openapi import bounds_of
from strongroom.resources.service import MAX_TAG_NAME, MAX_TAG_VALUE, MAX_TAGS
from strongroom.vaults.model import AccessPolicy
from strongroom.vaults.network import (
    ACTIONS,
    BYPASSES,
    MAX_IP_RULES,
    MAX_SUBNET_RULES,
    PUBLIC_ACCESS,
    RulesRequest,
    SubnetRule,
)
from strongroom.vaults.policies import PERMISSIONS, permission_names
from strongroom.vaults.request import MAX_RETENTION_DAYS, MIN_RETENTION_DAYS, SKU_FAMILY, SKUS, VaultRequest

# Bounds that documents tell; the rules behind them are held by the domain, in the service's words. Spellings are the
# service's own; case does not count.
Guid = Annotated[str, Meta(extra_json_schema=bounds_of(GUID) | {"format": "uuid"})]
GuidOrNothing = Annotated[str, Meta(extra_json_schema={"pattern": f"^$|{bounds_of(GUID)['pattern']}"})]
KeyPermission = Annotated[str, Meta(extra_json_schema={"enum": sorted(PERMISSIONS["keys"])})]
SecretPermission = Annotated[str, Meta(extra_json_schema={"enum": sorted(PERMISSIONS["secrets"])})]
CertificatePermission = Annotated[str, Meta(extra_json_schema={"enum": sorted(PERMISSIONS["certificates"])})]
StoragePermission = Annotated[str, Meta(extra_json_schema={"enum": sorted(PERMISSIONS["storage"])})]
SkuName = Annotated[str, Meta(extra_json_schema={"enum": list(SKUS)})]
SkuFamily = Annotated[str, Meta(extra_json_schema={"enum": [SKU_FAMILY]})]
Bypass = Annotated[str, Meta(extra_json_schema={"enum": list(BYPASSES.values())})]
RuleAction = Annotated[str, Meta(extra_json_schema={"enum": list(ACTIONS.values())})]
PublicAccess = Annotated[str, Meta(extra_json_schema={"enum": list(PUBLIC_ACCESS.values())})]
OnlyTrue = Annotated[bool, Meta(extra_json_schema={"enum": [True]})]
CreateMode = Annotated[str, Meta(extra_json_schema={"enum": ["default", "recover"]})]
Tags = Annotated[
    dict[str, Annotated[str, Meta(extra_json_schema={"maxLength": MAX_TAG_VALUE})]],
    Meta(
        extra_json_schema={
            "maxProperties": MAX_TAGS,
            "propertyNames": {"minLength": 1, "maxLength": MAX_TAG_NAME, "pattern": r"^[^<>%&\\?/]*$"},
        }
    ),
]
RetentionDays = Annotated[int, Meta(extra_json_schema={"minimum": MIN_RETENTION_DAYS, "maximum": MAX_RETENTION_DAYS})]

_encode = msgspec.json.Encoder().encode


class Wire(msgspec.Struct, rename="camel", kw_only=True):
    """A wire object whose names are written in camel case."""


class GroupBody(Wire):
    """What a resource group is asked to be."""

    location: str | None = None
    tags: Tags | None = None


class Permissions(Wire):
    """Permission names by kind of object."""

    keys: list[KeyPermission] | None = None
    secrets: list[SecretPermission] | None = None
    certificates: list[CertificatePermission] | None = None
    storage: list[StoragePermission] | None = None


class PolicyEntry(Wire):
    """An access policy."""

    tenant_id: Guid
    object_id: Guid
    permissions: Permissions
    application_id: GuidOrNothing | None = None


class Sku(Wire):
    """A vault's SKU."""

    name: SkuName
    family: SkuFamily | None = None


class IpRule(Wire):
    """A rule that lets addresses in: an IPv4 address, or a range of them in CIDR notation."""

    value: str


class SubnetEntry(Wire):
    """A rule that lets a subnet in, named by its resource id."""

    id: str
    ignore_missing_vnet_service_endpoint: bool | None = None


class NetworkAcls(Wire):
    """Network rules."""

    bypass: Bypass | None = None
    default_action: RuleAction | None = None
    ip_rules: Annotated[list[IpRule], Meta(extra_json_schema={"maxItems": MAX_IP_RULES})] | None = None
    virtual_network_rules: (
        Annotated[list[SubnetEntry], Meta(extra_json_schema={"maxItems": MAX_SUBNET_RULES})] | None
    ) = None


class VaultProperties(Wire):
    """What a vault is asked to be."""

    tenant_id: Guid | None = None
    sku: Sku | None = None
    access_policies: list[PolicyEntry] | None = None
    enable_rbac_authorization: bool | None = None
    enable_soft_delete: OnlyTrue | None = None
    soft_delete_retention_in_days: RetentionDays | None = None
    enable_purge_protection: OnlyTrue | None = None
    enabled_for_deployment: bool | None = None
    enabled_for_disk_encryption: bool | None = None
    enabled_for_template_deployment: bool | None = None
    public_network_access: PublicAccess | None = None
    network_acls: NetworkAcls | None = None
    create_mode: CreateMode | None = None


class VaultBody(Wire):
    """The body of a vault's PUT."""

    properties: VaultProperties
    location: str | None = None
    tags: Tags | None = None


class VaultPatch(Wire):
    """The body of a vault's PATCH."""

    properties: VaultProperties | None = None
    tags: Tags | None = None


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
        network=None if asked.network_acls is None else rules_request(asked.network_acls),
        recover=recover,
    )


def rules_request(acls: NetworkAcls) -> RulesRequest:
    """Return network rules as a request asks for them."""
    given, subnets = acls.ip_rules, acls.virtual_network_rules
    return RulesRequest(
        bypass=acls.bypass,
        default_action=acls.default_action,
        ip_rules=None if given is None else tuple([rule.value for rule in given]),
        subnet_rules=None if subnets is None else tuple([_subnet_of(entry) for entry in subnets]),
    )


def _subnet_of(entry: SubnetEntry) -> SubnetRule:
    return SubnetRule(subnet_id=entry.id, ignore_missing_endpoint=bool(entry.ignore_missing_vnet_service_endpoint))
