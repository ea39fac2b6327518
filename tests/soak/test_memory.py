"""The short form of `scripts/soak memory`: what a worker has at rest, and after a few seconds of load."""

from types import SimpleNamespace

import pytest

from clients.direct import Direct
from clients.harness import start_server
from soak.memory import IDLE_LIMIT, Course, memory_of, watch, workers_of

SECONDS, LOADED_LIMIT = 4, 120.0


def test_a_worker_is_small_at_rest_and_does_not_swell_under_load(tmp_path):
    server = start_server(tmp_path, "--dev", "--no-proxy", "--workers", "2")
    direct = Direct(SimpleNamespace(**server.connection))
    idle = [memory_of(pid)[0] for pid in workers_of(direct)]
    courses, answers = watch(direct, tmp_path, seconds=SECONDS, every=0.5, seed=1, say=print)
    direct.close()
    assert server.stop() == 0
    assert len(idle) == len(courses) >= 2
    assert max(idle) < IDLE_LIMIT
    assert answers > 0
    assert max(max(course.rss) for course in courses.values()) < LOADED_LIMIT


@pytest.mark.parametrize(("a_second", "rise"), [(0.0, 0.0), (0.01, 6.0), (0.1, 60.0), (-0.01, -6.0)])
def test_a_trend_is_what_is_gained_in_ten_minutes(a_second, rise):
    course = Course(list(range(100)), [60 + a_second * at for at in range(100)])
    assert course.rise == pytest.approx(rise, abs=1e-6)


def test_what_fills_at_the_beginning_is_no_trend():
    course = Course(list(range(100)), [60 + min(at, 40) for at in range(100)])
    assert course.rise == pytest.approx(0, abs=1e-6)
