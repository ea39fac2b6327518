"""Retention, purge protection and deletion of vaults and secrets together, under a clock that moves to the second."""

import itertools

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from retention_life import Life
from retention_worlds import MemoryWorld, SqliteWorld

KINDS = {"memory": (MemoryWorld, 80), "sqlite": (SqliteWorld, 25)}


@pytest.mark.parametrize(("world", "examples"), KINDS.values(), ids=KINDS)
def test_no_order_of_events_ends_anything_before_its_time_or_brings_it_back_after(world, examples, tmp_path):
    numbers = itertools.count()

    class InWorld(Life):
        def make_world(self):
            return world(tmp_path / str(next(numbers)))

    chosen = settings(
        max_examples=examples, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(InWorld, settings=chosen)
