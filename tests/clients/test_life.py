"""The life of vaults and secrets over HTTPS, on the rehearsal clock of a real server, against the same model."""

from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from clients.direct import Direct, unique
from clients.harness import start_server
from retention_life import Life
from retention_worlds import ServerWorld

pytestmark = pytest.mark.xdist_group("life")

EXAMPLES, STEPS = 12, 20


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of its own: its clock moves."""
    running = start_server(tmp_path_factory.mktemp("life"), "--dev", "--no-proxy", "--workers", "2")
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.errors
    assert "alarm" not in running.errors


def test_no_order_of_requests_ends_anything_before_its_time_or_brings_it_back_after(server):
    direct = Direct(SimpleNamespace(**server.connection))

    class OnServer(Life):
        def make_world(self):
            self.suffix = unique("")[:8]
            return ServerWorld(direct, server.data_dir)

        def name(self, name):
            return f"{name}-{self.suffix}"

    chosen = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(OnServer, settings=chosen)
    server.strongroom("clock", "advance", "90d")
    server.strongroom("clock", "reset")
    direct.close()
