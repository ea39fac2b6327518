from datetime import timedelta

import pytest

from strongroom.cli.durations import parse_duration


def test_the_clock_goes_forward_and_back_to_real_time(data, done, records):
    assert "(real time)" in done("clock", "show")
    assert "(2 days, 0:00:00 ahead)" in done("clock", "advance", "2d")
    assert "(2 days, 12:00:00 ahead)" in done("clock", "advance", "12h")
    assert "(2 days, 12:00:00 ahead)" in done("clock", "show")
    assert "(real time)" in done("clock", "reset")
    moved = [body["properties"] for body in records() if body["operationName"] == "Strongroom.Rehearsal/clock/write"]
    assert [(each["previousOffsetSeconds"], each["offsetSeconds"]) for each in moved] == [
        (0, 172800),
        (172800, 216000),
        (216000, 0),
    ]


def test_only_the_clock_of_a_rehearsal_server_moves(serving, done, strongroom):
    done("serve", "--port", "0")
    code, _, err = strongroom("clock", "advance", "1d")
    assert (code, err) == (1, "strongroom: only the clock of a rehearsal server moves; start it with --dev\n")
    assert "(real time)" in done("clock", "reset")


def test_a_server_on_a_moved_clock_stays_a_rehearsal_server(data, done, strongroom):
    done("clock", "advance", "1d")
    code, _, err = strongroom("serve", "--port", "0")
    assert code == 1
    assert "clock reset" in err


def test_the_clock_goes_so_far_and_no_further(data, strongroom):
    code, _, err = strongroom("clock", "advance", "36501d")
    assert (code, err) == (1, "strongroom: the clock goes 36500 days ahead at most\n")


@pytest.mark.parametrize("text", ["", "7", "d", "-1d", "1d-1h", "1h1d", "P7D", "soon"])
def test_a_duration_that_is_none_is_refused(data, strongroom, text):
    code, _, err = strongroom("clock", "advance", "--", text)
    assert code == 2
    assert "a duration is written like 90d" in err


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90d", timedelta(days=90)),
        ("36H", timedelta(hours=36)),
        ("15m", timedelta(minutes=15)),
        ("30s", timedelta(seconds=30)),
        ("1d12h30m5s", timedelta(days=1, hours=12, minutes=30, seconds=5)),
    ],
)
def test_durations_are_written_as_people_do(text, span):
    assert parse_duration(text) == span
