"""The store of keys, with their policies, in memory."""

from memory.objects import MemoryObjects
from strongroom.objects.keys.store import Due
from strongroom.objects.lifecycle import Kind


class MemoryKeys(MemoryObjects):
    """Keys. policies: by (vault id, lower-case name), each with when it is due."""

    held = (*MemoryObjects.held, "policies")

    def __init__(self):
        super().__init__(Kind.KEY)
        self.policies = {}

    async def purge(self, vault_id, name):
        await super().purge(vault_id, name)
        self.policies.pop((vault_id, name.lower()), None)

    async def find_policy(self, vault_id, name):
        return self.policies.get((vault_id, name.lower()), (None, None))[0]

    async def put_policy(self, vault_id, name, policy, due):
        self.policies[vault_id, name.lower()] = (policy, due)

    async def list_due(self, now, *, after, limit):
        found = sorted(
            (due, *key)
            for key, (_, due) in self.policies.items()
            if due is not None and due.timestamp() <= now.timestamp()
        )
        past = (after.moment, after.vault_id, after.name) if after else None
        return tuple([Due(*each) for each in found if past is None or each > past][:limit])

    def forget_vault(self, vault_id):
        super().forget_vault(vault_id)
        self.policies = {key: each for key, each in self.policies.items() if key[0] != vault_id}
