"""The courier: makes the records of a worker durable in its journal, and has the recorder take them into the log.

Whoever submits a record hears when it is durable in the journal. The recorder hears of it later, of many at once: in
the log a record costs half as much where hundreds come together, and no answer waits for another process. It is not
handed over: the recorder reads the journal, whatever became of the worker. While the log cannot be written, nothing is
accepted any more, so that what waits in the journal stays little.
"""

import asyncio
from collections import deque
from contextlib import suppress
from pathlib import Path

import structlog

from strongroom.audit.event import Record
from strongroom.errors import StorageUnavailable
from strongroom.storage.failures import UNAVAILABLE, unavailable
from strongroom.storage.journal import SIZE, Journal, RecordTooLarge
from strongroom.storage.line import Line, Probe
from strongroom.storage.notices import Answer
from strongroom.storage.rows import RowSeal
from strongroom.storage.syncing import Syncing, syncing

PATIENCE_SECONDS = 5.0
"""How long records wait, at least, for a disk or a recorder that does not answer."""
LATE_SECONDS = 0.02
"""How long records are in the journal alone, unless they fill a quarter of it."""
RETRY_SECONDS = 0.25
"""How long after the log could not be written it is tried again."""
WIPE_SECONDS = 10.0
"""How long what was taken stays in a journal at most, unless more and more comes."""
MANY, QUIET_TURNS = 16, 3
"""A frame is written when it has so many records, or once none came in so many turns of the loop: a sync costs 50 µs,
which is half of a request where it makes one record durable."""
MOST = 256

log = structlog.get_logger(__name__)

Waiting = tuple[Record | None, "asyncio.Future[None]"]


class Courier:
    """The records of one worker, from one event loop. Implements `storage.keeper.Recording`."""

    def __init__(self, data_dir: Path, seal: RowSeal) -> None:
        self._data_dir = data_dir
        self._seal = seal
        self._journal: Journal | None = None
        self._disk: Syncing | None = None
        self._waiting: list[Waiting] = []
        self._writing: list[Waiting] = []  # in the journal, and not durable yet
        self._is_full = False  # the journal has no room for the first that waits
        self._is_spoiled = False  # what was refused may be in the journal
        self._durable = 0  # the newest frame that is
        self._changes: deque[tuple[int, list[Waiting]]] = deque()  # by frame: those that the log has not got
        self._due = False
        self._seen, self._quiet = 0, 0
        self._line = Line(data_dir, self._hear, self._notify)
        self._is_refused = False  # the log could not be written when that was tried last
        self._reminder: asyncio.TimerHandle | None = None
        self._wiper: asyncio.TimerHandle | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._sync_began = 0.0  # when the sync that is under way did, on the loop's clock
        self._answered = 0.0  # when the recorder answered, or somebody began to wait for that

    @property
    def behind(self) -> bool:
        """Whether the outbox may hold records that the log has not got."""
        return self._line.behind

    @behind.setter
    def behind(self, behind: bool) -> None:
        self._line.behind = behind

    def submit(self, record: Record | None) -> "asyncio.Future[None]":
        """Return a future that ends when the record is durable; one of a change, which is already, when the log has it.

        None only asks whether the log can be written. StorageUnavailable where it cannot, or could not in time.
        """
        if self._line.closed:
            raise StorageUnavailable("The server is stopping; nothing was changed.")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        if self._is_refused and record is not None:
            future.set_exception(StorageUnavailable(UNAVAILABLE))
            return future
        if not self._is_waited_for():
            self._answered = loop.time()
        self._waiting.append((record, future))
        if self._alarm is None:
            self._alarm = loop.call_later(PATIENCE_SECONDS, self._watch)
        self._write_soon()
        return future

    def close(self) -> None:
        """End the connection, and let go of the journal: what was submitted and not answered may be durable or not."""
        for timer in (self._alarm, self._reminder, self._wiper):
            if timer is not None:
                timer.cancel()
        self._leave_journal()
        self._line.close()

    # --- the journal

    def _write_soon(self) -> None:
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        self._due = False
        if not self._waiting or self._writing or self._line.closed:
            return
        if not self._is_time():
            self._write_soon()
            return
        self._seen = self._quiet = 0
        try:
            self._begin(self._open())
        except OSError as error:
            unavailable(error)  # told once
            self._fail()
        except RecordTooLarge as error:
            log.warning("a record was not kept in the journal", reason=str(error))
            first = next(place for place, (record, _) in enumerate(self._waiting) if record is not None)
            _settle([self._waiting.pop(first)], durable=False)
            self._write_soon()

    def _is_time(self) -> bool:
        """Answer whether to write what there is, or to let the turns of the loop go on that bring more."""
        count = len(self._waiting)
        self._quiet = self._quiet + 1 if count == self._seen else 0
        self._seen = count
        return count >= MANY or self._quiet >= QUIET_TURNS

    def _open(self) -> tuple[Journal, Syncing]:
        self._leave_spoiled()
        if self._journal is None or self._disk is None:
            self._journal, self._durable = Journal(self._data_dir, self._seal), 0
            self._disk = syncing(self._journal.handle, asyncio.get_running_loop())
        return self._journal, self._disk

    def _begin(self, opened: tuple[Journal, Syncing]) -> None:
        journal, disk = opened
        batch = self._waiting[:MOST]
        records = [record for record, _ in batch if record is not None]
        if records:
            count = journal.write(records)
            self._is_full = count == 0
            if self._is_full:  # tried again when the recorder has taken some
                if not self._line.is_busy:
                    self._notify()
                return
            batch = batch if count == len(records) else _first(batch, count)
        del self._waiting[: len(batch)]
        self._writing, self._sync_began = batch, asyncio.get_running_loop().time()
        disk.sync(self._end)

    def _end(self, error: OSError | None) -> None:
        """Take note that a frame is durable, or is not."""
        if error is not None:
            unavailable(error)  # told once
            self._fail()
            return
        assert self._journal is not None  # its sync has just ended
        batch, self._writing = self._writing, []
        self._durable = self._journal.number
        if not self._line.is_asked:
            self._answered = asyncio.get_running_loop().time()
        self._line.probes += [future for record, future in batch if record is None]
        _settle([each for each in batch if each[0] is not None and each[0].change is None], durable=True)
        if changes := [each for each in batch if each[0] is not None and each[0].change is not None]:
            self._changes.append((self._durable, changes))
        if self._waiting:
            self._write_soon()
        if self._line.probes or (self._journal.filled > SIZE // 4 and not self._line.is_busy):
            self._notify()
        else:
            self._remind(LATE_SECONDS)

    def _fail(self) -> None:
        """Fail what waits, and leave the journal once that is possible."""
        changes = [each for _, batch in self._changes for each in batch]
        batch = [*self._writing, *self._give_up_waiting(), *_asking(self._line.give_up()), *changes]
        self._writing = []
        self._changes.clear()
        self._is_refused = False  # the next journal is to find out: nobody asks any more about this one
        if self._disk is not None:
            self._disk.close()  # nothing becomes durable any more in this journal
            self._disk = None
        self._is_spoiled = self._journal is not None
        with suppress(OSError):  # tried again with the next record, and soon
            self._leave_spoiled()
        self._remind(RETRY_SECONDS)
        _settle(batch, durable=False)

    def _leave_spoiled(self) -> None:
        """Leave a journal that failed, what was refused taken out of it: no record may say that it was answered.

        What was durable the recorder finds. OSError while the disk does not let that be done: the journal is kept.
        """
        if self._journal is not None and self._is_spoiled:
            self._journal.withdraw(self._durable)
            self._leave_journal()

    def _leave_journal(self) -> None:
        if self._disk is not None:
            self._disk.close()
        if self._journal is not None:
            self._journal.close()
            self._line.behind = True
            self._line.hang_up()  # the recorder looks for what was left; its answers are about that
        self._disk = self._journal = None
        self._is_spoiled = False

    def _wipe(self) -> None:
        self._wiper = None
        with suppress(OSError):  # there is nothing to lose, and it is tried again
            if self._journal is not None and self._journal.wipe():
                return
        self._wipe_later()

    def _wipe_later(self) -> None:
        if self._wiper is None and not self._line.closed:
            self._wiper = asyncio.get_running_loop().call_later(WIPE_SECONDS, self._wipe)

    # --- the recorder

    def _remind(self, seconds: float) -> None:
        if self._reminder is None and not self._line.closed:
            self._reminder = asyncio.get_running_loop().call_later(seconds, self._notify)

    def _notify(self) -> None:
        """Tell the recorder how far the journal is durable."""
        if self._reminder is not None:
            self._reminder.cancel()
            self._reminder = None
        with suppress(OSError):
            self._leave_spoiled()
        if self._journal is not None and not self._line.closed:
            self._line.tell(self._journal.name, self._durable, probe=self._is_refused)

    def _hear(self, answer: Answer, probes: list[Probe]) -> None:
        """Take note of what the log has."""
        self._answered = asyncio.get_running_loop().time()
        self._is_refused = not answer.durable and not answer.is_broken
        _settle(_asking(probes), durable=answer.durable)
        if self._is_refused:  # else who waits for room would wait for that
            _settle(self._give_up_waiting(), durable=False)
        if answer.is_broken and self._journal is not None:
            reason = (
                f"journal {self._journal.name} does not hold what was written: records of the last moments are missing"
            )
            log.error("alarm", error="JournalBroken", reason=f"{reason}; run: strongroom doctor")
            self._fail()
        elif self._journal is not None:
            self._release(self._journal, answer.frame)
        if self._waiting:
            self._write_soon()

    def _release(self, journal: Journal, frame: int) -> None:
        journal.release(frame)
        while self._changes and self._changes[0][0] <= frame:
            _settle(self._changes.popleft()[1], durable=True)
        if self._is_refused:
            self._remind(RETRY_SECONDS)
        elif frame < self._durable:
            self._remind(LATE_SECONDS)
        self._wipe_later()

    # --- patience

    def _watch(self) -> None:
        """Give up on a disk or a recorder that answers nothing, and look again later while something waits."""
        loop = asyncio.get_running_loop()
        self._alarm = None
        latest = loop.time() - PATIENCE_SECONDS
        late: list[Waiting] = []
        if self._writing and self._sync_began <= latest:
            late = self._writing + self._give_up_waiting()
        if (self._line.is_asked or self._is_full) and self._answered <= latest:
            late += _asking(self._line.give_up()) + (self._give_up_waiting() if self._is_full else [])
            self._line.hang_up()  # so that nothing piles up for a recorder that stands still
        if late:
            log.error("records cannot be made durable in time; requests fail")
            _settle(late, durable=False)  # whoever asked must hear something; what was written may be recorded
        if self._is_waited_for():
            self._alarm = loop.call_later(PATIENCE_SECONDS, self._watch)

    def _give_up_waiting(self) -> list[Waiting]:
        waiting, self._waiting, self._is_full = self._waiting, [], False
        return waiting

    def _is_waited_for(self) -> bool:
        return bool(self._waiting or self._writing or self._line.is_asked)


def _asking(probes: list[Probe]) -> list[Waiting]:
    return [(None, probe) for probe in probes]


def _first(batch: list[Waiting], count: int) -> list[Waiting]:
    """Return the first of a batch, up to so many records."""
    taken = 0
    for place, (record, _) in enumerate(batch):
        taken += record is not None
        if taken == count:
            return batch[: place + 1]
    return batch


def _settle(batch: list[Waiting], *, durable: bool) -> None:
    for _, future in batch:
        if future.done():
            continue  # its request was given up
        if durable:
            future.set_result(None)
        else:
            future.set_exception(StorageUnavailable(UNAVAILABLE))
