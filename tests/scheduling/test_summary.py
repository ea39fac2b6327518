from datetime import UTC, datetime

import pytest

from doubles import MemoryStorage
from strongroom.access.network.tally import OTHERS, SLOTS, Tally
from strongroom.errors import StorageUnavailable
from strongroom.scheduling.summary import NAMED_ADDRESSES, OPERATION, summarize

NOON = 43_200.0
MOMENT = datetime(2026, 11, 23, 12, tzinfo=UTC)


def refuse(tally, address, count):
    for _ in range(count):
        tally.count(address, NOON, 0)


async def test_one_record_tells_how_many_were_refused_and_from_where():
    storage, tally = MemoryStorage(), Tally()
    refuse(tally, "203.0.113.7", 3)
    refuse(tally, "2001:db8::1", 5)
    assert await summarize(tally, storage, MOMENT) == 8
    (record,) = storage.bodies()
    assert (record["operationName"], record["category"]) == (OPERATION, "Administrative")
    assert (record["resultType"], record["resultSignature"]) == ("Failed", "Forbidden")
    assert record["resultDescription"].startswith("8 requests without valid credentials")
    assert record["time"] == "2026-11-23T12:00:00.0000000Z"
    assert record["properties"] == {
        "actor": "server",
        "requests": 8,
        "addresses": [{"address": "2001:db8::/64", "requests": 5}, {"address": "203.0.113.7", "requests": 3}],
        "otherRequests": 0,
    }


async def test_where_nothing_was_refused_there_is_no_record():
    storage = MemoryStorage()
    assert await summarize(Tally(), storage, MOMENT) == 0
    assert storage.records == []


async def test_however_many_addresses_there_are_the_record_stays_small_and_its_sum_right():
    storage, tally = MemoryStorage(), Tally()
    for number in range(2 * SLOTS):
        tally.count(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", NOON, 0)
    refuse(tally, "203.0.113.7", 3)
    await summarize(tally, storage, MOMENT)
    (record,) = storage.bodies()
    told = record["properties"]
    assert len(told["addresses"]) == NAMED_ADDRESSES
    assert OTHERS not in {each["address"] for each in told["addresses"]}
    assert sum(each["requests"] for each in told["addresses"]) + told["otherRequests"] == told["requests"]
    assert told["requests"] == 2 * SLOTS + 3
    assert len(storage.records[0].body) < 10_000


async def test_what_cannot_be_recorded_is_in_the_next_summary():
    storage, tally = MemoryStorage(), Tally()
    refuse(tally, "203.0.113.7", 3)
    storage.broken = True
    with pytest.raises(StorageUnavailable):
        await summarize(tally, storage, MOMENT)
    storage.broken = False
    refuse(tally, "203.0.113.7", 4)
    assert await summarize(tally, storage, MOMENT) == 7
