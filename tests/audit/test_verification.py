"""What was done to the records is told by its first place and by its name."""

import hmac
from dataclasses import replace

import pytest
from msgspec import structs

from storage_doubles import a_record
from strongroom.audit.log import BEGINNING, Chain, Entry, Mark, keyed_link, plain_link
from strongroom.audit.verification import Break, Tampering, verify

LENGTH = 12
KEYED = keyed_link(lambda message: hmac.digest(b"key", message, "sha256"))
CHAINS = {"keyed": Chain(KEYED), "plain": Chain(KEYED, plain_until=99), "both": Chain(KEYED, plain_until=5)}


class Log:
    """Records by their numbers, as they stand in the file."""

    def __init__(self, chain, length=LENGTH):
        self.kept = {}
        link = BEGINNING.link
        for sequence in range(1, length + 1):
            record = a_record(sequence)
            link = chain.link(sequence, link, record)
            self.kept[sequence] = Entry(sequence, record, link)

    def mark(self, sequence):
        return Mark(sequence, self.kept[sequence].link)

    def put(self, sequence, entry):
        self.kept[sequence] = replace(entry, sequence=sequence)

    def after(self, sequence, limit):
        return tuple([self.kept[each] for each in sorted(self.kept) if each > sequence][:limit])

    def before(self, sequence, limit):
        return tuple([self.kept[each] for each in sorted(self.kept, reverse=True) if each < sequence][:limit])

    def across(self, sequence):
        return None


@pytest.fixture(params=CHAINS.values(), ids=CHAINS)
def chain(request):
    return request.param


@pytest.fixture
def log(chain):
    return Log(chain)


@pytest.fixture
def found(chain, log):
    newest = log.mark(LENGTH - 2)

    def check(pruned=BEGINNING):
        found = verify(chain, log, pruned=pruned, newest=newest)
        return found and (found.tampering, found.sequence, found.count, found.other)

    assert check() is None
    return check


def test_records_as_they_were_written_are_whole(chain, log):
    assert verify(chain, log, pruned=BEGINNING, newest=log.mark(LENGTH)) is None
    assert verify(chain, Log(chain, 0), pruned=BEGINNING, newest=BEGINNING) is None


def test_what_is_left_after_pruning_is_whole(log, found):
    pruned = log.mark(4)
    del log.kept[1], log.kept[2]
    assert found(pruned) is None  # 3 and 4 are on their way out
    del log.kept[3], log.kept[4]
    assert found(pruned) is None
    assert found() == (Tampering.REMOVED, 1, 4, 0)
    del log.kept[5]
    assert found(pruned) == (Tampering.REMOVED, 5, 1, 0)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("first", [1, 2, 6, 8])
def test_removed(log, found, first, count):
    for sequence in range(first, first + count):
        del log.kept[sequence]
    assert found() == (Tampering.REMOVED, first, count, 0)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("first", [1, 6])
def test_removed_and_the_others_renumbered(log, found, first, count):
    for sequence in range(first, LENGTH - count + 1):
        log.put(sequence, log.kept[sequence + count])
    for sequence in range(LENGTH - count + 1, LENGTH + 1):
        del log.kept[sequence]
    assert found() == (Tampering.REMOVED, first, count, 0)


@pytest.mark.parametrize("sequence", [1, 6, 10, LENGTH])
def test_changed(chain, log, found, sequence):
    entry = log.kept[sequence]
    other = structs.replace(entry.record, body=entry.record.body.replace(b"Success", b"Failed "))
    before = log.kept[sequence - 1].link if sequence > 1 else BEGINNING.link
    for changed in (
        replace(entry, record=other),
        replace(entry, link=bytes(32)),
        replace(entry, record=other, link=hmac.digest(b"another key", b"", "sha256")),
    ):
        log.kept[sequence] = changed
        assert found() == (Tampering.CHANGED, sequence, 0, 0)
    if sequence > chain.plain_until:
        log.kept[sequence] = replace(entry, record=other, link=plain_link(before, other))
        assert found() == (Tampering.CHANGED, sequence, 0, 0)


def test_changed_and_linked_anew_to_the_end_by_who_has_no_key(log, found):
    link = log.kept[7].link
    for sequence in range(8, LENGTH + 1):
        record = structs.replace(log.kept[sequence].record, body=b"{}") if sequence == 8 else log.kept[sequence].record
        link = plain_link(link, record)
        log.kept[sequence] = Entry(sequence, record, link)
    tampering, sequence, *_ = found()
    # Plain links vouch for nothing by themselves: that the newest is another shows all the same.
    assert (tampering, sequence) in {(Tampering.CHANGED, 8), (Tampering.CUT_OFF, 10)}


@pytest.mark.parametrize(("first", "second"), [(1, 2), (5, 6), (3, 9), (6, LENGTH)])
def test_two_that_changed_places(log, found, first, second):
    one, other = log.kept[first], log.kept[second]
    log.put(first, other)
    log.put(second, one)
    assert found() == (Tampering.REORDERED, first, 0, second)


@pytest.mark.parametrize(("first", "second"), [(1, 2), (5, 6), (3, 9), (6, LENGTH)])
def test_two_that_changed_places_and_left_their_links(log, found, first, second):
    one, other = log.kept[first], log.kept[second]
    log.kept[first] = replace(one, record=other.record)
    log.kept[second] = replace(other, record=one.record)
    assert found() == (Tampering.REORDERED, first, 0, second)


def test_one_that_was_moved_to_the_end(log, found):
    log.put(LENGTH + 5, log.kept.pop(4))
    assert found() == (Tampering.REORDERED, 4, 0, LENGTH + 5)


@pytest.mark.parametrize("place", [1, 6])
def test_one_that_was_put_in_and_the_others_renumbered(log, found, place):
    for sequence in range(LENGTH, place - 1, -1):
        log.put(sequence + 1, log.kept[sequence])
    log.kept[place] = Entry(place, a_record(99), bytes(32))
    assert found() == (Tampering.INSERTED, place, 0, 0)


def test_one_that_was_put_in_before_the_first(log, found):
    log.put(0, log.kept[3])
    assert found() == (Tampering.INSERTED, 0, 0, 0)


def test_one_that_was_put_in_at_the_end(log, found):
    log.kept[LENGTH + 1] = Entry(LENGTH + 1, a_record(99), bytes(32))
    assert found() == (Tampering.CHANGED, LENGTH + 1, 0, 0)


@pytest.mark.parametrize(("left", "count"), [(9, 1), (5, 5), (0, 10)])
def test_cut_off(log, found, left, count):
    for sequence in range(left + 1, LENGTH + 1):
        del log.kept[sequence]
    assert found() == (Tampering.CUT_OFF, left + 1, count, 0)


def test_cut_off_and_written_on(chain, log, found):
    """The server goes on from what it finds; the chain holds, but the record that was marked is another."""
    for sequence in range(6, LENGTH + 5):
        record = a_record(100 + sequence)
        log.kept[sequence] = Entry(sequence, record, chain.link(sequence, log.kept[sequence - 1].link, record))
    assert found() == (Tampering.CUT_OFF, 10, 0, 0)


def test_what_stands_there_and_before_is_told(chain, log):
    newest, before = log.mark(LENGTH), log.kept[5]
    changed = log.kept[6] = replace(log.kept[6], record=a_record(99))
    expected = Break(tampering=Tampering.CHANGED, sequence=6, found=changed, before=before)
    assert verify(chain, log, pruned=BEGINNING, newest=newest) == expected


def test_progress_is_told(log, chain, monkeypatch):
    monkeypatch.setattr("strongroom.audit.verification.PROGRESS_RECORDS", 5)
    told = []
    verify(chain, log, pruned=BEGINNING, newest=BEGINNING, progress=told.append)
    assert told == [5, 10, 12]
