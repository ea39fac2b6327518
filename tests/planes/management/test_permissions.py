"""What a caller may do, and which actions there are."""

import pytest

from management_doubles import AUTHORIZATION, BASE, group_path, vault_path


@pytest.fixture
async def furnished(world):
    await world.a_group()
    await world.a_vault()
    return world


async def ask(world, path, **more):
    return await world.ask("GET", f"{path}", version=AUTHORIZATION, **more)


@pytest.mark.parametrize("place", [group_path(), vault_path()])
async def test_a_caller_is_told_what_its_roles_allow_here(furnished, place):
    someone = await furnished.someone("Reader", place)
    await furnished.give(someone, "Key Vault Data Access Administrator", group_path())
    answer = await ask(furnished, f"{place}/providers/Microsoft.Authorization/permissions", who=someone)
    assert answer.status == 200
    told = {tuple(each["actions"][:1]) or tuple(each["dataActions"][:1]): each for each in answer.json["value"]}
    assert told[("*/read",)]["condition"] is None
    keeper = told[("Microsoft.Authorization/roleAssignments/write",)]
    assert "ForAnyOfAnyValues:GuidEquals" in keeper["condition"]
    assert keeper["conditionVersion"] == "2.0"


async def test_there_is_nothing_that_denies_and_nobody_classic(furnished):
    for place in (BASE, group_path(), vault_path()):
        path = f"{place}/providers/Microsoft.Authorization/denyAssignments"
        assert (await ask(furnished, path)).json == {"value": []}
        missing = await ask(furnished, f"{path}/11111111-0000-4000-8000-000000000001")
        assert (missing.status, missing.code) == (404, "DenyAssignmentNotFound")
    path = f"{BASE}/providers/Microsoft.Authorization/classicAdministrators"
    assert (await ask(furnished, path)).json == {"value": []}


async def test_the_actions_of_the_provider_are_told_by_type(furnished):
    path = "/providers/Microsoft.Authorization/providerOperations"
    listed, network = (await ask(furnished, path)).json["value"]
    told = (await ask(furnished, f"{path}/microsoft.keyvault")).json
    assert told == listed
    assert network == (await ask(furnished, f"{path}/MICROSOFT.NETWORK")).json
    assert "virtualNetworks/subnets" in {each["name"] for each in network["resourceTypes"]}
    types = {
        each["name"]: {one["name"]: one["isDataAction"] for one in each["operations"]} for each in told["resourceTypes"]
    }
    assert types["vaults/secrets"]["Microsoft.KeyVault/vaults/secrets/getSecret/action"] is True
    assert types["vaults"]["Microsoft.KeyVault/vaults/write"] is False
    assert {each["name"] for each in told["operations"]} == {
        "Microsoft.KeyVault/register/action",
        "Microsoft.KeyVault/unregister/action",
    }
    assert (await ask(furnished, f"{path}/Microsoft.Compute")).code == "ProviderNotFound"


async def test_a_scope_that_is_not_there_has_none(furnished):
    for what in ("permissions", "denyAssignments"):
        missing = await ask(furnished, f"{vault_path('none')}/providers/Microsoft.Authorization/{what}")
        assert (missing.status, missing.code) == (404, "ResourceNotFound")
