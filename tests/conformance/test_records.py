"""Records: every one once, in one chain, whoever wrote it and whatever happened in between."""

import asyncio
import signal

import pytest

from storage_doubles import NOON, a_record
from storage_kinds import count_of, crash, is_whole, play_elsewhere, reach_the_log
from strongroom.audit.log import whole_chain


def changing(record):
    async def work(stores):
        await stores.facts.put("x", record.record_id)
        return None, record

    return work


def chain_of(storage):
    return [entry.record for entry in whole_chain(storage.records)]


async def test_a_record_is_seen_when_it_was_answered_and_in_the_log_soon(kind):
    storage = kind.open()
    record = a_record(123_456)
    await storage.record(record)
    assert {*storage.records.pending(), *chain_of(storage)} == {record}
    await reach_the_log(storage)
    assert chain_of(storage) == [record]


async def test_records_of_one_batch_are_numbered_and_linked_in_their_order(kind):
    storage = kind.open()
    records = [a_record(number) for number in range(50)]
    await asyncio.gather(*map(storage.record, records))
    await reach_the_log(storage)
    entries = list(whole_chain(storage.records))
    assert [entry.record for entry in entries] == records
    assert [entry.sequence for entry in entries] == list(range(1, 51))
    assert is_whole(storage)


async def test_records_of_several_writers_are_one_chain(kind):
    storages = [kind.open() for _ in range(3)]
    works = [
        storage.change(changing(a_record())) if number % 3 else storage.record(a_record())
        for number in range(30)
        for storage in storages
    ]
    await asyncio.gather(*works)
    kind.close()
    storage = kind.open()
    entries = list(whole_chain(storage.records))
    assert is_whole(storage)
    assert len({entry.record.record_id for entry in entries}) == len(entries) == 90


async def test_the_record_of_a_change_is_seen_at_once_and_once(kind):
    storage = kind.open()
    record = a_record()
    await storage.change(changing(record))
    seen = [*storage.records.pending(), *chain_of(storage)]
    assert set(seen) == {record}
    later = a_record(2)
    await storage.record(later)  # goes through the same door, behind it
    await reach_the_log(storage)
    assert chain_of(storage) == [record, later]


async def test_the_log_is_read_forwards_and_backwards_in_pages(kind):
    storage = kind.open()
    records = [a_record(number) for number in range(5)]
    assert storage.records.last_sequence() == 0
    await asyncio.gather(*map(storage.record, records))
    await reach_the_log(storage)
    log = storage.records
    assert log.last_sequence() == 5
    assert [entry.sequence for entry in log.after(1, 2)] == [2, 3]
    assert log.after(5, 2) == ()
    assert [entry.sequence for entry in log.before(4, 2)] == [3, 2]
    assert log.before(1, 2) == ()


@pytest.fixture
def crashed(kind):
    """A place whose server was killed after it had answered a change, before its record was in the log."""
    process = play_elsewhere(kind, crash)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    return kind


async def test_a_new_start_carries_on_what_a_crash_left_behind(crashed):
    storage = crashed.open()
    assert [record.time for record in chain_of(storage)] == [a_record(7).time]
    assert storage.records.pending() == ()
    assert await count_of(storage) == 1


async def test_what_a_crash_left_behind_is_carried_once_by_all_that_start(crashed):
    storages = [crashed.open() for _ in range(3)]
    await asyncio.gather(*[storage.record(a_record(when=NOON)) for storage in storages])
    await reach_the_log(storages[0])
    entries = list(whole_chain(storages[0].records))
    assert len(entries) == 4
    assert is_whole(storages[0])
