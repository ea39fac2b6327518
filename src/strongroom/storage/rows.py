"""Rows that authenticate themselves: look-up columns, a JSON document, and an HMAC over both.

The HMAC covers the table's name, every column and the document, each with its length, so that no row can be edited,
moved to another key or table, or put together from two, without being noticed when it is loaded.
"""

import hmac
from collections.abc import Callable
from typing import Any

import msgspec

from strongroom.custody.sealing import SealBroken

Column = str | int | None
encode = msgspec.json.Encoder().encode


def _bytes(column: Column) -> bytes:
    if column is None:
        return b"-"
    return b"s" + column.encode() if isinstance(column, str) else b"i%d" % column


class RowSeal:
    """Makes and checks the HMAC of rows. authenticate: HMAC-SHA-256 under the keyring's key for rows."""

    def __init__(self, authenticate: Callable[[bytes], bytes]) -> None:
        self._authenticate = authenticate

    def mac(self, table: str, columns: tuple[Column, ...], document: bytes) -> bytes:
        """Return the HMAC of a row."""
        parts = [table.encode(), *map(_bytes, columns), document]
        return self._authenticate(b"".join([len(part).to_bytes(4, "big") + part for part in parts]))

    def require(self, table: str, columns: tuple[Column, ...], document: bytes, mac: bytes) -> None:
        """Raise SealBroken unless the row is as it was written."""
        if not hmac.compare_digest(self.mac(table, columns, document), mac):
            raise SealBroken(f"a row of {table} is not as it was written")


class Decoder:
    """Decodes documents of one type; what does not fit was not written by this program."""

    def __init__(self, kind: Any) -> None:
        self._decode = msgspec.json.Decoder(kind).decode

    def __call__(self, document: bytes) -> Any:
        """Return the document's value; SealBroken when it is none of its type."""
        try:
            return self._decode(document)
        except msgspec.MsgspecError as error:
            raise SealBroken(f"a stored document cannot be read: {error}") from None
