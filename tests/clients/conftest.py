"""Real clients against a real server: one server for each process of the test run."""

import json
from types import SimpleNamespace

import pytest

from clients.harness import execute, start_server


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A server with its rehearsal vault, started as users start it."""
    running = start_server(tmp_path_factory.mktemp("server"), "--dev", "--workers", "2")
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.errors


@pytest.fixture(scope="session")
def connection(server):
    return SimpleNamespace(**server.connection)


@pytest.fixture(scope="module")
def world(server, connection):
    """Vaults in every state that an error asks for."""
    from clients.provoking import World

    made = World(server, connection)
    yield made
    made.close()


@pytest.fixture(scope="session")
def client_variables(server):
    return server.client_environ()


@pytest.fixture
def client_environ(client_variables, monkeypatch):
    """The environment of `strongroom env`, in this very process, for the SDKs."""
    for name, value in client_variables.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return client_variables


@pytest.fixture
def credential(connection, client_environ):
    """The bootstrap application's credential, of the SDK's synchronous kind."""
    from azure.identity import ClientSecretCredential

    with ClientSecretCredential(
        connection.tenantId,
        connection.clientId,
        connection.clientSecret,
        authority=connection.authority,
        disable_instance_discovery=True,
    ) as credential:
        yield credential


@pytest.fixture(scope="session")
def az(server, connection, tmp_path_factory):
    """Run an az command; gives what it printed, parsed. `fails` gives what it said instead.

    Who uses it is in the xdist group "az": one process of a test run signs in, once.
    """
    home = tmp_path_factory.mktemp("az")
    environ = {
        "AZURE_CONFIG_DIR": str(home),
        "AZURE_CORE_COLLECT_TELEMETRY": "false",
        "AZURE_CORE_NO_COLOR": "true",
        "AZURE_CORE_ONLY_SHOW_ERRORS": "true",
    }

    # What `strongroom run` sets, asked for once: it is a program of its own to start before each of hundreds.
    told = server.client_environ()
    within = server.environ | environ | {name: value for name, value in told.items() if value is not None}
    within = {name: value for name, value in within.items() if told.get(name, "") is not None}

    def run(line, *more, fails=False):
        done = execute(["az", *line.split(), *more, "-o", "json"], within, check=not fails)
        if fails:
            assert done.returncode != 0, done.stdout
            return done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    who = f"login --service-principal -u {connection.clientId} -t {connection.tenantId} -p"
    register = "cloud register -n Strongroom --endpoint-resource-manager"
    for line, *more in (
        (register, connection.managementUrl),
        ("cloud set -n Strongroom",),
        (who, connection.clientSecret),
    ):
        server.run("az", *line.split(), *more, environ=environ)  # as README has it
    return run


def pytest_collection_modifyitems(items):
    for item in items:
        if "clients" in item.path.parts:
            item.add_marker(pytest.mark.clients)
