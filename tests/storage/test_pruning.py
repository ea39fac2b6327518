"""Records leave when they are old enough; what remains verifies, and rows are still known whose records have left."""

import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import timedelta

import msgspec
import pytest
import structlog

from storage_doubles import CUSTODIAN, NOON, a_record, a_state, a_version, discrepancies
from storage_kinds import is_whole
from strongroom.audit.log import BEGINNING, whole_chain
from strongroom.audit.verification import Tampering, verify
from strongroom.errors import StorageUnavailable
from strongroom.storage.connection import AUDIT_FILE
from strongroom.storage.history import Difference
from strongroom.storage.marks import KEYED, NEWEST, PRUNED
from strongroom.storage.pruning import Pruning
from strongroom.storage.sqlite import SqliteStorage

DAYS = 90
DAY = timedelta(days=1)


def changing(function, when):
    async def work(stores):
        await function(stores)
        return None, a_record(when=when)

    return work


def putting(name, value, when):
    return changing(lambda stores: stores.facts.put(name, value), when)


@pytest.fixture
async def aged(storage):
    """200 days of records, one a day: the secret and the fact of the first day, a fact for each, and reads."""
    await storage.change(changing(lambda stores: stores.secrets.add_version(a_state("Secret"), a_version(1)), NOON))
    await storage.change(putting("first", b"1", NOON))
    for day in range(1, 200):
        if day % 4 == 0:
            await storage.change(putting("counter", b"%d" % day, NOON + day * DAY))
        else:
            await storage.record(a_record(when=NOON + day * DAY))
    await storage.anchor()
    return storage


@pytest.fixture
def prune(place):
    def run(day, days=DAYS):
        return Pruning(place, CUSTODIAN, days, NOON).run(NOON + day * DAY)

    return run


def verified(storage):
    return verify(storage.chain(), storage.records, pruned=storage.mark(PRUNED), newest=storage.mark(NEWEST)) is None


def operations(storage):
    return [json.loads(entry.record.body)["operationName"] for entry in whole_chain(storage.records)]


def found(place):
    return [(each.table, each.key, each.difference) for each in discrepancies(place)]


async def test_what_is_old_leaves_and_what_remains_verifies(aged, place, prune):
    assert prune(200) == 111
    times = [entry.record.time for entry in aged.records.after(0, 999) if b"Operation" in entry.record.body]
    assert min(times) == NOON + 110 * DAY
    assert aged.mark(PRUNED).sequence == 111
    assert verified(aged)
    assert found(place) == []
    assert operations(aged)[-2:] == ["Strongroom.Records/prune", "Strongroom.Records/carry"]
    pruning = json.loads(aged.records.before(999, 2)[1].record.body)["properties"]
    assert pruning == {"actor": "server", "first": 1, "last": 111, "until": "2027-03-13T12:00:00Z"}


async def test_day_after_day_it_goes_on(aged, place, prune):
    for day in range(150, 190):
        prune(day)
        assert verified(aged)
        assert found(place) == []
    assert prune(189) == 0


async def test_what_is_within_a_day_waits(aged, prune):
    assert prune(91) == 0
    assert prune(92) == 3  # of the first day, of which there are two, and of the next


async def test_for_ever_is_for_ever(aged, prune):
    assert prune(10_000, None) == 0
    assert len(aged.records.after(0, 999)) == 201


async def test_the_record_that_is_marked_as_the_newest_stays(aged, place, prune):
    newest = aged.mark(NEWEST)
    prune(10_000)
    assert next(iter(whole_chain(aged.records))).sequence == newest.sequence == 201
    assert verified(aged)
    assert found(place) == []
    await aged.change(putting("counter", b"9", NOON))
    assert aged.mark(NEWEST).sequence > newest.sequence


async def test_a_row_whose_record_has_left_is_still_known(aged, place, prune, sql):
    prune(200)
    sql("UPDATE versions SET document = CAST(replace(document, 'created', 'crested') AS BLOB)")
    sql("DELETE FROM facts WHERE name = 'first'")
    assert found(place) == [
        ("versions", ("vault-1", "secrets", "secret", f"{1:032x}"), Difference.OTHER),
        ("facts", ("first",), Difference.GONE),
    ]


async def test_a_row_set_back_to_what_was_pruned_is_found_though_its_old_note_was_carried(aged, place, prune, sql):
    old = sql("SELECT * FROM facts WHERE name = 'first'")[0]
    prune(150)  # carries the note of the first day
    await aged.change(putting("first", b"2", NOON + 200 * DAY))
    await aged.anchor()
    prune(10_000)
    assert found(place) == []
    sql("UPDATE facts SET document = ?, mac = ? WHERE name = ?", (old[1], old[2], old[0]))
    assert found(place) == [("facts", ("first",), Difference.OTHER)]


async def test_a_row_that_was_tampered_with_before_its_record_leaves_is_found_after(aged, place, prune, sql):
    sql("DELETE FROM facts WHERE name = 'first'")
    before = found(place)
    prune(200)
    prune(280)
    assert found(place) == before == [("facts", ("first",), Difference.GONE)]


async def test_what_was_removed_is_not_carried(aged, place, prune):
    await aged.change(changing(lambda stores: stores.secrets.purge("vault-1", "secret"), NOON + 200 * DAY))
    prune(200)
    await aged.record(a_record(when=NOON + 201 * DAY))
    await aged.anchor()
    prune(10_000)
    assert found(place) == []


async def test_many_notes_are_carried_in_several_records(aged, place, prune, monkeypatch):
    monkeypatch.setattr("strongroom.storage.pruning.NOTES_OF_A_RECORD", 1)
    prune(200)
    assert operations(aged)[-4:] == ["Strongroom.Records/prune"] + ["Strongroom.Records/carry"] * 3
    assert verified(aged)
    assert found(place) == []


async def test_they_leave_in_batches_and_the_file_shrinks(aged, place, prune, monkeypatch, sql):
    large = [a_record(when=NOON + 199 * DAY, pad="x" * 1000) for _ in range(2000)]
    await asyncio.gather(*map(aged.record, large))
    await aged.record(a_record(when=NOON + 199 * DAY))  # the newest stays, and those that lie in its row
    await aged.anchor()
    monkeypatch.setattr("strongroom.storage.pruning.BATCH", 700)
    monkeypatch.setattr("strongroom.storage.pruning.ROWS", 7)
    sql("PRAGMA wal_checkpoint(TRUNCATE)", file=AUDIT_FILE)
    before = (place / AUDIT_FILE).stat().st_size
    assert prune(10_000) == 2201
    sql("PRAGMA wal_checkpoint(TRUNCATE)", file=AUDIT_FILE)
    assert (place / AUDIT_FILE).stat().st_size < before / 10
    assert verified(aged)


async def test_a_broken_chain_is_evidence_and_is_kept(aged, place, prune, sql):
    sql("UPDATE records SET body = x'7b7d' WHERE seq = 50", file=AUDIT_FILE)
    pruning = Pruning(place, CUSTODIAN, DAYS, NOON)
    with structlog.testing.capture_logs() as lines:
        assert [pruning.run(NOON + 200 * DAY) for _ in range(3)] == [0, 0, 0]
    assert [(line["event"], line["log_level"]) for line in lines] == [("alarm", "error")]
    assert "breaks at 50" in lines[0]["reason"]
    assert len(aged.records.after(0, 999)) == 201
    assert aged.mark(PRUNED) == BEGINNING


@pytest.mark.parametrize("step", ["_carry", "_mark", "_delete"])
async def test_a_crash_at_any_step_leaves_what_the_next_run_completes(aged, place, prune, step):
    for when in ("before", "after"):
        with pytest.MonkeyPatch.context() as patch:
            original = getattr(Pruning, step)

            def crash(self, *arguments, original=original, when=when):
                if when == "after":
                    original(self, *arguments)
                raise OSError("killed")

            patch.setattr(Pruning, step, crash)
            with pytest.raises(StorageUnavailable):
                prune(200)
        assert verified(aged)
        assert found(place) == []
    prune(200)
    assert aged.mark(PRUNED).sequence == 111
    assert next(iter(whole_chain(aged.records))).sequence == 112
    assert verified(aged)
    assert found(place) == []


async def test_a_change_whose_record_came_late_does_not_leave_before_an_earlier_one(place, prune):
    first, second = (SqliteStorage.open(place, CUSTODIAN) for _ in range(2))
    first._hand_on = lambda _: None
    await first.change(putting("fact", b"1", NOON))
    await second.change(changing(lambda stores: stores.facts.put("fact", b"2"), NOON))
    await second.record(a_record(when=NOON + 100 * DAY))
    first.close()  # only now the record of the first change comes
    await second.record(a_record(when=NOON + 101 * DAY))
    await second.anchor()
    assert [entry.record.change for entry in second.records.after(0, 9)] == [2, None, 1, None]
    assert prune(150) == 0
    assert prune(10_000) == 3
    assert found(place) == []
    assert verified(second)
    second.close()


async def test_a_mark_that_was_edited_keeps_everything(aged, prune, sql):
    for name in (KEYED, NEWEST, PRUNED):
        sql("UPDATE marks SET sequence = 150 WHERE name = ?", (name,))
        with structlog.testing.capture_logs() as lines:
            assert prune(200) == 0
        assert [line["event"] for line in lines] == ["alarm"]


def test_records_before_the_upgrade_leave_too(place):
    """Plain links are verified as such."""
    SqliteStorage.open(place, CUSTODIAN).close()
    with closing(sqlite3.connect(place / AUDIT_FILE)) as connection:
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    assert Pruning(place, CUSTODIAN, DAYS, NOON).run(NOON) == 0


async def test_a_change_that_left_no_record_is_found(storage, place, sql):
    storage._hand_on = lambda _: None
    for number in range(4):
        await storage.change(putting("fact", b"%d" % number, NOON))
    assert is_whole(storage)
    sql("DELETE FROM outbox WHERE change = 2")
    assert found(place) == [("change", ("2",), Difference.LOST)]


async def test_records_put_before_those_kept_into_their_row_are_found(place, storage, prune, sql):
    """Their numbers are those of records that left, which nothing is linked to any more."""
    await storage.record(a_record(when=NOON))
    await asyncio.gather(*(storage.record(a_record(when=NOON + 50 * DAY)) for _ in range(4)))
    await storage.anchor()
    assert prune(100) == 1
    pruned = storage.mark(PRUNED).sequence
    assert verified(storage)
    kept = "SELECT seq, packed FROM records WHERE packed <> x'' ORDER BY seq LIMIT 1"
    ((sequence, pack),) = sql(kept, file=AUDIT_FILE)
    forged = a_record(when=NOON)
    held = [(forged.record_id, forged.began, forged.body, storage.mark(PRUNED).link), *msgspec.msgpack.decode(pack)]
    sql("UPDATE records SET packed = ? WHERE seq = ?", (msgspec.msgpack.encode(held), sequence), file=AUDIT_FILE)
    found = verify(storage.chain(), storage.records, pruned=storage.mark(PRUNED), newest=storage.mark(NEWEST))
    assert (found.tampering, found.sequence, found.found.record) == (Tampering.INSERTED, pruned, forged)
