"""Sealing: AES-256-GCM under data keys, those under the master key; HMAC-SHA-256 for rows that decide access.

A sealed value says nothing by itself: 0x01, the id of the key that sealed it (16 bytes), the nonce (12 bytes, from the
operating system), then ciphertext and tag. Its associated data is where it belongs (`Context`) and the key id: changed,
swapped or moved, it does not open.

The master key may be replaced while a process runs (`custody/succession.py`). Whoever meets a data key that lies under
another master key than the one it holds takes that one over: it was left sealed under the one before.
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from strongroom.custody.holder import KEY_BYTES, SharedKey
from strongroom.custody.passphrase import Derivation
from strongroom.custody.store import DataKey, Purpose
from strongroom.errors import StrongroomError
from strongroom.sensitive import Sensitive

T = TypeVar("T")

OPENED_KEYS = 4_096
"""How many data keys a process keeps open, some 3 KB each: of many vaults, and of past ones, no more than these."""

FORMAT = b"\x01"
KEY_ID_BYTES = 16
NONCE_BYTES = 12
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


def master_key_id(master_key: Sensitive[bytes]) -> str:
    """Return the id of a master key (32 hexadecimal digits); it tells nothing of the key."""
    return hmac.digest(master_key.reveal(), b"strongroom master key", hashlib.sha256)[:KEY_ID_BYTES].hex()


def _key_place(key: DataKey) -> bytes:
    return Context(key.scope, "datakey", key.purpose.value, str(key.version), key.key_id).encode()


def _first_key_place(key: DataKey) -> bytes:
    """Return the place of a data key that was sealed before master keys had ids: it names itself as its sealer."""
    return Context(key.scope, "datakey", key.purpose.value, str(key.version), "sealed").encode()


def _handover_place(successor: str) -> bytes:
    return Context("", "master-key", successor, "", "handover").encode()


def _wrap(master: Sensitive[bytes], raw: Sensitive[bytes], key: DataKey) -> DataKey:
    sealer = bytes.fromhex(master_key_id(master))
    return replace(key, sealed=_seal(AESGCM(master.reveal()), sealer, raw.reveal(), _key_place(key)))


class Custodian:
    """Holds the master key and the data keys it has opened; everything sealed is sealed and opened here.

    One per server, made before its workers are forked: they share the master key, and each opens data keys for itself.
    Opened keys are cached by id: a data key never changes under its id.
    derivation: how the master key was made of a passphrase, None for a random one.
    """

    def __init__(self, master_key: Sensitive[bytes], derivation: Derivation | None = None) -> None:
        if len(master_key.reveal()) != KEY_BYTES:
            raise MasterKeyWrong("a master key has 32 bytes")
        self.derivation = derivation
        self._master = SharedKey(master_key)
        self._find_handover: Callable[[], bytes | None] = lambda: None
        self._opened: dict[str, Sensitive[bytes]] = {}
        self._sealers: dict[str, tuple[bytes, AESGCM]] = {}

    @property
    def master_id(self) -> str:
        """The id of the master key that is held now."""
        return master_key_id(self._master.read())

    def new_key(self, purpose: Purpose, scope: str, version: int, now: datetime) -> DataKey:
        """Return a fresh data key, sealed under the master key that is held; `custody.keyring.add_key` adds one."""
        key_id = secrets.token_hex(KEY_ID_BYTES)
        key = DataKey(key_id=key_id, purpose=purpose, scope=scope, version=version, sealed=b"", created=now)
        return _wrap(self._master.read(), Sensitive(secrets.token_bytes(KEY_BYTES)), key)

    def rewrap(self, key: DataKey, successor: Sensitive[bytes]) -> DataKey:
        """Return a data key sealed under another master key; MasterKeyWrong when this one does not open it."""
        return _wrap(successor, self._raw(key), key)

    def hand_over(self, successor: Sensitive[bytes]) -> bytes:
        """Return the next master key sealed under this one, for those who hold this one."""
        held = self._master.read()
        sealer = bytes.fromhex(master_key_id(held))
        return _seal(AESGCM(held.reveal()), sealer, successor.reveal(), _handover_place(master_key_id(successor)))

    def succeed(self, successor: Sensitive[bytes], derivation: Derivation | None) -> None:
        """Hold the next master key from now on."""
        self.derivation = derivation
        self._master.replace(successor)

    def follow(self, find_handover: Callable[[], bytes | None]) -> None:
        """Say how the next master key is found, as `hand_over` sealed it; asked when a data key lies under another."""
        self._find_handover = find_handover

    def hold_master_of(self, key: DataKey) -> None:
        """Hold the master key that a data key lies under; MasterKeyWrong when that is not to be had."""
        try:
            self._master_of(key)
        except SealBroken:
            raise _opens_not(key) from None

    def seal(self, key: DataKey, plaintext: Sensitive[bytes], context: Context) -> bytes:
        """Return `plaintext` sealed under `key` for its place `context`."""
        _, cipher = self._sealer(key)
        return _seal(cipher, bytes.fromhex(key.key_id), plaintext.reveal(), context.encode())

    def open(self, key: DataKey, sealed: bytes, context: Context) -> Sensitive[bytes]:
        """Return what was sealed; SealBroken when it was changed, moved, or sealed under another key."""
        header, cipher = self._sealer(key)
        if not sealed.startswith(header) or len(sealed) < HEADER_BYTES:
            named = sealing_key_id(sealed)
            raise SealBroken(f"a sealed value names another key, {named}")
        return Sensitive(_open(cipher, sealed, context.encode()))

    def mac(self, key: DataKey, message: bytes) -> bytes:
        """Return the HMAC-SHA-256 of `message` under `key` (32 bytes)."""
        return hmac.digest(self._raw(key).reveal(), message, hashlib.sha256)

    def authenticator(self, key: DataKey) -> Callable[[bytes], bytes]:
        """Return the HMAC-SHA-256 under `key` as a function: storage authenticates its rows with it."""
        keyed = HMAC(self._raw(key).reveal(), SHA256())

        def authenticate(message: bytes) -> bytes:
            mac = keyed.copy()  # the key is worked in once, for all messages
            mac.update(message)
            return mac.finalize()

        return authenticate

    def _raw(self, key: DataKey) -> Sensitive[bytes]:
        raw = self._opened.get(key.key_id)
        if raw is None:
            raw = _keep(self._opened, key, self._unwrap(key))
        return raw

    def _sealer(self, key: DataKey) -> tuple[bytes, AESGCM]:
        """Return what begins all that a key seals, and its cipher."""
        sealer = self._sealers.get(key.key_id)
        if sealer is None:
            header = FORMAT + bytes.fromhex(key.key_id)
            sealer = _keep(self._sealers, key, (header, AESGCM(self._raw(key).reveal())))
        return sealer

    def _unwrap(self, key: DataKey) -> Sensitive[bytes]:
        try:
            master = self._master_of(key)
            place = _first_key_place(key) if _names_itself(key) else _key_place(key)
            return Sensitive(_open(AESGCM(master.reveal()), key.sealed, place))
        except SealBroken:
            raise _opens_not(key) from None

    def _master_of(self, key: DataKey) -> Sensitive[bytes]:
        """Return the master key that a data key says it lies under, taken over if need be; SealBroken."""
        held, wanted = self._master.read(), sealing_key_id(key.sealed)
        if wanted == master_key_id(held) or _names_itself(key):
            return held
        return self._take_over(held, wanted)

    def _take_over(self, held: Sensitive[bytes], wanted: str) -> Sensitive[bytes]:
        sealed = self._find_handover()
        if sealed is not None and sealing_key_id(sealed) == master_key_id(held):
            self._master.replace(Sensitive(_open(AESGCM(held.reveal()), sealed, _handover_place(wanted))))
        held = self._master.read()  # or another process of this server was first, and has put the handover away
        if master_key_id(held) != wanted:
            raise SealBroken("a data key lies under another master key")
        return held


def _names_itself(key: DataKey) -> bool:
    return sealing_key_id(key.sealed) == key.key_id


def _opens_not(key: DataKey) -> MasterKeyWrong:
    return MasterKeyWrong(f"the master key does not open the data key {key.key_id} ({key.purpose})")


def _keep(opened: dict[str, T], key: DataKey, made: T) -> T:
    """Keep what was made of a key under its id, and return it. Keys of vaults that are gone do not stay for ever."""
    if len(opened) >= OPENED_KEYS:
        opened.clear()
    opened[key.key_id] = made
    return made
