"""A courier: what it told durable is in its journal or in the log, whatever fails; and nobody waits for ever."""

import asyncio
from contextlib import closing

import pytest
from msgspec import structs

from journal_doubles import SEAL, FailingDisk, PlayedRecorder, a_sized_record, ids_of, refusing, taking
from strongroom.errors import StorageUnavailable
from strongroom.storage import courier as couriers
from strongroom.storage import journal as journals
from strongroom.storage.courier import PATIENCE_SECONDS, Courier
from strongroom.storage.journal import START, held_orphan, journals_in, read_journal
from strongroom.storage.notices import SOCKET_FILE


@pytest.fixture
def recorder(tmp_path):
    with closing(PlayedRecorder(tmp_path)) as recorder:
        yield recorder


@pytest.fixture
async def courier(tmp_path, recorder):
    with closing(Courier(tmp_path, SEAL)) as courier:
        yield courier


@pytest.fixture
def eager(monkeypatch):
    """Whether the log can be written again is asked without end here."""
    monkeypatch.setattr(couriers, "RETRY_SECONDS", 0.001)


@pytest.fixture
def small(monkeypatch):
    """Journals are soon full here."""
    monkeypatch.setattr(journals, "SIZE", 4096)
    monkeypatch.setattr(journals, "LARGEST", 512)


@pytest.fixture
def disk(monkeypatch):
    disk = FailingDisk()
    monkeypatch.setattr(couriers, "syncing", disk)
    return disk


def kept(place):
    """Return the ids of what the journals of a place hold, whether it was taken or not."""
    return [each for path in journals_in(place) for each in ids_of(read_journal(path, SEAL, START).records)]


def a_change(number=1):
    return structs.replace(a_sized_record(100, number), change=number)


class Clock:
    """The clock of a loop, which a test may set forward."""

    def __init__(self, loop):
        self._real, self._ahead = loop.time, 0.0

    def __call__(self):
        return self._real() + self._ahead

    def forward(self, seconds=PATIENCE_SECONDS):
        self._ahead += seconds


@pytest.fixture
async def clock(monkeypatch):
    loop = asyncio.get_running_loop()
    clock = Clock(loop)
    monkeypatch.setattr(loop, "time", clock)
    return clock


async def turn(condition):
    """Turn the loop until something is so."""
    while not condition():  # noqa: ASYNC110 - whatever ends it
        await asyncio.sleep(0)


class Log:
    """A log that a played recorder takes records into."""

    def __init__(self, place, recorder):
        self._place, self._recorder = place, recorder
        self._positions = {}
        self.records = []

    async def take(self):
        """Take what the next notice tells of, and answer."""
        notice = await self._recorder.notice()
        position = self._positions.get(notice.journal, START)
        page = read_journal(self._place / "journals" / notice.journal, SEAL, position, notice.frame)
        assert not page.is_broken
        self._positions[notice.journal] = page.position
        self.records += page.records
        await self._recorder.answer(notice.frame)


# --- what is durable


async def test_a_record_is_durable_in_the_journal_whether_there_is_a_recorder_or_not(tmp_path):
    record = a_sized_record(100)
    with closing(Courier(tmp_path, SEAL)) as courier:
        await courier.submit(record)
        assert kept(tmp_path) == [record.record_id]


async def test_the_recorder_hears_of_many_at_once(tmp_path, courier, recorder):
    records = [a_sized_record(100, number) for number in range(700)]
    await asyncio.gather(*map(courier.submit, records))
    log = Log(tmp_path, recorder)
    count = 0
    while len(log.records) < 700:
        await log.take()
        count += 1
    assert ids_of(log.records) == ids_of(records)
    assert count < 50


async def test_the_record_of_a_change_has_its_end_when_the_log_has_it(courier, recorder):
    plain, change = courier.submit(a_sized_record(1)), courier.submit(a_change())
    await plain
    await recorder.notice_of(1)
    assert not change.done()
    await recorder.answer(0)
    await recorder.notice_of(1)
    assert not change.done()
    await recorder.answer(1)
    await change


async def test_who_gives_up_waiting_takes_nothing_from_others(tmp_path, courier, recorder):
    records = [a_sized_record(1, number) for number in range(3)]
    first, given_up, last = map(courier.submit, records)
    given_up.cancel()
    await asyncio.gather(first, last)
    assert kept(tmp_path) == ids_of(records)


async def test_what_is_too_large_for_any_journal_fails_alone(tmp_path, courier, recorder):
    records = [a_sized_record(size) for size in (1, journals.SIZE, 2)]
    probe = courier.submit(None)
    outcomes = asyncio.gather(*map(courier.submit, records), return_exceptions=True)
    async with taking(recorder):
        assert [type(outcome) for outcome in await outcomes] == [type(None), StorageUnavailable, type(None)]
        await probe


async def test_records_come_faster_than_a_journal_has_room_and_none_is_lost(tmp_path, small, courier, recorder):
    records = [a_sized_record(size % 600, size) for size in range(0, 60000, 397)]
    waiting = asyncio.gather(*map(courier.submit, records))
    log = Log(tmp_path, recorder)
    while len(log.records) < len(records):
        assert not waiting.done()
        await log.take()
    await waiting
    assert ids_of(log.records) == ids_of(records)


async def test_what_was_taken_is_wiped_after_a_while(tmp_path, courier, recorder, monkeypatch):
    monkeypatch.setattr(couriers, "WIPE_SECONDS", 0.001)
    await courier.submit(a_sized_record(1000))
    (path,) = journals_in(tmp_path)
    await turn(lambda: path.read_bytes().strip(b"\0"))
    async with taking(recorder):
        await turn(lambda: not path.read_bytes().strip(b"\0"))
        record = a_sized_record(1000)
        await courier.submit(record)
        await turn(lambda: not path.read_bytes().strip(b"\0"))


# --- whether the log can be written


async def test_who_asks_hears_what_the_recorder_answers(courier, recorder):
    for durable in (True, False, True):
        asked = courier.submit(None)
        while not (notice := await recorder.notice()).probe:
            await recorder.answer()
        assert notice.frame == 0
        await recorder.answer(durable=durable)
        outcome = (await asyncio.gather(asked, return_exceptions=True))[0]
        assert (outcome is None) == durable


async def accepted(courier, record):
    """Submit a record until it is accepted."""
    while True:
        try:
            return await courier.submit(record)
        except StorageUnavailable:
            await asyncio.sleep(0)


async def refused(courier):
    """Ask until the log is known not to be written."""
    while not (asked := courier.submit(a_sized_record(1))).done():
        asked.add_done_callback(asyncio.Future.exception)  # which may be told later
        await asyncio.sleep(0)
    assert asked.exception() is not None


async def test_while_the_log_cannot_be_written_nothing_is_accepted_and_what_was_is_kept(
    tmp_path, eager, courier, recorder
):
    first, later = a_sized_record(1), a_sized_record(2)
    await courier.submit(first)
    (path,) = journals_in(tmp_path)
    page = read_journal(path, SEAL, START)
    assert ids_of(page.records) == [first.record_id]
    await recorder.notice_of(1)
    for _ in range(3):
        await recorder.answer(durable=False)
        assert (await recorder.notice_of(1)).probe  # it asks again by itself
        with pytest.raises(StorageUnavailable):
            await courier.submit(a_sized_record(3))
    await recorder.answer(1)
    await accepted(courier, later)
    assert ids_of(read_journal(path, SEAL, page.position).records) == [later.record_id]


async def test_who_waits_for_room_while_the_log_cannot_be_written_hears_that(small, eager, courier, recorder):
    waiting = [courier.submit(a_sized_record(500, number)) for number in range(20)]
    asked = courier.submit(None)

    async with refusing(recorder):
        outcomes = await asyncio.gather(*waiting, asked, return_exceptions=True)
    durable = [outcome is None for outcome in outcomes]
    assert any(durable)
    assert durable == sorted(durable, reverse=True)
    assert not durable[-1]


# --- a disk that fails


@pytest.mark.parametrize("was_taken", [False, True])
async def test_what_a_disk_loses_fails_and_the_next_is_kept_in_another_journal(
    tmp_path, disk, courier, recorder, was_taken
):
    record, lost, change, later = a_sized_record(1), a_sized_record(2), a_change(), a_sized_record(3)
    changed = courier.submit(change)
    await courier.submit(record)
    (before,) = journals_in(tmp_path)
    if was_taken:
        await recorder.take()
        await changed
    disk.error = OSError(5, "no disk")
    asked = courier.submit(None)
    with pytest.raises(StorageUnavailable):
        await courier.submit(lost)
    outcomes = await asyncio.gather(asked, changed, return_exceptions=True)
    assert [outcome is None for outcome in outcomes] == [False, was_taken]
    disk.error = None
    left = journals_in(tmp_path)
    assert [is_orphan(path) for path in left] == ([] if was_taken else [True])
    assert kept(tmp_path) == ([] if was_taken else ids_of([change, record]))  # and nothing that was refused
    await courier.submit(later)
    assert len(journals_in(tmp_path)) == len(left) + 1
    while (notice := await recorder.notice()).journal == before.name:
        pass
    assert notice.behind  # so that the recorder looks for what was left
    assert later.record_id in kept(tmp_path)


async def test_a_disk_that_fails_whenever_it_is_asked_is_not_filled_by_that(tmp_path, disk, courier, recorder):
    disk.error = OSError(5, "no disk")
    for number in range(10):
        with pytest.raises(StorageUnavailable):
            await courier.submit(a_sized_record(number))
        assert journals_in(tmp_path) == []


async def test_who_asked_when_the_disk_failed_is_told(disk, courier, recorder):
    asked = courier.submit(None)
    await recorder.notice()
    disk.error = OSError(5, "no disk")
    with pytest.raises(StorageUnavailable):
        await courier.submit(a_sized_record(1))
    with pytest.raises(StorageUnavailable):
        await asked


async def test_a_disk_and_a_log_that_fail_together_are_used_again_together(eager, disk, courier, recorder):
    await courier.submit(a_sized_record(1))
    await recorder.notice_of(1)
    disk.is_hanging = True
    under_way = courier.submit(a_sized_record(2))
    await turn(lambda: disk.hung)
    await recorder.answer(durable=False)
    await refused(courier)
    disk.error = OSError(5, "no disk")
    asked = courier.submit(None)
    disk.go_on()
    await asyncio.gather(under_way, asked, return_exceptions=True)
    assert asked.exception() is not None
    disk.error = None
    async with taking(recorder):
        await accepted(courier, a_sized_record(3))


async def test_a_journal_that_cannot_be_made_fails_what_waits_and_the_next_is_tried_anew(
    tmp_path, courier, recorder, monkeypatch
):
    def fail(*_):
        raise OSError(28, "full")

    with monkeypatch.context() as patched:
        patched.setattr(journals.os, "posix_fallocate", fail)
        for record in (a_sized_record(1), None):
            with pytest.raises(StorageUnavailable):
                await courier.submit(record)
    assert journals_in(tmp_path) == []
    await courier.submit(a_sized_record(1))


# --- a recorder that cannot read the journal


async def test_a_journal_that_the_recorder_cannot_read_is_left(tmp_path, courier, recorder):
    change = courier.submit(a_change())
    await courier.submit(a_sized_record(1))
    notice = await recorder.notice_of(1)
    asked = courier.submit(None)
    await recorder.answer(durable=False, is_broken=True)
    for each in (change, asked):
        with pytest.raises(StorageUnavailable):
            await each
    record = a_sized_record(2)
    await courier.submit(record)  # it is not that the log cannot be written
    another = await recorder.notice()
    assert another.journal != notice.journal
    assert another.behind
    page = read_journal(tmp_path / "journals" / another.journal, SEAL, START)
    assert ids_of(page.records) == [record.record_id]


async def test_answers_that_nobody_asked_for_end_the_line_and_another_is_made(courier, recorder, caplog):
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    await courier.submit(a_sized_record(1))
    await recorder.notice()
    for _ in range(3):
        await recorder.answer(1)
    asked = courier.submit(None)
    async with taking(recorder):
        await asked


# --- patience


async def test_a_disk_that_hangs_fails_what_waits_and_is_used_again_when_it_answers(
    tmp_path, clock, disk, courier, recorder
):
    disk.is_hanging = True
    written, waiting = a_sized_record(1), a_sized_record(2)
    first = courier.submit(written)
    await turn(lambda: disk.hung)
    second, asked = courier.submit(waiting), courier.submit(None)
    clock.forward()
    for each in (first, second, asked):
        with pytest.raises(StorageUnavailable):
            await each
    later = courier.submit(a_sized_record(3))
    disk.go_on()
    await later
    assert len(kept(tmp_path)) == 2  # what was not written is not recorded
    assert waiting.record_id not in kept(tmp_path)


async def test_who_asks_a_recorder_that_hangs_is_told_in_time_and_the_line_is_cut(clock, courier, recorder):
    asked = courier.submit(None)
    assert (await recorder.notice()).probe
    clock.forward()
    with pytest.raises(StorageUnavailable):
        await asked
    await recorder.hung_up()  # so that nothing piles up there
    await courier.submit(a_sized_record(1))
    async with taking(recorder):
        await courier.submit(None)


async def test_who_asks_a_recorder_that_hangs_is_told_though_the_disk_answers_all_the_time(clock, courier, recorder):
    asked = courier.submit(None)
    await recorder.notice()
    for _ in range(3 * int(PATIENCE_SECONDS)):
        await courier.submit(a_sized_record(1))  # which fails for nothing
        clock.forward(1)
    assert asked.exception() is not None


async def test_who_waits_for_a_disk_that_hangs_is_told_though_the_recorder_answers_all_the_time(
    clock, eager, disk, courier, recorder
):
    await courier.submit(a_sized_record(1))
    disk.is_hanging = True
    waiting = courier.submit(a_sized_record(2))
    await turn(lambda: disk.hung)
    for _ in range(3 * int(PATIENCE_SECONDS)):
        await recorder.notice()
        await recorder.answer(durable=False)
        clock.forward(1)
    with pytest.raises(StorageUnavailable):
        await waiting


async def test_who_waits_for_nothing_costs_no_line(clock, courier, recorder):
    async with taking(recorder):
        await courier.submit(None)
    clock.forward(3 * PATIENCE_SECONDS)
    asked = courier.submit(None)
    assert (await recorder.notice()).behind is False  # the same line
    await recorder.answer()
    await asked


async def test_who_waits_for_room_is_told_in_time_and_what_was_written_is_kept(small, clock, courier, recorder):
    waiting = [courier.submit(a_sized_record(500, number)) for number in range(9)]
    await asyncio.gather(*waiting[:7])
    await recorder.notice_of(7)
    clock.forward()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [outcome is None for outcome in outcomes] == [True] * 7 + [False] * 2
    async with taking(recorder):
        await courier.submit(a_sized_record(500))


async def test_changes_of_which_no_answer_comes_keep_nobody_waiting(clock, courier, recorder):
    change, asked = courier.submit(a_change()), courier.submit(None)
    assert (await recorder.notice()).probe
    clock.forward()
    with pytest.raises(StorageUnavailable):
        await asked
    async with taking(recorder):
        await change


# --- the recorder comes and goes


async def test_a_recorder_that_came_anew_hears_all_that_the_last_one_did_not_answer(tmp_path, courier, recorder):
    await courier.submit(a_sized_record(1))
    asked = courier.submit(None)
    while not (await recorder.notice()).probe:
        pass
    recorder.drop()
    notice = await recorder.notice()
    assert (notice.frame, notice.behind, notice.probe) == (1, True, True)
    await recorder.answer(1)
    await asked


async def test_without_a_socket_it_is_tried_until_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr("strongroom.storage.line.REDIAL_SECONDS", 0.001)
    with closing(Courier(tmp_path, SEAL)) as courier:
        await courier.submit(a_sized_record(1))
        asked = courier.submit(None)
        (tmp_path / SOCKET_FILE).symlink_to("none")
        (tmp_path / SOCKET_FILE).unlink()
        with closing(PlayedRecorder(tmp_path)) as recorder:
            async with taking(recorder):
                await asked


# --- the end


async def test_one_that_is_closed_takes_nothing_and_lets_go_of_its_journal(tmp_path, recorder):
    courier = Courier(tmp_path, SEAL)
    record = a_sized_record(1)
    await courier.submit(record)
    await recorder.notice()
    courier.close()
    assert kept(tmp_path) == [record.record_id]
    assert is_orphan(*journals_in(tmp_path))
    with pytest.raises(StorageUnavailable):
        courier.submit(a_sized_record(1))
    recorder.drop()


def is_orphan(path):
    with held_orphan(path) as is_held:
        return is_held


@pytest.mark.parametrize("turns", range(15))
async def test_one_may_be_closed_at_any_moment(tmp_path, disk, recorder, turns):
    """While a frame is written, or made durable, or a connection made: nothing is left open, and nothing told."""
    disk.is_quick = True
    courier = Courier(tmp_path, SEAL)
    submitted = [courier.submit(a_sized_record(1)), courier.submit(None)]
    for _ in range(turns):
        await asyncio.sleep(0)
    courier.close()
    before = [each.done() for each in submitted]
    for _ in range(20):
        await asyncio.sleep(0)
    assert [each.done() for each in submitted] == before
    assert all(map(is_orphan, journals_in(tmp_path)))
    await recorder.all_hung_up()
