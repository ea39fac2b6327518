"""The recorder and the way to it, with a recorder in a process of its own, as a server has it."""

import asyncio
import os
import signal
from contextlib import closing

import pytest
from msgspec import structs

from storage_doubles import CUSTODIAN, a_record
from storage_kinds import RecorderProcess, counting, is_whole
from strongroom.audit.log import whole_chain
from strongroom.errors import StorageUnavailable
from strongroom.meters import CommitMeter, Meters
from strongroom.storage import courier
from strongroom.storage import recorder as recorders
from strongroom.storage.connection import AUDIT_FILE
from strongroom.storage.courier import Courier
from strongroom.storage.frames import (
    SOCKET_FILE,
    Answer,
    Answers,
    Frame,
    Incoming,
    dial,
    encode_answer,
    encode_frame,
    listen,
)
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
    storage = SqliteStorage.open(place, CUSTODIAN, recording=Courier(place))
    yield storage
    storage.close()


def ids(storage):
    return [entry.record.record_id for entry in whole_chain(storage.records)]


def heard(connection, frames=0):
    """Return what is answered on a connection until so many frames are, or until it ends: a greeting comes first."""
    answers, found = Answers(), []
    while sum(answer.frames for answer in found) < frames or not found:
        data = connection.recv(1024)
        if not data:
            return found
        found += answers.take(data)
    return found


async def test_records_of_one_turn_are_durable_together(recorded):
    records = [a_record(number) for number in range(50)]
    await asyncio.gather(*map(recorded.record, records))
    assert ids(recorded) == [record.record_id for record in records]
    assert is_whole(recorded)


async def test_what_a_dead_recorder_did_not_answer_is_recorded_once_by_its_successor(recorded, recorder):
    await recorded.record(a_record())
    recorder.process.send_signal(signal.SIGSTOP)
    waiting = [asyncio.ensure_future(recorded.record(a_record(number))) for number in range(20)]
    changing = asyncio.ensure_future(recorded.change(counting(a_record(99))))
    assert await changing == 1  # a change has its record in the outbox: it waits for nobody
    recorder.kill()
    assert not any(each.done() for each in waiting)
    recorder.start()
    await asyncio.gather(*waiting)
    await recorded.record(a_record(100))
    found = ids(recorded)
    assert len(found) == len(set(found)) == 23
    assert recorded.records.pending() == ()
    assert is_whole(recorded)


async def test_a_recorder_killed_again_and_again_loses_and_doubles_nothing(recorded, recorder):
    for number in range(5):
        records = [a_record(number) for number in range(30)]
        waiting = [asyncio.ensure_future(recorded.record(record)) for record in records]
        for _ in range(number):
            await asyncio.sleep(0)
        recorder.kill()
        recorder.start()
        await asyncio.gather(*waiting)
        assert set(ids(recorded)) >= {record.record_id for record in records}
    found = ids(recorded)
    assert len(found) == len(set(found)) == 150
    assert is_whole(recorded)


async def test_records_that_nobody_takes_fail_in_time(place, recorded, recorder, monkeypatch):
    monkeypatch.setattr(courier, "PATIENCE_SECONDS", 0.05)
    recorder.kill()
    with pytest.raises(StorageUnavailable):
        await recorded.record(a_record())
    assert not await recorded.is_writable()
    (place / SOCKET_FILE).unlink()  # not even the socket is there
    with pytest.raises(StorageUnavailable):
        await recorded.record(a_record())


async def test_nothing_piles_up_for_a_recorder_that_stands_still(recorded, recorder, monkeypatch):
    await recorded.record(a_record())
    recorder.process.send_signal(signal.SIGSTOP)
    with monkeypatch.context() as impatient:
        impatient.setattr(courier, "PATIENCE_SECONDS", 0.05)
        for number in range(1, 4):
            connection = recorded._recording._transport
            with pytest.raises(StorageUnavailable):
                await recorded.record(a_record(number))
            assert connection is None or connection.is_closing()
    recorder.process.send_signal(signal.SIGCONT)
    last = a_record(9)
    await recorded.record(last)
    found = ids(recorded)
    assert len(found) == len(set(found))
    assert last.record_id in found
    assert is_whole(recorded)


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


async def test_what_cannot_be_recorded_fails_and_is_made_up_for(place, recorded):
    kept = a_record(7)
    audit = place / AUDIT_FILE
    audit.rename(place / "away")
    with pytest.raises(StorageUnavailable):
        await recorded.record(a_record())
    assert not await recorded.is_writable()
    assert await recorded.change(counting(kept)) == 1
    (place / "away").rename(audit)
    later = a_record(8)
    await recorded.record(later)
    assert ids(recorded) == [kept.record_id, later.record_id]


async def test_who_sends_nonsense_is_dropped_and_nobody_else(place, recorded):
    await recorded.record(a_record())
    stranger = dial(place)
    stranger.setblocking(True)
    stranger.sendall(b"\x04\x00\x00\x00oops")
    assert len(heard(stranger)) == 1  # the greeting
    assert stranger.recv(1) == b""
    stranger.close()
    await recorded.record(a_record())
    assert len(ids(recorded)) == 2


async def test_a_record_that_cannot_be_linked_fails_and_the_recorder_lives_on(place, recorder, recorded):
    with closing(dial(place)) as worker:
        worker.setblocking(True)
        worker.sendall(encode_frame([structs.replace(a_record(), change=-1)], behind=False))  # no number of a change
        assert [answer.durable for answer in heard(worker, frames=1)] == [True, False]
    await recorded.record(a_record(1))
    assert len(ids(recorded)) == 1
    assert recorder.process.poll() is None


async def test_a_frame_may_come_in_pieces(place, recorder, recorded):
    content = encode_frame([a_record(1), None], behind=False)
    worker = dial(place)
    worker.setblocking(True)
    for piece in (content[:2], content[2:20], content[20:] + encode_frame([a_record(2)], behind=False)):
        worker.sendall(piece)
    answers = heard(worker, frames=2)
    assert all(answer.durable for answer in answers)
    assert answers[-1].newest == 2
    worker.close()
    assert len(ids(recorded)) == 2


async def test_what_is_sent_again_is_looked_for_past_the_number_before_it(place, recorder, recorded):
    earlier, again, new = [a_record(1)], [a_record(number) for number in range(2, 6)], [a_record(7)]
    for batch in (earlier, again):
        await asyncio.gather(*map(recorded.record, batch))
    worker = dial(place)
    worker.setblocking(True)
    (greeting,) = heard(worker)
    assert greeting == Answer(durable=True, frames=0, newest=5)
    worker.sendall(encode_frame([*again, *new, *new], behind=True, since=1))
    assert heard(worker, frames=1) == [Answer(durable=True, frames=1, newest=6)]
    worker.close()
    assert set(ids(recorded)) == {record.record_id for record in (*earlier, *again, *new)}
    assert len(ids(recorded)) == 6
    assert is_whole(recorded)


async def test_what_was_given_up_is_not_looked_for(place, monkeypatch):
    """To look far back may be what took a recorder too long: it would never answer again."""
    monkeypatch.setattr(courier, "PATIENCE_SECONDS", 1.0)
    loop, since = asyncio.get_running_loop(), []
    with closing(listen(place)) as listener, closing(Courier(place)) as worker:
        listener.setblocking(False)
        for newest in (5, 7, 9):
            submitted = worker.submit(a_record(newest))
            connection, _ = await loop.sock_accept(listener)
            connection.setblocking(False)
            await loop.sock_sendall(connection, encode_answer(Answer(durable=True, frames=0, newest=newest)))
            (frame,) = Incoming().take(await loop.sock_recv(connection, 1 << 20))
            since.append(frame.since)
            if newest == 7:
                connection.close()
                continue
            with pytest.raises(StorageUnavailable):
                await submitted
            connection.close()
    assert since == [None, None, 7]


async def test_a_worker_that_sends_nothing_hears_of_the_newest_number_now_and_then(place, recorder, monkeypatch):
    idle, busy = dial(place), dial(place)
    with closing(idle), closing(busy):
        for worker in (idle, busy):
            worker.setblocking(True)
            heard(worker)
        for number in (1, 2):
            busy.sendall(encode_frame([a_record(each) for each in range(5000)], behind=False))
            assert heard(busy, frames=1) == [Answer(durable=True, frames=1, newest=number * 5000)]
        assert heard(idle) == [Answer(durable=True, frames=0, newest=10_000)]


def test_frames_are_read_as_they_were_written():
    records = [a_record(1), None]
    stream, incoming = encode_frame(records, behind=True, since=7) + encode_frame([], behind=False), Incoming()
    found = [frame for byte in stream for frame in incoming.take(bytes([byte]))]
    assert found == [Frame(behind=True, since=7, records=records), Frame(behind=False, since=None, records=[])]


def test_answers_are_read_as_they_were_written():
    told = [Answer(durable=True, frames=0, newest=2**40), Answer(durable=False, frames=3, newest=-5)]
    answers = Answers()
    stream = b"".join(map(encode_answer, told))
    assert [answer for byte in stream for answer in answers.take(bytes([byte]))] == told


async def test_a_courier_that_is_closed_takes_nothing(place, recorder):
    closed = Courier(place)
    closed.close()
    with pytest.raises(StorageUnavailable):
        closed.submit(a_record())


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
