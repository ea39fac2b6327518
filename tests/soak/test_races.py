"""The short form of `scripts/soak races`: on a server with two workers."""

from types import SimpleNamespace

import pytest

from clients.direct import Direct
from clients.harness import start_server
from soak.races import race_for_secrets, race_for_vaults, race_for_vaults_with_a_secret

pytestmark = pytest.mark.xdist_group("races")


@pytest.fixture(scope="module")
def direct(tmp_path_factory):
    running = start_server(tmp_path_factory.mktemp("races"), "--dev", "--no-proxy", "--workers", "2")
    made = Direct(SimpleNamespace(**running.connection))
    yield made
    made.close()
    assert running.stop() == 0
    assert "Traceback" not in running.errors
    assert "alarm" not in running.errors


def test_clients_that_race_for_a_secret_leave_one_order(direct):
    assert race_for_secrets(direct, 25).rounds >= 25


def test_clients_that_race_for_a_vault_leave_one_order(direct):
    assert race_for_vaults(direct, 10).rounds >= 10


def test_secrets_of_a_vault_that_comes_and_goes_leave_one_order(direct):
    assert race_for_vaults_with_a_secret(direct, 60).rounds >= 15
