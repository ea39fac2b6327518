"""What is kept of a key in a token: where it is, sealed for its place as software seals the key itself.

A handle that is moved to another vault, name or version does not open there; one that stands beside another key's
public half is noticed.
"""

import hashlib
import secrets
from dataclasses import dataclass

import msgspec

from strongroom.custody.provider import KeptKey, KeySpec, Place, PublicParts
from strongroom.custody.sealing import Custodian, SealBroken, sealing_key_id
from strongroom.sensitive import Sensitive

SEED_BYTES = 32


class _Handle(msgspec.Struct, frozen=True, array_like=True):
    """As it is sealed. about: the digest of what is public of the key and what it is."""

    serial: bytes
    id: bytes
    seed: bytes
    about: bytes


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a key is: the token's serial number, the id of its objects. seed: secret, what stands for bad padding."""

    serial: bytes
    id: bytes
    seed: Sensitive[bytes]


def new_whereabouts(serial: bytes, id_: bytes) -> Whereabouts:
    """Return where a key is that was just made."""
    return Whereabouts(serial, id_, Sensitive(secrets.token_bytes(SEED_BYTES)))


def seal_handle(custodian: Custodian, where: Whereabouts, spec: KeySpec, public: PublicParts, place: Place) -> bytes:
    """Return the handle of a key, sealed for its place."""
    handle = _Handle(where.serial, where.id, where.seed.reveal(), _about(spec, public))
    return custodian.seal(place.key, Sensitive(msgspec.msgpack.encode(handle)), place.context)


def open_handle(custodian: Custodian, key: KeptKey, place: Place) -> Whereabouts:
    """Return where a key is; SealBroken unless the handle belongs to this place and to this very key."""
    if sealing_key_id(key.handle) != place.key.key_id:
        raise SealBroken("a sealed key names another data key")
    opened = custodian.open(place.key, key.handle, place.context)
    try:
        handle = msgspec.msgpack.decode(opened.reveal(), type=_Handle)
    except msgspec.MsgspecError:
        raise SealBroken("a sealed key is no handle of an HSM") from None
    if handle.about != _about(key.spec, key.public):
        raise SealBroken("a key is not what its row says")
    return Whereabouts(handle.serial, handle.id, Sensitive(handle.seed))


def move_handle(custodian: Custodian, key: KeptKey, place: Place, to: Place) -> KeptKey:
    """Return the key with its handle under another data key, for the same place."""
    open_handle(custodian, key, place)
    handle = custodian.seal(to.key, custodian.open(place.key, key.handle, place.context), to.context)
    return KeptKey(spec=key.spec, handle=handle, public=key.public)


def _about(spec: KeySpec, public: PublicParts) -> bytes:
    return hashlib.sha256(msgspec.msgpack.encode((spec, public))).digest()
