"""A change and its record commit together, or nothing happens; who reads after an answer sees the change."""

import asyncio

import pytest

from storage_doubles import a_record, a_state, a_tenant, a_version, adding, an_application
from storage_kinds import COUNTER_ROUNDS, count, count_of, counting, is_whole, journal, play_elsewhere, reach_the_log
from strongroom.access.identity.model import Tenant
from strongroom.audit.log import whole_chain
from strongroom.errors import Conflict, StorageUnavailable


class Refused(Exception):
    pass


def records_of(storage):
    pending = [record.record_id for record in storage.records.pending()]
    kept = [entry.record.record_id for entry in storage.records.after(0, 1000)]
    return [each for each in pending if each not in kept] + kept  # one may have left for the chain in between


async def test_a_change_returns_what_its_work_returns(storage):
    assert await storage.change(counting()) == 1
    assert await storage.change(counting()) == 2
    assert await count_of(storage) == 2


async def test_what_a_work_raises_undoes_it_and_reaches_its_caller(storage):
    async def work(stores):
        await stores.facts.put("counter", b"9")
        await stores.secrets.add_version(a_state(), a_version())
        raise Refused

    with pytest.raises(Refused):
        await storage.change(work)
    assert await count_of(storage) == 0
    assert await storage.read().secrets.find("vault-1", "secret") is None


async def test_a_work_sees_what_it_has_written(storage):
    async def work(stores):
        await stores.identity.add_tenant(a_tenant())
        with pytest.raises(Conflict):
            await stores.identity.add_tenant(a_tenant())
        return await stores.identity.list_tenants(), a_record()

    assert await storage.change(work) == (a_tenant(),)


async def test_a_change_has_its_record_and_a_refused_one_has_none(kind):
    storage = kind.open()
    made, refused = a_record(1), a_record(2)

    async def fail(stores):
        await stores.facts.put("x", b"y")
        raise Refused(refused)

    await storage.change(counting(made))
    with pytest.raises(Refused):
        await storage.change(fail)
    assert records_of(storage) == [made.record_id]


async def test_further_records_of_a_change_commit_with_it_behind_its_own(kind):
    storage = kind.open()
    records = [a_record(number) for number in range(3)]

    async def work(stores):
        await counting()(stores)
        return "done", *records[:2]

    assert await storage.change(work) == "done"
    kept, records = (
        [each.record_id for each in records[:2]],
        [records[2], records[1]],
    )  # the second of them is there already
    with pytest.raises(StorageUnavailable):
        await storage.change(work)
    assert await count_of(storage) == 1
    assert records_of(storage) == kept


async def test_a_unit_that_fails_in_a_batch_fails_alone(kind):
    storage = kind.open()

    async def fail(stores):
        await stores.facts.put("counter", b"1000")
        raise Refused

    works = [fail if number % 3 == 0 else counting() for number in range(30)]
    outcomes = await asyncio.gather(*map(storage.change, works), return_exceptions=True)
    assert [isinstance(outcome, Refused) for outcome in outcomes] == [number % 3 == 0 for number in range(30)]
    assert await count_of(storage) == 20
    assert len(records_of(storage)) == 20


async def test_what_a_unit_read_of_what_was_undone_is_not_there_for_the_next(storage):
    async def fail(stores):
        await stores.identity.add_tenant(a_tenant())
        assert await stores.identity.list_tenants() == (a_tenant(),)
        raise Refused

    async def look(stores):
        return await stores.identity.list_tenants(), a_record()

    outcomes = await asyncio.gather(*map(storage.change, (fail, look)), return_exceptions=True)
    assert isinstance(outcomes[0], Refused)
    assert outcomes[1] == ()


async def test_a_record_that_exists_already_undoes_its_change_alone(kind):
    storage = kind.open()
    record = a_record()
    first, twin, other = await asyncio.gather(
        *map(storage.change, [counting(record), counting(record), counting()]), return_exceptions=True
    )
    assert (first, other) == (1, 2)
    assert isinstance(twin, StorageUnavailable)


async def test_a_change_whose_caller_gave_up_is_whole_all_the_same(kind):
    storage = kind.open()
    record = a_record()
    given_up = asyncio.create_task(storage.change(counting(record)))
    await asyncio.sleep(0)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert await storage.change(counting()) == 2
    assert record.record_id in records_of(storage)


async def test_a_work_that_awaits_more_than_its_stores_is_refused(kind):
    storage = kind.open()

    async def work(stores):
        await stores.facts.put("counter", b"9")
        await asyncio.sleep(0)
        return None, a_record()

    with pytest.raises(RuntimeError, match="awaited something else"):
        await storage.change(work)
    assert await count_of(storage) == 0


async def test_what_was_changed_is_seen_at_the_next_request_on_every_worker(kind):
    writing, reading = kind.open(), kind.open()
    assert await reading.read().identity.find_application("app-1") is None
    await writing.change(adding(lambda stores: stores.identity.add_application(an_application())))
    assert await reading.read().identity.find_application("app-1") == an_application()
    off = an_application(enabled=False)
    await writing.change(adding(lambda stores: stores.identity.replace_application(off)))
    assert await reading.read().identity.find_application("app-1") == off
    assert await writing.read().identity.find_principal("object-1") == off


async def test_what_is_read_again_is_the_same_object_until_something_is_changed_that_decides_access(kind):
    writing, reading = kind.open(), kind.open()
    await writing.change(adding(lambda stores: stores.identity.add_application(an_application())))
    before = await reading.read().identity.find_application("app-1")
    await writing.change(adding(lambda stores: stores.secrets.add_version(a_state(), a_version())))
    assert await reading.read().secrets.find("vault-1", "secret") is not None
    assert await reading.read().identity.find_application("app-1") is before
    await writing.change(adding(lambda stores: stores.facts.put("x", b"y")))
    after = await reading.read().identity.find_application("app-1")
    assert after == before
    assert after is not before


async def test_what_was_acknowledged_is_there_after_a_new_start(kind):
    storage = kind.open()
    record = a_record()
    await storage.change(counting(record))
    await storage.change(adding(lambda stores: stores.secrets.add_version(a_state(), a_version())))
    kind.close()
    again = kind.open()
    assert await count_of(again) == 1
    assert (await again.read().secrets.find("vault-1", "secret")).version == a_version()
    assert record.record_id in records_of(again)


async def test_a_storage_that_is_closed_says_so(kind):
    storage = kind.open()
    kind.close()
    with pytest.raises(StorageUnavailable):
        await storage.change(counting())
    with pytest.raises(StorageUnavailable):
        await storage.record(a_record())


async def test_it_says_whether_it_can_be_written_beside_changes_under_way(kind):
    storage = kind.open()
    changes = [storage.change(counting()) for _ in range(10)]
    writable, *counts = await asyncio.gather(storage.is_writable(), *changes)
    assert writable
    assert counts == list(range(1, 11))


async def test_processes_on_one_place_lose_nothing_of_each_other(kind):
    kind.serve()
    processes = [play_elsewhere(kind, count) for _ in range(3)]
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0, 0, 0]
    storage = kind.open()
    await reach_the_log(storage)
    changes = 3 * 3 * COUNTER_ROUNDS
    assert await count_of(storage) == changes
    assert len(set(records_of(storage))) == len(records_of(storage)) == changes + 3 * COUNTER_ROUNDS


async def test_a_kill_at_any_moment_loses_nothing_that_was_answered(kind):
    answered = 0
    for lines in (1, 7, 30, 100):
        process = play_elsewhere(kind, journal)
        for _ in range(lines):
            answered = max(answered, int(process.stdout.readline()))
        process.kill()
        rest, _ = process.communicate()
        answered = max([answered, *map(int, rest.split(b"\n")[:-1])])
        storage = kind.open()
        assert await count_of(storage) >= answered
        assert is_whole(storage)
        kept = [entry.record.body for entry in whole_chain(storage.records)]
        assert storage.records.pending() == ()
        assert sum(b"change" in body for body in kept) == await count_of(storage)
        kind.close()


async def test_tenants_of_many_changes_at_once_are_all_kept(storage):
    tenants = [Tenant(tenant_id=f"t{n}", display_name="", created=a_tenant().created) for n in range(50)]
    await asyncio.gather(
        *[storage.change(adding(lambda stores, one=tenant: stores.identity.add_tenant(one))) for tenant in tenants]
    )
    assert len(await storage.read().identity.list_tenants()) == 50
