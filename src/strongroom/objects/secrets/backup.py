"""How secrets lie in their backups: a version with its value, in the clear within what is sealed as one."""

from datetime import datetime

import msgspec

from strongroom.custody.store import DataKey
from strongroom.objects import backup as backups
from strongroom.objects.backup import Keys
from strongroom.objects.secrets.model import Secret, SecretVersion
from strongroom.objects.secrets.service import Secrets
from strongroom.sensitive import Sensitive


class _Version(msgspec.Struct, frozen=True, array_like=True):
    """One version in a blob; `value` is in the clear here, so this type never leaves this module."""

    version: str
    value: bytes
    created: datetime
    updated: datetime
    enabled: bool
    not_before: datetime | None
    expires: datetime | None
    content_type: str | None
    tags: tuple[tuple[str, str], ...]

    def __repr__(self) -> str:
        return "_Version(…)"


async def back_up(secrets: Secrets, name: str) -> str:
    """Return the backup of a living secret; raises as `objects.backup.back_up`."""
    return await backups.back_up(secrets, _Packing(secrets), name)


async def restore(secrets: Secrets, backup: str) -> Secret:
    """Bring a backed-up secret into this vault; raises as `objects.backup.restore`."""
    return await backups.restore(secrets, _Packing(secrets), backup)


class _Packing:
    """Implements `objects.backup.Packing`."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    async def pack(self, held: Secret, key: DataKey) -> msgspec.Raw:
        del key  # the blob seals all of it
        version, value = held.version, await self._secrets.open(held)
        packed = _Version(
            version.version,
            value.reveal(),
            version.created,
            version.updated,
            version.enabled,
            version.not_before,
            version.expires,
            version.content_type,
            version.tags,
        )
        return msgspec.Raw(msgspec.msgpack.encode(packed))

    async def unpack(self, packed: msgspec.Raw, name: str, keys: Keys) -> SecretVersion:
        found = msgspec.msgpack.decode(packed, type=_Version)
        return SecretVersion(
            version=found.version,
            sealed=self._secrets.seal(keys.vault, Sensitive(found.value), name, found.version),
            created=found.created,
            updated=found.updated,
            enabled=found.enabled,
            not_before=found.not_before,
            expires=found.expires,
            content_type=found.content_type,
            tags=found.tags,
        )
