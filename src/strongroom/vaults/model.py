"""What holds secrets, keys and certificates: the vault, its access policies, its own life cycle.

Source: ARM `Microsoft.KeyVault/vaults` (VaultProperties). Times are aware UTC, whole seconds.
"""

from dataclasses import dataclass
from datetime import datetime

from strongroom.resources.model import SystemData


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPolicy:
    """What one principal may do with the objects of a vault; permission names in lower case.

    application_id: when set, the policy counts only for that application acting on behalf of the principal.
    """

    tenant_id: str
    object_id: str
    application_id: str | None = None
    keys: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    certificates: frozenset[str] = frozenset()
    storage: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """When a vault was deleted and when it will be purged by itself."""

    deleted: datetime
    scheduled_purge: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Vault:
    """A vault. `vault_id` is its unique id, never reused; the name is unique while the vault lives or is recoverable.

    sku: standard or premium. retention_days: 7 to 90, fixed at creation.
    network_bypass, public_network_access: as echoed in `networkAcls` and `publicNetworkAccess`; nothing that restricts
    is accepted before it is enforced. network_bypass is None when no `networkAcls` were given.
    throttled: whether the limits of requests count; a rehearsal vault has none.
    """

    vault_id: str
    name: str
    subscription_id: str
    resource_group: str
    tenant_id: str
    location: str
    sku: str
    system_data: SystemData
    access_policies: tuple[AccessPolicy, ...] = ()
    rbac: bool = False
    purge_protection: bool = False
    retention_days: int = 90
    enabled_for_deployment: bool = False
    enabled_for_disk_encryption: bool = False
    enabled_for_template_deployment: bool = False
    public_network_access: str = "Enabled"
    network_bypass: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    deletion: Deletion | None = None
    throttled: bool = True
