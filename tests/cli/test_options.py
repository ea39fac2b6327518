"""What a command is told about the data of a server: all that it would not find by itself."""

from pathlib import Path

import pytest

from strongroom.cli.options import place_flags
from strongroom.settings import load_settings

HSM = {"hsm-module": "module.so", "hsm-token": "a token", "hsm-pin-file": "pin"}


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    Path("module.so").touch()
    Path("pin").touch(0o600)


def flags_of(flags, environ=None):
    return place_flags(load_settings(flags, environ or {}))


def test_in_the_usual_places_nothing():
    assert flags_of({}) == []
    assert flags_of({"master-key-passphrase-file": "ask"}) == []  # a person is asked there too


def test_what_only_flags_said():
    there = Path.cwd() / "there"
    assert flags_of({"data-dir": "there"}) == ["--data-dir", str(there)]
    both = flags_of({"data-dir": "there", "master-key-file": "my key"})
    assert both == ["--data-dir", str(there), "--master-key-file", f"'{Path.cwd() / 'my key'}'"]
    assert flags_of({"master-key-passphrase-file": "words"}) == [
        "--master-key-passphrase-file",
        str(Path.cwd() / "words"),
    ]
    assert flags_of(HSM) == [
        *("--hsm-module", str(Path.cwd() / "module.so")),
        *("--hsm-token", "'a token'"),
        *("--hsm-pin-file", str(Path.cwd() / "pin")),
    ]


def test_not_what_the_environment_or_the_file_of_options_says(monkeypatch):
    monkeypatch.setenv("STRONGROOM_MASTER_KEY_FILE", "/keys/master.key")
    assert place_flags(load_settings({}, {"STRONGROOM_MASTER_KEY_FILE": "/keys/master.key"})) == []
    Path(".strongroom").mkdir()
    Path(".strongroom/strongroom.toml").write_text('data-dir = "/data"')
    environ = {"STRONGROOM_MASTER_KEY_FILE": "/keys/master.key"}
    assert place_flags(load_settings({}, environ)) == []
    assert place_flags(load_settings({"master-key-file": "/mine"}, {})) == ["--master-key-file", "/mine"]


def test_all_where_the_environment_alone_makes_no_sense(monkeypatch):
    hsm = flags_of(HSM)
    monkeypatch.setenv("STRONGROOM_HSM_MODULE", HSM["hsm-module"])
    found = flags_of(HSM)
    assert found[:4] == ["--data-dir", str(Path.cwd() / ".strongroom/data"), "--master-key-file", found[3]]
    assert found[4:] == hsm
