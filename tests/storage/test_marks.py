"""Marks hold the chain from outside: what was cut off its end, or begun anew, does not vouch for itself."""

import asyncio

import pytest
import structlog

from storage_doubles import CUSTODIAN, a_record, adding
from storage_kinds import counting, is_whole
from strongroom.audit.log import BEGINNING, Mark
from strongroom.custody.sealing import SealBroken
from strongroom.storage.connection import AUDIT_FILE
from strongroom.storage.marks import KEYED, NEWEST, PRUNED
from strongroom.storage.sqlite import SqliteStorage


def newest_of(storage):
    entries = storage.records.before(1_000_000, 1)
    return Mark(entries[0].sequence, entries[0].link) if entries else BEGINNING


async def test_a_new_directory_has_every_mark_at_the_beginning(storage):
    assert [storage.mark(name) for name in (KEYED, NEWEST, PRUNED)] == [BEGINNING] * 3


async def test_the_newest_record_is_marked_with_the_next_change(storage):
    await storage.record(a_record())
    assert storage.mark(NEWEST) == BEGINNING
    await storage.change(counting())
    assert storage.mark(NEWEST).sequence == 1


async def test_the_newest_record_is_marked_when_it_is_asked_for(storage):
    await asyncio.gather(*[storage.record(a_record()) for _ in range(5)])
    await storage.anchor()
    assert storage.mark(NEWEST) == newest_of(storage) != BEGINNING


async def test_the_newest_record_is_marked_by_who_closes(place):
    storage = SqliteStorage.open(place, CUSTODIAN)
    await storage.change(counting())
    await storage.record(a_record())
    storage.close()
    again = SqliteStorage.open(place, CUSTODIAN)
    assert again.mark(NEWEST) == newest_of(again)
    assert again.mark(NEWEST).sequence == 2
    again.close()


@pytest.mark.parametrize(
    "edit",
    [
        "DELETE FROM records WHERE seq > 2",
        "DELETE FROM records",
        "UPDATE records SET link = zeroblob(32) WHERE seq = 3",
    ],
)
async def test_the_mark_stays_as_evidence_where_records_were_cut_off(storage, sql, edit):
    await asyncio.gather(*[storage.record(a_record()) for _ in range(3)])
    await storage.anchor()
    kept = storage.mark(NEWEST)
    assert kept.sequence == 3
    sql(edit, file=AUDIT_FILE)
    with structlog.testing.capture_logs() as lines:
        for _ in range(5):
            await storage.record(a_record())
            await storage.change(counting())
    assert storage.mark(NEWEST) == kept
    assert not is_whole(storage)
    assert [(line["event"], line["log_level"]) for line in lines] == [("alarm", "error")]
    assert "record 3" in lines[0]["reason"]


@pytest.mark.parametrize("name", [KEYED, NEWEST, PRUNED])
@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE marks SET sequence = 7 WHERE name = ?",
        "UPDATE marks SET link = zeroblob(31) WHERE name = ?",
        "UPDATE marks SET link = 'text' WHERE name = ?",
        "UPDATE marks SET mac = zeroblob(32) WHERE name = ?",
        "DELETE FROM marks WHERE name = ?",
        "UPDATE marks SET name = name || '-'  WHERE name = ?",
    ],
)
async def test_a_mark_that_was_edited_is_not_believed_and_the_server_goes_on(storage, sql, name, edit):
    await storage.change(counting())
    sql(edit, (name,))
    with pytest.raises(SealBroken):
        storage.mark(name)
    with structlog.testing.capture_logs() as lines:
        assert await storage.change(counting()) == 2
        await storage.anchor()
    assert [line["event"] for line in lines] == ["alarm"] * (name == NEWEST)
    with pytest.raises(SealBroken):
        storage.mark(name)


async def test_marks_do_not_take_each_other_s_place(storage, sql):
    await storage.change(counting())
    await storage.anchor()
    sql("DELETE FROM marks WHERE name = 'pruned'")
    sql("UPDATE marks SET name = 'pruned' WHERE name = 'newest'")
    with pytest.raises(SealBroken):
        storage.mark(PRUNED)


async def test_a_mark_that_cannot_be_moved_does_not_keep_a_storage_from_closing(place, monkeypatch):
    storage = SqliteStorage.open(place, CUSTODIAN)
    await storage.change(adding())

    def fail(connection):
        raise OSError("gone")

    monkeypatch.setattr(storage._anchor, "advance", fail)
    with structlog.testing.capture_logs() as lines:
        storage.close()
    assert [line["event"] for line in lines] == ["the newest record could not be marked"]
