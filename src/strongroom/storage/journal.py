"""A worker's journal: the file in which its records are durable before the recorder has taken them into the log.

It is written in a circle, a frame at a time: its head, then records in MessagePack. A frame follows the one before it,
or begins the file anew; never where one lies that was not taken. Each has a number and an HMAC over the journal's name,
that number and the records. How far a journal was taken the log says itself (`recordwriter.py`), in the transaction
that took the records: so each is taken once.

Its process holds the file's lock as long as it lives. A journal that nobody holds is an orphan: whoever takes what is
in it removes it.
"""

import fcntl
import hmac
import os
import re
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, count
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import msgspec
import structlog

from strongroom.audit.event import Record
from strongroom.durability import sync
from strongroom.storage.rows import RowSeal

FOLDER = "journals"
FRAMES = "frames"
"""What the HMAC of a frame is made under, in place of a table's name."""
DAMAGED = ".damaged"
"""What the name of an orphan ends with that could not be taken to its end: it stays as evidence."""
SIZE = 2 * 1024 * 1024
LARGEST = SIZE // 8
"""Bytes of records at which a frame ends, unless it holds one alone."""

IS_NAME = re.compile("[0-9a-f]{32}").fullmatch
"""Whether a name is that of a journal."""

log = structlog.get_logger(__name__)

_HEAD = struct.Struct("<IQ32s")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Record]).decode


class Position(NamedTuple):
    """How far a journal was taken: the number of the last frame, and where it ends."""

    frame: int = 0
    end: int = 0


START = Position()


class _Kept(NamedTuple):
    """A frame that was not taken yet: its number, and where it lies."""

    number: int
    start: int
    end: int


class RecordTooLarge(ValueError):
    """A record that no journal has room for."""


class Journal:
    """The journal that this process writes. OSError where it cannot be made or written."""

    def __init__(self, data_dir: Path, seal: RowSeal) -> None:
        self.path, self.handle = _make(data_dir / FOLDER)
        self.name = self.path.name
        self._seal = seal
        self._kept: deque[_Kept] = deque()
        self._dirty = 0  # where nothing but zeros begins
        self.number = 0
        """Of the newest frame."""

    @property
    def filled(self) -> int:
        """How many bytes hold what was not taken yet."""
        return sum(frame.end - frame.start for frame in self._kept)

    def write(self, records: Sequence[Record]) -> int:
        """Write the first of some records, one at least; return how many, 0 while there is no room.

        They are not durable yet. RecordTooLarge for one that is too large ever to be written.
        """
        body = _encode(records)
        while len(body) > LARGEST and len(records) > 1:
            records = records[: len(records) // 2]
            body = _encode(records)
        size = _HEAD.size + len(body)
        start = self._place(size)
        if start is None:
            if size > SIZE:
                raise RecordTooLarge(f"a record of {len(body):,} bytes does not fit into a journal")
            return 0
        number = self.number + 1  # taken before it is written: what was written in part is withdrawn as a whole one is
        head = _HEAD.pack(len(body), number, _mac(self._seal, self.name, number, body))
        self.number = number
        self._kept.append(_Kept(number, start, start + size))
        self._dirty = max(self._dirty, start + size)
        if os.pwritev(self.handle, (head, body), start) != size:
            raise OSError("a journal was written in part")
        return len(records)

    def release(self, number: int) -> None:
        """Give the room back of what was taken, up to a frame."""
        while self._kept and self._kept[0].number <= number:
            self._kept.popleft()

    def withdraw(self, number: int) -> None:
        """Take back what follows a frame, since who asked for it is refused: the file, where nothing else is in it.

        Not durably: after a failure of power it may be there again.
        """
        if not self._kept or self._kept[0].number > number:
            self.path.unlink(missing_ok=True)
            return
        while self._kept[-1].number > number:
            os.pwrite(self.handle, bytes(_HEAD.size), self._kept[-1].start)
            self._kept.pop()

    def wipe(self) -> bool:
        """Overwrite what was taken, so that no record outlives its retention here; answer whether nothing is left."""
        begin = 0
        for frame in sorted(self._kept, key=attrgetter("start")):
            os.pwrite(self.handle, bytes(frame.start - begin), begin)
            begin = frame.end
        os.pwrite(self.handle, bytes(max(self._dirty - begin, 0)), begin)
        self._dirty = begin
        return not self._kept

    def close(self) -> None:
        """Let go of the file: whoever takes what is in it removes it."""
        with suppress(OSError):
            fcntl.flock(self.handle, fcntl.LOCK_UN)  # at once, even while a sync is under way
        os.close(self.handle)

    def _place(self, size: int) -> int | None:
        """Return where the next frame begins, None while there is no room for it."""
        if not self._kept:
            return 0 if size <= SIZE else None
        first, last = self._kept[0].start, self._kept[-1].end
        if last <= first:  # the newest lie before the oldest
            return last if last + size <= first else None
        if last + size <= SIZE:
            return last
        return 0 if size <= first else None


def journals_in(data_dir: Path) -> list[Path]:
    """Return the journals of a data directory: those that are kept as evidence, and what is no journal, left out."""
    return [path for path, is_file in _entries(data_dir) if is_file and IS_NAME(path.name)]


def damaged_in(data_dir: Path) -> list[Path]:
    """Return the journals that are kept as evidence."""
    return [path for path, _ in _entries(data_dir) if path.suffix == DAMAGED]


def foreign_in(data_dir: Path) -> list[Path]:
    """Return what lies among the journals and is none."""
    known = {*journals_in(data_dir), *damaged_in(data_dir)}
    return [path for path, _ in _entries(data_dir) if path not in known]


def _entries(data_dir: Path) -> list[tuple[Path, bool]]:
    """Return what lies in the folder of the journals, and of each whether it is a file itself; nothing without one."""
    try:
        with os.scandir(data_dir / FOLDER) as entries:
            return sorted((Path(entry), entry.is_file(follow_symlinks=False)) for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


class Page(NamedTuple):
    """What was found in a journal past a position. is_broken: what should follow, or does, is not as it was written."""

    position: Position
    records: list[Record]
    is_broken: bool = False


def read_journal(path: Path, seal: RowSeal, position: Position, until: int | None = None) -> Page:
    """Return what a journal holds past a position, up to a frame or to its end; FileNotFoundError once it was removed.

    What is being written meanwhile is left out, and looks broken for a moment.
    """
    # Where somebody put a pipe in its place, to open it waits for nobody.
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        return _read(handle, path.name, seal, position, until)
    finally:
        os.close(handle)


def _read(handle: int, name: str, seal: RowSeal, position: Position, until: int | None) -> Page:
    records: list[Record] = []
    while until is None or position.frame < until:
        places, wanted = (_frame_at(handle, position.end), _frame_at(handle, 0)), position.frame + 1
        found = next((each for each in places if each.number == wanted and each.is_genuine(seal, name)), None)
        if found is None:
            # What lies there may be anything older: not this one, though its number was changed, nor a later one.
            is_odd = any(
                each.number == wanted
                or each._replace(number=wanted).is_genuine(seal, name)
                or (each.number > wanted and each.is_genuine(seal, name))
                for each in places
            )
            return Page(position, records, is_broken=until is not None or is_odd)
        records += _decode(found.body)
        position = Position(found.number, found.end)
    return Page(position, records)


@contextmanager
def held_orphan(path: Path) -> Iterator[bool]:
    """Hold the lock of a journal; whether that was possible: not where its process lives, or it cannot be opened."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        if not isinstance(error, FileNotFoundError):  # else another process has taken it
            log.warning("a journal cannot be opened", reason=str(error))
        yield False
        return
    try:
        yield _lock(handle, path)
    finally:
        os.close(handle)


def remove(path: Path, *, damaged: bool) -> None:
    """Remove an orphan, durably; one that is damaged stays under another name, in nobody's place."""
    if damaged:
        names = (path.with_name(f"{path.name}{more}{DAMAGED}") for more in chain([""], map(".{}".format, count(2))))
        path.rename(next(name for name in names if not name.exists()))
    else:
        path.unlink()
    sync(path.parent)


class _Found(NamedTuple):
    """What lies at a place. number: 0 where that is no frame."""

    number: int
    mac: bytes
    body: bytes
    end: int

    def is_genuine(self, seal: RowSeal, name: str) -> bool:
        """Answer whether it is as it was written."""
        return hmac.compare_digest(_mac(seal, name, self.number, self.body), self.mac)


NOTHING = _Found(0, b"", b"", 0)


def _frame_at(handle: int, start: int) -> _Found:
    head = os.pread(handle, _HEAD.size, start)
    if len(head) < _HEAD.size:
        return NOTHING
    length, number, mac = _HEAD.unpack(head)
    body = os.pread(handle, min(length, SIZE), start + _HEAD.size)
    return _Found(number, mac, body, start + _HEAD.size + len(body))


def _mac(seal: RowSeal, name: str, number: int, body: bytes) -> bytes:
    return seal.mac(FRAMES, (name, number), body)


def _make(folder: Path) -> tuple[Path, int]:
    """Make a journal, held by this process, its room taken on the disk."""
    folder.mkdir(mode=0o700, exist_ok=True)
    while True:
        path = folder / uuid4().hex
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if _lock(handle, path):  # else somebody took it for an orphan before it was held
                os.posix_fallocate(handle, 0, SIZE)
                os.fsync(handle)
                sync(folder)
                sync(folder.parent)
                return path, handle
        except BaseException:
            path.unlink(missing_ok=True)
            os.close(handle)
            raise
        os.close(handle)


def _lock(handle: int, path: Path) -> bool:
    """Lock an open file; answer whether it is locked, and still the one at the path."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        here, there = os.fstat(handle), path.stat()
    except (BlockingIOError, FileNotFoundError):
        return False
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
