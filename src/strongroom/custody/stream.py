"""A sealed stream: of any length, in bounded memory, and worthless unless it is whole and in order.

    MAGIC, the length of the head (4 bytes, big-endian), the head (MessagePack), then chunks

The head holds a data key of the stream's own, sealed under the master key. Each chunk is one sealed value (`sealing`)
of CHUNK_BYTES of content, the last one of less; its context is the head, its number and whether it is the last, so that
a stream that was changed, reordered, cut short, lengthened or put together from two does not open.
"""

import hashlib
from datetime import UTC, datetime
from typing import BinaryIO, Protocol

import msgspec

from strongroom.custody.master import Description
from strongroom.custody.passphrase import Derivation
from strongroom.custody.sealing import HEADER_BYTES, Context, Custodian, MasterKeyWrong, SealBroken, sealing_key_id
from strongroom.custody.store import DataKey, Purpose
from strongroom.errors import StrongroomError
from strongroom.sensitive import Sensitive

MAGIC = b"strongroom-archive-1\n"
CHUNK_BYTES = 1 << 20
SEALED_BYTES = HEADER_BYTES + CHUNK_BYTES + 16
HEAD_LIMIT = 64 * 1024
_LENGTH_BYTES = 4
_UNDATED = datetime(1970, 1, 1, tzinfo=UTC)


class ArchiveBroken(StrongroomError):
    """What should be a sealed stream is none, is not whole, or was changed."""


class _Head(msgspec.Struct, frozen=True, omit_defaults=True):
    """key_id: of the stream's own key. sealed_key: that key under the master key.

    derivation: how the master key is made of a passphrase, None for one in a file.
    """

    key_id: bytes
    sealed_key: bytes
    derivation: Derivation | None = None


class Sink(Protocol):
    """What a stream is written to."""

    def write(self, data: bytes, /) -> object:
        """Take all of `data`."""


class SealedWriter:
    """Seals what is written to it. It is not whole, and so does not open, until `finish` was called."""

    def __init__(self, sink: Sink, custodian: Custodian) -> None:
        self._sink = sink
        self._custodian = custodian
        self._key = custodian.new_key(Purpose.ARCHIVE, "", 1, _UNDATED)
        head = msgspec.msgpack.encode(_Head(bytes.fromhex(self._key.key_id), self._key.sealed, custodian.derivation))
        self._place = _place(head)
        self._number = 0
        self._pending = bytearray()
        sink.write(MAGIC + len(head).to_bytes(_LENGTH_BYTES, "big") + head)

    @property
    def master_id(self) -> str:
        """The id of the master key that opens the stream."""
        return sealing_key_id(self._key.sealed)

    def write(self, data: bytes) -> None:
        """Add content."""
        self._pending += data
        while len(self._pending) > CHUNK_BYTES:
            self._seal(bytes(self._pending[:CHUNK_BYTES]), last=False)
            del self._pending[:CHUNK_BYTES]

    def finish(self) -> None:
        """Write what is left as the last chunk."""
        self._seal(bytes(self._pending), last=True)

    def _seal(self, content: bytes, *, last: bool) -> None:
        context = _context(self._place, self._number, last=last)
        self._sink.write(self._custodian.seal(self._key, Sensitive(content), context))
        self._number += 1


class SealedReader:
    """Opens a stream from where `source` stands; ArchiveBroken as soon as something in it is not as it was written."""

    def __init__(self, source: BinaryIO, custodian: Custodian) -> None:
        self._source = source
        self._custodian = custodian
        self._key, self._place = _open_head(source, custodian)
        self._number = 0
        self._ahead = source.read(SEALED_BYTES)
        self._content = memoryview(b"")
        self._last = False

    def read(self, count: int) -> bytes:
        """Return the next `count` bytes, fewer only at the end."""
        parts = []
        while count and (self._content or not self._last):
            if not self._content:
                self._content = memoryview(self._next())
            parts.append(bytes(self._content[:count]))
            self._content = self._content[count:]
            count -= len(parts[-1])
        return b"".join(parts)

    def _next(self) -> bytes:
        sealed, self._ahead = self._ahead, self._source.read(SEALED_BYTES)
        self._last = not self._ahead
        try:
            content = self._custodian.open(self._key, sealed, _context(self._place, self._number, last=self._last))
        except SealBroken:
            raise ArchiveBroken(self._why(sealed)) from None
        self._number += 1
        return content.reveal()

    def _why(self, sealed: bytes) -> str:
        where = f"at byte {self._number * SEALED_BYTES:,} of its content"
        if self._last and (not sealed or self._is_in_the_middle(sealed)):
            return f"the archive was cut short {where}"
        return f"the archive was changed or cut {where}"

    def _is_in_the_middle(self, sealed: bytes) -> bool:
        try:
            self._custodian.open(self._key, sealed, _context(self._place, self._number, last=False))
        except SealBroken:
            return False
        return True


def master_key_of(source: BinaryIO) -> Description:
    """Return what a stream says of the master key that it was made under; what it says is not authenticated yet."""
    head, _ = _read_head(source)
    return Description(master_id=sealing_key_id(head.sealed_key), derivation=head.derivation)


def _read_head(source: BinaryIO) -> tuple[_Head, bytes]:
    if source.read(len(MAGIC)) != MAGIC:
        raise ArchiveBroken("this is no archive of Strongroom, or of a version that this one does not know")
    length = int.from_bytes(source.read(_LENGTH_BYTES), "big")
    encoded = source.read(min(length, HEAD_LIMIT))
    try:
        return msgspec.msgpack.decode(encoded, type=_Head), encoded
    except msgspec.MsgspecError:
        raise ArchiveBroken("the head of the archive was changed or cut") from None


def _open_head(source: BinaryIO, custodian: Custodian) -> tuple[DataKey, str]:
    head, encoded = _read_head(source)
    try:
        key = DataKey(
            key_id=head.key_id.hex(),
            purpose=Purpose.ARCHIVE,
            scope="",
            version=1,
            sealed=head.sealed_key,
            created=_UNDATED,
        )
        custodian.authenticator(key)  # opens the key
    except MasterKeyWrong:
        needed = sealing_key_id(head.sealed_key)
        raise ArchiveBroken(
            f"the archive was made under another master key than the one at hand: it needs {needed[:8]}, at hand is "
            f"{custodian.master_id[:8]}; or its head was changed"
        ) from None
    return key, _place(encoded)


def _place(head: bytes) -> str:
    return hashlib.sha256(head).hexdigest()


def _context(place: str, number: int, *, last: bool) -> Context:
    return Context(place, "archive", str(number), "last" if last else "more", "chunk")
