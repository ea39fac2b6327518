"""The environment that a key may leave to: what was attested of it, and the key that only it holds.

Source: "Secure key release", environment assertion: the first RSA key of `x-ms-runtime.keys` that is for encryption.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from strongroom.access.identity.attestation import cannot_verify
from strongroom.custody.provider import TransferKey
from strongroom.octets import decode_octets

RUNTIME = "x-ms-runtime"


@dataclass(frozen=True, slots=True)
class Attested:
    """What an authority attested. authority: in its normal spelling. kid: what the environment calls its key."""

    authority: str
    claims: Mapping[str, Any]
    kid: str
    key: TransferKey


def attested_by(authority: str, claims: Mapping[str, Any]) -> Attested:
    """Return what was attested, with the environment's key; Forbidden when the claims have none for encryption."""
    runtime = claims.get(RUNTIME)
    keys = runtime.get("keys") if isinstance(runtime, Mapping) else None
    for described in keys if isinstance(keys, list) else ():
        if isinstance(described, Mapping) and _is_for_encryption(described):
            return Attested(authority, claims, _text(described, "kid"), _key(described))
    raise cannot_verify(f"its claim '{RUNTIME}.keys' has no RSA key for encryption")


def _is_for_encryption(described: Mapping[str, Any]) -> bool:
    operations, use = described.get("key_ops"), described.get("use", described.get("key_use"))
    uses = use if isinstance(use, list) else [use]
    is_encrypting = isinstance(operations, list) and "encrypt" in operations
    return described.get("kty") == "RSA" and ("enc" in uses or is_encrypting)


def _key(described: Mapping[str, Any]) -> TransferKey:
    try:
        return TransferKey(decode_octets(_text(described, "n")), decode_octets(_text(described, "e")))
    except ValueError:
        raise cannot_verify(f"the key for encryption in '{RUNTIME}.keys' is malformed") from None


def _text(described: Mapping[str, Any], name: str) -> str:
    value = described.get(name, "")
    return value if isinstance(value, str) else ""
