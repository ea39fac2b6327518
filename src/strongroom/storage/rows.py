"""Rows that authenticate themselves: look-up columns, a JSON document, and an HMAC over both.

The HMAC covers the table's name, every column with its type and length, and the document, so that no row can be edited,
moved to another key or table, or put together from two, without being noticed when it is loaded.
"""

import hmac
from collections.abc import Callable
from typing import Any

import msgspec

from strongroom.custody.sealing import SealBroken

Column = str | int | None
encode = msgspec.json.Encoder().encode


class RowSeal:
    """Makes and checks the HMAC of rows. authenticate: HMAC-SHA-256 under the keyring's key for rows."""

    def __init__(self, authenticate: Callable[[bytes], bytes]) -> None:
        self._authenticate = authenticate

    def mac(self, table: str, columns: tuple[Column, ...], document: bytes) -> bytes:
        """Return the HMAC of a row."""
        head = table + "\n"
        for column in columns:  # every change makes and checks several: no call for each
            if column is None:
                head += "-"
            else:
                head += f"s{len(column)}:{column}" if isinstance(column, str) else f"i{column};"
        return self._authenticate((head + "\n").encode() + document)

    def require(self, table: str, columns: tuple[Column, ...], document: Any, mac: Any) -> None:
        """Raise SealBroken unless the row is as it was written; SQLite lets any type stand in any column."""
        is_bytes = isinstance(document, bytes) and isinstance(mac, bytes)
        if not is_bytes or not hmac.compare_digest(self.mac(table, columns, document), mac):
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
