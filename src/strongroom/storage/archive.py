"""What a backup of the server holds, item by item: a manifest, then each file's schema, its tables and their rows.

Items are MessagePack, each behind its length (4 bytes, big-endian); a sealed stream (`custody.stream`) keeps them whole
and in order. Rows travel as they lie, whatever the schema, so that nothing is lost that this module does not know.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from strongroom.custody.stream import ArchiveBroken, SealedReader, SealedWriter

FORMAT = 1
_LENGTH_BYTES = 4


class Manifest(msgspec.Struct, frozen=True, kw_only=True, tag="manifest"):
    """What an archive says of itself. taken: the moment that it shows. schema, counts: of each file, of each table.

    records: how many there are, where rows hold several.
    """

    format: int = FORMAT
    version: str
    taken: datetime
    schema: dict[str, str]
    counts: dict[str, dict[str, int]]
    records: int | None = None

    def count(self, file: str, table: str) -> int:
        """Return how many rows a table has; 0 when it was not there yet."""
        return self.counts.get(file, {}).get(table, 0)

    @property
    def rows(self) -> int:
        """How many rows there are in all."""
        return sum(count for tables in self.counts.values() for count in tables.values())


class Schema(msgspec.Struct, frozen=True, kw_only=True, tag="schema"):
    """The beginning of a file: the statements that make its tables, and what comes after their rows."""

    file: str
    tables: tuple[str, ...]
    indexes: tuple[str, ...]


class Table(msgspec.Struct, frozen=True, kw_only=True, tag="table"):
    """The beginning of a table. columns: what its rows hold, in order; `rowid` first where nothing else tells it."""

    file: str
    name: str
    columns: tuple[str, ...]


class Rows(msgspec.Struct, frozen=True, tag="rows"):
    """Some rows of the table that began last."""

    rows: list[tuple[Any, ...]]


class End(msgspec.Struct, frozen=True, tag="end"):
    """Nothing follows."""


Item = Schema | Table | Rows | End
Progress = Callable[[int], None]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Manifest | Schema | Table | Rows | End).decode


def write_items(writer: SealedWriter, items: Iterable[Manifest | Item]) -> None:
    """Write items and finish the stream."""
    for item in items:
        encoded = _encode(item)
        writer.write(len(encoded).to_bytes(_LENGTH_BYTES, "big") + encoded)
    writer.finish()


def read_manifest(reader: SealedReader) -> Manifest:
    """Return what an archive says of itself; ArchiveBroken when this version cannot read it."""
    item = _read(reader)
    if not isinstance(item, Manifest) or item.format != FORMAT:
        raise ArchiveBroken("the archive was written by a newer version of Strongroom; use that one, or a newer one")
    return item


def read_items(reader: SealedReader) -> Iterator[Item]:
    """Return what follows the manifest, the end included; ArchiveBroken unless all of it is as it was written."""
    while True:
        item = _read(reader)
        if isinstance(item, Manifest):
            raise ArchiveBroken("the archive has a second beginning")
        if isinstance(item, End) and reader.read(1):
            raise ArchiveBroken("the archive goes on after its end")
        yield item
        if isinstance(item, End):
            return


def counted(items: Iterable[Item], progress: Progress) -> Iterator[Item]:
    """Return items as they come. progress: told how many rows came by so far."""
    count = 0
    for item in items:
        yield item
        if isinstance(item, Rows):
            count += len(item.rows)
            progress(count)


def _read(reader: SealedReader) -> Manifest | Item:
    length = int.from_bytes(reader.read(_LENGTH_BYTES), "big")
    try:
        item: Manifest | Item = _decode(reader.read(length))
    except msgspec.MsgspecError:
        raise ArchiveBroken("the archive holds something that this version of Strongroom does not know") from None
    return item
