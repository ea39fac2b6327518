"""What a keeper of private keys offers: software here, an HSM behind PKCS#11 there, the same to those who ask.

Handles are what a provider needs to find a key again: sealed bytes for software, an object id for a token. They are
kept with the key's version and mean nothing to anyone else. Private material never crosses this line.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class KeyType(StrEnum):
    """Kinds of keys by their JSON Web Key names, without the `-HSM` that says where they are kept."""

    RSA = "RSA"
    EC = "EC"
    OCT = "oct"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySpec:
    """What key to make: bits for RSA and oct, curve (P-256, P-384, P-521, P-256K) for EC."""

    type: KeyType
    bits: int | None = None
    curve: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptKey:
    """A key as its provider keeps it.

    handle: sealed or opaque, meaningless elsewhere. public_der: SubjectPublicKeyInfo, None for symmetric keys.
    """

    spec: KeySpec
    handle: bytes
    public_der: bytes | None


class KeyProvider(Protocol):
    """Makes keys and uses them. Digests and plaintexts go in, signatures and ciphertexts come out."""

    platform: str
    """The `hsmPlatform` that keys kept here tell: "0" for software."""

    async def make(self, spec: KeySpec) -> KeptKey:
        """Return a new key; BadRequest when this provider cannot make it."""

    async def sign(self, key: KeptKey, algorithm: str, digest: bytes) -> bytes:
        """Return the signature of `digest`; BadRequest when algorithm, key and digest do not fit."""

    async def decrypt(self, key: KeptKey, algorithm: str, ciphertext: bytes) -> bytes:
        """Return the plaintext; BadRequest when it does not decrypt."""
