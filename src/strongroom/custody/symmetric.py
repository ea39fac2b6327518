"""Symmetric keys: AES in the service's modes, and HMAC.

GCM: nonces are 96 random bits of the operating system's, never a caller's: two of one key are alike with a chance of
one in 2^33 after the 2^32 encryptions that one key should serve at most (NIST SP 800-38D, section 8.3).
CBC authenticates nothing. Whoever may decrypt learns by definition whether the padding of a value was good; all bad
ones give the same error after the same work, and the padding is compared in constant time.
HMAC: what is signed is the message itself, of any length, as RFC 7518, section 3.2, has it.
Sources: NIST SP 800-38A, 800-38D; RFC 5652, section 6.3; RFC 3394; RFC 5649.
"""

import hmac
import os
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.padding import PKCS7

from strongroom.custody.algorithms import OCT_BITS, Algorithm, Family, spec_of
from strongroom.custody.inputs import BLOCK_BYTES, exactly, require_blocks, require_wrappable
from strongroom.custody.members import octets
from strongroom.custody.provider import Ciphertext, KeySpec, KeyType, PrivateParts, PublicParts
from strongroom.custody.refusals import undecipherable
from strongroom.sensitive import Sensitive

NO_PUBLIC_PARTS = PublicParts()


class OctKey:
    """A key of 128, 192 or 256 bits, loaded. cost: bytes that it takes in memory, as measured."""

    __slots__ = ("_gcm", "_raw", "cost", "is_slow", "public", "spec")

    def __init__(self, raw: Sensitive[bytes]) -> None:
        self._raw: Final = raw
        self._gcm: Final = AESGCM(raw.reveal())
        self.public: Final = NO_PUBLIC_PARTS
        self.spec: Final = spec_of(KeyType.OCT, bits=len(raw.reveal()) * 8)
        self.is_slow: Final = False
        self.cost: Final = 1_000

    def material(self) -> Sensitive[bytes]:
        """Return the key as it is sealed: its bytes."""
        return self._raw

    def sign(self, row: Algorithm, digest: bytes) -> bytes:
        """Return the MAC of `digest`, which is any message."""
        return mac(self._raw, row, digest)

    def verify(self, row: Algorithm, digest: bytes, signature: bytes) -> bool:
        """Answer whether a MAC, whole and not shortened, is that of `digest`."""
        return hmac.compare_digest(self.sign(row, digest), signature)

    def encrypt(self, row: Algorithm, plaintext: Sensitive[bytes], iv: bytes | None, aad: bytes | None) -> Ciphertext:
        """Return what was encrypted, or wrapped where the row says so."""
        content = plaintext.reveal()
        if row.family is Family.GCM:
            return self._seal(content, aad)
        if row.family is Family.KEY_WRAP or row.family is Family.KEY_WRAP_PADDED:
            return Ciphertext(value=self._wrap(row, content))
        return self._encrypt_blocks(row, content, iv)

    def decrypt(self, row: Algorithm, ciphertext: Ciphertext) -> Sensitive[bytes]:
        """Return the plaintext; the one error for whatever does not decrypt."""
        if row.family is Family.GCM:
            return self._open(row, ciphertext)
        if row.family is Family.KEY_WRAP or row.family is Family.KEY_WRAP_PADDED:
            return self._unwrap(row, ciphertext.value)
        return self._decrypt_blocks(row, ciphertext)

    def _seal(self, content: bytes, aad: bytes | None) -> Ciphertext:
        nonce = os.urandom(12)
        sealed = self._gcm.encrypt(nonce, content, aad)
        return Ciphertext(value=sealed[:-16], iv=nonce, tag=sealed[-16:], aad=aad)

    def _open(self, row: Algorithm, ciphertext: Ciphertext) -> Sensitive[bytes]:
        nonce = exactly(row, "iv", ciphertext.iv, row.iv_bytes)
        tag = exactly(row, "tag", ciphertext.tag, row.tag_bytes)
        try:
            return Sensitive(self._gcm.decrypt(nonce, ciphertext.value + tag, ciphertext.aad))
        except InvalidTag:
            raise undecipherable() from None

    def _encrypt_blocks(self, row: Algorithm, content: bytes, iv: bytes | None) -> Ciphertext:
        start = os.urandom(BLOCK_BYTES) if iv is None else exactly(row, "iv", iv, row.iv_bytes)
        if row.family is Family.CBC_PADDED:
            padder = PKCS7(BLOCK_BYTES * 8).padder()
            content = padder.update(content) + padder.finalize()
        require_blocks(row, content)
        encryptor = Cipher(AES(self._raw.reveal()), modes.CBC(start)).encryptor()
        return Ciphertext(value=encryptor.update(content) + encryptor.finalize(), iv=start)

    def _decrypt_blocks(self, row: Algorithm, ciphertext: Ciphertext) -> Sensitive[bytes]:
        start = exactly(row, "iv", ciphertext.iv, row.iv_bytes)
        require_blocks(row, ciphertext.value)
        decryptor = Cipher(AES(self._raw.reveal()), modes.CBC(start)).decryptor()
        content = decryptor.update(ciphertext.value) + decryptor.finalize()
        if row.family is Family.CBC:
            return Sensitive(content)
        unpadder = PKCS7(BLOCK_BYTES * 8).unpadder()
        try:
            return Sensitive(unpadder.update(content) + unpadder.finalize())
        except ValueError:
            raise undecipherable() from None

    def _wrap(self, row: Algorithm, content: bytes) -> bytes:
        key = self._raw.reveal()
        require_wrappable(row, content)
        if row.family is Family.KEY_WRAP_PADDED:
            return keywrap.aes_key_wrap_with_padding(key, content)
        return keywrap.aes_key_wrap(key, content)

    def _unwrap(self, row: Algorithm, wrapped: bytes) -> Sensitive[bytes]:
        unwrap = keywrap.aes_key_unwrap
        if row.family is Family.KEY_WRAP_PADDED:
            unwrap = keywrap.aes_key_unwrap_with_padding
        try:
            return Sensitive(unwrap(self._raw.reveal(), wrapped))
        except (keywrap.InvalidUnwrap, ValueError):  # the latter in cryptography 49, for lengths that nothing wraps to
            raise undecipherable() from None


def mac(key: Sensitive[bytes], row: Algorithm, message: bytes) -> bytes:
    """Return the HMAC of a message under a key of any length."""
    assert row.digest is not None
    return hmac.digest(key.reveal(), message, row.digest)


def generate(spec: KeySpec) -> OctKey:
    """Return a new key."""
    assert spec.bits is not None
    return OctKey(Sensitive(secrets.token_bytes(spec.bits // 8)))


def load(material: Sensitive[bytes]) -> OctKey:
    """Return the key of what `material` gave; ValueError if it is none."""
    if len(material.reveal()) * 8 not in OCT_BITS:
        raise ValueError("the material is of another type")
    return OctKey(material)


def take(parts: PrivateParts) -> OctKey:
    """Return the key that a caller brings; BadRequest unless it has 128, 192 or 256 bits."""
    raw = octets(parts, "k", max(OCT_BITS) // 8)
    spec_of(KeyType.OCT, bits=len(raw) * 8)
    return OctKey(Sensitive(raw))
