"""Network rules of vaults: those that change nothing or let nobody in, and proposals that were forgotten."""

import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta

from strongroom.access.network.firewall import find_named_subnets
from strongroom.cli.checks.finding import Finding, Findings, ok, problem, warning
from strongroom.custody.sealing import Custodian
from strongroom.errors import StrongroomError
from strongroom.resources.networks.model import KEY_VAULT_SERVICE
from strongroom.storage.commit import drive
from strongroom.storage.inspection import stores_of
from strongroom.storage.snapshot import Snapshot
from strongroom.storage.sqlite import SqlStores
from strongroom.vaults.census import list_living
from strongroom.vaults.model import Vault
from strongroom.vaults.network import ALLOW, ENABLED, NetworkRules

CHECK = "network rules"
FORGOTTEN = timedelta(days=30)


def check_rules(snapshot: Snapshot, custodian: Custodian, now: datetime) -> Findings:
    """Look at the network rules of every living vault."""
    try:
        stores = stores_of(snapshot, custodian)
        vaults = drive(list_living(stores))
        found = [finding for vault in vaults for finding in (*_look(vault, now), *_idle(stores, vault))]
    except (StrongroomError, sqlite3.Error) as error:
        yield problem(CHECK, f"cannot be read: {error}", "restore a backup; find out who changed the data")
        return
    yield from found
    if not found:
        ruled = sum(_is_ruled(vault) for vault in vaults)
        yield ok(CHECK, f"{ruled} of {len(vaults)} vaults are reached from where their rules say only")


def _is_ruled(vault: Vault) -> bool:
    return vault.public_network_access != ENABLED or (vault.network or NetworkRules()).default_action != ALLOW


def _look(vault: Vault, now: datetime) -> Iterator[Finding]:
    rules = vault.network or NetworkRules()
    count = len(rules.ip_rules) + len(rules.subnet_rules)
    if count and rules.default_action == ALLOW:
        told = f"the vault '{vault.name}' has {count} rules that change nothing: its defaultAction is Allow"
        yield warning(CHECK, told, f"az keyvault update -n {vault.name} --default-action Deny")
    if vault.proposal is not None and now - vault.proposal.since > FORGOTTEN:
        age = (now - vault.proposal.since).days
        told = f"rules have been proposed for the vault '{vault.name}' for {age} days"
        yield warning(CHECK, told, f"strongroom network report --vault {vault.name}; then adopt or withdraw them")


def _idle(stores: SqlStores, vault: Vault) -> Iterator[Finding]:
    named = {rule.subnet_id for rule in (vault.network or NetworkRules()).subnet_rules}
    for subnet in drive(find_named_subnets(stores.networks, vault)):
        if subnet.subnet_id in named and not subnet.has_endpoint:
            place, service = subnet.subnet_id, KEY_VAULT_SERVICE
            told = f"a rule of the vault '{vault.name}' lets nobody in: {place} has no service endpoint {service}"
            yield warning(CHECK, told, f"az network vnet subnet update --ids {place} --service-endpoints {service}")
