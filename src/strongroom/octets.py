"""Bytes on the wire: base64url without padding (RFC 7515, section 2), where a client may leave its padding on."""

import re
from base64 import b64decode, urlsafe_b64encode
from typing import Any

from strongroom.sensitive import Sensitive

PATTERN = r"[A-Za-z0-9_-]*={0,2}"
_TEXT = re.compile(PATTERN, re.ASCII)
_PLAIN = str.maketrans("-_", "+/")


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
    if _TEXT.fullmatch(text) is None or len(bare) % 4 == 1:
        raise ValueError("Expected base64url")
    return b64decode(bare.translate(_PLAIN) + "=" * (-len(bare) % 4))


def encode_octets(octets: bytes) -> str:
    """Return bytes as base64url without padding."""
    return urlsafe_b64encode(octets).rstrip(b"=").decode()
