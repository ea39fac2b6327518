"""ML-DSA keys (`AKP`): what is signed is the message itself, with a context, or its representative mu.

A key is made here and never imported: the service's JSON Web Key has no member for its private half.
Sources: FIPS 204; REST, api-version 2026-05-01-preview.
"""

from types import MappingProxyType
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.backends.openssl import backend
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import mldsa

from strongroom.custody.algorithms import spec_of
from strongroom.custody.provider import KeySpec, KeyType, PrivateParts, PublicParts
from strongroom.custody.refusals import invalid, no_key, wrong_length
from strongroom.errors import BadRequest
from strongroom.sensitive import Sensitive

Private: TypeAlias = mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey
Public: TypeAlias = mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey

LONGEST_CONTEXT = 255
MU_BYTES = 64

_KINDS: MappingProxyType[str, type[Private]] = MappingProxyType(
    {
        "ML-DSA-44": mldsa.MLDSA44PrivateKey,
        "ML-DSA-65": mldsa.MLDSA65PrivateKey,
        "ML-DSA-87": mldsa.MLDSA87PrivateKey,
    }
)


class AkpPublicKey:
    """The public half: verifies."""

    __slots__ = ("_key",)

    def __init__(self, key: Public) -> None:
        self._key: Final = key

    def verify(self, message: bytes, signature: bytes, context: bytes, *, is_mu: bool) -> bool:
        """Answer whether a signature is one of a message with its context, or of a mu."""
        try:
            if is_mu:
                self._key.verify_mu(signature, message)
            else:
                self._key.verify(signature, message, context)
        except InvalidSignature:
            return False
        return True


class AkpKey:
    """A private key, loaded. cost: bytes that it takes in memory, as measured."""

    __slots__ = ("_key", "_public_key", "cost", "is_slow", "public", "spec")

    def __init__(self, key: Private) -> None:
        self._key: Final = key
        self._public_key: Final = AkpPublicKey(key.public_key())
        self.public: Final = PublicParts(pub=key.public_key().public_bytes_raw())
        self.spec: Final = spec_of(KeyType.AKP, algorithm=_name(key))
        self.is_slow: Final = False
        self.cost: Final = 14_000

    def material(self) -> Sensitive[bytes]:
        """Return the key as it is sealed: PKCS#8, DER, with the seed alone."""
        return Sensitive(
            self._key.private_bytes(
                serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def sign(self, message: bytes, context: bytes, *, is_mu: bool) -> bytes:
        """Return the signature of a message with its context, or of a mu; two of one message differ."""
        return self._key.sign_mu(message) if is_mu else self._key.sign(message, context)

    def verify(self, message: bytes, signature: bytes, context: bytes, *, is_mu: bool) -> bool:
        """Answer whether a signature is one of a message with its context, or of a mu."""
        return self._public_key.verify(message, signature, context, is_mu=is_mu)


def generate(spec: KeySpec) -> AkpKey:
    """Return a new key; BadRequest where OpenSSL has no ML-DSA."""
    assert spec.algorithm is not None
    if not backend.mldsa_supported():
        raise BadRequest("Keys of type AKP cannot be made here: the OpenSSL of this server has no ML-DSA.")
    return AkpKey(_KINDS[spec.algorithm].generate())


def load(material: Sensitive[bytes]) -> AkpKey:
    """Return the key of what `material` gave; ValueError if it is none."""
    key = serialization.load_der_private_key(material.reveal(), None)
    if not isinstance(key, mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey):
        raise ValueError("the material is of another type")  # noqa: TRY004 - as other material that is no such key
    return AkpKey(key)


def take(_parts: PrivateParts) -> AkpKey:
    """Refuse, with BadRequest."""
    raise no_key("keys of type AKP are made here and not imported")


def require_message(message: bytes, context: bytes, *, is_mu: bool) -> None:
    """Raise BadRequest unless ML-DSA can sign this: a message with its context, or a mu, which has it in it."""
    if len(context) > LONGEST_CONTEXT:
        raise invalid("context", f"it has at most {LONGEST_CONTEXT} bytes")
    if is_mu and context:
        raise invalid("context", "it is part of external_mu already")
    if is_mu and len(message) != MU_BYTES:
        raise wrong_length("external_mu", len(message), "ML-DSA", f"{MU_BYTES} bytes")


def _name(key: Private) -> str:
    return next(name for name, kind in _KINDS.items() if isinstance(key, kind))
