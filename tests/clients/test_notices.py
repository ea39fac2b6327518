"""A key whose end is near, or has come, is told by a real server, on the rehearsal clock, over restarts, once."""

import json
import time
from contextlib import closing
from types import SimpleNamespace

from clients.direct import Direct
from clients.harness import start_server
from faults.load import wait_until

NEAR, END = "KeyNearExpiryEventGridNotification", "KeyExpiredEventGridNotification"
DAY = 86_400


def test_the_end_of_a_key_is_told_as_its_policy_says_and_once(tmp_path):
    def start():
        return start_server(tmp_path / "server", "--dev", "--no-proxy", "--workers", "1")

    def told(server):
        lines = server.strongroom("logs", "--json", "-n", "100000").stdout.splitlines()
        records = [json.loads(line) for line in lines]
        return [
            (each["operationName"], each["properties"]["key"])
            for each in records
            if each["operationName"] in {NEAR, END}
        ]

    server = start()
    with closing(Direct(SimpleNamespace(**server.connection))) as direct:
        vault, expires = direct.facts.vaultUrl, int(time.time()) + 60 * DAY
        for name in ("plain", "late"):
            body = {"kty": "EC", "attributes": {"exp": expires}}
            assert direct.secret("POST", vault, f"/keys/{name}/create", body).status == 200
        notify = {"trigger": {"timeBeforeExpiry": "P7D"}, "action": {"type": "Notify"}}
        policy = {"lifetimeActions": [notify]}
        assert direct.secret("PUT", vault, "/keys/late/rotationpolicy", policy).status == 200
    for days, expected in (
        (31, [(NEAR, "plain")]),
        (24, [(NEAR, "late")]),
        (6, [(END, "late"), (END, "plain")]),
        (9, []),
    ):
        count = len(told(server))
        server.strongroom("clock", "advance", f"{days}d")
        assert server.stop() == 0
        server = start()  # who starts looks at once
        wait_until(lambda s=server, least=count, more=expected: len(told(s)) >= least + len(more))
        assert sorted(told(server)[count:]) == expected
    assert server.stop() == 0
