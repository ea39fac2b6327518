"""The short form of `scripts/soak rotations`, and that it notices a key that was rotated twice."""

import pytest

from clients.direct import on_server_data
from soak.oracle import keys_of
from soak.rotations import VICTIMS, Run
from strongroom.audit.local import local_record
from strongroom.clock import real_now

pytestmark = pytest.mark.xdist_group("kills")

KEYS, ROUNDS, SEED = 24, 1, 3


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that is over."""
    played = Run(tmp_path_factory.mktemp("rotations"), SEED, print, keys=KEYS)
    played.play(ROUNDS)
    return played


def test_a_rotation_that_is_due_happens_once_whoever_is_killed(run):
    report = run.report
    assert report.wrong == [], report.words()
    assert report.rotations == KEYS * ROUNDS
    assert report.kills.total() == (len(VICTIMS) + 1) * ROUNDS
    assert report.cut.total() > 0, report.words()


def test_a_rotation_too_many_is_noticed(run):
    async def rotate(data):
        async with keys_of(data) as keys:
            made = await keys.make_next("policy-0")

        async def work(stores):
            keys.keys = keys.store = stores.keys
            await keys.rotate("policy-0", made)
            return None, local_record("Test/rotate", now=real_now(), properties={})

        await data.storage.change(work)

    on_server_data(run.server, rotate)
    (wrong,) = run.faults(ROUNDS)
    assert wrong.startswith(f"key policy-0 came due {ROUNDS} times and has versions of")
