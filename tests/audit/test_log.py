import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from storage_doubles import NOON, a_record, find_break
from strongroom.audit.event import Record
from strongroom.audit.log import (
    FIRST_LINK,
    Chain,
    Entry,
    Mark,
    keyed_link,
    plain_link,
    whole_chain,
)
from strongroom.clock import from_microseconds, microseconds

KEYED = keyed_link(lambda message: hmac.digest(b"key", message, "sha256"))
CHAINS = {"keyed": Chain(KEYED), "plain": Chain(KEYED, plain_until=99), "both": Chain(KEYED, plain_until=3)}


@pytest.fixture(params=CHAINS.values(), ids=CHAINS)
def chain(request):
    return request.param


@pytest.fixture
def entries(chain):
    linked, before = [], FIRST_LINK
    for sequence in range(1, 7):
        record = a_record(sequence)
        before = chain.link(sequence, before, record)
        linked.append(Entry(sequence, record, before))
    return linked


def test_a_chain_as_it_was_written_is_whole(chain, entries):
    assert find_break(chain, entries) is None
    assert find_break(chain, []) is None


def test_a_part_of_a_chain_is_whole_from_where_it_begins(chain, entries):
    assert find_break(chain, entries[3:], Mark(3, entries[2].link)) is None
    assert find_break(chain, entries[3:], Mark(3, entries[1].link)) == 4


@pytest.mark.parametrize(
    "change",
    [
        lambda record: structs.replace(record, body=record.body.replace(b"Success", b"Failed ")),
        lambda record: structs.replace(record, began=record.began + 1),
        lambda record: structs.replace(record, record_id=bytes(16)),
    ],
)
def test_a_changed_record_is_found(chain, entries, change):
    entries[2] = replace(entries[2], record=change(entries[2].record))
    assert find_break(chain, entries) == 3


@pytest.mark.parametrize("change", [{"change": 2}, {"change": None}, {"rows": b"other"}, {"rows": b""}])
def test_a_changed_note_is_found(change):
    record = structs.replace(a_record(), change=1, rows=b"noted")
    entry = Entry(1, record, KEYED(FIRST_LINK, record))
    assert find_break(CHAINS["keyed"], [entry]) is None
    assert find_break(CHAINS["keyed"], [replace(entry, record=structs.replace(record, **change))]) == 1


def test_what_stands_in_the_notes_and_what_in_the_body_is_linked():
    """Else bytes could be pushed from one into the other."""
    links = {
        KEYED(FIRST_LINK, Record(bytes(16), 0, body, change, rows))
        for change, rows, body in [(None, b"", b"ab"), (None, b"a", b"b"), (None, b"ab", b""), (1, b"", b"ab")]
    }
    assert len(links) == 4


def test_a_changed_record_with_a_link_to_match_is_found_at_the_next(chain, entries):
    changed = structs.replace(entries[2].record, body=b"{}")
    entries[2] = Entry(3, changed, chain.link(3, entries[1].link, changed))
    assert find_break(chain, entries) == 4


def test_who_has_no_key_cannot_link(chain, entries):
    """All from the changed record on is linked anew, as anybody can."""
    before = entries[3].link
    for place in (4, 5):
        changed = structs.replace(entries[place].record, body=b"{}")
        before = plain_link(before, changed)
        entries[place] = Entry(place + 1, changed, before)
    assert find_break(chain, entries) == (None if chain.plain_until > 5 else 5)


def test_a_removed_record_is_found(chain, entries):
    del entries[2]
    assert find_break(chain, entries) == 3


def test_a_removed_record_is_found_when_the_others_were_renumbered(chain, entries):
    del entries[2]
    assert find_break(chain, [replace(entry, sequence=place) for place, entry in enumerate(entries, 1)]) == 3


def test_records_that_changed_places_are_found(chain, entries):
    entries[2], entries[3] = replace(entries[3], sequence=3), replace(entries[2], sequence=4)
    assert find_break(chain, entries) == 3


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
    assert list(whole_chain(Log(), 2)) == entries[2:]
