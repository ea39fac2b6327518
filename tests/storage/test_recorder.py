"""The recorder, in a process of its own, as a server has it: what journals hold comes into the log, once."""

import asyncio
import fcntl
import os
import signal
from contextlib import closing

import pytest
from msgspec import structs

from journal_doubles import FailingDisk, ids_of, write_all
from storage_doubles import CUSTODIAN, a_record, seal_of_rows
from storage_kinds import (
    RecorderProcess,
    SqliteWithRecorder,
    counting,
    is_whole,
    keep,
    play_elsewhere,
    reach_the_log,
)
from strongroom.audit.log import whole_chain
from strongroom.errors import StorageUnavailable
from strongroom.meters import CommitMeter, Meters
from strongroom.storage import courier
from strongroom.storage import recorder as recorders
from strongroom.storage.connection import AUDIT_FILE
from strongroom.storage.courier import Courier
from strongroom.storage.journal import Journal, damaged_in, journals_in
from strongroom.storage.notices import SOCKET_FILE, Answer, Answers, Notice, Notices, dial, listen
from strongroom.storage.recorder import Recorder
from strongroom.storage.sqlite import SqliteStorage, open_keeper


@pytest.fixture
def recorder(place):
    SqliteStorage.open(place, CUSTODIAN).close()
    recorder = RecorderProcess(place)
    yield recorder
    recorder.end()


@pytest.fixture
async def recorded(place, recorder):
    storage = SqliteStorage.open(place, CUSTODIAN, recording=lambda seal: Courier(place, seal))
    yield storage
    storage.close()


@pytest.fixture
def journal(place, recorder):
    """A journal of a worker that the test plays."""
    with closing(Journal(place, seal_of_rows(place))) as journal:
        yield journal


@pytest.fixture
def worker(place, recorder):
    """A connection of a worker that the test plays."""
    with closing(dial(place)) as worker:
        worker.setblocking(True)
        yield worker


def ids(storage):
    return [entry.record.record_id for entry in whole_chain(storage.records)]


def in_log(place):
    with closing(SqliteStorage.open(place, CUSTODIAN)) as storage:
        assert is_whole(storage)
        return ids(storage)


def let_go(journal):
    """Be dead: nobody holds the journal any more."""
    fcntl.flock(journal.handle, fcntl.LOCK_UN)


async def record_on(storage):
    """Record until that is refused."""
    while True:
        await storage.record(a_record(9))


def notice_of(journal, *, frame=None, behind=False, probe=False):
    return Notice(journal.name, journal.number if frame is None else frame, behind=behind, probe=probe).encode()


def heard(connection, count=1):
    """Return what is answered on a connection until so much is, or until it ends."""
    answers, found = Answers(), []
    while len(found) < count and (data := connection.recv(1024)):
        found += answers.read(data)
    return found


# --- workers as they are


async def test_records_of_one_turn_are_durable_together(place, recorded):
    records = [a_record(number) for number in range(50)]
    await asyncio.gather(*map(recorded.record, records))
    assert set(recorded.records.pending()) | {entry.record for entry in recorded.records.after(0, 50)} == set(records)
    await reach_the_log(recorded)
    assert ids(recorded) == ids_of(records)
    assert is_whole(recorded)


async def test_what_a_dead_recorder_did_not_take_is_taken_once_by_its_successor(recorded, recorder):
    await recorded.record(a_record())
    recorder.process.send_signal(signal.SIGSTOP)
    await asyncio.gather(*[recorded.record(a_record(number)) for number in range(20)])
    assert await recorded.change(counting(a_record(99))) == 1
    asked = asyncio.ensure_future(recorded.is_writable())
    recorder.kill()
    assert len(recorded.records.pending()) in {21, 22}
    assert not asked.done()
    recorder.start()
    assert await asked
    await recorded.record(a_record(100))
    await reach_the_log(recorded)
    found = ids(recorded)
    assert len(found) == len(set(found)) == 23
    assert is_whole(recorded)


async def test_a_recorder_killed_again_and_again_loses_and_doubles_nothing(recorded, recorder):
    records = []
    for number in range(5):
        records += [a_record(number) for number in range(30)]
        waiting = [asyncio.ensure_future(recorded.record(record)) for record in records[-30:]]
        for _ in range(2 * number):
            await asyncio.sleep(0)
        recorder.kill()
        recorder.start()
        await asyncio.gather(*waiting)
    await reach_the_log(recorded)
    found = ids(recorded)
    assert len(found) == len(set(found)) == 150
    assert set(found) == set(ids_of(records))
    assert is_whole(recorded)


async def test_without_a_recorder_what_is_durable_waits_and_who_asks_hears_in_time(
    place, recorded, recorder, monkeypatch
):
    recorder.kill()
    with monkeypatch.context() as impatient:
        impatient.setattr(courier, "PATIENCE_SECONDS", 0.05)
        assert not await recorded.is_writable()
        (place / SOCKET_FILE).unlink()  # not even the socket is there
        assert not await recorded.is_writable()
    await asyncio.gather(*[recorded.record(a_record(number)) for number in range(2)])
    assert len(recorded.records.pending()) == 2


async def test_what_cannot_be_recorded_fails_and_is_made_up_for(place, recorded):
    first, kept = a_record(), a_record(7)
    audit = place / AUDIT_FILE
    audit.rename(place / "away")
    await recorded.record(first)  # it is durable in the journal, whatever became of the log
    assert not await recorded.is_writable()
    with pytest.raises(StorageUnavailable):
        await recorded.record(a_record())
    assert await recorded.change(counting(kept)) == 1
    (place / "away").rename(audit)
    while not await recorded.is_writable():
        pass
    later = a_record(8)
    await recorded.record(later)
    await reach_the_log(recorded)
    assert set(ids(recorded)) == set(ids_of([first, kept, later]))
    assert len(ids(recorded)) == 3


async def test_a_log_that_can_be_written_again_is_written_though_nobody_asks(place, recorded, monkeypatch):
    monkeypatch.setattr(courier, "RETRY_SECONDS", 0.01)
    (place / AUDIT_FILE).rename(place / "away")
    records = [a_record(number) for number in range(3)]
    await asyncio.gather(*map(recorded.record, records))
    with pytest.raises(StorageUnavailable):
        await record_on(recorded)
    (place / "away").rename(place / AUDIT_FILE)
    await reach_the_log(recorded)
    assert set(ids(recorded)) >= set(ids_of(records))


async def test_a_worker_that_goes_leaves_no_journal(place, recorded):
    await recorded.record(a_record())
    (left,) = journals_in(place)
    recorded.close()
    while left.exists():  # noqa: ASYNC110 - the recorder removes it
        await asyncio.sleep(0.001)
    assert len(in_log(place)) == 1


# --- workers that end, or stand still


def reported_by(worker, count):
    """Return the ids of so many records of which a worker in another process has told that they are durable."""
    return {bytes.fromhex(worker.stdout.readline().decode()) for _ in range(count)}


def rest_of(worker):
    """Return the ids of what a worker has told of before it was killed."""
    rest, _ = worker.communicate()
    return {bytes.fromhex(line.decode()) for line in rest.split(b"\n")[:-1]}


@pytest.mark.parametrize("with_recorder", [True, False])
def test_workers_killed_at_any_moment_lose_and_double_nothing_they_told_durable(tmp_path, with_recorder):
    kind = SqliteWithRecorder.make(tmp_path / "data")
    kind.serve()
    reported = set()
    for count in (1, 8, 60):
        workers = [play_elsewhere(kind, keep) for _ in range(2)]
        for worker in workers:
            reported |= reported_by(worker, count)
        if not with_recorder:
            kind.recorder.kill()  # what is told from here on lies in journals alone
            for worker in workers:
                reported |= reported_by(worker, count)
        for worker in workers:
            worker.kill()
            reported |= rest_of(worker)
        if not with_recorder:
            kind.recorder.start()
    kind.close()
    found = in_log(kind.place)
    assert len(found) == len(set(found))
    assert reported <= set(found)
    assert journals_in(kind.place) == []


def test_the_journal_of_a_worker_that_stands_still_is_nobody_elses(tmp_path):
    kind = SqliteWithRecorder.make(tmp_path / "data")
    kind.serve()
    kind.recorder.process.send_signal(signal.SIGSTOP)
    worker = play_elsewhere(kind, keep)
    reported = reported_by(worker, 30)
    worker.send_signal(signal.SIGSTOP)
    with closing(SqliteStorage.open(kind.place, CUSTODIAN)) as storage:
        known = {*ids(storage), *ids_of(storage.records.pending())}
        assert reported <= known
        assert len(journals_in(kind.place)) == 1
    kind.recorder.process.send_signal(signal.SIGCONT)
    worker.send_signal(signal.SIGCONT)
    reported |= reported_by(worker, 30)
    worker.kill()
    reported |= rest_of(worker)
    kind.close()
    found = in_log(kind.place)
    assert len(found) == len(set(found))
    assert reported <= set(found)


def test_what_a_failure_of_power_cut_off_stays_as_evidence_and_what_was_whole_is_taken(place):
    records = [a_record(number) for number in range(3)]
    journal = Journal(place, seal_of_rows(place))
    positions = write_all(journal, records)
    os.pwrite(journal.handle, bytes(60), positions[2].end + 40)
    journal.close()
    empty = Journal(place, seal_of_rows(place))
    empty.close()
    assert in_log(place) == ids_of(records[:2])
    assert [path.stem for path in damaged_in(place)] == [journal.name]
    assert journals_in(place) == []


def test_a_journal_that_is_put_back_holds_nothing_new(place):
    journal = Journal(place, seal_of_rows(place))
    write_all(journal, [a_record(number) for number in range(3)])
    content = journal.path.read_bytes()
    journal.close()
    assert len(in_log(place)) == 3
    assert not journal.path.exists()
    journal.path.write_bytes(content)
    assert len(in_log(place)) == 3


async def test_what_is_in_a_journal_that_a_disk_failed_comes_into_the_log(place, recorder, monkeypatch):
    disk = FailingDisk()
    monkeypatch.setattr(courier, "syncing", disk)
    storage = SqliteStorage.open(place, CUSTODIAN, recording=lambda seal: Courier(place, seal))
    told = a_record(1)
    recorder.process.send_signal(signal.SIGSTOP)
    await storage.record(told)
    disk.error = OSError(5, "no disk")
    for number in range(20):
        with pytest.raises(StorageUnavailable):
            await storage.record(a_record(number))
    assert len(journals_in(place)) == 1
    recorder.process.send_signal(signal.SIGCONT)
    disk.error = None
    later = a_record(10)
    await storage.record(later)
    await reach_the_log(storage)
    assert ids(storage) == [told.record_id, later.record_id]
    storage.close()


# --- workers that a test plays


def test_up_to_where_notice_was_given_the_log_has_it_when_that_is_answered(place, journal, worker):
    records = [a_record(number) for number in range(6)]
    write_all(journal, records)
    for frame in (2, 2, 5):
        worker.sendall(notice_of(journal, frame=frame))
        assert heard(worker) == [Answer(durable=True, frame=frame)]
        with closing(SqliteStorage.open(place, CUSTODIAN)) as storage:  # which finds that it is no orphan
            assert ids(storage) == ids_of(records[:frame])
            assert ids_of(storage.records.pending()) == ids_of(records[frame:])
    let_go(journal)
    assert in_log(place) == ids_of(records)
    assert journals_in(place) == []


def test_a_change_that_came_into_the_log_by_the_outbox_is_not_on_its_way_any_more(place, journal, worker):
    change, plain = structs.replace(a_record(1), change=1), a_record(2)
    journal.write([change, plain])
    with closing(open_keeper(place, CUSTODIAN)) as keeper:
        keeper.keep([change], behind=False)
    with closing(SqliteStorage.open(place, CUSTODIAN)) as storage:
        assert ids_of(storage.records.pending()) == [plain.record_id]
    worker.sendall(notice_of(journal))
    assert heard(worker) == [Answer(durable=True, frame=1)]
    assert in_log(place) == [change.record_id, plain.record_id]


def test_notices_may_come_in_pieces_and_many_at_once(place, journal, worker):
    write_all(journal, [a_record(number) for number in range(3)])
    content = notice_of(journal, frame=1, behind=True) + notice_of(journal, frame=2) + notice_of(journal, probe=True)
    for piece in (content[:2], content[2:50], content[50:]):
        worker.sendall(piece)
    assert heard(worker, 3) == [Answer(durable=True, frame=frame) for frame in (1, 2, 3)]
    assert len(in_log(place)) == 3


NONSENSE = {
    "bytes that are no name": b"\xff" * 42,
    "a path": Notice("../" * 10 + "ab", 1, behind=False, probe=False).encode(),
    "nothing but zeros": bytes(42),
}


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE)
async def test_who_sends_nonsense_is_dropped_and_nobody_else(recorded, worker, nonsense):
    await recorded.record(a_record())
    worker.sendall(nonsense)
    assert worker.recv(1) == b""
    await recorded.record(a_record())
    await reach_the_log(recorded)
    assert len(ids(recorded)) == 2


async def test_who_reads_no_answers_holds_up_nobody(recorded, worker, journal):
    worker.sendall(notice_of(journal) * 5000)
    assert await recorded.is_writable()


def test_who_goes_without_reading_what_he_is_answered_leaves_the_recorder_there(place, recorder, journal):
    for _ in range(5):
        with closing(dial(place)) as worker:
            worker.setblocking(True)
            worker.sendall(notice_of(journal, probe=True))
    with closing(dial(place)) as worker:
        worker.setblocking(True)
        worker.sendall(notice_of(journal, probe=True))
        assert heard(worker) == [Answer(durable=True, frame=0)]
    assert recorder.process.poll() is None


def test_a_record_that_cannot_be_linked_breaks_its_journal_alone_and_the_recorder_lives_on(
    place, recorder, journal, worker
):
    journal.write([structs.replace(a_record(), change=-1)])  # no number of a change
    with closing(Journal(place, seal_of_rows(place))) as other:
        other.write([a_record(1)])
        worker.sendall(notice_of(journal) + notice_of(other))  # mostly in one commit
        assert heard(worker, 2) == [Answer(durable=False, frame=0, is_broken=True), Answer(durable=True, frame=1)]
    let_go(journal)
    assert len(in_log(place)) == 1  # nor does it keep a server from its start
    assert [path.stem for path in damaged_in(place)] == [journal.name]
    assert recorder.process.poll() is None


def test_a_journal_that_is_not_as_its_worker_says_is_told_to_it_alone(place, journal, worker):
    with closing(Journal(place, seal_of_rows(place))) as other:
        records = [a_record(number) for number in range(4)]
        write_all(journal, records[:3])
        other.write(records[3:])
        os.pwrite(journal.handle, b"?", 150)  # in the first frame
        worker.sendall(notice_of(journal) + notice_of(other))
        broken = Answer(durable=False, frame=0, is_broken=True)
        assert heard(worker, 2) == [broken, Answer(durable=True, frame=1)]
        worker.sendall(notice_of(other, frame=2))  # there are not so many
        assert heard(worker) == [broken]
        journal.path.unlink()
        worker.sendall(notice_of(journal))
        assert heard(worker) == [broken]
    assert in_log(place) == [records[3].record_id]


def test_a_journal_that_cannot_be_read_is_told_and_keeps_nobody_from_recording(place, journal, worker):
    journal.write([a_record(1)])
    journal.path.unlink()
    journal.path.mkdir()
    worker.sendall(notice_of(journal, behind=True))
    assert heard(worker) == [Answer(durable=False, frame=0, is_broken=True)]
    with closing(SqliteStorage.open(place, CUSTODIAN)) as storage:
        assert storage.records.pending() == ()  # what is no journal is none to readers
    with closing(Journal(place, seal_of_rows(place))) as other:
        other.write([a_record(2)])
        worker.sendall(notice_of(other, behind=True))
        assert heard(worker) == [Answer(durable=True, frame=1)]
    journal.path.rmdir()


def test_a_position_that_was_edited_makes_its_journal_none_of_ours(place, journal, worker, sql):
    records = [a_record(number) for number in range(3)]
    positions = write_all(journal, records)
    worker.sendall(notice_of(journal, frame=2))
    assert heard(worker) == [Answer(durable=True, frame=2)]
    sql("UPDATE journals SET frame = 1, ending = ?", (positions[1].end,), file=AUDIT_FILE)
    worker.sendall(notice_of(journal))
    assert heard(worker) == [Answer(durable=False, frame=0, is_broken=True)]
    with closing(SqliteStorage.open(place, CUSTODIAN)) as storage:
        assert storage.records.pending() == ()
    let_go(journal)
    assert in_log(place) == ids_of(records[:2])
    assert [path.stem for path in damaged_in(place)] == [journal.name]
    assert journals_in(place) == []


# --- the recorder itself


@pytest.fixture
def _own_signals():
    """Give this process back what a recorder in it took."""
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, handler)


@pytest.mark.usefixtures("_own_signals")
def test_a_recorder_that_has_nothing_to_do_turns_all_the_same(place, monkeypatch):
    monkeypatch.setattr(recorders, "TURN_SECONDS", 0.01)
    SqliteStorage.open(place, CUSTODIAN).close()
    lifeline, held = os.pipe()
    turns = []

    def turn():
        turns.append(held)
        if len(turns) == 3:
            os.close(held)  # it ends only if it turns

    with closing(listen(place)) as listener, closing(open_keeper(place, CUSTODIAN)) as keeper:
        Recorder(listener, keeper, lifeline, CommitMeter(Meters({}), "records"), turn).run()
    os.close(lifeline)


@pytest.mark.usefixtures("_own_signals")
def test_a_recorder_takes_what_is_left_before_it_ends(place):
    """Though it ends before its first turn, and who called has hung up before he was heard."""
    SqliteStorage.open(place, CUSTODIAN).close()
    journal = Journal(place, seal_of_rows(place))
    journal.write([a_record(1)])
    journal.close()
    lifeline, held = os.pipe()
    os.close(held)
    with closing(listen(place)) as listener, closing(open_keeper(place, CUSTODIAN)) as keeper:
        recorder = Recorder(listener, keeper, lifeline, CommitMeter(Meters({}), "records"), lambda: None)
        recorder._accept(listener)
        recorder.run()
    os.close(lifeline)
    assert journals_in(place) == []
    assert len(in_log(place)) == 1


# --- messages


def test_notices_are_read_as_they_were_written():
    told = [Notice(f"{7:032x}", 2**40, behind=True, probe=False), Notice("f" * 32, 0, behind=False, probe=True)]
    notices = Notices()
    stream = b"".join(notice.encode() for notice in told)
    assert [notice for byte in stream for notice in notices.read(bytes([byte]))] == told


def test_answers_are_read_as_they_were_written():
    told = [Answer(durable=True, frame=2**40), Answer(durable=False, frame=0, is_broken=True)]
    answers = Answers()
    stream = b"".join(answer.encode() for answer in told)
    assert [answer for byte in stream for answer in answers.read(bytes([byte]))] == told


def test_a_data_directory_may_lie_deep(tmp_path):
    deep = tmp_path.joinpath(*["deep" * 20] * 3)
    deep.mkdir(parents=True)
    for _ in range(2):  # what an earlier server left is replaced
        listener = listen(deep)
        dial(deep).close()
        listener.close()
    assert (deep / SOCKET_FILE).is_socket()


def test_where_there_can_be_no_socket_that_is_told(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        listen(tmp_path / "none")
    with pytest.raises(OSError, match="No such file"):
        dial(tmp_path / "none")
