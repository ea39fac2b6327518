"""Vaults whose rows an older version wrote."""

from storage_doubles import a_record
from strongroom.vaults.network import NetworkRules
from vault_doubles import a_vault


async def test_a_vault_of_before_there_were_rules_is_read_as_one_that_lets_everybody_in(storage):
    """Such a row has `network_bypass` beside its other properties; the next change writes it as it is now."""
    old = a_vault(network_bypass="None")

    async def add(stores):
        await stores.vaults.add(old)
        return None, a_record()

    await storage.change(add)
    expected = a_vault(network=NetworkRules(bypass="None"))
    stores = storage.read()
    assert await stores.vaults.find("KV1") == expected
    assert await stores.vaults.list_living(old.subscription_id) == (expected,)
