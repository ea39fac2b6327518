"""A server's life as its operator sees it: starts, restarts, what it refuses to start on, what it writes where."""

import json
import os
import pty
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from clients.harness import STRONGROOM, StartFailed, execute, plain_environ, start_server

SET = """
import os, sys
from azure.identity import EnvironmentCredential
from azure.keyvault.secrets import SecretClient
client = SecretClient(os.environ["VAULT_URL"], EnvironmentCredential(disable_instance_discovery=True))
if len(sys.argv) > 1:
    client.set_secret("kept", sys.argv[1])
print(client.get_secret("kept").value)
"""
KEYS = {
    "tenantId",
    "subscriptionId",
    "resourceGroup",
    "location",
    "clientId",
    "clientSecret",
    "authority",
    "managementUrl",
    "vaultUrl",
    "caBundle",
    "proxyUrl",
    "pid",
}


@pytest.fixture
def start(tmp_path):
    """Start servers, each in a folder of its own unless told; all of them are stopped in the end."""
    started = []

    def begin(*flags, folder="server", **kwargs):
        server = start_server(tmp_path / folder, "--workers", "1", *flags, **kwargs)
        started.append(server)
        return server

    yield begin
    for server in started:
        server.stop()


def python(server, *arguments):
    return server.run(sys.executable, "-c", SET, *arguments).stdout.strip()


def free_port():
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        return str(held.getsockname()[1])


def refusal(start, *flags, **kwargs):
    """Return the one line that a server says which must not start."""
    with pytest.raises(StartFailed) as failed:
        start(*flags, **kwargs)
    assert failed.value.output == ""
    assert failed.value.code == 1
    lines = failed.value.errors.splitlines()
    assert len(lines) == 1, failed.value.errors
    return lines[0]


def files(folder):
    return {
        path.relative_to(folder): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in folder.rglob("*")
        if not path.name.endswith(("-shm", "-wal"))
    }


def test_the_connection_file_is_private_and_has_what_programs_read(start):
    server = start("--dev")
    connection = server.connection
    assert set(connection) == KEYS
    assert stat.S_IMODE(server.connection_file.stat().st_mode) == 0o600
    assert connection["pid"] == server.process.pid
    assert connection["resourceGroup"] == "dev"
    assert re.fullmatch(r"https://dev\.vault\.localhost:\d+", connection["vaultUrl"])
    assert re.fullmatch(r"https://login\.localhost:\d+", connection["authority"])
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", connection["proxyUrl"])


def test_without_dev_there_is_no_vault_and_the_secret_is_told_once(start):
    server = start("--no-proxy")
    assert set(server.connection) == KEYS - {"vaultUrl", "resourceGroup", "proxyUrl"}
    secret = server.connection["clientSecret"]
    assert secret not in server.banner
    assert "app reset-secret" not in server.banner
    assert server.stop() == 0
    again = start("--no-proxy")
    assert "clientSecret" not in again.connection
    shown = json.loads(again.strongroom("app", "reset-secret", "bootstrap", "--json").stdout)
    assert shown["clientSecret"] != secret
    assert again.connection["clientSecret"] == shown["clientSecret"]


def test_a_terminal_is_shown_the_secret(tmp_path):
    ours, theirs = pty.openpty()
    command = [STRONGROOM, "serve", "--data-dir", str(tmp_path / "data"), "--port", "0", "--workers", "1"]
    process = subprocess.Popen(command, env=plain_environ(tmp_path), stdout=theirs, stderr=subprocess.DEVNULL)
    os.close(theirs)
    shown = ""
    while "next " not in shown:
        shown += os.read(ours, 4096).decode()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    os.close(ours)
    assert re.search(r"secret +[\w-]{43}  \(shown this once; keep it\)", shown)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_is_clean(start, number):
    server = start()
    assert server.stop(number) == 0
    assert "Traceback" not in server.errors
    assert not (server.data_dir / "server.json").exists()


def test_a_restart_loses_nothing(start):
    server = start("--dev")
    assert python(server, "one") == "one"
    before = server.connection
    assert server.stop() == 0
    server = start("--dev", "--port", free_port())
    assert python(server) == "one"
    same = KEYS - {"authority", "managementUrl", "vaultUrl", "proxyUrl", "pid"}
    assert {key: server.connection[key] for key in same} == {key: before[key] for key in same}
    assert server.connection["vaultUrl"] != before["vaultUrl"]


def test_a_killed_server_is_followed_at_once(start):
    server = start("--dev")
    assert python(server, "one") == "one"
    server.stop(signal.SIGKILL)
    assert python(start("--dev")) == "one"


def test_a_second_server_on_the_same_data_is_refused(start):
    first = start()
    before = files(first.data_dir)
    line = refusal(start, folder="second", data_dir=first.data_dir)
    assert line == (
        f"strongroom: another server (process {first.process.pid}) runs on {first.data_dir} already; "
        "stop it first or give another --data-dir"
    )
    assert files(first.data_dir) == before


def test_a_busy_port_is_named_and_nothing_is_made(start, tmp_path):
    first = start()
    port = first.connection["authority"].rpartition(":")[2]
    line = refusal(start, "--port", port, folder="second")
    assert port in line
    assert "busy" in line
    assert not (tmp_path / "second/data").exists()


def test_a_missing_master_key_stops_the_start_and_none_is_made(start):
    server = start()
    server.stop()
    key = server.data_dir.with_name("data-key") / "master.key"
    key.rename(key.with_name("elsewhere"))
    before = files(server.data_dir)
    assert f"the master key {key} is missing, and the data in {server.data_dir} need it" in refusal(start)
    assert not key.exists()
    assert files(server.data_dir) == before
    assert start("--master-key-file", str(key.with_name("elsewhere"))).stop() == 0


def test_a_wrong_master_key_stops_the_start(start):
    server, other = start(), start(folder="other")
    server.stop()
    key = server.data_dir.with_name("data-key") / "master.key"
    before = files(server.data_dir)
    wrong = other.data_dir.with_name("data-key") / "master.key"
    assert "master key" in refusal(start, "--master-key-file", str(wrong))
    key.chmod(0o644)
    assert "chmod 600" in refusal(start)
    key.write_text("nonsense")
    key.chmod(0o600)
    assert "holds no master key" in refusal(start)
    unchanged = {path: state for path, state in files(server.data_dir).items() if path.suffix == ".db"}
    assert unchanged.items() <= before.items()


def test_data_of_a_newer_version_is_left_alone(start):
    server = start()
    server.stop()
    with closing(sqlite3.connect(server.data_dir / "strongroom.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    before = files(server.data_dir)
    assert "newer" in refusal(start)
    assert files(server.data_dir) == before


def test_a_place_that_cannot_be_written_is_named(start, tmp_path):
    (tmp_path / "file").touch()
    line = refusal(start, data_dir=tmp_path / "file/data")
    assert str(tmp_path / "file/data") in line
    line = refusal(start, "--connection-file", str(tmp_path / "none/c.json"))
    assert "connection file" in line


def test_another_domain_has_a_ca_of_its_own_and_says_so(start):
    first = start("--dev")
    assert "a new CA: clients of localhost must trust it" in first.banner
    first.stop()
    assert "a new CA" not in start("--dev").banner
    other = start("--dev", "--domain", "vault.test", folder="other")
    other.stop()
    again = start("--dev", "--domain", "second.test", folder="other")
    assert "a new CA: clients of second.test must trust it" in again.banner
    assert "/trust/second.test/ca.pem" in again.banner
    assert (again.data_dir / "trust/vault.test/ca.pem").exists()
    assert python(again, "one") == "one"


def test_under_a_domain_of_its_own_health_is_asked_at_the_loopback_address(start):
    server = start("--domain", "keys.example.test")
    port = server.connection["authority"].rpartition(":")[2]
    ca = server.data_dir / "trust/keys.example.test/ca.pem"
    for path in ("health/live", "health/ready", "openapi/data.json"):
        answer = execute(["curl", "-sSf", "--cacert", ca, f"https://127.0.0.1:{port}/{path}"], server.environ).stdout
        assert json.loads(answer)


def test_later_starts_answer_within_a_second(start):
    start("--dev").stop()
    # Processor time, which other tests beside this one do not lengthen; the start waits for nothing else.
    assert processor_seconds(start("--dev").process.pid) < 1.0


def processor_seconds(pid):
    """Return what a process and its children have used of the processor so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(processor_seconds(child) for child in children)


def test_a_disabled_application_is_refused_at_its_very_next_request_on_every_worker(start, monkeypatch):
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import ClientSecretCredential
    from azure.keyvault.secrets import SecretClient

    server = start("--dev", "--workers", "4")
    for name, value in server.client_environ().items():
        monkeypatch.setenv(name, value)
    connection = server.connection
    credential = ClientSecretCredential(
        connection["tenantId"],
        connection["clientId"],
        connection["clientSecret"],
        authority=connection["authority"],
        disable_instance_discovery=True,
    )
    # Each client has a connection of its own, and so a worker by chance; all of them hold the same token.
    with credential:
        clients = [SecretClient(connection["vaultUrl"], credential) for _ in range(16)]
        for client in clients:
            client.set_secret("any", "value")
        server.strongroom("app", "disable", "bootstrap")
        with ThreadPoolExecutor(len(clients)) as pool:
            refusals = [pool.submit(client.get_secret, "any") for client in clients]
        for each in refusals:
            with pytest.raises(ClientAuthenticationError):
                each.result()
        server.strongroom("app", "enable", "bootstrap")
        assert all(client.get_secret("any").value == "value" for client in clients)
        for client in clients:
            client.close()


def test_run_hands_on_the_exit_code_and_the_arguments(start):
    server = start("--dev")
    done = server.run("sh", "-c", 'echo "$1 $AZURE_TENANT_ID"; exit 7', "sh", "a  b", check=False)
    assert (done.returncode, done.stdout) == (7, f"a  b {server.connection['tenantId']}\n")
    assert server.run("no-such-command", check=False).returncode == 127
    assert server.run("/", check=False).returncode == 126


def test_run_passes_other_hosts_through_when_asked(start, tmp_path):
    server = start("--dev")
    other = start("--dev", folder="other", data_dir=tmp_path / "other/data")
    url = f"https://localhost:{other.connection['authority'].rpartition(':')[2]}/health/live"
    elsewhere = ["curl", "-sS", "-k", url.replace("localhost", "127.0.0.1")]
    refused = server.run(*elsewhere, check=False)
    assert refused.returncode != 0
    passed = server.strongroom("run", "--pass-through", "--", *elsewhere)
    assert passed.stdout == '{"status":"live"}'
    own = server.strongroom("run", "--pass-through", "--", "curl", "-sS", "-i", server.connection["vaultUrl"])
    assert "404" in own.stdout or "401" in own.stdout
    code = server.strongroom("run", "--pass-through", "--", "sh", "-c", "exit 3", check=False).returncode
    assert code == 3


WHO = """
import base64, json, os
from azure.identity import EnvironmentCredential
token = EnvironmentCredential(disable_instance_discovery=True).get_token("https://vault.azure.net/.default").token
claims = token.split(".")[1]
print(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["appid"])
"""


def test_run_signs_in_as_the_application_that_the_environment_names_else_as_bootstrap(start):
    server = start()
    made = json.loads(server.strongroom("app", "create", "payments", "--json").stdout)
    payments = {"AZURE_CLIENT_ID": made["clientId"], "AZURE_CLIENT_SECRET": made["clientSecret"]}
    who = [sys.executable, "-c", WHO]
    signed_in = server.run(*who, environ=payments)
    assert signed_in.stdout.strip() == made["clientId"]
    assert signed_in.stderr == (
        f"note: clients sign in as application {made['clientId']}, as this environment says, not as bootstrap\n"
    )
    nested = server.run(STRONGROOM, "run", "--", *who)
    assert (nested.stdout.strip(), nested.stderr) == (server.connection["clientId"], "")
    within = server.run("env", *(f"{name}={value}" for name, value in payments.items()), STRONGROOM, "run", "--", *who)
    assert within.stdout.strip() == made["clientId"]


def test_where_the_bootstrap_secret_is_not_known_run_says_so_and_takes_it_from_the_environment(start):
    server = start()
    secret = server.connection["clientSecret"]
    server.stop()
    again = start()  # it knows the secret no more
    assert "export AZURE_CLIENT_SECRET=" in again.run("true").stderr
    done = again.run(sys.executable, "-c", WHO, environ={"AZURE_CLIENT_SECRET": secret})
    assert (done.stdout.strip(), done.stderr) == (again.connection["clientId"], "")


def test_env_is_for_a_shell_and_for_programs(start):
    server = start("--dev")
    text = server.strongroom("env").stdout
    shown = execute(["sh", "-c", f'{text}\necho "$VAULT_URL"'], server.environ).stdout
    assert shown.strip() == server.connection["vaultUrl"]
    assert server.client_environ()["VAULT_URL"] == server.connection["vaultUrl"]
    assert "$Env:VAULT_URL = 'https://dev" in server.strongroom("env", "--format", "powershell").stdout


def test_commands_that_need_a_server_say_how_to_start_one(start, tmp_path):
    server = start()
    server.stop()
    for command in (["env"], ["run", "true"]):
        done = server.strongroom(*command, check=False)
        assert done.returncode == 1
        assert done.stderr == f"strongroom: no server runs on {server.data_dir}; start one: strongroom serve\n"
