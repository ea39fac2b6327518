import os

import pytest

from strongroom.planes.data.throttling import SLOTS, SUBSCRIPTION_LIMIT, VAULT_LIMIT, Limiter, allocate


def admitted(limiter, count, *, vault="v", subscription="s", seconds=0.0):
    return sum(limiter.admit(vault, subscription, seconds) for _ in range(count))


def test_a_vault_may_be_asked_4000_times_in_10_seconds():
    limiter = Limiter()
    assert admitted(limiter, VAULT_LIMIT + 5) == VAULT_LIMIT == 4_000
    assert admitted(limiter, 1, seconds=9.999) == 0
    assert admitted(limiter, VAULT_LIMIT + 5, seconds=10) == VAULT_LIMIT


def test_vaults_are_counted_apart_and_their_subscription_together():
    limiter = Limiter()
    names = [f"v{i}" for i in range(6)]
    assert [admitted(limiter, VAULT_LIMIT, vault=name) for name in names] == [VAULT_LIMIT] * 5 + [0]
    assert SUBSCRIPTION_LIMIT == 20_000
    assert admitted(limiter, 1, vault="v9", subscription="other") == 1


def test_a_refused_request_counts_nowhere():
    limiter = Limiter()
    admitted(limiter, VAULT_LIMIT + 10_000, vault="v0")
    rest = [admitted(limiter, VAULT_LIMIT, vault=f"v{i}") for i in range(1, 5)]
    assert sum(rest) == SUBSCRIPTION_LIMIT - VAULT_LIMIT


def test_a_request_of_a_window_gone_by_counts_in_the_one_that_there_is():
    limiter = Limiter()
    assert admitted(limiter, VAULT_LIMIT, seconds=100) == VAULT_LIMIT
    assert not limiter.admit("v", "s", 99.9)
    assert limiter.admit("v", "s", 99.9, -1)
    assert admitted(limiter, 5, seconds=101) == 1
    assert admitted(limiter, 5, seconds=50) == 5, "a clock that was set back begins anew"


def test_workers_count_together():
    memory = allocate()
    limiter = Limiter(memory)
    assert admitted(limiter, 3_000) == 3_000
    child = os.fork()
    if child == 0:
        os._exit(0 if admitted(Limiter(memory), 5_000) == 1_000 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert admitted(limiter, 1) == 0


def test_cells_of_windows_gone_by_are_used_again():
    limiter = Limiter()
    for window in range(3):
        for i in range(SLOTS // 4):
            assert limiter.admit(f"{window}-{i}", "s", window * 10.0)


def test_where_there_is_no_cell_there_is_no_limit():
    limiter = Limiter()
    assert all(limiter.admit(f"v{i}", f"s{i}", 0.0) for i in range(SLOTS))
    assert admitted(limiter, 100, vault="one more", subscription="one more") == 100


@pytest.mark.parametrize("seconds", [0.0, 1_790_000_000.5, 4_102_444_800.0])
def test_any_time_has_its_window(seconds):
    assert admitted(Limiter(), 2, seconds=seconds) == 2
