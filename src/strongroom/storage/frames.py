"""What a worker and the recorder say to each other: frames of records there, answers of a fixed length back.

A frame is its length (four bytes, little-endian) and MessagePack of whether records are left in the outbox, past which
number some of its own may be in the log already, and of the records; None in a record's place only asks whether records
can be made durable. An answer tells how many frames it is for, in their order, whether they are durable, and the number
of the newest record. One for no frame greets: nothing is sent before it. Later ones for no frame only tell that number.
"""

import os
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from strongroom.audit.event import Record

SOCKET_FILE = "records.sock"
READ_BYTES = 1 << 20
BACKLOG = 128

_HEAD = struct.Struct("<I")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[bool, int | None, list[Record | None]]).decode
_ANSWER = struct.Struct("<?Iq")


@dataclass(frozen=True, slots=True)
class Frame:
    """Records handed over together.

    behind: the outbox holds records that the log has not got. since: past which number some of these may be in the log.
    """

    behind: bool
    since: int | None
    records: list[Record | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of so many frames. newest: the number of the newest record in the log."""

    durable: bool
    frames: int
    newest: int


def encode_frame(records: Sequence[Record | None], *, behind: bool, since: int | None = None) -> bytes:
    """Return a frame."""
    content = _encode((behind, since, records))
    return _HEAD.pack(len(content)) + content


def encode_answer(answer: Answer) -> bytes:
    """Return an answer as it is sent."""
    return _ANSWER.pack(answer.durable, answer.frames, answer.newest)


@dataclass(slots=True)
class Answers:
    """What came of a stream of answers so far."""

    _buffer: bytearray = field(default_factory=bytearray)

    def take(self, data: bytes) -> Iterator[Answer]:
        """Return the answers that are whole now."""
        self._buffer += data
        while len(self._buffer) >= _ANSWER.size:
            answer = Answer(*_ANSWER.unpack_from(self._buffer))
            del self._buffer[: _ANSWER.size]
            yield answer


@dataclass(slots=True)
class Incoming:
    """What came of a stream of frames so far."""

    _buffer: bytearray = field(default_factory=bytearray)

    def take(self, data: bytes) -> Iterator[Frame]:
        """Return the frames that are whole now; msgspec.MsgspecError when they are none."""
        self._buffer += data
        while len(self._buffer) >= _HEAD.size:
            end = _HEAD.size + _HEAD.unpack_from(self._buffer)[0]
            if len(self._buffer) < end:
                return
            frame = Frame(*_decode(self._buffer[_HEAD.size : end]))
            del self._buffer[:end]
            yield frame


@contextmanager
def listening(data_dir: Path) -> Iterator[socket.socket]:
    """Hold the socket that workers hand their records over on; OSError when there can be none."""
    with closing(listen(data_dir)) as listener:
        try:
            yield listener
        finally:
            (data_dir / SOCKET_FILE).unlink(missing_ok=True)


def listen(data_dir: Path) -> socket.socket:
    """Return a socket that listens for workers; OSError when there can be none.

    Only who may enter the data directory can reach it. Of several servers on it only one holds its lock, and listens.
    """
    listener = socket.socket(socket.AF_UNIX)
    try:
        (data_dir / SOCKET_FILE).unlink(missing_ok=True)
        with _short(data_dir) as address:
            listener.bind(address)
        (data_dir / SOCKET_FILE).chmod(0o600)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def dial(data_dir: Path) -> socket.socket:
    """Return a connection to the recorder, which does not block; OSError when there can be none."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.setblocking(False)
        with _short(data_dir) as address:
            connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _short(data_dir: Path) -> Iterator[str]:
    """Hold a short name of the socket: its address has 108 bytes at most, and a data directory may lie deep."""
    folder = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{SOCKET_FILE}"
    finally:
        os.close(folder)
