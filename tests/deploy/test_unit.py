"""The systemd unit: systemd finds nothing wrong with it, and the server lives under what it allows."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from clients.harness import STRONGROOM, execute, plain_environ

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "strongroom.service"
CONFINE = Path(__file__).with_name("confine.py")
# What systemd does before it starts a service: a file system that is read-only but for the state, and no capability.
NAMESPACE = """
mount --bind "$0" "$0" && mount -o remount,bind,ro / &&
exec setpriv --bounding-set=-all --inh-caps=-all --ambient-caps=-all --no-new-privs "$@"
"""
FORBIDDEN = """
import mmap, os, socket
def refused(what):
    try:
        what()
    except OSError as error:
        return error.errno in (1, 30)
    return False
print(all(map(refused, (
    lambda: os.chown(".", 0, 0),
    lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC),
    lambda: socket.socket(socket.AF_PACKET),
    lambda: open("/etc/strongroom-was-here", "w"),
    lambda: os.setpriority(os.PRIO_PROCESS, 0, 1),
))))
"""
USE = """
import os
from azure.identity import EnvironmentCredential
from azure.keyvault.secrets import SecretClient
client = SecretClient(os.environ["VAULT_URL"], EnvironmentCredential(disable_instance_discovery=True))
client.set_secret("kept", "one")
print(client.get_secret("kept").value)
"""

can_confine = (
    shutil.which("systemd-analyze")
    and not subprocess.run(
        ["unshare", "--map-root-user", "--mount", "true"], capture_output=True, check=False
    ).returncode
)
needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
needs_namespaces = pytest.mark.skipif(not can_confine, reason="this machine lets nobody make namespaces")


@pytest.fixture
def unit(tmp_path):
    """The unit as it would be installed from this checkout."""
    path = tmp_path / UNIT.name
    path.write_text(UNIT.read_text().replace("/opt/strongroom/.venv/bin/strongroom", STRONGROOM))
    return path


@needs_systemd
def test_systemd_finds_nothing_wrong(unit):
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_the_service_is_exposed_to_little(unit):
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", unit]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert float(re.search(r"exposure level for strongroom.service: ([0-9.]+)", shown)[1]) <= 1.2


def confined(state, unit, *command):
    return [
        *("unshare", "--map-root-user", "--mount", "sh", "-c", NAMESPACE, str(state)),
        *(sys.executable, str(CONFINE), str(unit), *command),
    ]


@needs_namespaces
def test_what_the_unit_forbids_is_refused(unit, tmp_path):
    assert (
        execute(confined(tmp_path, unit, sys.executable, "-c", FORBIDDEN), plain_environ(tmp_path)).stdout == "True\n"
    )


@pytest.fixture
def service(unit, tmp_path):
    """The server, confined, with a master key that it was handed; and the socket on which its manager hears it."""
    state, key = tmp_path / "state", tmp_path / "master.key"
    state.mkdir(mode=0o700)
    key.write_text("strongroom-master-key-1:" + "a" * 43 + "=\n")
    key.chmod(0o400)
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(state / "notify"))
    manager.settimeout(60)
    environ = plain_environ(tmp_path) | {
        "NOTIFY_SOCKET": str(state / "notify"),
        "STRONGROOM_DATA_DIR": str(state / "data"),
        "STRONGROOM_MASTER_KEY_FILE": str(key),
    }
    flags = ("--dev", "--port", "0", "--proxy-port", "0", "--metrics-port", "0", "--workers", "2")
    with (tmp_path / "log").open("w") as log:
        command = confined(state, unit, STRONGROOM, "serve", *flags)
        process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=log)
    yield process, manager, environ
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    process.wait(60)
    manager.close()


@needs_namespaces
def test_the_server_lives_under_what_the_unit_allows(service, tmp_path):
    process, manager, environ = service
    assert manager.recv(1000).decode() == f"READY=1\nMAINPID={process.pid}"
    status = Path(f"/proc/{process.pid}/status").read_text()
    assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    used = execute([STRONGROOM, "run", "--", sys.executable, "-c", USE], environ)
    assert used.stdout == "one\n"
    port = json.loads((tmp_path / "state/data/server.json").read_text())["metrics_port"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as shown:
        assert b"strongroom_processes" in shown.read()
    os.kill(process.pid, signal.SIGHUP)
    assert manager.recv(1000).startswith(b"RELOADING=1")
    assert manager.recv(1000).startswith(b"READY=1")
    assert execute([STRONGROOM, "run", "--", sys.executable, "-c", USE], environ).stdout == "one\n"
    process.terminate()
    assert manager.recv(1000).startswith(b"STOPPING=1")
    assert process.wait(60) == 0
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    assert "error" not in log
