"""A master key that lies wrapped: an AES key that never leaves an HSM's token opens it, and nothing else does.

What is kept, in the master key's file, names that key and is no secret: without the token it opens nothing.
"""

import base64
import binascii
import os
from typing import Annotated

import msgspec
import pkcs11

from strongroom.custody.abilities import find_mechanism
from strongroom.custody.algorithms import ALGORITHMS, Algorithm, Family, spec_of
from strongroom.custody.holder import KEY_BYTES
from strongroom.custody.mechanisms import decrypt_aes, encrypt_aes
from strongroom.custody.provider import KeyType
from strongroom.custody.sealing import MasterKeyWrong
from strongroom.custody.token import HsmUnavailable, Opened
from strongroom.custody.tokenkeys import find, generate, new_object, require_made_to_stay
from strongroom.errors import StrongroomError
from strongroom.sensitive import Sensitive

LABEL = "strongroom-master-key"
"""The label of what wraps master keys in a token; labels of vaults' keys begin otherwise."""
WAYS = ("A256GCM", "A256CBCPAD")
"""What may wrap, the best first. Of the second an edit is noticed too: the data say the id of their master key."""
_SPEC = spec_of(KeyType.OCT, bits=256)
_MOST = Annotated[bytes, msgspec.Meta(max_length=256)]


class CannotWrap(StrongroomError):
    """A token has no way to wrap a master key."""


class Wrapped(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A master key as it is kept. serial: of the token; key: the id of what opens it there; way: by which algorithm."""

    serial: _MOST
    key: _MOST
    way: str
    iv: _MOST
    value: _MOST


def wrap_master_key(opened: Opened, master: Sensitive[bytes]) -> str:
    """Make a key in the token that wraps this master key alone, and return the text to keep; CannotWrap.

    PKCS11Error when the token fails.
    """
    for row in (ALGORITHMS[name] for name in WAYS):
        mechanism = find_mechanism(opened, row)
        if mechanism is None:
            continue
        iv = os.urandom(row.iv_bytes or 0)
        with new_object(opened) as id_:
            key, _ = generate(opened.session, _SPEC, id_, LABEL)
            require_made_to_stay(key)
            sealed, tag = encrypt_aes(key, row, mechanism, master.reveal(), iv=iv, aad=_bound(row))
        kept = Wrapped(serial=opened.session.token.serial, key=id_, way=row.name, iv=iv, value=sealed + (tag or b""))
        return base64.b64encode(msgspec.json.encode(kept)).decode()
    raise CannotWrap(f"the HSM has none of {', '.join(WAYS)}, one of which a master key is wrapped with")


def unwrap_master_key(opened: Opened, text: str) -> bytes:
    """Return the master key of a text; MasterKeyWrong when it is none.

    HsmUnavailable when another token wrapped it, KeyAbsent when this one lost what opens it, CannotWrap when it has no
    more the algorithm that wrapped it.
    """
    kept = _decode(text)
    if opened.session.token.serial != kept.serial:
        serial = kept.serial.decode(errors="replace")
        raise HsmUnavailable(f"the master key was wrapped by another token than this one: by {serial}")
    row = ALGORITHMS[kept.way]
    mechanism = find_mechanism(opened, row)
    if mechanism is None:
        raise CannotWrap(f"the HSM does not do {kept.way} any more, with which the master key was wrapped")
    key = find(opened, kept.key, KeyType.OCT)
    try:
        master = decrypt_aes(key, row, mechanism, kept.value, iv=kept.iv, aad=_bound(row))
    except pkcs11.PKCS11Error:
        opened.session.token.slot.get_token()  # it is there: what it was given is wrong
        raise MasterKeyWrong("the HSM does not open the master key: its file was changed") from None
    if len(master) != KEY_BYTES:
        raise MasterKeyWrong("what the HSM opens is no master key")
    return master


def _bound(row: Algorithm) -> bytes | None:
    """Return what a wrapped key says of itself, where the algorithm can hold it: that it is one."""
    return LABEL.encode() if row.family is Family.GCM else None


def _decode(text: str) -> Wrapped:
    try:
        kept = msgspec.json.decode(base64.b64decode(text, validate=True), type=Wrapped)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise MasterKeyWrong("it holds no master key that an HSM wrapped") from None
    if kept.way not in WAYS:
        raise MasterKeyWrong(f"it was wrapped with '{kept.way}', which is none of {', '.join(WAYS)}")
    return kept
