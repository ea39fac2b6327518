"""How a key travels between two keepers: PKCS#11's CKM_RSA_AES_KEY_WRAP, and the two of its kind with other digests.

An AES key of 256 bits, made for this one transfer, is encrypted to the receiver's RSA key (RSA-OAEP); it wraps the key
that travels (AES key wrap with padding); the blob is the one after the other. RSA and EC keys travel as PKCS#8 (DER),
symmetric ones as their bytes.
Sources: PKCS #11 v3.1, section 6.1.26; RFC 5649; "Bring your own key specification" (SHA-1 for CKM_RSA_AES_KEY_WRAP).
"""

import os
from types import MappingProxyType

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key

from strongroom.custody import elliptic
from strongroom.custody import rsa as rsakeys
from strongroom.custody.algorithms import RSA_BITS, Use, get_algorithm
from strongroom.custody.provider import Ciphertext, KeyType, PrivateParts, TransferForm, TransferKey, WrappedKey
from strongroom.custody.refusals import invalid, no_key, not_unwrapped
from strongroom.custody.rsa import RsaKey
from strongroom.errors import BadRequest
from strongroom.sensitive import Sensitive

AES_BYTES = 32

_DIGESTS: MappingProxyType[TransferForm, hashes.HashAlgorithm] = MappingProxyType(
    {
        TransferForm.CKM: hashes.SHA1(),  # noqa: S303 - as PKCS#11 and the service have it; OAEP needs no collisions
        TransferForm.SHA_256: hashes.SHA256(),
        TransferForm.SHA_384: hashes.SHA384(),
    }
)


def require_transfer_key(key: TransferKey) -> rsa.RSAPublicKey:
    """Return the receiver's key, loaded; BadRequest unless it is an RSA key of 2048, 3072 or 4096 bits."""
    modulus, exponent = int.from_bytes(key.n, "big"), int.from_bytes(key.e, "big")
    if modulus.bit_length() not in RSA_BITS or not 3 <= exponent < 1 << 64:
        raise invalid("target", "its key for encryption is no RSA key of 2048, 3072 or 4096 bits")
    try:
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError:
        raise invalid("target", "its key for encryption is no RSA key") from None


def wrap(material: Sensitive[bytes], form: TransferForm, to: TransferKey) -> bytes:
    """Return what carries a key to the holder of `to`; BadRequest when that can be no receiver's key."""
    receiver, once = require_transfer_key(to), os.urandom(AES_BYTES)
    return receiver.encrypt(once, _oaep(form)) + keywrap.aes_key_wrap_with_padding(once, material.reveal())


def unwrap(wrapped: WrappedKey, exchange: RsaKey) -> PrivateParts:
    """Return the key that a blob carries to the holder of `exchange`, not looked into but for its type and curve.

    BadRequest when it does not unwrap, with one text whyever; or when what it carries is no such key.
    """
    pkcs8 = _opened(wrapped.blob, exchange)
    try:
        key = load_der_private_key(pkcs8.reveal(), None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise no_key("what was wrapped is no PKCS#8") from None
    if wrapped.type is KeyType.RSA and isinstance(key, rsa.RSAPrivateKey):
        return rsakeys.parts_of(key)
    if wrapped.type is KeyType.EC and isinstance(key, ec.EllipticCurvePrivateKey):
        parts = elliptic.parts_of(key)
        if wrapped.curve in (None, parts.curve):
            return parts
    raise no_key("what was wrapped is of another kty or crv")


def _opened(blob: bytes, exchange: RsaKey) -> Sensitive[bytes]:
    assert exchange.spec.bits is not None
    length = exchange.spec.bits // 8
    row = get_algorithm("RSA-OAEP", Use.WRAP, exchange.spec)
    try:
        once = exchange.decrypt(row, Ciphertext(value=blob[:length]))
        return Sensitive(keywrap.aes_key_unwrap_with_padding(once.reveal(), blob[length:]))
    except (BadRequest, keywrap.InvalidUnwrap, ValueError):
        raise not_unwrapped() from None


def _oaep(form: TransferForm) -> padding.OAEP:
    digest = _DIGESTS[form]
    return padding.OAEP(padding.MGF1(digest), digest, None)
