"""How keys lie in their backups: what is private is sealed once more within, so that it is in the clear nowhere."""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from strongroom.custody.provider import KeySpec, Place, PublicParts
from strongroom.custody.sealing import Context
from strongroom.custody.store import DataKey
from strongroom.objects import backup as backups
from strongroom.objects.backup import Keys as DataKeys
from strongroom.objects.keys.model import Key, KeyVersion, Operation
from strongroom.objects.keys.release import ReleasePolicy
from strongroom.objects.keys.service import Keys
from strongroom.objects.lifecycle import Kind


class _Version(msgspec.Struct, frozen=True, array_like=True):
    """One version in a blob. handle: its provider's, sealed under the backup key. Older blobs end at `platform`."""

    version: str
    handle: bytes
    created: datetime
    updated: datetime
    enabled: bool
    not_before: datetime | None
    expires: datetime | None
    tags: tuple[tuple[str, str], ...]
    spec: KeySpec
    public: PublicParts
    operations: tuple[Operation, ...]
    hsm: bool
    platform: str
    exportable: bool = False
    policy: bytes | None = None
    immutable: bool = False


async def back_up(keys: Keys, name: str) -> str:
    """Return the backup of a living key; raises as `objects.backup.back_up`."""
    return await backups.back_up(keys, _Packing(keys), name)


async def restore(keys: Keys, backup: str) -> Key:
    """Bring a backed-up key into this vault; raises as `objects.backup.restore`, and where there may be no such key."""
    restored = await backups.restore(keys, _Packing(keys), backup)
    await keys.schedule(restored.state.name, restored.version)
    return restored


class _Packing:
    """Implements `objects.backup.Packing`."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    async def pack(self, held: Key, key: DataKey) -> msgspec.Raw:
        version = held.version
        lies_under, handle = await self._keys.sealing_key(held)
        moved = await self._keys.keepers.of(version).move(
            version.kept(handle),
            Place(lies_under, self._keys.place(held.state.name, version.version)),
            _place_in_blob(key, held.state.name, version.version),
        )
        packed = _Version(
            version.version,
            moved.handle,
            version.created,
            version.updated,
            version.enabled,
            version.not_before,
            version.expires,
            version.tags,
            version.spec,
            version.public,
            version.operations,
            version.hsm,
            version.platform,
            version.exportable,
            None if version.release_policy is None else version.release_policy.data,
            version.release_policy is not None and version.release_policy.immutable,
        )
        return msgspec.Raw(msgspec.msgpack.encode(packed))

    async def unpack(self, packed: msgspec.Raw, name: str, data_keys: DataKeys) -> KeyVersion:
        found = msgspec.msgpack.decode(packed, type=_Version)
        keepers = self._keys.keepers
        suited = keepers.for_exportable if found.exportable else keepers.for_new
        suited(found.spec.type, hsm=found.hsm, vault=self._keys.vault)
        version = KeyVersion(
            version=found.version,
            sealed=found.handle,
            created=found.created,
            updated=found.updated,
            enabled=found.enabled,
            not_before=found.not_before,
            expires=found.expires,
            tags=found.tags,
            spec=found.spec,
            public=found.public,
            operations=found.operations,
            hsm=found.hsm,
            platform=found.platform,
            exportable=found.exportable,
            release_policy=None if found.policy is None else ReleasePolicy(found.policy, found.immutable),
        )
        moved = await keepers.of(version).move(
            version.kept(found.handle),
            _place_in_blob(data_keys.backup, name, found.version),
            Place(data_keys.vault, self._keys.place(name, found.version)),
        )
        return replace(version, sealed=moved.handle)


def _place_in_blob(key: DataKey, name: str, version: str) -> Place:
    return Place(key, Context(key.scope, Kind.KEY.value, name.lower(), version, "backup"))
