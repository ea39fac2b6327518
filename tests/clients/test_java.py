"""The unmodified Java clients, where there is a JDK, Maven and what Maven fetches; elsewhere that is said."""

import os
import shutil
import subprocess

import pytest

from canaries import MARK
from clients.harness import ROOT

SOURCE = ROOT / "tests/clients/java"
FETCH_SECONDS = 600
PASSWORD = "changeit"  # of a file that holds no secret, as Java wants one


@pytest.fixture(scope="module")
def class_path(tmp_path_factory):
    """The class path of the clients, in the versions that the sources name."""
    absent = [each for each in ("javac", "keytool", "mvn") if shutil.which(each) is None]
    if absent:
        pytest.skip(f"NOT RUN: the Java clients, since these are not installed here: {', '.join(absent)}")
    found = tmp_path_factory.mktemp("java") / "class-path"
    asked = ["dependency:build-classpath", f"-Dmdep.outputFile={found}"]
    done = run("mvn", "--batch-mode", "--quiet", "--file", str(SOURCE / "pom.xml"), *asked)
    if done.returncode != 0:
        pytest.skip(f"NOT RUN: the Java clients, since their packages cannot be had here: {done.stdout[-300:]}")
    return found.read_text()


@pytest.fixture
def trust(server, tmp_path):
    """The options with which Java trusts the server and finds it: it reads none of the variables for that by itself."""
    store, certificate = tmp_path / "trust.p12", server.data_dir / "trust/localhost/ca.pem"
    asked = ["-file", str(certificate), "-keystore", str(store), "-storepass", PASSWORD, "-alias", "strongroom"]
    done = run("keytool", "-importcert", "-noprompt", *asked)
    assert done.returncode == 0, done.stdout
    trusted = {"trustStore": store, "trustStorePassword": PASSWORD}
    return [*(f"-Djavax.net.ssl.{name}={value}" for name, value in trusted.items()), "-Djava.net.useSystemProxies=true"]


def run(*command):
    """Run a command with the caches of whoever runs the tests."""
    return subprocess.run(command, env=os.environ, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False)


def test_every_operation_of_secrets_and_keys(server, class_path, trust):
    environ = {"CANARY": f"{MARK}plaintext-of-java"}
    done = server.run("java", *trust, "-cp", class_path, str(SOURCE / "Clients.java"), environ=environ)
    assert "keys: what a key may not do is refused" in done.stdout
