"""What a vault may be asked for, on a server that is no rehearsal."""

from contextlib import closing
from types import SimpleNamespace

from clients.direct import Direct
from clients.harness import start_server

WINDOWS = 3  # that the keys may fall into, on a slow machine


def test_a_vault_makes_20_keys_in_10_seconds_and_all_workers_count_together(tmp_path):
    server = start_server(tmp_path / "server", "--workers", "2", "--no-proxy")
    with closing(Direct(SimpleNamespace(**server.connection))) as direct:
        direct.make_group("rg")
        policy = direct.policy(direct.owner_id, keys=["create", "sign"])
        url = direct.make_vault("busy", "rg", accessPolicies=[policy])
        made = []
        while not made or made[-1].status == 200:
            made.append(direct.secret("POST", url, f"/keys/k{len(made)}/create", {"kty": "EC"}))
            assert len(made) <= 20 * WINDOWS
        assert len(made) > 20
        assert (made[-1].status, made[-1].error["code"]) == (429, "Throttled")
    assert server.stop() == 0
