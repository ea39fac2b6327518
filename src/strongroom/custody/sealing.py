"""Sealing: AES-256-GCM under data keys, those under the master key; HMAC-SHA-256 for rows that decide access.

A sealed value says nothing by itself: 0x01, the key id (16 bytes), the nonce (12 bytes, from the operating system),
then ciphertext and tag. Its associated data is where it belongs (`Context`) and the key id: changed, swapped or moved,
it does not open.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from datetime import datetime

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.custody.store import DataKey, Purpose
from strongroom.errors import StrongroomError
from strongroom.sensitive import Sensitive

FORMAT = b"\x01"
KEY_ID_BYTES = 16
NONCE_BYTES = 12
KEY_BYTES = 32
HEADER_BYTES = 1 + KEY_ID_BYTES + NONCE_BYTES

_pack = msgspec.msgpack.Encoder().encode


class SealBroken(StrongroomError):
    """A sealed value did not open or a row does not match its MAC: it was changed, swapped or moved. An alarm."""

    code = "InternalServerError"


class MasterKeyWrong(StrongroomError):
    """The master key at hand does not open this keyring."""


class Context(msgspec.Struct, frozen=True, array_like=True):
    """Where a sealed value belongs. A struct, since every read of a value makes one.

    owner: a vault's unique id, a subscription id, or "" for the server itself.
    """

    owner: str
    kind: str
    name: str
    version: str
    column: str

    def encode(self) -> bytes:
        """Return the context as bytes (MessagePack); no two encode alike, since each part carries its length."""
        return _pack(self)


def sealing_key_id(sealed: bytes) -> str:
    """Return the id of the data key that sealed a value; SealBroken when it has no such header."""
    if len(sealed) < HEADER_BYTES or sealed[:1] != FORMAT:
        raise SealBroken("a sealed value has no valid header")
    return sealed[1 : 1 + KEY_ID_BYTES].hex()


def _seal(cipher: AESGCM, key_id: bytes, plaintext: bytes, context: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return FORMAT + key_id + nonce + cipher.encrypt(nonce, plaintext, key_id + context)


def _open(cipher: AESGCM, sealed: bytes, context: bytes) -> bytes:
    key_id, nonce = sealed[1 : 1 + KEY_ID_BYTES], sealed[1 + KEY_ID_BYTES : HEADER_BYTES]
    try:
        return cipher.decrypt(nonce, sealed[HEADER_BYTES:], key_id + context)
    except InvalidTag:
        raise SealBroken("a sealed value does not open in its place") from None


def _key_context(purpose: Purpose, scope: str, version: int) -> bytes:
    return Context(scope, "datakey", purpose.value, str(version), "sealed").encode()


class Custodian:
    """Holds the master key and the data keys it has opened; everything sealed is sealed and opened here.

    One per process. Opened keys are cached by id: a data key never changes under its id.
    """

    def __init__(self, master_key: Sensitive[bytes]) -> None:
        if len(master_key.reveal()) != KEY_BYTES:
            raise MasterKeyWrong("a master key has 32 bytes")
        self._master = AESGCM(master_key.reveal())
        self._opened: dict[str, Sensitive[bytes]] = {}
        self._ciphers: dict[str, AESGCM] = {}

    def new_key(self, purpose: Purpose, scope: str, version: int, now: datetime) -> DataKey:
        """Return a fresh data key, sealed under the master key."""
        key_id = secrets.token_bytes(KEY_ID_BYTES)
        sealed = _seal(self._master, key_id, secrets.token_bytes(KEY_BYTES), _key_context(purpose, scope, version))
        return DataKey(key_id=key_id.hex(), purpose=purpose, scope=scope, version=version, sealed=sealed, created=now)

    def seal(self, key: DataKey, plaintext: Sensitive[bytes], context: Context) -> bytes:
        """Return `plaintext` sealed under `key` for its place `context`."""
        return _seal(self._cipher(key), bytes.fromhex(key.key_id), plaintext.reveal(), context.encode())

    def open(self, key: DataKey, sealed: bytes, context: Context) -> Sensitive[bytes]:
        """Return what was sealed; SealBroken when it was changed, moved, or sealed under another key."""
        if sealing_key_id(sealed) != key.key_id:
            raise SealBroken("a sealed value names another key")
        return Sensitive(_open(self._cipher(key), sealed, context.encode()))

    def mac(self, key: DataKey, message: bytes) -> bytes:
        """Return the HMAC-SHA-256 of `message` under `key` (32 bytes)."""
        return hmac.digest(self._raw(key).reveal(), message, hashlib.sha256)

    def authenticator(self, key: DataKey) -> Callable[[bytes], bytes]:
        """Return the HMAC-SHA-256 under `key` as a function: storage authenticates its rows with it."""
        raw = self._raw(key)
        return lambda message: hmac.digest(raw.reveal(), message, "sha256")

    def _raw(self, key: DataKey) -> Sensitive[bytes]:
        raw = self._opened.get(key.key_id)
        if raw is None:
            raw = self._opened[key.key_id] = self._unwrap(key)
        return raw

    def _cipher(self, key: DataKey) -> AESGCM:
        cipher = self._ciphers.get(key.key_id)
        if cipher is None:
            cipher = self._ciphers[key.key_id] = AESGCM(self._raw(key).reveal())
        return cipher

    def _unwrap(self, key: DataKey) -> Sensitive[bytes]:
        try:
            if sealing_key_id(key.sealed) != key.key_id:
                raise SealBroken("a data key names another id")
            return Sensitive(_open(self._master, key.sealed, _key_context(key.purpose, key.scope, key.version)))
        except SealBroken:
            raise MasterKeyWrong(f"the master key does not open the data key {key.key_id} ({key.purpose})") from None
