"""Counts that processes share."""

import os

import pytest

from strongroom.hosting.refusal import MALFORMED as MALFORMED_REQUEST
from strongroom.meters import BOUNDS, MALFORMED, CommitMeter, Meters, RequestMeter

GET = ("requests", "data", "SecretGet", "2xx")


@pytest.fixture
def meters():
    return Meters({"data": ["SecretGet", "SecretSet"], "none": ["Health"]}, kinds=["worker"], rows=3)


def in_a_child(work, *arguments):
    """Run `work` in a child process; return how that ended."""
    pid = os.fork()
    if pid == 0:
        try:
            work(*arguments)
        finally:
            os._exit(0)
    return os.waitpid(pid, 0)[1]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # no thread of the tests holds a lock of ours
def test_processes_count_together_each_in_a_row_of_its_own(meters):
    def count(row):
        meters.sit(row)
        for _ in range(100):
            RequestMeter(meters, "data").count("SecretGet", 200, 0.001)

    for row in (1, 2, 1):
        assert in_a_child(count, row) == 0
    assert meters.each(GET) == [0, 200, 100]
    assert meters.total(GET) == 300


def test_what_has_ended_is_counted_on_but_no_longer_is(meters):
    meters.sit(1)
    meters.add(GET, 5)
    meters.set(("connections",), 7)
    meters.set(("certificate", "own"), 9)
    meters.end(1)
    assert meters.total(GET) == 5
    assert meters.total(("connections",)) == 0
    assert meters.total(("certificate", "own")) == 0


@pytest.mark.parametrize(
    ("operation", "status", "key"),
    [
        ("SecretGet", 200, GET),
        ("SecretSet", 404, ("requests", "data", "SecretSet", "4xx")),
        ("SecretSet", 100, ("requests", "data", "SecretSet", "1xx")),
        ("SecretGet", 503, ("requests", "data", "SecretGet", "5xx")),
        ("of no table", 404, ("requests", "data", "Unknown", "4xx")),
    ],
)
def test_a_request_is_counted_by_operation_and_class(meters, operation, status, key):
    RequestMeter(meters, "data").count(operation, status, 0.2)
    counted = {key for key in meters.cells if key[0] == "requests" and meters.total(key)}
    assert counted == {key}


@pytest.mark.parametrize(("status", "reason"), [(401, "unauthenticated"), (403, "forbidden"), (429, "throttled")])
def test_refusals_are_counted_by_reason(meters, status, reason):
    RequestMeter(meters, "data").count("SecretGet", status, 0.2)
    assert meters.total(("refusals", "data", reason)) == 1


@pytest.mark.parametrize(("seconds", "bucket"), [(0, 0), (BOUNDS[0], 0), (0.0006, 1), (10, 12), (11, 13), (1e6, 13)])
def test_a_bucket_ends_with_its_bound(meters, seconds, bucket):
    RequestMeter(meters, "data").count("SecretGet", 200, seconds)
    buckets = [meters.total(("bucket", "data", str(index))) for index in range(len(BOUNDS) + 1)]
    assert buckets.index(1) == bucket
    assert sum(buckets) == 1
    assert meters.total(("microseconds", "data")) == int(seconds * 1_000_000)


def test_commits_are_counted_with_what_failed(meters):
    CommitMeter(meters, "records").count(3, 1, 0.25)
    counted = {key[0]: meters.total(key) for key in meters.cells if key[1:] == ("records",)}
    assert counted == {"commits": 1, "committed": 3, "failures": 1, "commit-microseconds": 250_000}


def test_every_refusal_of_a_connection_is_counted():
    assert str(MALFORMED_REQUEST.status.value) in MALFORMED
