"""What a keeper of private keys offers: software here, an HSM behind PKCS#11 there, the same to those who ask.

Handles are what a provider needs to find a key again: sealed bytes for software, an object id for a token. They are
kept with the key's version and mean nothing to anyone else. Private material never crosses this line in clear, but for
what a caller brings (`PrivateParts`) and for plaintexts, which are the caller's own.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import msgspec

from strongroom.custody.refusals import no_key
from strongroom.custody.sealing import Context
from strongroom.custody.store import DataKey
from strongroom.sensitive import Sensitive


class KeyType(StrEnum):
    """Kinds of keys by their JSON Web Key names, without the `-HSM` that says where they are kept."""

    RSA = "RSA"
    EC = "EC"
    OCT = "oct"
    AKP = "AKP"  # ML-DSA; api-version 2026-05-01-preview


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySpec:
    """What a key is: made by `algorithms.spec_of`, which refuses what no key can be.

    bits: of RSA and oct keys. exponent: of RSA keys. curve: of EC keys. algorithm: of AKP keys, which serve one only.
    """

    type: KeyType
    bits: int | None = None
    exponent: int | None = None
    curve: str | None = None
    algorithm: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicParts:
    """The public members of a key's JSON Web Key, as bytes that go out as they are; none for symmetric keys.

    n, e: unsigned, big-endian, no leading zeros. x, y: as long as the curve's coordinates. pub: the raw ML-DSA key.
    Source: RFC 7518, sections 6.2 and 6.3; REST `JsonWebKey`.
    """

    n: bytes | None = None
    e: bytes | None = None
    x: bytes | None = None
    y: bytes | None = None
    pub: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateParts:
    """A JSON Web Key that a caller brings to be imported, its members decoded from base64url and not checked at all."""

    type: KeyType
    curve: str | None = None
    n: bytes | None = None
    e: bytes | None = None
    x: bytes | None = None
    y: bytes | None = None
    d: Sensitive[bytes] | None = None
    p: Sensitive[bytes] | None = None
    q: Sensitive[bytes] | None = None
    dp: Sensitive[bytes] | None = None
    dq: Sensitive[bytes] | None = None
    qi: Sensitive[bytes] | None = None
    k: Sensitive[bytes] | None = None


class KeptKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as its provider keeps it. handle: sealed or opaque, meaningless elsewhere.

    exportable: it may leave, wrapped to a key that its release policy let through; no other key ever does.
    A struct, as `Place` is, since every use of a key makes some: it costs a sixth of a frozen dataclass.
    """

    spec: KeySpec
    handle: bytes
    public: PublicParts
    exportable: bool = False


class TransferForm(StrEnum):
    """How a key that leaves is wrapped (`custody.transfer`). Source: REST `KeyEncryptionAlgorithm`."""

    CKM = "CKM_RSA_AES_KEY_WRAP"
    SHA_256 = "RSA_AES_KEY_WRAP_256"
    SHA_384 = "RSA_AES_KEY_WRAP_384"


@dataclass(frozen=True, slots=True)
class TransferKey:
    """The public RSA key of who is to receive a key: modulus and exponent, unsigned and big-endian, not checked."""

    n: bytes
    e: bytes


class Place(msgspec.Struct, frozen=True):
    """Where a kept key belongs. key: the data key that seals its handle (`sealing_key_id` names that of an old one)."""

    key: DataKey
    context: Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Ciphertext:
    """What was encrypted or wrapped, or is to be decrypted: REST `KeyOperationResult` without its `kid`."""

    value: bytes
    iv: bytes | None = None
    tag: bytes | None = None
    aad: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedKey:
    """A key that a caller brings wrapped to a key exchange key, by `TransferForm.CKM`.

    curve: as told, None if not. public: what was told of its public half, None or empty where nothing was.
    """

    type: KeyType
    blob: bytes
    curve: str | None = None
    public: PublicParts = PublicParts()

    def require_said(self, found: PublicParts) -> None:
        """Raise BadRequest when the public half that came out is not what was told of it."""
        for member in ("n", "e", "x", "y"):
            told, is_ = getattr(self.public, member), getattr(found, member)
            if told and (is_ is None or int.from_bytes(told, "big") != int.from_bytes(is_, "big")):
                raise no_key(f"what was wrapped has another {member}")


class KeyProvider(Protocol):
    """Makes keys and uses them. Digests and plaintexts go in, signatures and ciphertexts come out.

    Every method raises BadRequest, in words, when algorithm, key and input do not fit or this provider cannot do it,
    and SealBroken when a handle does not open in its place. `algorithm` is the wire's name (`algorithms.ALGORITHMS`).
    Whether the caller may, and whether the key may do this now, is settled before.
    """

    @property
    def platform(self) -> str:
        """The `hsmPlatform` that keys kept here tell: "0" for software."""

    @property
    def releases(self) -> bool:
        """Whether keys kept here can leave at all: asked before one is made that shall be exportable."""

    async def make(self, spec: KeySpec, place: Place, *, exchange: bool = False) -> KeptKey:
        """Return a new key. exchange: one that unwraps keys that are brought (`take_wrapped`) and does nothing else."""

    async def take(self, parts: PrivateParts, place: Place) -> KeptKey:
        """Return a key that a caller brings, after checking all of it."""

    async def take_wrapped(
        self, wrapped: WrappedKey, place: Place, exchange: KeptKey, exchange_place: Place
    ) -> KeptKey:
        """Return a key that comes wrapped to an RSA key kept here, after checking all of it, as `take` does.

        One error for whatever does not unwrap.
        """

    async def move(self, key: KeptKey, place: Place, to: Place) -> KeptKey:
        """Return the key for another place: for a backup, out of one, or under the vault's next data key."""

    async def release(self, key: KeptKey, place: Place, form: TransferForm, to: TransferKey) -> bytes:
        """Return an exportable key wrapped to the holder of `to`; awaits nothing, since it is called inside a change.

        BadRequest for a key that is not exportable, whoever asks.
        """

    async def discard(self, key: KeptKey, place: Place) -> None:
        """Destroy for good what is kept elsewhere than in the handle: it was purged, or its making came to nothing."""

    async def sign(
        self, key: KeptKey, place: Place, algorithm: str, digest: bytes, *, context: bytes = b"", is_mu: bool = False
    ) -> bytes:
        """Return the signature of `digest`: r and s of fixed length for EC, the MAC for oct.

        For ML-DSA alone `digest` is the message, or its 64-byte representative (`external_mu`) when `is_mu`; context:
        up to 255 bytes, with a message only.
        """

    async def verify(
        self,
        key: KeptKey,
        place: Place,
        algorithm: str,
        digest: bytes,
        signature: bytes,
        *,
        context: bytes = b"",
        is_mu: bool = False,
    ) -> bool:
        """Answer whether `signature` is one of `digest`; a malformed signature is none."""

    async def encrypt(
        self,
        key: KeptKey,
        place: Place,
        algorithm: str,
        plaintext: Sensitive[bytes],
        *,
        iv: bytes | None = None,
        aad: bytes | None = None,
    ) -> Ciphertext:
        """Return the ciphertext, with the iv and tag that decrypting it needs; iv: for CBC only, made if None."""

    async def decrypt(self, key: KeptKey, place: Place, algorithm: str, ciphertext: Ciphertext) -> Sensitive[bytes]:
        """Return the plaintext; one error for whatever does not decrypt."""

    async def wrap(self, key: KeptKey, place: Place, algorithm: str, material: Sensitive[bytes]) -> Ciphertext:
        """Return another key's bytes wrapped under this one."""

    async def unwrap(self, key: KeptKey, place: Place, algorithm: str, wrapped: bytes) -> Sensitive[bytes]:
        """Return what was wrapped; one error for whatever does not unwrap."""

    def forget(self, handle: bytes) -> None:
        """Drop what this process keeps loaded of a key: it was disabled, deleted or moved."""

    def close(self) -> None:
        """Begin nothing more: the server stops."""

    def forget_owner(self, owner: str) -> None:
        """Drop what this process keeps loaded of an owner's keys (`Context.owner`): the vault was deleted."""
