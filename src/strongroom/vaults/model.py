"""What holds secrets, keys and certificates: the vault, its access policies, its own life cycle.

Source: ARM `Microsoft.KeyVault/vaults` (VaultProperties). Times are aware UTC, whole seconds.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from strongroom.ids import vault_scope
from strongroom.resources.model import SystemData
from strongroom.vaults.network import ENABLED, NetworkProposal, NetworkRules


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
    public_network_access: Enabled or Disabled. network: its rules, None when it was given none: then it is open.
    proposal: rules that are rehearsed; they refuse nobody.
    network_bypass: only in rows that older versions wrote, which had no rules that restrict; see `as_now`.
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
    public_network_access: str = ENABLED
    network: NetworkRules | None = None
    proposal: NetworkProposal | None = None
    network_bypass: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    deletion: Deletion | None = None
    throttled: bool = True


def as_now(vault: Vault) -> Vault:
    """Return a vault as this version has it, whichever version wrote its row."""
    if vault.network_bypass is None:
        return vault
    return replace(vault, network=vault.network or NetworkRules(bypass=vault.network_bypass), network_bypass=None)


def id_of_vault(vault: Vault) -> str:
    """Return the resource id of a vault, as resources write it; `vault_id` is another: its own, never reused."""
    return vault_scope(vault.subscription_id, vault.resource_group, vault.name)
