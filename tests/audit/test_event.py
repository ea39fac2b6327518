from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.audit import event
from strongroom.audit.event import Category, Form, RecordBody, new_record, new_record_id, wire_time
from strongroom.clock import microseconds


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


TEXTS = st.text(max_size=30) | st.sampled_from(
    ['"durationMs":0,', '{"time":""', '"correlationId":"",', '"id":""', '":""', "id", "\\"]
)
FACTS = st.dictionaries(TEXTS.filter(lambda name: name != "id"), TEXTS, max_size=3)


@given(TEXTS, TEXTS, TEXTS, TEXTS, FACTS, st.floats(0, 1e9))
def test_a_form_that_is_filled_is_the_body_whatever_texts_are_in_it(resource, refusal, correlation, id_, facts, ms):
    def a_body(object_id="", **late):
        return RecordBody(
            resource_id=resource,
            operation_name=refusal,
            category=Category.AUDIT,
            result_description=refusal,
            caller_ip_address=resource,
            identity=facts,
            properties={"clientInfo": resource, "id": object_id, **facts},
            **late,
        )

    moment = datetime(2026, 1, 31, 12, 30, 0, 7, tzinfo=UTC)
    whole = a_body(id_, time=wire_time(moment), duration_ms=round(ms, 3), correlation_id=correlation)
    filled = Form.of(a_body(time="")).fill(microseconds(moment), ms=ms, correlation_id=correlation, object_id=id_)
    assert filled == new_record(moment, whole).body
