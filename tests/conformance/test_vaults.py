from dataclasses import replace
from datetime import timedelta

import pytest

from storage_doubles import CUSTODIAN, NOON, a_state, a_version
from strongroom.custody.store import Purpose
from strongroom.errors import Conflict, NotFound
from strongroom.vaults.model import AccessPolicy, Deletion
from strongroom.vaults.network import NetworkProposal, NetworkRules, SubnetRule
from vault_doubles import SUBSCRIPTION, a_vault

DELETION = Deletion(deleted=NOON, scheduled_purge=NOON + timedelta(days=7))
POLICY = AccessPolicy(
    tenant_id="t", object_id="o", application_id="a", secrets=frozenset({"get", "set"}), keys=frozenset({"sign"})
)
RULES = NetworkRules(
    default_action="Deny",
    bypass="None",
    ip_rules=("203.0.113.0/24",),
    subnet_rules=(SubnetRule(subnet_id="/subnets/n", ignore_missing_endpoint=True),),
)
PROPOSAL = NetworkProposal(rules=RULES, public_network_access="Disabled", since=NOON)


@pytest.fixture
def add(change):
    async def run(*vaults):
        for vault in vaults:
            await change(lambda stores, one=vault: stores.vaults.add(one))

    return run


async def test_a_vault_is_found_whatever_the_case_of_its_name_and_keeps_the_case_it_has(storage, add):
    vault = a_vault("Vault", access_policies=(POLICY,), tags=(("a", "b"),), network=RULES, proposal=PROPOSAL, rbac=True)
    await add(vault)
    assert await storage.read().vaults.find("vAULT") == vault
    assert await storage.read().vaults.find("vault2") is None


async def test_a_name_is_taken_while_its_vault_lives_or_is_recoverable(add):
    await add(a_vault("Vault", deletion=DELETION))
    with pytest.raises(Conflict) as refused:
        await add(a_vault("VAULT", vault_id="another"))
    assert refused.value.code == "VaultAlreadyExists"


async def test_living_vaults_are_listed_by_name_within_subscription_and_group(storage, add):
    await add(
        a_vault("b", resource_group="Group"),
        a_vault("C", resource_group="group"),
        a_vault("a", resource_group="other"),
        a_vault("d", subscription_id="s9"),
        a_vault("e", deletion=DELETION),
    )
    vaults = storage.read().vaults
    assert [vault.name for vault in await vaults.list_living(SUBSCRIPTION.upper())] == ["a", "b", "C"]
    assert [vault.name for vault in await vaults.list_living(SUBSCRIPTION, "GROUP")] == ["b", "C"]
    assert [vault.name for vault in await vaults.list_living("S9")] == ["d"]
    assert [vault.name for vault in await vaults.list_living(SUBSCRIPTION, after="A", limit=1)] == ["b"]
    assert [vault.name for vault in await vaults.list_living(SUBSCRIPTION, "group", after="B")] == ["C"]
    assert await vaults.list_living(SUBSCRIPTION, after="c", limit=1) == ()


async def test_deleted_vaults_are_listed_by_name_of_one_subscription_or_of_all(storage, add):
    await add(
        a_vault("b", deletion=DELETION),
        a_vault("A", deletion=DELETION, subscription_id="s9"),
        a_vault("c"),
        a_vault("d"),
    )
    vaults = storage.read().vaults
    assert [vault.name for vault in await vaults.list_deleted()] == ["A", "b"]
    assert [vault.name for vault in await vaults.list_deleted("S9")] == ["A"]


async def test_a_vault_is_replaced_whole(storage, change, add):
    await add(a_vault("Vault"))
    assert await storage.read().vaults.find("vault") == a_vault("Vault")
    after = a_vault("Vault", deletion=DELETION, rbac=True, access_policies=(POLICY, replace(POLICY, object_id="p")))
    await change(lambda stores: stores.vaults.replace(after))
    assert await storage.read().vaults.find("vault") == after
    assert await storage.read().vaults.list_living(SUBSCRIPTION) == ()


async def test_a_vault_that_is_not_there_is_not_replaced(change):
    with pytest.raises(NotFound):
        await change(lambda stores: stores.vaults.replace(a_vault()))


async def test_with_a_purged_vault_goes_all_that_it_holds_and_its_name_is_free(storage, change, add):
    one, other = a_vault("one"), a_vault("other")
    await add(one, other)
    for vault in (one, other):
        state = a_state(vault=vault.vault_id)
        await change(lambda stores, state=state: stores.secrets.add_version(state, a_version()))
        key = CUSTODIAN.new_key(Purpose.VAULT, vault.vault_id, 1, NOON)
        await change(lambda stores, key=key: stores.keyring.add(key))
    await change(lambda stores: stores.vaults.purge(one))
    stores = storage.read()
    assert await stores.vaults.find("one") is None
    assert await stores.secrets.find(one.vault_id, "secret") is None
    assert await stores.secrets.list_versions(one.vault_id, "secret", after=None, limit=9) == ()
    assert await stores.keyring.newest(Purpose.VAULT, one.vault_id) is None
    assert await stores.vaults.find("other") == other
    assert await stores.secrets.find(other.vault_id, "secret") is not None
    assert await stores.keyring.newest(Purpose.VAULT, other.vault_id) is not None
    await add(a_vault("one", vault_id="fresh"))
