import json
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from strongroom.audit.event import Category, Record
from strongroom.audit.log import Entry
from strongroom.cli import logs
from strongroom.cli.logs import CATEGORIES, following, newest
from strongroom.cli.recordview import Choice
from strongroom.clock import microseconds

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def record(number, operation="SecretGet"):
    body = {"category": "AuditEvent", "operationName": operation, "resourceId": "", "resultType": "Success"}
    encoded = json.dumps(body | {"identity": {}, "properties": {}}).encode()
    return Record(bytes([number]), microseconds(NOON) + number * 1_000_000, encoded)


class Kept:
    """Records in a list, as the storage tells them."""

    def __init__(self, kept, pending=()):
        self.entries = [Entry(number + 1, each, b"") for number, each in enumerate(kept)]
        self.on_their_way = tuple(pending)

    def after(self, sequence, limit):
        return tuple(self.entries[sequence : sequence + limit])

    def before(self, sequence, limit):
        return tuple(self.entries[max(0, sequence - 1 - limit) : sequence - 1][::-1])

    def pending(self):
        return self.on_their_way


def ids(records):
    return [each.record_id[0] for each in records]


@pytest.mark.parametrize(("count", "expected"), [(0, []), (1, [9]), (3, [7, 8, 9]), (50, list(range(10)))])
def test_the_newest_come_in_their_order(monkeypatch, count, expected):
    monkeypatch.setattr(logs, "BATCH", 4)
    records = Kept([record(number) for number in range(8)], pending=[record(8), record(9)])
    assert ids(newest(records, Choice(), count, 8, records.pending())) == expected


@pytest.mark.parametrize(("count", "expected"), [(1, [7]), (3, [5, 6, 7]), (50, list(range(8)))])
def test_what_came_into_the_log_meanwhile_is_shown_once(monkeypatch, count, expected):
    monkeypatch.setattr(logs, "BATCH", 4)
    records = Kept([record(number) for number in range(8)])
    assert ids(newest(records, Choice(), count, 8, [record(6), record(7)])) == expected


def test_what_is_not_wanted_does_not_count():
    records = Kept([record(number, "SecretSet" if number % 3 else "SecretGet") for number in range(9)])
    assert ids(newest(records, Choice(operation="SecretGet"), 2, 9, records.pending())) == [3, 6]


def test_looking_back_ends_where_it_was_told_to():
    records = Kept([record(number) for number in range(9)])
    assert ids(newest(records, Choice(since=NOON + timedelta(seconds=7)), 50, 9, records.pending())) == [7, 8]


def test_a_slow_request_hides_none_that_ended_before_it():
    slow = structs.replace(record(9), began=microseconds(NOON - timedelta(hours=2)))
    records = Kept([*(record(number) for number in range(9)), slow])
    assert ids(newest(records, Choice(since=NOON + timedelta(seconds=7)), 50, 10, records.pending())) == [7, 8]


def test_following_shows_each_record_once(monkeypatch):
    monkeypatch.setattr(logs, "BATCH", 2)
    records = Kept([record(number) for number in range(7)])
    shown = {bytes([3])}
    assert following(records, Choice(), 2, shown) == (7, [record(number) for number in (2, 4, 5, 6)])
    assert not shown
    assert following(records, Choice(), 7, shown) == (7, [])
    assert following(records, Choice(operation="none"), 0, shown) == (7, [])


def test_records_are_shown_as_lines_and_as_they_are_kept(data, done, strongroom):
    done("app", "create", "payments")
    assert "Microsoft.Directory/applications/create" in done("logs")
    _, out, _ = strongroom("logs", "--json", "--category", "administrative", "-n", "1")
    assert json.loads(out)["operationName"] == "Microsoft.Directory/applications/create"
    assert done("logs", "--operation", "SecretGet") == ""
    assert done("logs", "--since", "1h", "--failed") == ""
    assert done("logs", "--caller", "payments").count("\n") == 1
    assert done("logs", "--caller", "nobody") == ""


@pytest.mark.parametrize("text", ["1h", "2020-01-01", "2020-01-01T12:00", "2020-01-01T12:00+02:00"])
def test_since_is_a_span_or_a_moment(data, done, text):
    assert "Strongroom.Installation/create" in done("logs", "--since", text)


def test_since_nonsense_is_refused(data, strongroom):
    code, _, err = strongroom("logs", "--since", "yesterday")
    assert code == 2
    assert "neither a duration" in err


def test_following_goes_on_until_it_is_interrupted(data, done, strongroom, monkeypatch):
    naps = []

    async def nap(_seconds):
        naps.append(1)
        if len(naps) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(logs.asyncio, "sleep", nap)
    code, out, _ = strongroom("logs", "--follow", "-n", "1")
    assert code == 130
    assert out.count("\n") == 1


def test_every_category_can_be_chosen():
    assert set(CATEGORIES) == set(Category)
