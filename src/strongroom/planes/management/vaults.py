"""Vaults, living and deleted: parse, make one call, render. Who changed which policy goes into the record."""

from dataclasses import replace
from functools import partial

from msgspec import UNSET

from strongroom.access.authorization.actions import (
    ACCESS_POLICY_WRITE,
    ROLE_ASSIGNMENT_WRITE,
    VAULT_DELETE,
    VAULT_PURGE,
    VAULT_READ,
    VAULT_WRITE,
)
from strongroom.audit.event import Category
from strongroom.errors import BadRequest
from strongroom.objects.keys.discarding import find_discards
from strongroom.objects.keys.keepers import Keepers
from strongroom.planes.call import Call
from strongroom.planes.http import Response
from strongroom.planes.management import answers, wire
from strongroom.planes.management.listing import PAGE, page, page_of, read_enough, read_window
from strongroom.planes.management.permission import is_allowed
from strongroom.planes.management.places import VAULT, author, scope_of, subscription_id, vault_uri
from strongroom.planes.management.policychange import note_policy_change
from strongroom.planes.management.progress import accepted, operation_result
from strongroom.planes.management.rulechange import find_joinable, note_rule_change
from strongroom.planes.management.selfgranting import note_vault_change
from strongroom.planes.management.sight import EVERYTHING, read_seen
from strongroom.planes.management.site import Site
from strongroom.planes.management.versions import SOFT_DELETE_SINCE, rbac_by_default
from strongroom.planes.operation import Operation
from strongroom.resources.service import get_group, require_subscription
from strongroom.vaults import service
from strongroom.vaults.connections import connections_by_vault, list_connections
from strongroom.vaults.model import Vault
from strongroom.vaults.network import RulesRequest
from strongroom.vaults.policies import PolicyChange

PROVIDER = "/subscriptions/{subscription}/providers/Microsoft.KeyVault"
VAULTS = VAULT.rpartition("/")[0]
DELETED = PROVIDER + "/locations/{location}/deletedVaults/{deleted}"
BODY_LIMIT = 4 * 1024 * 1024  # 1024 policies with every permission spelled out

READ = VAULT_READ
WRITE = VAULT_WRITE


async def put(call: Call, site: Site) -> Response:
    """Make, replace or recover a vault."""
    recover = _is_recovery(call.body.properties.create_mode)
    if recover:
        assert call.operation is not None  # a handler runs for an operation
        call.operation = replace(call.operation, log="VaultRecover")
    request = wire.vault_request(call.body, recover)
    vault, before = await service.put_vault(
        call.stores,
        call.custodian,
        site.locations,
        subscription=await require_subscription(call.stores.resources, subscription_id(call)),
        group=call.parameters["group"],
        name=call.parameters["vault"],
        request=request,
        rbac_by_default=rbac_by_default(call.request.api_version),
        change=await _rules_change(call, request.network, site),
    )
    return await _changed(call, vault, before)


async def patch(call: Call, site: Site) -> Response:
    """Change what the request says of a vault."""
    properties = call.body.properties
    _is_recovery(properties.create_mode if properties else None)
    request = wire.vault_request(call.body, recover=False)
    vault, before = await service.update_vault(
        call.stores,
        subscription_id=subscription_id(call),
        group=call.parameters["group"],
        name=call.parameters["vault"],
        request=request,
        change=await _rules_change(call, request.network, site),
    )
    return await _changed(call, vault, before)


async def change_policies(call: Call) -> Response:
    """Add, replace or remove access policies; return those that the vault has now."""
    try:
        kind = PolicyChange(call.parameters["kind"].lower())
    except ValueError:
        raise BadRequest(
            f"The operation '{call.parameters['kind']}' is not supported; use add, replace or remove.",
            code="BadRequest",
        ) from None
    vault, before = await service.change_access_policies(
        call.stores,
        subscription_id=subscription_id(call),
        group=call.parameters["group"],
        name=call.parameters["vault"],
        kind=kind,
        policies=wire.policies_of(call.body.properties.access_policies),
        change=await _change(call),
    )
    _note_changes(call, vault, before)
    await note_vault_change(call, before, vault)
    return wire.render(answers.policies(vault))


async def get(call: Call) -> Response:
    """Return a vault."""
    vault = await service.get_vault(
        call.stores, subscription_id(call), call.parameters["group"], call.parameters["vault"]
    )
    return await _shown(call, vault)


async def exists(call: Call) -> Response:
    """Say whether a vault exists."""
    await service.get_vault(call.stores, subscription_id(call), call.parameters["group"], call.parameters["vault"])
    return Response(204)


async def delete(call: Call) -> Response:
    """Delete a vault softly; 204 when there is none."""
    vault = await service.find_vault(
        call.stores, subscription_id(call), call.parameters["group"], call.parameters["vault"]
    )
    if vault is None:
        return Response(204)
    _note_vault(call, vault)
    await service.delete_vault(call.stores, vault, call.now)
    return Response(200)


async def list_vaults(call: Call) -> Response:
    """List the vaults of a subscription or of one resource group."""
    group = call.parameters.get("group")
    if group is not None:
        await get_group(call.stores.resources, subscription_id(call), group)
    window = await read_window(call)
    living = await read_enough(window, partial(read_seen, call, EVERYTHING))
    connected = await connections_by_vault(call.stores)

    def write(vault: Vault) -> answers.VaultAnswer:
        return answers.vault(vault, vault_uri(call, vault.name), connected.get(vault.vault_id, ()))

    return await page_of(call, window, living, lambda v: v.name, write)


async def list_deleted(call: Call) -> Response:
    """List the deleted vaults of a subscription."""
    deleted = await service.list_deleted_vaults(call.stores.vaults, subscription_id(call), call.now)
    return await page(call, deleted, lambda v: v.name, answers.deleted_vault)


async def get_deleted(call: Call) -> Response:
    """Return a deleted vault."""
    vault = await _deleted_vault(call)
    return wire.render(answers.deleted_vault(vault))


async def purge(call: Call, keepers: Keepers) -> Response:
    """Purge a deleted vault for good."""
    vault = await _deleted_vault(call)
    call.removed.extend(await find_discards(call.stores, keepers, vault.vault_id))
    await service.purge_vault(call.stores.vaults, vault)
    place = f"/subscriptions/{vault.subscription_id}/providers/Microsoft.KeyVault/locations/{vault.location}"
    return await accepted(call, f"{place}/operationResults")


async def check_name(call: Call) -> Response:
    """Say whether a vault's name may be taken."""
    found = await service.check_name(call.stores.vaults, call.body.name, call.now)
    return wire.render(
        answers.NameAnswer(name_available=found.available, reason=found.reason or UNSET, message=found.message or UNSET)
    )


def _is_recovery(create_mode: str | None) -> bool:
    mode = (create_mode or "default").lower()
    if mode not in {"default", "recover"}:
        raise BadRequest("An invalid value was provided for 'createMode'.", code="BadRequest")
    return mode == "recover"


async def _rules_change(call: Call, rules: RulesRequest | None, site: Site) -> service.VaultChange:
    """Return a change that may be one of network rules: who asks for these, and what they may name."""
    joinable = await find_joinable(call, rules)
    return replace(await _change(call), private_ip_rules=site.private_ip_rules, joinable=joinable)


async def _change(call: Call) -> service.VaultChange:
    caller = call.known_caller()
    return service.VaultChange(
        author=author(caller),
        object_id=caller.object_id,
        may_assign_roles=await is_allowed(call, ROLE_ASSIGNMENT_WRITE, scope_of(call.parameters)),
        now=call.now,
    )


async def _deleted_vault(call: Call) -> Vault:
    vault = await service.get_deleted_vault(
        call.stores.vaults,
        subscription_id=subscription_id(call),
        location=call.parameters["location"],
        name=call.parameters["deleted"],
        now=call.now,
    )
    _note_vault(call, vault)
    return vault


async def _shown(call: Call, vault: Vault) -> Response:
    _note_vault(call, vault)
    connected = await list_connections(call.stores, vault.vault_id)
    return wire.render(answers.vault(vault, vault_uri(call, vault.name), connected))


async def _changed(call: Call, vault: Vault, before: Vault | None) -> Response:
    _note_changes(call, vault, before)
    await note_vault_change(call, before, vault)
    return await _shown(call, vault)


def _note_vault(call: Call, vault: Vault) -> None:
    call.vault = vault
    call.object_id = vault_uri(call, vault.name)


def _note_changes(call: Call, vault: Vault, before: Vault | None) -> None:
    """Note in the record who gains and loses what: permissions, the permission model, and from where it may be used."""
    _note_vault(call, vault)
    note_rule_change(call, before, vault)
    note_policy_change(call, before, vault)


ROW = partial(Operation, category=Category.AUDIT)
CHANGE = partial(ROW, changes=True, body_limit=BODY_LIMIT)


def operations(site: Site, keepers: Keepers) -> tuple[Operation, ...]:
    """Return the rows of this module. keepers: who keeps the vaults' keys."""
    return (
        *_changing(site),
        *LIVING,
        *DELETED_ONES,
        CHANGE(
            method="POST",
            path=DELETED + "/purge",
            since=SOFT_DELETE_SINCE,
            handler=partial(purge, keepers=keepers),
            needs=VAULT_PURGE,
            log="VaultPurge",
            gives=None,
            refuses=(405,),
            name="purge_vault",
            success=(202,),
        ),
    )


def _changing(site: Site) -> tuple[Operation, ...]:
    """Return the rows by which a vault is made and changed."""
    return (
        CHANGE(
            method="PUT",
            path=VAULT,
            handler=partial(put, site=site),
            needs=WRITE,
            log="VaultPut",
            takes=wire.VaultBody,
            gives=answers.VaultAnswer,
            refuses=(409,),
            name="put_vault",
        ),
        CHANGE(
            method="PATCH",
            path=VAULT,
            handler=partial(patch, site=site),
            needs=WRITE,
            log="VaultPatch",
            takes=wire.VaultPatch,
            gives=answers.VaultAnswer,
            name="update_vault",
        ),
    )


LIVING = (
    CHANGE(
        method="PUT",
        path=VAULT + "/accessPolicies/{kind}",
        handler=change_policies,
        needs=ACCESS_POLICY_WRITE,
        log="VaultPatch",
        takes=wire.PoliciesBody,
        gives=answers.PoliciesAnswer,
        name="change_access_policies",
    ),
    ROW(method="GET", path=VAULT, handler=get, needs=READ, log="VaultGet", gives=answers.VaultAnswer, name="get_vault"),
    ROW(
        method="HEAD",
        path=VAULT,
        handler=exists,
        needs=READ,
        log="VaultGet",
        gives=None,
        name="check_vault",
        success=(204,),
    ),
    CHANGE(
        method="DELETE",
        path=VAULT,
        handler=delete,
        needs=VAULT_DELETE,
        log="VaultDelete",
        gives=None,
        name="delete_vault",
        success=(200, 204),
    ),
    *(
        ROW(
            method="GET",
            path=path,
            handler=list_vaults,
            needs=READ,
            log="VaultList",
            gives=answers.Page[answers.VaultAnswer],
            query=PAGE,
            name=name,
        )
        for path, name in ((VAULTS, "list_vaults_of_group"), (PROVIDER + "/vaults", "list_vaults"))
    ),
    ROW(
        method="POST",
        path=PROVIDER + "/checkNameAvailability",
        handler=check_name,
        needs="Microsoft.KeyVault/checkNameAvailability/read",
        log="VaultCheckNameAvailability",
        takes=wire.NameBody,
        gives=answers.NameAnswer,
        name="check_vault_name",
    ),
)
DELETED_ONES = (
    ROW(
        method="GET",
        path=PROVIDER + "/deletedVaults",
        since=SOFT_DELETE_SINCE,
        handler=list_deleted,
        needs="Microsoft.KeyVault/deletedVaults/read",
        log="VaultListDeleted",
        gives=answers.Page[answers.DeletedVaultAnswer],
        name="list_deleted_vaults",
        query=PAGE,
    ),
    ROW(
        method="GET",
        path=DELETED,
        since=SOFT_DELETE_SINCE,
        handler=get_deleted,
        needs="Microsoft.KeyVault/locations/deletedVaults/read",
        log="VaultGetDeleted",
        gives=answers.DeletedVaultAnswer,
        name="get_deleted_vault",
    ),
    Operation(
        method="GET",
        path=PROVIDER + "/locations/{location}/operationResults/{operation}",
        since=SOFT_DELETE_SINCE,
        handler=operation_result,
        needs="Microsoft.KeyVault/locations/operationResults/read",
        log="Microsoft.KeyVault/locations/operationResults/read",
        gives=None,
        name="get_purge_result",
    ),
)
