"""What a change notes of the rows that it wrote: the digest of each as it stands now, or that it is gone.

Notes lie beside the record of the change and are linked with it. Who compares the last note of each row with the row
itself finds one that was set back to an older state, taken away, or put back (`storage/history.py`).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from strongroom.custody.sealing import SealBroken
from strongroom.storage.rows import Column

DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Shape:
    """A table whose rows are noted: every column that is written, the first `keys` of which name the row."""

    table: str
    columns: tuple[str, ...]
    keys: int


class Note(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """What became of a row.

    key: names the row within its table; where rows are gone, its first parts name all that begin with them. digest:
    of the whole row, None when it is gone. change: the number of the change that left it so, where another tells it.
    """

    table: str
    key: tuple[str | int, ...]
    digest: bytes | None
    change: int | None = None


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(tuple[Note, ...]).decode


def digest_of(row: tuple[Any, ...]) -> bytes:
    """Return the digest of a row, all its columns in the order of its shape (SHA-256, its first 16 bytes)."""
    return hashlib.sha256(_pack(row)).digest()[:DIGEST_BYTES]


def note_of(shape: Shape, row: tuple[Any, ...]) -> Note:
    """Return the note of a row as it was written."""
    return Note(shape.table, row[: shape.keys], digest_of(row))


def gone(shape: Shape, key: tuple[Column, ...]) -> Note:
    """Return the note of a row that is gone, or of all whose key begins so."""
    return Note(shape.table, key, None)  # type: ignore[arg-type] # no part of a key is empty


def encode_notes(notes: Iterable[Note]) -> bytes:
    """Return notes as they are kept, b"" when there are none."""
    kept = tuple(notes)
    return _pack(kept) if kept else b""


def decode_notes(kept: bytes) -> tuple[Note, ...]:
    """Return notes that were kept; SealBroken when they are none."""
    try:
        return _unpack(kept) if kept else ()
    except msgspec.MsgspecError as error:
        raise SealBroken(f"the notes of a record cannot be read: {error}") from None
