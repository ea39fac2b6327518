"""All vaults of a server, and the one that a command names."""

import pytest

from doubles import MemoryStores
from storage_doubles import a_subscription
from strongroom.cli.failure import CommandFailed
from strongroom.cli.places import get_vault
from strongroom.vaults.census import list_all, list_living
from strongroom.vaults.model import Deletion
from vault_doubles import NOON, a_vault


@pytest.fixture
async def stores():
    made = MemoryStores()
    for number in (1, 2):
        await made.resources.add_subscription(a_subscription(number))
        await made.vaults.add(a_vault(f"kv{number}", vault_id=f"v{number}", subscription_id=f"s{number}"))
    ended = Deletion(deleted=NOON, scheduled_purge=NOON)
    await made.vaults.add(a_vault("gone", vault_id="v3", subscription_id="s2", deletion=ended))
    return made


async def test_vaults_of_all_subscriptions_are_listed_deleted_ones_apart(stores):
    assert {vault.name for vault in await list_living(stores)} == {"kv1", "kv2"}
    assert {vault.name for vault in await list_all(stores)} == {"kv1", "kv2", "gone"}


async def test_a_command_finds_a_living_vault_by_its_name_in_any_case(stores):
    assert (await get_vault(stores, "KV2")).name == "kv2"
    for name in ("gone", "none"):
        with pytest.raises(CommandFailed, match=f"there is no vault '{name}'"):
            await get_vault(stores, name)
