"""RSAES-PKCS1-v1_5 without an oracle: a ciphertext with bad padding decrypts to bytes that stand for nothing.

A token tells good padding from bad, which is enough for whoever may ask it a million times to decrypt everything. So
what is made of a bad ciphertext depends on a secret of the key and on the ciphertext alone: as long as a plaintext
could be, always the same, and made whether or not it is needed. How long the token takes is its own affair.
Sources: D. Bleichenbacher, CRYPTO '98; "Efficient Padding Oracle Attacks on Cryptographic Hardware", CRYPTO 2012;
"Implementation Guidance for the PKCS #1 RSA Cryptography Specification" (IETF draft), section 5.3, implicit rejection.
"""

import hashlib
import hmac

from strongroom.sensitive import Sensitive

_PADDING = 11
_CANDIDATES = 128


def substitute(seed: Sensitive[bytes], ciphertext: bytes, bits: int) -> Sensitive[bytes]:
    """Return what a ciphertext of bad padding decrypts to. bits: of the key."""
    longest = bits // 8 - _PADDING
    secret = hmac.digest(seed.reveal(), hashlib.sha256(ciphertext).digest(), "sha256")
    lengths = hashlib.shake_256(secret + b"length").digest(2 * _CANDIDATES)
    mask = (1 << longest.bit_length()) - 1
    length = 0
    for at in range(0, 2 * _CANDIDATES, 2):
        candidate = int.from_bytes(lengths[at : at + 2], "big") & mask
        length = candidate if candidate <= longest else length
    return Sensitive(hashlib.shake_256(secret + b"message").digest(longest)[:length])
