"""Two subscriptions of one tenant: what is seen, what counts, what is shared."""

import pytest

from doubles import TENANT
from management_doubles import BASE, RESOURCES, SUBSCRIPTION, vault_body, vault_path
from strongroom.clock import real_now
from strongroom.resources.subscriptions import create_subscription

SECOND = "22222222-2222-4222-8222-222222222222"
OTHER = f"/subscriptions/{SECOND}"


@pytest.fixture
async def two(world):
    await create_subscription(
        world.stores.resources,
        world.stores.keyring,
        world.storage.custodian,
        subscription_id=SECOND,
        tenant_id=TENANT.tenant_id,
        name="Second",
        now=real_now(),
    )
    return world


async def listed(world, who):
    answer = await world.ask("GET", "/subscriptions", who=who, version=RESOURCES)
    return {each["subscriptionId"] for each in answer.json["value"]}


async def test_a_caller_sees_the_subscriptions_in_which_it_holds_a_role(two):
    await two.a_group()
    somewhere = await two.someone("Reader", f"{BASE}/resourceGroups/rg")
    nobody = await two.someone()
    second = await two.someone("Owner", OTHER)
    assert await listed(two, two.owner) == {SUBSCRIPTION}
    assert await listed(two, somewhere) == {SUBSCRIPTION}
    assert await listed(two, second) == {SECOND}
    assert await listed(two, nobody) == set()
    await two.give(second, "Reader", BASE)
    assert await listed(two, second) == {SUBSCRIPTION, SECOND}
    assert (await two.ask("GET", OTHER, version=RESOURCES)).status == 403


async def test_a_role_in_one_counts_in_no_other_and_neither_does_a_lock(two):
    group = {"location": "westeurope"}
    second = await two.someone("Owner", OTHER)
    assert (await two.ask("PUT", f"{OTHER}/resourceGroups/rg", group, version=RESOURCES)).status == 403
    lock = "/providers/Microsoft.Authorization/locks/keep"
    await two.ask("PUT", BASE + lock, {"properties": {"level": "ReadOnly"}}, version="2016-09-01")
    made = await two.ask("PUT", f"{OTHER}/resourceGroups/rg", group, who=second, version=RESOURCES)
    assert made.status == 201
    assert (await two.ask("GET", f"{BASE}/resourcegroups", version=RESOURCES)).json["value"] == []


async def test_names_of_vaults_are_unique_among_all(two):
    second = await two.someone("Owner", OTHER)
    await two.a_group()
    await two.a_vault()
    await two.ask("PUT", f"{OTHER}/resourceGroups/rg", {"location": "westeurope"}, who=second, version=RESOURCES)
    there = vault_path().replace(SUBSCRIPTION, SECOND)
    taken = await two.ask("PUT", there, vault_body(), who=second)
    assert (taken.status, taken.code) == (409, "VaultAlreadyExists")
    await two.ask("DELETE", vault_path())
    assert (await two.ask("PUT", there, vault_body(), who=second)).status == 409
    assert (await two.ask("GET", f"{OTHER}/providers/Microsoft.KeyVault/deletedVaults", who=second)).json["value"] == []
