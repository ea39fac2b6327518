"""Bytes on the wire: base64url without padding (RFC 7515, section 2), where a client may leave its padding on."""

import binascii
from base64 import urlsafe_b64encode
from typing import Any

from strongroom.sensitive import Sensitive

PATTERN = r"[A-Za-z0-9_-]*={0,2}"
MOST_PADDING = 2
_PLAIN = bytes.maketrans(b"-_+/", b"+/!!")  # what is of the other alphabet becomes what is of none
_PADDING = (b"", b"===", b"==", b"=")


class Octets(bytes):
    """Bytes that a client sends as base64url."""

    __slots__ = ()


class SensitiveOctets(Sensitive[bytes]):
    """Bytes that travel as base64url and that are nobody's business but their owner's."""

    __slots__ = ()


def decode_octets(text: Any) -> bytes:
    """Return the bytes of base64url text; TypeError or ValueError, without a word of the text, when it is none."""
    if not isinstance(text, str):
        raise TypeError("Expected `str`")
    bare = text.rstrip("=")
    padding = _PADDING[len(bare) % 4]
    if not text.isascii() or len(padding) > MOST_PADDING or len(text) - len(bare) > MOST_PADDING:
        raise ValueError("Expected base64url")
    try:
        return binascii.a2b_base64(bare.encode().translate(_PLAIN) + padding, strict_mode=True)
    except binascii.Error:
        raise ValueError("Expected base64url") from None


def encode_octets(octets: bytes) -> str:
    """Return bytes as base64url without padding."""
    return urlsafe_b64encode(octets).rstrip(b"=").decode()
