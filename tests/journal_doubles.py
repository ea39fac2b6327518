"""What journals are tested with: a seal, records of any size, tampering, and a recorder that a test plays itself."""

import asyncio
import hashlib
import hmac
from contextlib import asynccontextmanager, suppress

from storage_doubles import NOON
from strongroom.audit.event import Record, new_record_id
from strongroom.clock import microseconds
from strongroom.storage.journal import START, read_journal
from strongroom.storage.notices import Answer, Notices, listen
from strongroom.storage.rows import RowSeal
from strongroom.storage.syncing import syncing

SEAL = RowSeal(lambda said: hmac.digest(b"key", said, hashlib.sha256))


def a_sized_record(size, number=0):
    """Return a record with a body of so many bytes, which no other record has."""
    return Record(new_record_id(), microseconds(NOON) + number, (b"%d " % number).ljust(size, b"x"))


def ids_of(records):
    return [record.record_id for record in records]


def write_all(journal, records):
    """Write records, each in a frame of its own; return what was read behind each frame: where it ends."""
    position, positions = START, [START]
    for record in records:
        assert journal.write([record]) == 1
        position = read_journal(journal.path, journal._seal, position, journal.number).position
        positions.append(position)
    return positions


class PlayedRecorder:
    """A recorder as a test plays it: it hears notices, and answers what it is told to, over the socket of a place."""

    def __init__(self, place):
        self._listener = listen(place)
        self._listener.setblocking(False)
        self._connection = None
        self._notices = Notices()
        self._heard = []

    async def accept(self):
        """Wait for a connection; one from before is closed."""
        self.drop()
        while not self._accept():  # noqa: ASYNC110 - what a cancelled call of the loop had accepted would stay open
            await asyncio.sleep(0)

    def _accept(self):
        try:
            self._connection, _ = self._listener.accept()
        except BlockingIOError:
            return False
        self._connection.setblocking(False)
        self._notices, self._heard = Notices(), []
        return True

    async def hung_up(self):
        """Wait until the worker has ended a connection."""
        if self._connection is None:
            await self.accept()
        with suppress(ConnectionError):
            while await asyncio.get_running_loop().sock_recv(self._connection, 1 << 16):
                pass
        self.drop()

    async def all_hung_up(self):
        """Wait until the worker has ended every connection that it made."""
        while self._connection is not None or self._accept():
            await self.hung_up()

    async def notice(self):
        """Return the next notice, over a new connection where there is none or the one there is has ended."""
        while not self._heard:
            if self._connection is None:
                await self.accept()
            data = b""
            with suppress(ConnectionError):
                data = await asyncio.get_running_loop().sock_recv(self._connection, 1 << 16)
            if not data:
                self.drop()
            self._heard += self._notices.read(data)
        return self._heard.pop(0)

    async def notice_of(self, frame):
        """Return the first notice that reaches a frame; those before it are not answered."""
        while (notice := await self.notice()).frame < frame:
            pass
        return notice

    async def answer(self, frame=0, *, durable=True, is_broken=False):
        """Answer the oldest notice that was not answered."""
        await self.send(Answer(durable, frame, is_broken).encode())

    async def send(self, data):
        """Send bytes, whatever they are; nothing where the worker has hung up."""
        with suppress(ConnectionError):
            await asyncio.get_running_loop().sock_sendall(self._connection, data)

    async def take(self):
        """Hear a notice, and answer that the log has all; return it."""
        notice = await self.notice()
        await self.answer(notice.frame)
        return notice

    def drop(self):
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def close(self):
        """End the connection, and listen no more."""
        self.drop()
        self._listener.close()


@asynccontextmanager
async def meanwhile(turn):
    """Do something again and again meanwhile."""

    async def serve():
        while True:
            await turn()

    task = asyncio.create_task(serve())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def taking(recorder):
    """Answer every notice meanwhile as a recorder does that takes all."""
    return meanwhile(recorder.take)


def refusing(recorder):
    """Answer every notice meanwhile as a recorder does that cannot write the log."""

    async def refuse():
        await recorder.notice()
        await recorder.answer(durable=False)

    return meanwhile(refuse)


class FailingDisk:
    """A disk that fails, or hangs, when it is told to."""

    def __init__(self):
        self.error = None
        self.is_hanging = self.is_quick = False
        self.hung = []

    def __call__(self, handle, loop):
        return FailingSyncing(self, syncing(handle, loop), loop)

    def go_on(self):
        """Tell those who wait, and hang no more."""
        self.is_hanging = False
        while self.hung:
            self.hung.pop(0)()


class FailingSyncing:
    def __init__(self, disk, real, loop):
        self._disk, self._real, self._loop = disk, real, loop
        self._is_open = True

    def sync(self, told):
        if self._disk.is_hanging:
            self._disk.hung.append(lambda: self._tell(told, self._disk.error))
        elif self._disk.error is not None or self._disk.is_quick:
            self._loop.call_soon(self._tell, told, self._disk.error)
        else:
            self._real.sync(told)

    def _tell(self, told, error):
        if self._is_open:
            told(error)

    def close(self):
        self._is_open = False
        self._real.close()
