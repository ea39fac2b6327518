"""A reload as those feel it who use the server meanwhile: unmodified clients that try nothing twice."""

import json
import signal
import subprocess
import sys

import pytest

from clients.harness import STRONGROOM, start_server

THREADS, TIMES = 6, 40
USE = f"""
import os
from concurrent.futures import ThreadPoolExecutor
from azure.identity import EnvironmentCredential
from azure.keyvault.secrets import SecretClient

credential = EnvironmentCredential(disable_instance_discovery=True)

def work(number):
    client = SecretClient(os.environ["VAULT_URL"], credential, retry_total=0)
    for time in range({TIMES}):
        client.set_secret(f"name-{{number}}", str(time))
        assert client.get_secret(f"name-{{number}}").value == str(time)
        if time == 0:
            print("begun\\n", end="", flush=True)  # at once: threads write beside each other

with ThreadPoolExecutor({THREADS}) as pool:
    list(pool.map(work, range({THREADS})))
"""


@pytest.fixture
def server(tmp_path):
    running = start_server(tmp_path / "server", "--dev", "--workers", "2")
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.errors


def test_clients_that_try_nothing_twice_notice_no_reload_and_each_request_has_its_record(server):
    command = [STRONGROOM, "run", "--data-dir", str(server.data_dir), "--", sys.executable, "-c", USE]
    with subprocess.Popen(
        command, env=server.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as client:
        assert client.stdout.readline() == "begun\n"
        reloads = 0
        while client.poll() is None:
            if server.errors.count("reloaded") == reloads:
                server.process.send_signal(signal.SIGHUP)
                reloads += 1
        rest = client.stdout.read()
    assert client.returncode == 0, rest
    assert reloads
    assert server.errors.count("reloaded") >= 1
    for operation in ("SecretSet", "SecretGet"):
        shown = server.strongroom("logs", "--json", "-n", "10000", "--operation", operation).stdout
        answered = [json.loads(line)["properties"]["httpStatusCode"] for line in shown.splitlines()]
        assert answered == [200] * THREADS * TIMES
