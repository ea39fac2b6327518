from datetime import UTC, datetime

import pytest

from strongroom.audit import event
from strongroom.audit.event import new_record_id, wire_time


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05.0000000Z"),
        (datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC), "2026-01-02T03:04:05.0006780Z"),
    ],
)
def test_times_have_seven_fractional_digits(moment, written):
    assert wire_time(moment) == written


def test_record_ids_are_unique_and_sort_by_time(monkeypatch):
    ids = []
    for second in (1_700_000_000, 1_800_000_000, 4_000_000_000):
        monkeypatch.setattr(event.time, "time", lambda second=second: second)
        ids += sorted({new_record_id() for _ in range(3)})
    assert len(set(ids)) == 9
    assert ids == sorted(ids)
    assert {len(each) for each in ids} == {16}


def test_a_clock_of_before_1970_makes_ids_too(monkeypatch):
    monkeypatch.setattr(event.time, "time", lambda: -1.5)
    assert len({new_record_id() for _ in range(3)}) == 3
