"""Which mechanism of PKCS#11 carries out which algorithm, and how a key in a token is used with it.

What is done with a key that is kept: signing, decrypting, and all that AES keys do. What needs the public half alone is
done outside. Errors are the token's own (PKCS11Error): what each of them says is decided by who asked.
Sources: PKCS#11 v3.1, sections 6.1 (RSA), 6.3 (EC) and 6.10 (AES); RFC 8017, section 9.2, note 1.
"""

from types import MappingProxyType
from typing import Any

import pkcs11
from pkcs11 import MGF, Attribute, GCMParams, KeyType, Mechanism, ObjectClass

from strongroom.custody.algorithms import Algorithm, Family
from strongroom.sensitive import Sensitive

TAG_BYTES = 16
MECHANISMS = MappingProxyType(
    {
        Family.PKCS1_ENCRYPTION: Mechanism.RSA_PKCS,
        Family.OAEP: Mechanism.RSA_PKCS_OAEP,
        Family.PKCS1_SIGNATURE: Mechanism.RSA_PKCS,
        Family.PKCS1_BARE: Mechanism.RSA_PKCS,
        Family.PSS: Mechanism.RSA_PKCS_PSS,
        Family.ECDSA: Mechanism.ECDSA,
        Family.GCM: Mechanism.AES_GCM,
        Family.CBC: Mechanism.AES_CBC,
        Family.CBC_PADDED: Mechanism.AES_CBC_PAD,
        Family.KEY_WRAP: Mechanism.AES_KEY_WRAP,
        Family.KEY_WRAP_PADDED: Mechanism.AES_KEY_WRAP_KWP,
    }
)
"""HMAC is not here: PKCS#11 has it for generic secrets, and keys of type oct are AES keys. ML-DSA is not kept here."""
ALTERNATIVES = MappingProxyType({Mechanism.AES_KEY_WRAP_KWP: Mechanism.AES_KEY_WRAP_PAD})
"""What older modules call it: most of them mean RFC 5649 by it, and whether this one does is tried (`abilities`)."""

_HASHES = MappingProxyType(
    {
        "sha1": (Mechanism.SHA_1, MGF.SHA1, 20),
        "sha256": (Mechanism.SHA256, MGF.SHA256, 32),
        "sha384": (Mechanism.SHA384, MGF.SHA384, 48),
        "sha512": (Mechanism.SHA512, MGF.SHA512, 64),
    }
)
_DIGEST_INFOS = MappingProxyType(
    {
        "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
        "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
        "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
    }
)


def mechanism_of(row: Algorithm, offered: frozenset[Mechanism]) -> Mechanism | None:
    """Return what carries out an algorithm on a token that offers these mechanisms; None when nothing does."""
    wanted = MECHANISMS.get(row.family)
    if wanted is not None and wanted not in offered:
        wanted = ALTERNATIVES.get(wanted)
    return wanted if wanted in offered else None


def sign(key: Any, row: Algorithm, mechanism: Mechanism, digest: bytes) -> bytes:
    """Return a signature: r and s of the curve's length for EC."""
    signed = digest
    if row.family is Family.PKCS1_SIGNATURE:
        assert row.digest is not None
        signed = _DIGEST_INFOS[row.digest] + digest
    made: bytes = key.sign(signed, mechanism=mechanism, mechanism_param=_parameter(row))
    return made


def decrypt_rsa(key: Any, row: Algorithm, mechanism: Mechanism, ciphertext: bytes) -> bytes:
    """Return what was encrypted to a key."""
    opened: bytes = key.decrypt(ciphertext, mechanism=mechanism, mechanism_param=_parameter(row))
    return opened


def encrypt_aes(
    key: Any, row: Algorithm, mechanism: Mechanism, content: bytes, *, iv: bytes, aad: bytes | None
) -> tuple[bytes, bytes | None]:
    """Return a ciphertext and, for GCM, its tag."""
    parameter = GCMParams(iv, aad, TAG_BYTES * 8) if row.family is Family.GCM else iv
    sealed: bytes = key.encrypt(content, mechanism=mechanism, mechanism_param=parameter)
    return (sealed[:-TAG_BYTES], sealed[-TAG_BYTES:]) if row.family is Family.GCM else (sealed, None)


def decrypt_aes(
    key: Any, row: Algorithm, mechanism: Mechanism, ciphertext: bytes, *, iv: bytes, aad: bytes | None
) -> bytes:
    """Return a plaintext. ciphertext: with its tag at the end for GCM."""
    parameter = GCMParams(iv, aad, TAG_BYTES * 8) if row.family is Family.GCM else iv
    opened: bytes = key.decrypt(ciphertext, mechanism=mechanism, mechanism_param=parameter)
    return opened


def wrap(session: pkcs11.Session, key: Any, mechanism: Mechanism, material: Sensitive[bytes]) -> bytes:
    """Return a caller's bytes wrapped under an AES key: they become an object of this session for that moment."""
    target = session.create_object({**_CALLERS_OWN, Attribute.VALUE: material.reveal(), **_SECRET})
    try:
        wrapped: bytes = key.wrap_key(target, mechanism=mechanism)
    finally:
        target.destroy()
    return wrapped


def unwrap(key: Any, mechanism: Mechanism, wrapped: bytes) -> Sensitive[bytes]:
    """Return what was wrapped under an AES key: bytes that are the caller's, not a key of this token."""
    target = key.unwrap_key(
        ObjectClass.SECRET_KEY, KeyType.GENERIC_SECRET, wrapped, mechanism=mechanism, template=_CALLERS_OWN
    )
    try:
        return Sensitive(bytes(target[Attribute.VALUE]))
    finally:
        target.destroy()


_CALLERS_OWN = {Attribute.TOKEN: False, Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True}
_SECRET = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: KeyType.GENERIC_SECRET}


def _parameter(row: Algorithm) -> tuple[Mechanism, MGF, int | None] | None:
    if row.family is Family.OAEP:
        assert row.digest is not None
        return (*_HASHES[row.digest][:2], None)
    if row.family is Family.PSS:
        assert row.digest is not None
        return _HASHES[row.digest]
    return None
