import json

import pytest

from strongroom.cli import env
from strongroom.cli.env import as_json, as_powershell, as_shell
from strongroom.cli.environment import EnvironmentChange

CHANGE = EnvironmentChange({"A": "it's", "B": "plain"}, ("NO_PROXY",))


def test_a_shell_is_told_in_its_own_words():
    assert as_shell(CHANGE).splitlines() == ["unset NO_PROXY", """export A='it'"'"'s'""", "export B=plain"]


def test_powershell_is_told_in_its_own_words():
    assert as_powershell(CHANGE).splitlines() == [
        "Remove-Item -ErrorAction Ignore Env:NO_PROXY",
        "$Env:A = 'it''s'",
        "$Env:B = 'plain'",
    ]


def test_a_program_is_told_in_json():
    assert json.loads(as_json(CHANGE)) == {"A": "it's", "B": "plain", "NO_PROXY": None}


@pytest.fixture
def resolving(monkeypatch):
    def resolve(answer):
        monkeypatch.setattr(env, "names_resolve", lambda _domain: answer)

    return resolve


def test_the_environment_has_the_secret_of_a_rehearsal_server(running, done, resolving):
    resolving(False)
    running("--dev", meanwhile=lambda: check(done("env", "--format", "json")))


def check(out):
    variables = json.loads(out)
    assert variables["AZURE_CLIENT_SECRET"]
    assert variables["VAULT_URL"].startswith("https://dev.vault.localhost:")
    assert variables["HTTPS_PROXY"].startswith("http://127.0.0.1:")


def test_without_the_master_key_there_is_no_secret(running, strongroom, resolving, home):
    resolving(True)

    def meanwhile():
        (home / ".strongroom/data-key/master.key").unlink()
        code, out, err = strongroom("env", "--format", "json")
        variables = json.loads(out)
        assert code == 0
        assert "AZURE_CLIENT_SECRET" not in variables
        assert err.startswith("note: bootstrap's secret is not known here")
        assert "VAULT_URL" not in variables

    running("--dev", meanwhile=meanwhile)


def test_an_ordinary_servers_secret_is_known_from_its_connection_file_only(running, strongroom, resolving, home):
    resolving(True)

    def secret():
        return json.loads(strongroom("env", "--format", "json")[1]).get("AZURE_CLIENT_SECRET")

    def meanwhile():
        kept = json.loads((home / "c.json").read_text())
        assert secret() == kept["clientSecret"]
        (home / "c.json").write_text(json.dumps(kept | {"pid": 0}))
        assert secret() is None
        (home / "c.json").write_text("broken")
        assert secret() is None
        (home / "c.json").unlink()
        assert secret() is None

    running("--connection-file", "c.json", meanwhile=meanwhile)
    running(meanwhile=lambda: secret() is None)


def test_a_server_without_its_proxy_is_noted_where_names_do_not_resolve(running, strongroom, resolving):
    resolving(False)

    def meanwhile():
        code, out, err = strongroom("env")
        assert code == 0
        assert "export AZURE_TENANT_ID" in out
        assert err.startswith("note: names under localhost do not resolve here")

    running("--no-proxy", meanwhile=meanwhile)


def test_an_application_that_is_named_whole_stays_and_is_not_printed(running, strongroom, resolving, monkeypatch):
    resolving(True)
    monkeypatch.setenv("AZURE_CLIENT_ID", "payments")
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "its-secret")

    def meanwhile():
        code, out, err = strongroom("env")
        assert code == 0
        assert "AZURE_CLIENT" not in out
        assert "its-secret" not in err
        assert err.startswith("note: clients sign in as application payments")

    running("--dev", meanwhile=meanwhile)


def test_a_server_that_is_not_there_is_said_not_to_be(data, strongroom):
    code, _, err = strongroom("env")
    assert code == 1
    assert "start one: strongroom serve" in err
