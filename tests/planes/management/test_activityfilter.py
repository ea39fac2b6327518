from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import BadRequest
from strongroom.planes.management.activityfilter import LATEST, parse_activity_filter

SINCE = "eventTimestamp ge '2026-11-25T00:00:00Z'"
MIDNIGHT = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        SINCE,
        "EVENTTIMESTAMP GE '2026-11-25T00:00:00.0000000Z'",
        "eventTimestamp ge 2026-11-25T00:00:00",
        "eventTimestamp ge '2026-11-25'",
        "eventTimestamp ge '2026-11-25T01:00:00+01:00'",
        f"{SINCE} and eventChannels eq 'Admin, Operation'",
    ],
)
def test_the_beginning_is_read_as_clients_write_it(text):
    found = parse_activity_filter(text)
    assert (found.since, found.until, found.terms) == (MIDNIGHT, LATEST, {})


def test_the_end_and_the_fields_are_read():
    found = parse_activity_filter(
        f"{SINCE} and eventTimestamp le 2026-11-26T12:30:00.5 and resourceGroupName eq 'it''s' and status eq 'Failed'"
    )
    assert found.until == datetime(2026, 11, 26, 12, 30, 0, 500_000, tzinfo=UTC)
    assert found.terms == {"resourcegroupname": "it's", "status": "Failed"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "resourceGroupName eq 'a'",
        "eventTimestamp le '2026-11-25'",
        f"{SINCE} and",
        f"{SINCE} or caller eq 'a'",
        f"{SINCE} {SINCE}",
        f"{SINCE} and {SINCE}",
        f"{SINCE} and eventTimestamp eq '2026-11-25'",
        f"{SINCE} and caller ge 'a'",
        f"{SINCE} and caller eq 'a' and caller eq 'b'",
        f"{SINCE} and colour eq 'red'",
        "eventTimestamp ge 'noon'",
        "eventTimestamp ge '0001-01-01T00:00:00+23:00'",
    ],
)
def test_other_forms_are_refused(text):
    with pytest.raises(BadRequest):
        parse_activity_filter(text)


@given(st.text(max_size=80))
def test_any_text_is_a_filter_or_is_refused(text):
    for whole in (text, f"{SINCE} and {text}"):
        with suppress(BadRequest):
            parse_activity_filter(whole)
