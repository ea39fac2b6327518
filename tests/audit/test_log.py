from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from storage_doubles import NOON, a_record
from strongroom.audit.log import FIRST_LINK, Entry, find_break, from_microseconds, link_of, microseconds, whole_chain


def chain(*records, link=FIRST_LINK):
    entries = []
    for sequence, record in enumerate(records, 1):
        link = link_of(link, record)
        entries.append(Entry(sequence, record, link))
    return entries


@pytest.fixture
def entries():
    return chain(*[a_record(number) for number in range(6)])


def test_a_chain_as_it_was_written_is_whole(entries):
    assert find_break(entries) is None
    assert find_break([]) is None


def test_a_part_of_a_chain_is_whole_from_where_it_begins(entries):
    assert find_break(entries[3:], entries[2].link, 3) is None
    assert find_break(entries[3:], entries[1].link, 3) == 4


@pytest.mark.parametrize(
    "change",
    [
        lambda record: replace(record, body=record.body.replace(b"Success", b"Failed ")),
        lambda record: replace(record, time=record.time + timedelta(microseconds=1)),
        lambda record: replace(record, record_id=bytes(16)),
    ],
)
def test_a_changed_record_is_found(entries, change):
    entries[2] = replace(entries[2], record=change(entries[2].record))
    assert find_break(entries) == 3


def test_a_changed_record_with_a_link_to_match_is_found_at_the_next(entries):
    changed = replace(entries[2].record, body=b"{}")
    entries[2] = Entry(3, changed, link_of(entries[1].link, changed))
    assert find_break(entries) == 4


def test_a_removed_record_is_found(entries):
    del entries[2]
    assert find_break(entries) == 3


def test_a_removed_record_is_found_when_the_others_were_renumbered(entries):
    del entries[2]
    assert find_break([replace(entry, sequence=place) for place, entry in enumerate(entries, 1)]) == 3


def test_records_that_changed_places_are_found(entries):
    entries[2], entries[3] = replace(entries[3], sequence=3), replace(entries[2], sequence=4)
    assert find_break(entries) == 3


@pytest.mark.parametrize("fraction", [0, 1, 123_456, 999_999])
@pytest.mark.parametrize("year", [1970, 2026, 9999])
def test_times_survive_to_the_microsecond(year, fraction):
    moment = datetime(year, 12, 31, 23, 59, 59, fraction, tzinfo=UTC)
    assert from_microseconds(microseconds(moment)) == moment


def test_microseconds_count_from_1970():
    assert microseconds(datetime(1970, 1, 1, tzinfo=UTC)) == 0
    assert microseconds(NOON + timedelta(seconds=1)) - microseconds(NOON) == 1_000_000


def test_a_chain_is_read_page_by_page(entries, monkeypatch):
    monkeypatch.setattr("strongroom.audit.log.PAGE", 4)

    class Log:
        def after(self, sequence, limit):
            return tuple(entries[sequence : sequence + limit])

    assert list(whole_chain(Log())) == entries
