import sqlite3

from structlog.testing import capture_logs

from strongroom.storage.failures import REASONS, Failures


def test_each_failure_is_told_once_a_second_with_how_many_more_there_were():
    failures, full = Failures(), sqlite3.OperationalError("database or disk is full")
    with capture_logs() as lines:
        for at in (0.0, 0.2, 0.9, 1.0, 1.1, 5.0, 9.0):
            failures.tell(full, at)
    assert [line.get("more_since_last_told") for line in lines] == [None, 2, 1, None]
    assert {(line["kind"], line["reason"], line["log_level"]) for line in lines} == {
        ("OperationalError", "database or disk is full", "error")
    }


def test_another_failure_is_told_at_once_and_memory_is_bounded():
    failures = Failures()
    with capture_logs() as lines:
        for number in range(3 * REASONS):
            failures.tell(OSError(number, "so"), 0.0)
    assert len(lines) == 3 * REASONS
    assert len(failures._told) <= REASONS + 1
