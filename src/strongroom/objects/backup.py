"""Backups of objects: one with all its versions, sealed as one under the backup key of the subscription.

A blob says nothing by itself: its format (one byte), then what `custody.sealing` writes, which names the key version.
It holds the object and nothing of the server that made it. It opens only in the same subscription and location.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Protocol

import msgspec

from strongroom.custody.keyring import add_key
from strongroom.custody.sealing import Context, SealBroken, sealing_key_id
from strongroom.custody.store import DataKey, Purpose
from strongroom.errors import BadRequest
from strongroom.objects.lifecycle import Kind, ObjectState, already_exists, deleted_but_recoverable
from strongroom.objects.model import Held, V
from strongroom.objects.service import Objects
from strongroom.sensitive import Sensitive

FORMAT = b"\x01"
MAX_PAST_VERSIONS = 500  # source: "Azure Key Vault backup and restore", limitations
MAX_BLOB_BYTES = 14 * 1024 * 1024  # what the body of a restore can still carry: 19 MiB of base64 in JSON
BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}", re.ASCII)


class Packing(Protocol[V]):
    """How versions of one kind lie in a blob."""

    async def pack(self, held: Held[V], key: DataKey) -> msgspec.Raw:
        """Return a version as MessagePack. key: the backup key, for what is not to be in the clear even in a blob."""

    async def unpack(self, packed: msgspec.Raw, name: str, keys: "Keys") -> V:
        """Return a version as it lies in its vault from now on."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The data keys of a restore: that of the blob, and the vault's newest."""

    backup: DataKey
    vault: DataKey


class _Content(msgspec.Struct, frozen=True, array_like=True):
    """What a blob holds: where it may be restored, the name, and the versions, oldest first."""

    kind: str
    location: str
    name: str
    versions: tuple[msgspec.Raw, ...]

    def __repr__(self) -> str:
        return "_Content(…)"


async def back_up(objects: Objects[V], packing: Packing[V], name: str) -> str:
    """Return the backup of a living object, disabled versions too, as base64url without padding.

    Makes the backup key of the subscription when there is none. BadRequest when the object has more past versions, or
    is larger, than a backup holds.
    """
    state = (await objects.living(name)).state
    vault = objects.vault
    versions = await objects.store.list_versions(vault.vault_id, name, after=None, limit=MAX_PAST_VERSIONS + 2)
    noun = objects.kind.noun
    if len(versions) > MAX_PAST_VERSIONS + 1:
        raise BadRequest(f"A {noun} with more than {MAX_PAST_VERSIONS} past versions cannot be backed up.")
    key = await _backup_key(objects)
    packed = tuple([await packing.pack(Held(state, version), key) for version in versions])
    content = Sensitive(msgspec.msgpack.encode(_Content(objects.kind, vault.location, state.name, packed)))
    blob = FORMAT + objects.custodian.seal(key, content, _context(key.scope, objects.kind))
    if len(blob) > MAX_BLOB_BYTES:
        raise BadRequest(f"This {noun} is too large to be backed up.")
    return base64.urlsafe_b64encode(blob).rstrip(b"=").decode()


async def restore(objects: Objects[V], packing: Packing[V], backup: str) -> Held[V]:
    """Bring a backed-up object into this vault with all its versions, their ids, attributes and tags.

    BadRequest for what is no backup of this kind, subscription and location; Conflict when the name is taken, by a
    living or a deleted object.
    """
    key, content = await _open(objects, backup)
    state = await objects.free_state(content.name)
    if state is not None:
        taken = deleted_but_recoverable if state.is_deleted() else already_exists
        raise taken(objects.kind, state.name)
    keys = Keys(key, await objects.vault_key())
    restored = None
    for packed in content.versions:
        version = await packing.unpack(packed, content.name, keys)
        vault_id = objects.vault.vault_id
        state = ObjectState(vault_id=vault_id, kind=objects.kind, name=content.name, latest=version.version)
        await objects.store.add_version(state, version)
        restored = Held(state, version)
    if restored is None:
        raise _undecipherable()
    return restored


async def _backup_key(objects: Objects[V]) -> DataKey:
    scope = objects.vault.subscription_id
    key = await objects.keyring.newest(Purpose.BACKUP, scope)
    return key or await add_key(objects.keyring, objects.custodian, Purpose.BACKUP, scope, objects.now)


async def _open(objects: Objects[V], backup: str) -> tuple[DataKey, _Content]:
    blob = _decode(backup)
    scope = objects.vault.subscription_id
    try:
        key = await objects.keyring.find(sealing_key_id(blob[1:]))
        if blob[:1] != FORMAT or key is None or key.purpose is not Purpose.BACKUP or key.scope != scope:
            raise _undecipherable()
        packed = objects.custodian.open(key, blob[1:], _context(scope, objects.kind))
    except SealBroken:
        raise _undecipherable() from None
    content = msgspec.msgpack.decode(packed.reveal(), type=_Content)
    if content.kind != objects.kind or content.location.lower() != objects.vault.location.lower():
        raise _undecipherable()
    return key, content


def _decode(backup: str) -> bytes:
    """Return the bytes of a blob; both base64 alphabets occur in the field, with and without padding."""
    if BASE64.fullmatch(backup) is None:
        raise _undecipherable()
    text = backup.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise _undecipherable() from None


def _context(subscription_id: str, kind: Kind) -> Context:
    return Context(subscription_id, kind.value, "", "", "backup")


def _undecipherable() -> BadRequest:
    """Return the one answer to every blob that is not ours, was changed, or belongs elsewhere; the service's words."""
    return BadRequest("Cannot decrypt backup blob.")
