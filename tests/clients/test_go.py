"""The unmodified Go clients: built once, where there is a Go and the modules can be had; elsewhere that is said."""

import os
import shutil
import subprocess

import pytest

from canaries import MARK
from clients.harness import ROOT

SOURCE = ROOT / "tests/clients/go"
BUILD_SECONDS = 600
SETTINGS = {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The path of the program, built as its own lock file has it."""
    if shutil.which("go") is None:
        pytest.skip("NOT RUN: the Go clients, since no Go is installed here")
    built = tmp_path_factory.mktemp("go") / "clients"
    fetched = go("mod", "download")
    if fetched.returncode != 0:
        pytest.skip(f"NOT RUN: the Go clients, since their modules cannot be had here: {fetched.stderr[-300:]}")
    done = go("build", "-o", str(built), ".")
    assert done.returncode == 0, done.stderr
    return built


def go(*arguments):
    """Run a command of Go in the sources, with the caches of whoever runs the tests."""
    command, environ = ["go", *arguments], os.environ | SETTINGS
    return subprocess.run(
        command, cwd=SOURCE, env=environ, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )


def test_every_operation_of_secrets_and_keys(server, program):
    done = server.run(str(program), environ={"CANARY": f"{MARK}plaintext-of-go"})
    assert "keys: what a key may not do is refused" in done.stdout
