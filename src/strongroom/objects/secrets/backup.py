"""Backups of secrets: a secret with all its versions, sealed as one under the backup key of the subscription.

A blob says nothing by itself: its format (one byte), then what `custody.sealing` writes, which names the key version.
It holds the secret and nothing of the server that made it. It opens only in the same subscription and location.
"""

import base64
import binascii
import re
from datetime import datetime

import msgspec

from strongroom.custody.keyring import add_key
from strongroom.custody.sealing import Context, SealBroken, sealing_key_id
from strongroom.custody.store import DataKey, Purpose
from strongroom.errors import BadRequest
from strongroom.objects.lifecycle import Kind, ObjectState, already_exists, deleted_but_recoverable
from strongroom.objects.secrets.model import Secret, SecretVersion
from strongroom.objects.secrets.service import Secrets
from strongroom.sensitive import Sensitive

FORMAT = b"\x01"
MAX_PAST_VERSIONS = 500  # source: "Azure Key Vault backup and restore", limitations
MAX_BLOB_BYTES = 14 * 1024 * 1024  # what the body of a restore can still carry: 19 MiB of base64 in JSON
BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}", re.ASCII)


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


class _Content(msgspec.Struct, frozen=True, array_like=True):
    """What a blob holds: where it may be restored, the name, and the versions, oldest first."""

    kind: str
    location: str
    name: str
    versions: tuple[_Version, ...]


async def back_up(secrets: Secrets, name: str) -> str:
    """Return the backup of a living secret, disabled versions too, as base64url without padding.

    Makes the backup key of the subscription when there is none. BadRequest when the secret has more past versions, or
    is larger, than a backup holds.
    """
    state = (await secrets.living(name)).state
    vault = secrets.vault
    versions = await secrets.store.list_versions(vault.vault_id, name, after=None, limit=MAX_PAST_VERSIONS + 2)
    if len(versions) > MAX_PAST_VERSIONS + 1:
        raise BadRequest(f"A secret with more than {MAX_PAST_VERSIONS} past versions cannot be backed up.")
    content = _Content(
        Kind.SECRET, vault.location, state.name, tuple([await _pack(secrets, Secret(state, one)) for one in versions])
    )
    key = await _backup_key(secrets)
    blob = FORMAT + secrets.custodian.seal(key, Sensitive(msgspec.msgpack.encode(content)), _context(key.scope))
    if len(blob) > MAX_BLOB_BYTES:
        raise BadRequest("This secret is too large to be backed up.")
    return base64.urlsafe_b64encode(blob).rstrip(b"=").decode()


async def restore(secrets: Secrets, backup: str) -> Secret:
    """Bring a backed-up secret into this vault with all its versions, their ids, attributes and tags.

    BadRequest for what is no backup of this subscription and location; Conflict when the name is taken, by a living or
    a deleted secret.
    """
    content = await _open(secrets, backup)
    state = await secrets.free_state(content.name)
    if state is not None:
        taken = deleted_but_recoverable if state.is_deleted() else already_exists
        raise taken(Kind.SECRET, state.name)
    key = await secrets.vault_key()
    vault_id = secrets.vault.vault_id
    restored = None
    for packed in content.versions:
        state = ObjectState(vault_id=vault_id, kind=Kind.SECRET, name=content.name, latest=packed.version)
        restored = Secret(state, _unpack(secrets, key, content.name, packed))
        await secrets.store.add_version(state, restored.version)
    if restored is None:
        raise _undecipherable()
    return restored


async def _pack(secrets: Secrets, secret: Secret) -> _Version:
    version, value = secret.version, await secrets.open(secret)
    return _Version(
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


def _unpack(secrets: Secrets, key: DataKey, name: str, packed: _Version) -> SecretVersion:
    return SecretVersion(
        version=packed.version,
        sealed=secrets.seal(key, Sensitive(packed.value), name, packed.version),
        created=packed.created,
        updated=packed.updated,
        enabled=packed.enabled,
        not_before=packed.not_before,
        expires=packed.expires,
        content_type=packed.content_type,
        tags=packed.tags,
    )


async def _backup_key(secrets: Secrets) -> DataKey:
    scope = secrets.vault.subscription_id
    key = await secrets.keyring.newest(Purpose.BACKUP, scope)
    return key or await add_key(secrets.keyring, secrets.custodian, Purpose.BACKUP, scope, secrets.now)


async def _open(secrets: Secrets, backup: str) -> _Content:
    blob = _decode(backup)
    scope = secrets.vault.subscription_id
    try:
        key = await secrets.keyring.find(sealing_key_id(blob[1:]))
        if blob[:1] != FORMAT or key is None or key.purpose is not Purpose.BACKUP or key.scope != scope:
            raise _undecipherable()
        packed = secrets.custodian.open(key, blob[1:], _context(scope))
    except SealBroken:
        raise _undecipherable() from None
    content = msgspec.msgpack.decode(packed.reveal(), type=_Content)
    if content.kind != Kind.SECRET or content.location.lower() != secrets.vault.location.lower():
        raise _undecipherable()
    return content


def _decode(backup: str) -> bytes:
    """Return the bytes of a blob; both base64 alphabets occur in the field, with and without padding."""
    if BASE64.fullmatch(backup) is None:
        raise _undecipherable()
    text = backup.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise _undecipherable() from None


def _context(subscription_id: str) -> Context:
    return Context(subscription_id, Kind.SECRET.value, "", "", "backup")


def _undecipherable() -> BadRequest:
    """Return the one answer to every blob that is not ours, was changed, or belongs elsewhere; the service's words."""
    return BadRequest("Cannot decrypt backup blob.")
