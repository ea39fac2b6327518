"""What the stores of secrets and of keys share, in memory."""

from msgspec.structs import replace

from memory.store import MemoryStore
from strongroom.errors import Conflict, NotFound
from strongroom.objects.model import Held


class MemoryObjects(MemoryStore):
    """One kind. states and versions by (vault id, lower-case name), versions of a name in the order of their making."""

    held = ("states", "versions")

    def __init__(self, kind):
        self.kind = kind
        self.states = {}
        self.versions = {}

    async def find(self, vault_id, name, version=None):
        key = (vault_id, name.lower())
        state = self.states.get(key)
        if state is None:
            return None
        found = self.versions[key].get((version or state.latest).lower())
        return None if found is None else Held(state, found)

    async def find_state(self, vault_id, name):
        return self.states.get((vault_id, name.lower()))

    async def list_newest(self, vault_id, *, deleted, after, limit, now):
        keys = sorted(key for key in self.states if key[0] == vault_id and (after is None or key[1] > after.lower()))
        states = [self.states[key] for key in keys]
        fitting = [s for s in states if s.is_deleted() == deleted and not (deleted and s.is_expired(now))]
        return tuple(
            Held(state, self.versions[vault_id, state.name.lower()][state.latest.lower()]) for state in fitting[:limit]
        )

    async def list_versions(self, vault_id, name, *, after, limit):
        versions = list(self.versions.get((vault_id, name.lower()), {}).items())
        if after is not None:
            places = [place for place, (version, _) in enumerate(versions) if version == after.lower()]
            versions = versions[places[0] + 1 :] if places else []
        return tuple(version for _, version in versions[:limit])

    async def add_version(self, state, version):
        key = (state.vault_id, state.name.lower())
        versions = self.versions.setdefault(key, {})
        if version.version.lower() in versions:
            raise Conflict("The version exists.")
        versions[version.version.lower()] = version
        self.states[key] = replace(state, latest=version.version)

    async def replace_version(self, state, version):
        versions = self.versions.get((state.vault_id, state.name.lower()), {})
        if version.version.lower() not in versions:
            raise NotFound("There is no such version.")
        versions[version.version.lower()] = version

    async def replace_state(self, state):
        key = (state.vault_id, state.name.lower())
        if key not in self.states:
            raise NotFound("There is no such object.")
        self.states[key] = state

    async def purge(self, vault_id, name):
        self.states.pop((vault_id, name.lower()), None)
        self.versions.pop((vault_id, name.lower()), None)

    async def list_sealed_before(self, vault_id, key_id, *, after, limit):
        found = [
            Held(self.states[key], one)
            for key in sorted(self.versions)
            for version, one in sorted(self.versions[key].items())
            if key[0] == vault_id and one.sealed[1:17].hex() != key_id and (key[1], version) > (after or ("", ""))
        ]
        return tuple(found[:limit])

    async def count_sealed_before(self, vault_id, key_id):
        return len(await self.list_sealed_before(vault_id, key_id, after=None, limit=None))

    async def list_expired(self, now, limit):
        expired = [state for state in self.states.values() if state.is_expired(now)]
        return tuple(sorted(expired, key=lambda state: state.scheduled_purge)[:limit])

    def forget_vault(self, vault_id):
        self.states = {key: state for key, state in self.states.items() if key[0] != vault_id}
        self.versions = {key: versions for key, versions in self.versions.items() if key[0] != vault_id}
