"""What a request asks a vault to be, and the rules that it must keep: pure, over data.

Sources: REST Vaults `VaultCreateOrUpdateParameters`, `VaultPatchParameters`; texts as the service writes them, see
`docs/errors.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from strongroom.errors import BadRequest, Conflict, Forbidden
from strongroom.ids import VAULT_NAME
from strongroom.resources.locations import Locations, canonical
from strongroom.resources.service import require_tags
from strongroom.vaults.model import AccessPolicy, Vault
from strongroom.vaults.network import RulesRequest, change_rules, public_access_of
from strongroom.vaults.policies import require_policies, require_tenant

SKUS = ("standard", "premium")
SKU_FAMILY = "A"
MIN_RETENTION_DAYS = 7
MAX_RETENTION_DAYS = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultRequest:
    """What a request asks for; None means that it says nothing."""

    location: str | None = None
    tags: Mapping[str, str] | None = None
    tenant_id: str | None = None
    sku_family: str | None = None
    sku: str | None = None
    access_policies: tuple[AccessPolicy, ...] | None = None
    rbac: bool | None = None
    soft_delete: bool | None = None
    retention_days: int | None = None
    purge_protection: bool | None = None
    enabled_for_deployment: bool | None = None
    enabled_for_disk_encryption: bool | None = None
    enabled_for_template_deployment: bool | None = None
    public_network_access: str | None = None
    network: RulesRequest | None = None
    recover: bool = False


def require_vault_name(name: str) -> None:
    """Raise BadRequest (VaultNameNotValid) unless `name` can be a vault's."""
    if not VAULT_NAME.match(name):
        raise BadRequest(
            f"The vault name '{name}' is invalid. A vault's name must be between 3-24 alphanumeric characters. The "
            "name must begin with a letter, end with a letter or digit, and not contain consecutive hyphens. Follow "
            "this link for more information: https://go.microsoft.com/fwlink/?linkid=2147742",
            code="VaultNameNotValid",
        )


def require_location(locations: Locations, location: str | None) -> str:
    """Return the canonical location; BadRequest (LocationRequired, RegionNotSupported)."""
    if not location or not location.strip():
        raise BadRequest("The location property is required for this definition.", code="LocationRequired")
    found = locations.find(location)
    if found is None:
        raise BadRequest(
            f"The region '{location}' is not supported. The supported regions are '{locations.listed()}'.",
            code="RegionNotSupported",
        )
    return found


def require_complete(request: VaultRequest, *, rbac: bool) -> None:
    """Raise BadRequest unless a PUT says what it must: tenant, SKU, and policies where they count."""
    if request.tenant_id is None:
        raise _missing("tenantId")
    if request.sku is None:
        raise _missing("sku")
    if request.access_policies is None and not rbac:
        raise _missing("accessPolicies")


def require_unmoved(vault: Vault, request: VaultRequest) -> None:
    """Raise Conflict (InvalidResourceLocation) when a PUT names another location than the vault's."""
    if request.location is not None and canonical(request.location) != vault.location:
        raise Conflict(
            f"The resource '{vault.name}' already exists in location '{vault.location}' in resource group "
            f"'{vault.resource_group}'. A resource with the same name cannot be created in location "
            f"'{request.location}'. Please select a new resource name.",
            code="InvalidResourceLocation",
        )


def require_model_change_allowed(vault: Vault, request: VaultRequest, *, may_assign_roles: bool, caller: str) -> None:
    """Raise Forbidden (InsufficientPermissions) when who may not assign roles changes who decides on data access."""
    if request.rbac is not None and request.rbac != vault.rbac and not may_assign_roles:
        resource = (
            f"/subscriptions/{vault.subscription_id}/resourcegroups/{vault.resource_group}"
            f"/providers/Microsoft.KeyVault/vaults/{vault.name}"
        )
        raise Forbidden(
            "Caller is not allowed to change permission model. For more information on how to change the permissions "
            "model follow this link: https://go.microsoft.com/fwlink/?linkid=2155160. Details: "
            f"oid={caller}; action=Microsoft.Authorization/roleAssignments/write; resource={resource}; "
            "decision=NotAllowed;",
            code="InsufficientPermissions",
        )


def apply_request(vault: Vault, request: VaultRequest, *, fixed_retention: bool, private: bool) -> Vault:
    """Return the vault with what the request says changed and all else kept; BadRequest where a rule is broken.

    fixed_retention: the vault exists already, so that its retention is what it is. private: whether its network rules
    may name addresses of private networks.
    """
    _require_tenant(vault, request)
    _require_protection(vault, request, fixed_retention=fixed_retention)
    require_tenant(request.access_policies or (), vault.tenant_id)
    asked, access = request.network, request.public_network_access
    return replace(
        vault,
        tags=vault.tags if request.tags is None else require_tags(request.tags),
        sku=_sku(vault, request),
        access_policies=(
            vault.access_policies if request.access_policies is None else require_policies(request.access_policies)
        ),
        rbac=_given(request.rbac, vault.rbac),
        retention_days=vault.retention_days if request.retention_days is None else request.retention_days,
        purge_protection=vault.purge_protection or bool(request.purge_protection),
        enabled_for_deployment=_given(request.enabled_for_deployment, vault.enabled_for_deployment),
        enabled_for_disk_encryption=_given(request.enabled_for_disk_encryption, vault.enabled_for_disk_encryption),
        enabled_for_template_deployment=_given(
            request.enabled_for_template_deployment, vault.enabled_for_template_deployment
        ),
        public_network_access=vault.public_network_access if access is None else public_access_of(access),
        network=vault.network if asked is None else change_rules(vault.network, asked, private=private),
    )


def _given(value: bool | None, kept: bool) -> bool:  # noqa: FBT001 - a choice between two values of one kind
    return kept if value is None else value


def _missing(name: str) -> BadRequest:
    return BadRequest(f"The parameter {name} is not specified.", code="BadRequest")


def _require_tenant(vault: Vault, request: VaultRequest) -> None:
    if request.tenant_id is not None and request.tenant_id.lower() != vault.tenant_id:
        raise BadRequest(
            f"An invalid value was provided for 'tenantId': a vault belongs to the tenant of its subscription, "
            f"which is '{vault.tenant_id}'.",
            code="BadRequest",
        )


def _sku(vault: Vault, request: VaultRequest) -> str:
    if request.sku is None:
        return vault.sku
    sku = request.sku.lower()
    if sku not in SKUS or (request.sku_family or SKU_FAMILY).upper() != SKU_FAMILY:
        raise BadRequest(
            f"The SKU '{request.sku}' of family '{request.sku_family}' is not supported; a vault's SKU is 'standard' "
            "or 'premium' of family 'A'.",
            code="SkuNotSupported",
        )
    return sku


def _require_protection(vault: Vault, request: VaultRequest, *, fixed_retention: bool) -> None:
    if request.soft_delete is False:
        raise BadRequest(
            'The property "enableSoftDelete" cannot be set to false. Enabling soft delete is an irreversible action.',
            code="BadRequest",
        )
    if request.purge_protection is False:
        raise BadRequest(
            'The property "enablePurgeProtection" cannot be set to false. Enabling the purge protection for a vault '
            "is an irreversible action.",
            code="BadRequest",
        )
    days = request.retention_days
    if days is None:
        return
    if fixed_retention and days != vault.retention_days:
        raise BadRequest(
            'The property "softDeleteRetentionInDays" has been set already and it can\'t be modified.',
            code="BadRequest",
        )
    if not MIN_RETENTION_DAYS <= days <= MAX_RETENTION_DAYS:
        raise BadRequest(
            f'The property "softDeleteRetentionInDays" must be between {MIN_RETENTION_DAYS} and '
            f"{MAX_RETENTION_DAYS} days.",
            code="BadRequest",
        )
