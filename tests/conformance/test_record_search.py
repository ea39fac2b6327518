from datetime import timedelta

import pytest

from storage_doubles import NOON, a_record
from strongroom.audit.log import LONGEST_REQUEST


@pytest.fixture
async def kept(storage):
    """Nine records, an hour from one to the next."""
    for number in range(9):
        await storage.record(a_record(number, when=NOON + timedelta(hours=number)))
    return storage


def names(entries):
    return [entry.sequence for entry in entries]


async def test_those_with_all_needles_are_found_newest_first_within_the_span(kept):
    search = kept.read().records
    assert names(search.containing(10, 9, (b'"AuditEvent"', b"Operation"))) == [9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert names(search.containing(10, 9, (b"Operation3", b'"AuditEvent"'))) == [4]
    assert names(search.containing(10, 9, (b"Operation3", b"Operation4"))) == []
    assert names(search.containing(6, 2, (b"Operation",))) == [5, 4]
    assert names(search.containing(3, 100, ())) == [2, 1]
    assert names(search.containing(0, 5, ())) == []


async def test_the_time_of_the_record_before_a_number(kept):
    search = kept.read().records
    assert search.time_before(10) == a_record(8, when=NOON + timedelta(hours=8)).time
    assert search.time_before(2) == a_record(0, when=NOON).time
    assert search.time_before(1) is None


async def test_past_the_position_after_a_moment_nothing_began_before_it(kept):
    search = kept.read().records
    for hours in range(-5, 12):
        moment = NOON + timedelta(hours=hours, minutes=30)
        position = search.position_after(moment)
        began = {place: NOON + timedelta(hours=place - 1) for place in range(1, 10)}
        assert all(began[place] > moment + LONGEST_REQUEST for place in range(max(position, 1), 10))
        assert position == 10 or began[max(position, 1)] > moment


async def test_where_there_is_nothing_nothing_is_found(storage):
    search = storage.read().records
    assert search.position_after(NOON) <= 1
    assert search.containing(1, 5, ()) == ()
    assert search.time_before(1) is None
