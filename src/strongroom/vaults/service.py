"""The life of a vault: made, changed, found, deleted, recovered, purged.

A deleted vault keeps its name until it is purged: on request, unless purge protection stands against it, or when its
retention has passed. From that moment it counts as gone, even while its rows wait for the sweep.
Texts: as the service writes them, see `docs/errors.md`.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from strongroom.clock import whole_seconds
from strongroom.custody.keyring import add_key
from strongroom.custody.sealing import Custodian
from strongroom.custody.store import KeyringStore, Purpose
from strongroom.errors import BadRequest, Conflict, MethodNotAllowed, NotFound
from strongroom.ids import VAULT_NAME, group_scope
from strongroom.resources.locations import Locations, canonical
from strongroom.resources.model import Subscription
from strongroom.resources.networks.store import NetworkStore
from strongroom.resources.service import Author, get_group, touched
from strongroom.resources.store import LockStore, ResourceStore
from strongroom.vaults.connections import ConnectionStore, disconnect_vault
from strongroom.vaults.model import AccessPolicy, Deletion, Vault, id_of_vault
from strongroom.vaults.network import ENABLED
from strongroom.vaults.policies import PolicyChange, change_policies, require_tenant
from strongroom.vaults.request import (
    VaultRequest,
    apply_request,
    require_complete,
    require_location,
    require_model_change_allowed,
    require_unmoved,
    require_vault_name,
)
from strongroom.vaults.store import VaultStore
from strongroom.vaults.subnets import forget_subnets, require_subnets, subnets_gone


class Grants(Protocol):
    """Role assignments, as far as the end of a scope concerns them."""

    async def remove_within(self, scope: str) -> None:
        """Remove every assignment at `scope` or below."""


class Places(Protocol):
    """The stores that the life of a vault touches."""

    @property
    def assignments(self) -> Grants: ...
    @property
    def connections(self) -> ConnectionStore: ...
    @property
    def locks(self) -> LockStore: ...
    @property
    def keyring(self) -> KeyringStore: ...
    @property
    def networks(self) -> NetworkStore: ...
    @property
    def resources(self) -> ResourceStore: ...
    @property
    def vaults(self) -> VaultStore: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultChange:
    """Who changes a vault, when, and whether that is one who may assign roles at it.

    private_ip_rules: whether its network rules may name addresses of private networks. joinable: ids, in lower case,
    of the subnets that they may name.
    """

    author: Author
    object_id: str
    may_assign_roles: bool
    now: datetime
    private_ip_rules: bool = False
    joinable: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a vault name may be taken; reason: AccountNameInvalid or AlreadyExists."""

    available: bool
    reason: str | None = None
    message: str | None = None


async def put_vault(
    stores: Places,
    custodian: Custodian,
    locations: Locations,
    *,
    subscription: Subscription,
    group: str,
    name: str,
    request: VaultRequest,
    rbac_by_default: bool,
    change: VaultChange,
) -> tuple[Vault, Vault | None]:
    """Make, replace or recover a vault; return it and what it was before, None when it is new.

    rbac_by_default: what `enableRbacAuthorization` is for a new vault when the request does not say.
    Raises Conflict (VaultAlreadyExists, ConflictError), NotFound (ResourceGroupNotFound, DeletedVaultNotFound), and
    what `vaults.request` raises.
    """
    require_vault_name(name)
    resource_group = await get_group(stores.resources, subscription.subscription_id, group)
    before = await _release_name(stores.vaults, name, change.now)
    if request.recover:
        found = _require_recoverable(before, request, subscription.subscription_id, resource_group.name, name)
        vault = _touch(replace(found, deletion=None), change)
        await stores.vaults.replace(vault)
        return vault, found
    location = require_location(locations, request.location)
    if before is None:
        fresh = _fresh_vault(subscription, resource_group.name, name, location, change)
        rbac = rbac_by_default if request.rbac is None else request.rbac
        require_complete(request, rbac=rbac)
        vault = await _apply(stores, replace(fresh, rbac=rbac), request, change, fixed_retention=False)
        await stores.vaults.add(vault)
        await add_key(stores.keyring, custodian, Purpose.VAULT, vault.vault_id, change.now)
        return vault, None
    _require_ours(before, subscription.subscription_id, resource_group.name)
    return await _replace(stores, before, request, change), before


async def update_vault(
    stores: Places, *, subscription_id: str, group: str, name: str, request: VaultRequest, change: VaultChange
) -> tuple[Vault, Vault]:
    """Change what the request says of a living vault; return it and what it was before."""
    before = await get_vault(stores, subscription_id, group, name)
    require_model_change_allowed(before, request, may_assign_roles=change.may_assign_roles, caller=change.object_id)
    vault = _touch(await _apply(stores, before, request, change, fixed_retention=True), change)
    await stores.vaults.replace(vault)
    return vault, before


async def change_access_policies(
    stores: Places,
    *,
    subscription_id: str,
    group: str,
    name: str,
    kind: PolicyChange,
    policies: Iterable[AccessPolicy],
    change: VaultChange,
) -> tuple[Vault, Vault]:
    """Add, replace or remove access policies of a living vault; return it and what it was before."""
    before, given = await get_vault(stores, subscription_id, group, name), tuple(policies)
    if kind is not PolicyChange.REMOVE:  # what an older version let in may go
        require_tenant(given, before.tenant_id)
    vault = _touch(replace(before, access_policies=change_policies(before.access_policies, kind, given)), change)
    await stores.vaults.replace(vault)
    return vault, before


async def find_vault(stores: Places, subscription_id: str, group: str, name: str) -> Vault | None:
    """Return a living vault; NotFound (ResourceGroupNotFound) when there is no such group."""
    resource_group = await get_group(stores.resources, subscription_id, group)
    vault = await stores.vaults.find(name)
    if vault is None or vault.deletion is not None or not _is_in(vault, subscription_id, resource_group.name):
        return None
    return vault


async def get_vault(stores: Places, subscription_id: str, group: str, name: str) -> Vault:
    """Return a living vault; NotFound (ResourceGroupNotFound, ResourceNotFound)."""
    vault = await find_vault(stores, subscription_id, group, name)
    if vault is None:
        raise NotFound(
            f"The Resource 'Microsoft.KeyVault/vaults/{name}' under resource group '{group}' was not found. For more "
            "details please go to https://aka.ms/ARMResourceNotFoundFix",
            code="ResourceNotFound",
        )
    return vault


async def delete_vault(stores: Places, vault: Vault, now: datetime) -> Vault:
    """Delete a living vault softly and return it.

    The role assignments and locks at it and below are gone for good, and its private endpoints lead nowhere any more.
    """
    moment = whole_seconds(now)
    deleted = replace(
        vault, deletion=Deletion(deleted=moment, scheduled_purge=moment + timedelta(days=vault.retention_days))
    )
    await stores.vaults.replace(deleted)
    await disconnect_vault(stores, vault.vault_id)
    await _forget_scope(stores, id_of_vault(vault))
    return deleted


async def delete_group(stores: Places, subscription_id: str, name: str, now: datetime) -> tuple[Vault, ...]:
    """Remove a resource group with its networks; return its vaults, now deleted softly.

    NotFound (ResourceGroupNotFound).
    """
    group = await get_group(stores.resources, subscription_id, name)
    living = await stores.vaults.list_living(subscription_id, group.name)
    deleted = tuple([await delete_vault(stores, vault, now) for vault in living])
    networks = await stores.networks.list_in(subscription_id, group.name)
    await forget_subnets(stores, [gone for network in networks for gone in subnets_gone(network, None)])
    await stores.networks.remove_group(subscription_id, group.name)
    await stores.resources.remove_group(subscription_id, group.name)
    await _forget_scope(stores, group_scope(subscription_id, group.name))
    return deleted


async def get_deleted_vault(
    vaults: VaultStore, *, subscription_id: str, location: str, name: str, now: datetime
) -> Vault:
    """Return a deleted vault that may still be recovered; NotFound (DeletedVaultNotFound)."""
    vault = await _find_unexpired(vaults, name, now)
    if (
        vault is None
        or vault.deletion is None
        or (vault.subscription_id, vault.location) != (subscription_id, canonical(location))
    ):
        raise _no_deleted_vault(name)
    return vault


async def list_deleted_vaults(vaults: VaultStore, subscription_id: str, now: datetime) -> tuple[Vault, ...]:
    """Return the deleted vaults of a subscription that may still be recovered, by name."""
    return tuple(vault for vault in await vaults.list_deleted(subscription_id) if not is_expired(vault, now))


async def purge_vault(vaults: VaultStore, vault: Vault) -> None:
    """Purge a deleted vault for good; MethodNotAllowed under purge protection, whoever asks."""
    if vault.purge_protection:
        raise MethodNotAllowed("Operation 'DeletedVaultPurge' is not allowed.")
    await vaults.purge(vault)


async def check_name(vaults: VaultStore, name: str, now: datetime) -> Availability:
    """Return whether a vault may be made under this name; names are unique among all vaults, deleted ones too."""
    if not VAULT_NAME.match(name):
        return Availability(
            available=False,
            reason="AccountNameInvalid",
            message="Vault name must be between 3-24 alphanumeric characters. The name must begin with a letter, end "
            "with a letter or digit, and not contain consecutive hyphens.",
        )
    if await _find_unexpired(vaults, name, now) is not None:
        return Availability(available=False, reason="AlreadyExists", message=f"The name '{name}' is already in use.")
    return Availability(available=True)


async def _forget_scope(stores: Places, scope: str) -> None:
    """Remove what was set on a scope that is gone, and on what lay below it."""
    await stores.assignments.remove_within(scope.lower())
    await stores.locks.remove_within(scope)


def is_expired(vault: Vault, now: datetime) -> bool:
    """Answer whether the retention of a deleted vault has passed: it is gone, even if its rows are still there."""
    return vault.deletion is not None and now >= vault.deletion.scheduled_purge


async def _find_unexpired(vaults: VaultStore, name: str, now: datetime) -> Vault | None:
    vault = await vaults.find(name)
    return None if vault is None or is_expired(vault, now) else vault


async def _release_name(vaults: VaultStore, name: str, now: datetime) -> Vault | None:
    """Return what holds the name; a vault whose retention has passed is purged first, if the sweep has not been."""
    vault = await vaults.find(name)
    if vault is not None and is_expired(vault, now):
        await vaults.purge(vault)
        return None
    return vault


def _fresh_vault(subscription: Subscription, group: str, name: str, location: str, change: VaultChange) -> Vault:
    return Vault(
        vault_id=uuid.uuid4().hex,
        name=name,
        subscription_id=subscription.subscription_id,
        resource_group=group,
        tenant_id=subscription.tenant_id,
        location=location,
        sku="",  # a request that says no SKU does not come this far
        system_data=touched(None, change.author, change.now),
    )


async def _replace(stores: Places, before: Vault, request: VaultRequest, change: VaultChange) -> Vault:
    """Replace a living vault: what a PUT does not say goes back to its default, but for what never changes back."""
    require_unmoved(before, request)
    require_complete(request, rbac=before.rbac if request.rbac is None else request.rbac)
    require_model_change_allowed(before, request, may_assign_roles=change.may_assign_roles, caller=change.object_id)
    bare = replace(
        before,
        tags=(),
        access_policies=(),
        enabled_for_deployment=False,
        enabled_for_disk_encryption=False,
        enabled_for_template_deployment=False,
        public_network_access=ENABLED,
        network=None,
    )
    vault = _touch(await _apply(stores, bare, request, change, fixed_retention=True), change)
    await stores.vaults.replace(vault)
    return vault


async def _apply(
    stores: Places, vault: Vault, request: VaultRequest, change: VaultChange, *, fixed_retention: bool
) -> Vault:
    """Return the vault as the request wants it; what its network rules name must be there to be enforced."""
    changed = apply_request(vault, request, fixed_retention=fixed_retention, private=change.private_ip_rules)
    if request.network is not None and request.network.subnet_rules is not None:
        who = (change.author.name, change.object_id)
        await require_subnets(stores.networks, changed, joinable=change.joinable, caller=who)
    return changed


def _require_recoverable(
    vault: Vault | None, request: VaultRequest, subscription_id: str, group: str, name: str
) -> Vault:
    """Return the deleted vault that may come back: as it was, and only where it was."""
    if vault is None or vault.subscription_id != subscription_id:
        raise _no_deleted_vault(name)
    if vault.deletion is None:
        raise _name_taken(name)
    if request.location and canonical(request.location) != vault.location:
        raise _no_deleted_vault(name)
    if vault.resource_group.lower() != group.lower():
        raise BadRequest(
            f"The deleted vault '{name}' belongs to the resource group '{vault.resource_group}' and is recovered "
            "there only.",
            code="BadRequest",
        )
    return vault


def _require_ours(vault: Vault, subscription_id: str, group: str) -> None:
    """Raise Conflict unless the vault of that name lives in this very resource group."""
    if vault.deletion is not None and vault.subscription_id == subscription_id:
        raise Conflict(
            "A vault with the same name already exists in deleted state. You need to either recover or purge existing "
            "key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft "
            "delete.",
            code="ConflictError",
        )
    if vault.deletion is not None or not _is_in(vault, subscription_id, group):
        raise _name_taken(vault.name)


def _is_in(vault: Vault, subscription_id: str, group: str) -> bool:
    return vault.subscription_id == subscription_id and vault.resource_group.lower() == group.lower()


def _touch(vault: Vault, change: VaultChange) -> Vault:
    return replace(vault, system_data=touched(vault.system_data, change.author, change.now))


def _name_taken(name: str) -> Conflict:
    return Conflict(
        f"The vault name '{name}' is already in use. Vault names are globally unique so it is possible that the name "
        "is already taken. If you are sure that the vault name was not taken then it is possible that a vault with the "
        "same name was recently deleted but not purged after being placed in a recoverable state. If the vault is in a "
        "recoverable state then the vault will need to be purged before reusing the name. For more information on soft "
        "delete and purging a vault follow this link https://go.microsoft.com/fwlink/?linkid=2147740.",
        code="VaultAlreadyExists",
    )


def _no_deleted_vault(name: str) -> NotFound:
    return NotFound(f"The specified deleted vault '{name}' does not exist.", code="DeletedVaultNotFound")
