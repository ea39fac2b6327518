"""Records in shared rows: whatever lies how, each is read at its number; and what was done to a pack is found."""

import asyncio
import itertools
from contextlib import closing
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from storage_doubles import CUSTODIAN, NOON, a_record
from storage_kinds import is_whole
from strongroom.audit.event import Record
from strongroom.audit.log import BEGINNING, FIRST_LINK, Mark, keyed_link, plain_link, whole_chain
from strongroom.audit.verification import Tampering, verify
from strongroom.storage import packing, records
from strongroom.storage.connection import AUDIT_FILE
from strongroom.storage.inspection import inspect
from strongroom.storage.packing import NO_RECORD, entries_of, row_of, rows_of
from strongroom.storage.snapshot import take_snapshot
from strongroom.storage.sqlite import open_keeper

PACKED = "SELECT seq, packed FROM records WHERE packed <> x'' ORDER BY seq LIMIT 1"


@st.composite
def batches(draw):
    """Records as they come, some of changes, some that note rows, in no order of time."""
    made = []
    for number in range(draw(st.integers(0, 12))):
        record = a_record(number, when=NOON + timedelta(seconds=draw(st.integers(-5, 5))))
        kind = draw(st.sampled_from(["plain", "plain", "plain", "change", "rows"]))
        changed = {"change": {"change": number + 1}, "rows": {"rows": b"\x90"}, "plain": {}}[kind]
        made.append(structs.replace(record, **changed))
    return made


def entries_in(rows, last=0):
    found = []
    for row in rows:
        found += entries_of(row, last)
        last = row[0]
    return found


@given(batches(), st.integers(0, 2**40), st.integers(1, 5))
@settings(deadline=None)
def test_each_record_has_its_number_and_its_link_however_many_share_a_row(made, last, most):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(packing, "MOST", most)
        rows = list(rows_of(made, last, FIRST_LINK, plain_link))
    found = entries_in(rows, last)
    assert [entry.sequence for entry in found] == list(range(last + 1, last + 1 + len(made)))
    assert sorted(entry.record.record_id for entry in found) == sorted(record.record_id for record in made)
    for before, entry in itertools.pairwise([None, *found]):
        assert entry.link == plain_link(FIRST_LINK if before is None else before.link, entry.record)
    for before, row in itertools.pairwise([(last,), *rows]):
        held = entries_of(row, before[0])
        assert len(held) <= most
        assert row[3] == max(entry.record.began for entry in held)
        assert len(held) == 1 or not any(entry.record.change or entry.record.rows for entry in held)


def test_plain_records_that_come_together_share_one_row():
    made = [a_record(number) for number in range(10)]
    assert len(list(rows_of(made, 0, FIRST_LINK, plain_link))) == 1


@pytest.fixture
async def packed(storage, monkeypatch):
    """Some 60 records in packs of up to four, beside some of changes, read by few rows at a time."""
    monkeypatch.setattr(packing, "MOST", 4)
    monkeypatch.setattr(records, "ROWS_AT_ONCE", 3)
    for number in range(6):
        works = [storage.record(a_record(number * 10 + each)) for each in range(9)]
        await asyncio.gather(*works, storage.change(_changing(a_record(number * 10 + 9))))
    await storage.record(a_record(99))
    return storage


def broken(storage):
    newest = storage.records.newest()
    return verify(storage.chain(), storage.records, pruned=BEGINNING, newest=Mark(newest.sequence, newest.link))


def _changing(record):
    async def work(stores):
        return None, record

    return work


async def test_every_page_is_read_from_every_place(packed):
    log = packed.records
    whole = list(whole_chain(log))
    assert [entry.sequence for entry in whole] == list(range(1, 62))
    assert is_whole(packed)
    for place in range(63):
        for limit in (0, 1, 2, 5, 100):
            assert list(log.after(place, limit)) == whole[place : place + limit]
            assert list(log.before(place, limit)) == whole[: max(place - 1, 0)][::-1][:limit]
        before = whole[min(place - 1, 61) - 1].record.time if place > 1 else None
        assert log.time_before(place) == before
        for span in (1, 3, 100):
            wanted = [
                each for each in whole if place - span <= each.sequence < place and b"Operation1" in each.record.body
            ]
            assert list(log.containing(place, span, (b"Operation1", b"AuditEvent"))) == wanted[::-1]


SPOILED = {
    "cut short": lambda pack: pack[:-1],
    "of another type": lambda _: "text",
    "none": lambda _: 0,
    "without records": lambda _: b"\x90",
    "one more than fits": lambda pack: msgspec.msgpack.encode([msgspec.msgpack.decode(pack)[0]] * 9),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
async def test_a_pack_that_cannot_be_read_is_a_break_where_it_begins(packed, sql, spoil):
    ((sequence, pack),) = sql(PACKED, file=AUDIT_FILE)
    first = sequence - len(msgspec.msgpack.decode(pack))
    sql("UPDATE records SET packed = ? WHERE seq = ?", (spoil(pack), sequence), file=AUDIT_FILE)
    found = broken(packed)
    assert (found.tampering, found.sequence) == (Tampering.CHANGED, first)
    assert found.found.record is NO_RECORD
    assert len({entry.sequence for entry in packed.records.after(0, 100)}) > 50  # the others are read all the same
    assert packed.records.before(100, 100)[-1].sequence == 1


@pytest.mark.parametrize("column", range(4))
async def test_what_was_changed_in_a_pack_is_told_by_its_number(packed, sql, column):
    ((sequence, pack),) = sql(PACKED, file=AUDIT_FILE)
    held = msgspec.msgpack.decode(pack)
    changed = held[1][column]
    held[1][column] = changed + 1 if isinstance(changed, int) else b"\0" + changed[1:]
    sql("UPDATE records SET packed = ? WHERE seq = ?", (msgspec.msgpack.encode(held), sequence), file=AUDIT_FILE)
    found = broken(packed)
    assert (found.tampering, found.sequence) == (Tampering.CHANGED, sequence - len(held) + 1)


async def test_a_time_that_is_none_is_no_record(packed, sql):
    ((sequence, pack),) = sql(PACKED, file=AUDIT_FILE)
    held = msgspec.msgpack.decode(pack)
    held[0][1] = 2**62
    sql("UPDATE records SET packed = ? WHERE seq = ?", (msgspec.msgpack.encode(held), sequence), file=AUDIT_FILE)
    assert broken(packed).sequence == sequence - len(held)
    assert packed.records.time_before(sequence - len(held) + 1) == records.LATEST  # no reading ends there


def test_rows_of_before_there_were_packs_hold_one_record():
    record = a_record()
    row = row_of({"seq": 7, "link": b"l", "id": record.record_id, "time": record.began, "body": record.body})
    (entry,) = entries_of(row, 6)
    assert (entry.sequence, entry.record, entry.link) == (7, record, b"l")


ODD = {
    "a time that is no whole number": "UPDATE records SET time = time + 0.5 WHERE seq = 10",
    "a change that is no whole number": "UPDATE records SET change = change + 0.5 WHERE seq = 10",
    "an id of another length": "UPDATE records SET id = substr(id, 1, 15) WHERE seq = 10",
}


@pytest.mark.parametrize("statement", ODD.values(), ids=ODD)
async def test_columns_of_other_kinds_than_ours_are_a_break_wherever_they_are_read(packed, place, sql, statement):
    rows = sql("SELECT seq FROM records WHERE change IS NOT NULL LIMIT 1", file=AUDIT_FILE)
    sql(statement.replace("10", str(rows[0][0])), file=AUDIT_FILE)
    found = broken(packed)
    assert (found.tampering, found.sequence, found.found.record) == (Tampering.CHANGED, rows[0][0], NO_RECORD)
    with take_snapshot(place, touching=True) as snapshot:
        assert any("does not follow" in told for told in inspect(snapshot.items(), CUSTODIAN, lambda _: None))


@pytest.mark.parametrize("column", ["id", "link", "body", "rows", "packed"])
async def test_text_that_is_none_is_a_break_and_ends_no_reading(packed, sql, column):
    sql(f"UPDATE records SET {column} = CAST(x'ff' AS TEXT) WHERE seq = 61", file=AUDIT_FILE)
    assert broken(packed).sequence == 61
    await packed.record(a_record(100))
    assert packed.records.newest().sequence == 62


def test_no_id_passes_a_byte_on_to_the_time():
    """All parts of a record are linked one behind the other: with a shorter id each would begin a byte earlier."""
    link, record = keyed_link(lambda said: said), Record(bytes(16), 256, b"{}")
    shifted = Record(bytes(15), 1, b"\0{}")
    assert link(FIRST_LINK, record) == link(FIRST_LINK, shifted)
    row = (1, link(FIRST_LINK, record), shifted.record_id, shifted.began, shifted.body, None, b"")
    for pack, each in ((b"", 0), (msgspec.msgpack.encode([(bytes(15), 1, b"\0{}", b"")]), 1)):
        assert entries_of((row[0] + each, *row[1:], pack), 0)[0].record is NO_RECORD


@pytest.mark.parametrize("count", [256, 70_000])
def test_more_than_we_pack_is_not_unpacked(count):
    pack = msgspec.msgpack.encode([(bytes(16), 0, b"", b"")] * count)
    row = (2**40, b"", bytes(16), 0, b"", None, b"", pack)
    broken, newest = entries_of(row, 1)
    assert (broken.sequence, broken.record) == (2, NO_RECORD)
    assert newest.sequence == 2**40


@pytest.mark.parametrize("number", [0, -5, -(2**63), 2**63 - 1])
async def test_a_row_of_a_number_that_no_record_has_ends_every_reading(packed, sql, number):
    insert = "INSERT INTO records (seq, id, time, body, link) VALUES (?, x'00', 0, x'', x'')"
    sql(insert, (number,), file=AUDIT_FILE)
    newest = max(number, 61)
    assert packed.records.newest().sequence == packed.records.last_sequence() == newest
    assert len(packed.records.before(newest + 1, 100)) == 62
    assert packed.records.before(min(number, 1), 100) == ()
    assert packed.records.time_before(min(number, 1)) is None
    assert broken(packed).sequence in {number, 62}


async def test_a_record_of_a_change_that_comes_twice_is_kept_once(storage, place):
    changed = structs.replace(a_record(1), change=1)
    with closing(open_keeper(place, CUSTODIAN)) as keeper:
        keeper.keep([changed], behind=False)
        keeper.keep([a_record(2), changed, a_record(3), changed], behind=False)
        keeper.keep([None], behind=False)
    assert len(list(whole_chain(storage.records))) == 3
    assert isinstance(storage.records.newest().record, Record)
