"""The blob in which a wrapped key travels, as JSON: into a vault by bring-your-own-key, out of it by release.

Source: "Bring your own key specification", key transfer blob; releases as the service's own traffic has them.
"""

import re
from dataclasses import dataclass
from typing import Final

import msgspec

from strongroom.custody.provider import TransferForm
from strongroom.objects.model import invalid_property
from strongroom.octets import decode_octets, encode_octets

SCHEMA_VERSION: Final = "1.0"
SCHEMAS_TAKEN: Final = frozenset({SCHEMA_VERSION, "1.0.0"})
DIRECT: Final = "dir"  # the key that is named wraps the content itself
KEY_ID = re.compile(
    r"https://(?P<host>[a-z0-9.-]{1,253})(?::[0-9]{1,5})?/+keys/(?P<name>[^/?#]{1,127})(?:/(?P<version>[^/?#]{1,64}))?/?",
    re.ASCII | re.IGNORECASE,
)
KEY_ID_LENGTH = 1024


class TransferHeader(msgspec.Struct, frozen=True):
    """Which key unwraps a blob, and how."""

    kid: str
    alg: str
    enc: str


class TransferBlob(msgspec.Struct, frozen=True):
    """A wrapped key."""

    schema_version: str
    header: TransferHeader
    ciphertext: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """A wrapped key that came in. name, version: of the key exchange key that unwraps it, the newest when None."""

    name: str
    version: str | None
    ciphertext: bytes


def write_transfer(kid: str, form: TransferForm, ciphertext: bytes) -> bytes:
    """Return the blob of a key that leaves. kid: what its receiver calls the key that unwraps it."""
    header = TransferHeader(kid, DIRECT, form.value)
    return msgspec.json.encode(TransferBlob(SCHEMA_VERSION, header, encode_octets(ciphertext)))


def read_transfer(raw: bytes, host: str) -> Transfer:
    """Return what a blob brings; BadRequest when it is none, or was wrapped to a key of another vault than `host`."""
    try:
        blob = msgspec.json.decode(raw, type=TransferBlob)
        ciphertext = decode_octets(blob.ciphertext)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise invalid_property("key_hsm", "it is no key transfer blob") from None
    if blob.schema_version not in SCHEMAS_TAKEN:
        raise invalid_property("key_hsm", "the schema_version of its blob is 1.0.0")
    if blob.header.alg != DIRECT or blob.header.enc != TransferForm.CKM:
        raise invalid_property("key_hsm", f"the blob's alg is {DIRECT}, its enc {TransferForm.CKM}")
    kid = KEY_ID.fullmatch(blob.header.kid) if len(blob.header.kid) <= KEY_ID_LENGTH else None
    if kid is None or kid["host"].lower() != host:
        raise invalid_property("key_hsm", "the blob's kid is the id of a key exchange key in this vault")
    return Transfer(kid["name"], kid["version"], ciphertext)
