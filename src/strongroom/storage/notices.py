"""What a worker and the recorder say to each other, in messages of a fixed length: notices there, answers back.

A notice tells up to which frame a worker's journal is durable. Its answer, in the order of notices, tells whether the
log has it, and up to which frame.
"""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from strongroom.storage.journal import IS_NAME

SOCKET_FILE = "records.sock"
READ_BYTES = 1 << 16
BACKLOG = 128

_NOTICE = struct.Struct("<32sQ??")
_ANSWER = struct.Struct("<?Q?")


class Notice(NamedTuple):
    """Word of a journal. frame: the newest that is durable.

    behind: the outbox may hold records that the log has not got. probe: whether the log can be written is asked, even
    where there is nothing to take.
    """

    journal: str
    frame: int
    behind: bool
    probe: bool

    def encode(self) -> bytes:
        """Return it as it is sent."""
        return _NOTICE.pack(self.journal.encode(), self.frame, self.behind, self.probe)


class Answer(NamedTuple):
    """What became of a notice. frame: up to which the log has the journal.

    is_broken: the journal does not hold what its worker said it does; nothing more is taken of it.
    """

    durable: bool
    frame: int
    is_broken: bool = False

    def encode(self) -> bytes:
        """Return it as it is sent."""
        return _ANSWER.pack(*self)


class Stream:
    """What came of a stream of notices, or of answers, so far."""

    def __init__(self, form: struct.Struct) -> None:
        self._form = form
        self._buffer = b""

    def take(self, data: bytes) -> Iterator[tuple[Any, ...]]:
        """Return the fields of the messages that are whole now."""
        data = self._buffer + data
        whole = len(data) - len(data) % self._form.size
        self._buffer = data[whole:]
        return self._form.iter_unpack(data[:whole])


class Notices(Stream):
    """A stream of notices."""

    def __init__(self) -> None:
        super().__init__(_NOTICE)

    def read(self, data: bytes) -> list[Notice]:
        """Return those that are whole now; ValueError for what is none."""
        found = [Notice(name.decode("ascii"), *rest) for name, *rest in self.take(data)]
        if not all(IS_NAME(notice.journal) for notice in found):
            raise ValueError("this is no name of a journal")
        return found


class Answers(Stream):
    """A stream of answers."""

    def __init__(self) -> None:
        super().__init__(_ANSWER)

    def read(self, data: bytes) -> list[Answer]:
        """Return those that are whole now."""
        return [Answer(*fields) for fields in self.take(data)]


@contextmanager
def listening(data_dir: Path) -> Iterator[socket.socket]:
    """Hold the socket on which workers give notice of their journals; OSError when there can be none."""
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
