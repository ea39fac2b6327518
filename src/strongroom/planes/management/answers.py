"""What the management plane writes, field by field: with `wire`, the only place that knows these names.

Sources: REST Vaults, Resource Groups, Resources, Deployments (errors).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Generic, Literal, TypeVar

from msgspec import UNSET, Meta, UnsetType

from strongroom.ids import group_scope
from strongroom.planes.http import Response
from strongroom.planes.management import linkwire
from strongroom.planes.management.wire import IpRule, Wire, render
from strongroom.resources.model import ResourceGroup, SystemData
from strongroom.resources.networks.model import VirtualNetwork, id_of_network
from strongroom.vaults.connections import PrivateEndpointConnection
from strongroom.vaults.model import AccessPolicy, Vault, id_of_vault
from strongroom.vaults.network import NetworkRules
from strongroom.vaults.policies import KINDS
from strongroom.vaults.request import SKU_FAMILY

T = TypeVar("T")

VAULT_TYPE = "Microsoft.KeyVault/vaults"
NETWORK_TYPE = "Microsoft.Network/virtualNetworks"
GROUP_TYPE = "Microsoft.Resources/resourceGroups"

Tags = dict[str, str]
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class ErrorAnswer(Wire, kw_only=True):
    """A refusal: its code for programs, its message for people."""

    code: str
    message: str


class ErrorBody(Wire, kw_only=True):
    """The body of every refusal."""

    error: ErrorAnswer


class Page(Wire, Generic[T], kw_only=True):
    """A page of a list; without `nextLink` it is the last one."""

    value: list[T]
    next_link: str | UnsetType = UNSET


class EmptyPage(Wire, kw_only=True):
    """A list of what there is none of here."""

    value: tuple[()] = ()


class SystemDataAnswer(Wire, kw_only=True):
    """Who made a resource and who changed it last."""

    created_by: str
    created_by_type: str
    created_at: Time
    last_modified_by: str
    last_modified_by_type: str
    last_modified_at: Time


class Provisioning(Wire, kw_only=True):
    """How far a resource has come: here always to its end."""

    provisioning_state: Literal["Succeeded"] = "Succeeded"


class GroupAnswer(Wire, kw_only=True):
    """A resource group."""

    id: str
    name: str
    type: str
    location: str
    tags: Tags
    properties: Provisioning


class PermissionsAnswer(Wire, kw_only=True):
    """Permission names by kind of object."""

    keys: list[str]
    secrets: list[str]
    certificates: list[str]
    storage: list[str]


class PolicyAnswer(Wire, kw_only=True):
    """An access policy."""

    tenant_id: str
    object_id: str
    application_id: str | UnsetType = UNSET
    permissions: PermissionsAnswer


class PoliciesAnswerProperties(Wire, kw_only=True):
    """The policies that a vault has now."""

    access_policies: list[PolicyAnswer]


class PoliciesAnswer(Wire, kw_only=True):
    """The access policies of a vault."""

    id: str
    type: str
    properties: PoliciesAnswerProperties


class SubnetRuleAnswer(Wire, kw_only=True):
    """A rule that lets a subnet in."""

    id: str
    ignore_missing_vnet_service_endpoint: bool


class RulesAnswer(Wire, kw_only=True):
    """Network rules."""

    bypass: str
    default_action: str
    ip_rules: list[IpRule]
    virtual_network_rules: list[SubnetRuleAnswer]


class SkuAnswer(Wire, kw_only=True):
    """A vault's SKU."""

    family: str
    name: str


class VaultAnswerProperties(Wire, kw_only=True):
    """What a vault is."""

    sku: SkuAnswer
    tenant_id: str
    access_policies: list[PolicyAnswer]
    enabled_for_deployment: bool
    enabled_for_disk_encryption: bool
    enabled_for_template_deployment: bool
    enable_soft_delete: bool = True
    soft_delete_retention_in_days: int
    enable_rbac_authorization: bool
    vault_uri: str
    provisioning_state: Literal["Succeeded"] = "Succeeded"
    public_network_access: str
    enable_purge_protection: bool | UnsetType = UNSET
    network_acls: RulesAnswer | UnsetType = UNSET
    private_endpoint_connections: list[linkwire.ConnectionItem] | UnsetType = UNSET


class VaultAnswer(Wire, kw_only=True):
    """A vault."""

    id: str
    name: str
    type: str
    location: str
    tags: Tags
    system_data: SystemDataAnswer
    properties: VaultAnswerProperties


class DeletedVaultProperties(Wire, kw_only=True):
    """What a deleted vault was, and until when it may be recovered."""

    vault_id: str
    location: str
    tags: Tags
    deletion_date: Time
    scheduled_purge_date: Time
    purge_protection_enabled: bool | UnsetType = UNSET


class DeletedVaultAnswer(Wire, kw_only=True):
    """A deleted vault."""

    id: str
    name: str
    type: str
    properties: DeletedVaultProperties


class Resource(Wire, kw_only=True):
    """A resource as the lists of all resources write it."""

    id: str
    name: str
    type: str
    location: str
    tags: Tags
    created_time: Time | UnsetType = UNSET
    changed_time: Time | UnsetType = UNSET
    provisioning_state: str | UnsetType = UNSET


class NameAnswer(Wire, kw_only=True):
    """Whether a name may be taken; why not, when it may not."""

    name_available: bool
    reason: str | UnsetType = UNSET
    message: str | UnsetType = UNSET


def render_list(items: list[T], next_link: str | None = None) -> Response:
    """Return a page of a list as the resource manager writes it."""
    return render(Page(value=items, next_link=next_link or UNSET))


def wire_date(moment: datetime) -> str:
    """Return a time as the resource manager writes it: RFC 3339, UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def system_data(data: SystemData) -> SystemDataAnswer:
    """Return who made a resource and who changed it last."""
    return SystemDataAnswer(
        created_by=data.created_by,
        created_by_type=data.created_by_type,
        created_at=wire_date(data.created_at),
        last_modified_by=data.last_modified_by,
        last_modified_by_type=data.last_modified_by_type,
        last_modified_at=wire_date(data.last_modified_at),
    )


def group(value: ResourceGroup) -> GroupAnswer:
    """Return a resource group."""
    return GroupAnswer(
        id=group_scope(value.subscription_id, value.name),
        name=value.name,
        type=GROUP_TYPE,
        location=value.location,
        tags=dict(value.tags),
        properties=Provisioning(),
    )


def policy(value: AccessPolicy) -> PolicyAnswer:
    """Return an access policy."""
    return PolicyAnswer(
        tenant_id=value.tenant_id,
        object_id=value.object_id,
        application_id=value.application_id or UNSET,
        permissions=PermissionsAnswer(**{kind: sorted(getattr(value, kind)) for kind in KINDS}),
    )


def policies(value: Vault) -> PoliciesAnswer:
    """Return the access policies of a vault."""
    return PoliciesAnswer(
        id=f"{id_of_vault(value)}/accessPolicies/",
        type="Microsoft.KeyVault/vaults/accessPolicies",
        properties=PoliciesAnswerProperties(access_policies=[policy(entry) for entry in value.access_policies]),
    )


def vault(value: Vault, uri: str, connections: Iterable[PrivateEndpointConnection] = ()) -> VaultAnswer:
    """Return a vault. uri: its data plane as this client reaches it. connections: of private endpoints, its own."""
    return VaultAnswer(
        id=id_of_vault(value),
        name=value.name,
        type=VAULT_TYPE,
        location=value.location,
        tags=dict(value.tags),
        system_data=system_data(value.system_data),
        properties=_vault_properties(value, uri, connections),
    )


def _vault_properties(
    value: Vault, uri: str, connections: Iterable[PrivateEndpointConnection]
) -> VaultAnswerProperties:
    return VaultAnswerProperties(
        sku=SkuAnswer(family=SKU_FAMILY, name=value.sku),
        tenant_id=value.tenant_id,
        access_policies=[policy(entry) for entry in value.access_policies],
        enabled_for_deployment=value.enabled_for_deployment,
        enabled_for_disk_encryption=value.enabled_for_disk_encryption,
        enabled_for_template_deployment=value.enabled_for_template_deployment,
        soft_delete_retention_in_days=value.retention_days,
        enable_rbac_authorization=value.rbac,
        vault_uri=uri,
        public_network_access=value.public_network_access,
        enable_purge_protection=True if value.purge_protection else UNSET,
        network_acls=UNSET if value.network is None else rules_answer(value.network),
        private_endpoint_connections=linkwire.items(id_of_vault(value), connections),
    )


def rules_answer(rules: NetworkRules) -> RulesAnswer:
    """Return network rules: each address rule as a network, ids of subnets in lower case."""
    return RulesAnswer(
        bypass=rules.bypass,
        default_action=rules.default_action,
        ip_rules=[IpRule(value=rule) for rule in rules.ip_rules],
        virtual_network_rules=[
            SubnetRuleAnswer(id=rule.subnet_id, ignore_missing_vnet_service_endpoint=rule.ignore_missing_endpoint)
            for rule in rules.subnet_rules
        ],
    )


def deleted_vault(value: Vault) -> DeletedVaultAnswer:
    """Return a deleted vault."""
    assert value.deletion is not None  # the service hands out deleted vaults as such only when they are
    place = f"/subscriptions/{value.subscription_id}/providers/Microsoft.KeyVault/locations/{value.location}"
    return DeletedVaultAnswer(
        id=f"{place}/deletedVaults/{value.name}",
        name=value.name,
        type="Microsoft.KeyVault/deletedVaults",
        properties=DeletedVaultProperties(
            vault_id=id_of_vault(value),
            location=value.location,
            tags=dict(value.tags),
            deletion_date=wire_date(value.deletion.deleted),
            scheduled_purge_date=wire_date(value.deletion.scheduled_purge),
            purge_protection_enabled=True if value.purge_protection else UNSET,
        ),
    )


def type_of(value: Vault | VirtualNetwork) -> str:
    """Return the type of a resource."""
    return VAULT_TYPE if isinstance(value, Vault) else NETWORK_TYPE


def resource(value: Vault | VirtualNetwork, expand: frozenset[str]) -> Resource:
    """Return a resource as the lists of all resources write it; expand: names of the fields to add."""
    return Resource(
        id=id_of_vault(value) if isinstance(value, Vault) else id_of_network(value),
        name=value.name,
        type=type_of(value),
        location=value.location,
        tags=dict(value.tags),
        created_time=wire_date(value.system_data.created_at) if "createdtime" in expand else UNSET,
        changed_time=wire_date(value.system_data.last_modified_at) if "changedtime" in expand else UNSET,
        provisioning_state="Succeeded" if "provisioningstate" in expand else UNSET,
    )
