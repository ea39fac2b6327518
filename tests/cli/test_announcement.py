import re
from dataclasses import replace
from pathlib import Path

from strongroom.cli.announcement import announce
from strongroom.cli.identity import Credentials
from strongroom.cli.running import Running

README = (Path(__file__).parents[2] / "README.md").read_text()
RUNNING = Running(
    pid=1,
    domain="localhost",
    addresses=("127.0.0.1", "::1"),
    port=443,
    proxy_port=444,
    tenant_id="the-tenant",
    subscription_id="the-subscription",
    client_id="the-client",
    location="local",
    dev=False,
    ca_file="ca.pem",
    ca_bundle="bundle.pem",
)


def told(running=RUNNING, *, secret=None, vault=None, shown=None, is_new=False, new_ca=False):
    credentials = Credentials(client_id="the-client", client_secret=secret, vault=vault)
    return announce(running, credentials, shown_secret=shown, is_new=is_new, new_ca=new_ca)


def test_the_operator_learns_where_who_and_what_next():
    text = told()
    for part in ("https://localhost (127.0.0.1, ::1)", "http://127.0.0.1:444", "the-tenant", "the-subscription"):
        assert part in text
    register = "az cloud register -n localhost --endpoint-resource-manager https://management.localhost"
    assert re.search(rf"next +AZURE_CONFIG_DIR=~/\.azure-strongroom \S+ run -- {register}$", text, re.MULTILINE)
    assert "secret" not in text


def test_readme_registers_the_cloud_as_the_next_line_does():
    served = replace(RUNNING, domain="keys.example.test")
    register = told(served).rpartition(" az cloud register ")[2].strip()
    assert f"az cloud register {register}\n" in README
    assert "AZURE_CONFIG_DIR=~/.azure-strongroom\n" in README


def test_without_a_proxy_that_is_said():
    assert "no proxy" in told(replace(RUNNING, proxy_port=None))


def test_a_rehearsal_server_says_that_it_is_one_and_names_its_vault():
    text = told(replace(RUNNING, dev=True), vault="dev")
    assert text.splitlines()[0].endswith("answers for rehearsal (--dev)")
    assert "https://dev.vault.localhost" in text
    assert "run -- try/bin/python first.py " in text
    assert "run -- try/bin/python first.py\n" in README


def test_a_secret_in_the_connection_file_is_not_shown_but_pointed_at():
    text = told(replace(RUNNING, connection_file="/c.json"), secret="hidden", is_new=True)
    assert "in /c.json" in text
    assert "hidden" not in text
