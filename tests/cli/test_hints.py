"""Commands that output names can be typed as they stand, and find the data that the command which names them found."""

import shlex
import sys
from pathlib import Path

import click
import pytest

from strongroom.cli import hints
from strongroom.cli.hints import command_name, typed_here
from strongroom.cli.main import strongroom as root
from strongroom.cli.options import PLACE, settings_from, settings_options
from strongroom.options import BY_NAME

HERE = {"data-dir": "there", "master-key-file": "a key", "config": "my.toml"}
HSM = {"hsm-module": "module.so", "hsm-token": "a $token", "hsm-pin-file": "pin"}


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["strongroom"])
    monkeypatch.chdir(tmp_path)
    for name in ("module.so", "pin", "my.toml"):
        Path(name).touch(0o600)


@pytest.fixture
def ask(monkeypatch):
    """Run a command of this program that outputs a text, with flags; return what it printed and found."""

    def asked(text, /, **flags):
        printed = []

        @click.command(name="asking")
        @settings_options(*PLACE)
        def command(**given):
            printed.extend([typed_here(text), settings_from(given)])

        words = [word for name, value in flags.items() for word in (f"--{name}", value)]
        monkeypatch.setattr(root, "get_command", lambda ctx, name: command if name == "asking" else real(ctx, name))
        root.main(["asking", *words], standalone_mode=False)
        return printed

    real = root.get_command
    return asked


def test_in_the_usual_places_it_is_as_it_stands(ask):
    assert ask("run: strongroom doctor; then go on")[0] == "run: strongroom doctor; then go on"


def test_it_says_what_this_command_line_said_of_the_place(ask):
    there = Path.cwd()
    told = f"--config {there}/my.toml --data-dir {there}/there --master-key-file '{there}/a key'"
    assert ask("`strongroom doctor` says more", **HERE)[0] == f"`strongroom doctor {told}` says more"
    assert ask("strongroom network report --vault pay", **HERE)[0] == f"strongroom network report {told} --vault pay"
    assert ask("strongroom app reset-secret bootstrap", **HERE)[0] == f"strongroom app reset-secret {told} bootstrap"


def test_what_a_command_does_not_take_it_is_not_told(ask):
    told = ask("strongroom reload", **HERE)[0]
    assert "--data-dir" in told
    assert "--master-key-file" not in told


def test_each_command_in_a_text_is_one(ask):
    told = ask("strongroom serve, or strongroom restore; a strongroom of your own", **{"data-dir": "/data"})[0]
    assert told == "strongroom serve --data-dir /data, or strongroom restore --data-dir /data; a strongroom of your own"


@pytest.mark.parametrize(
    "flags",
    [{}, HERE, HSM, {"master-key-passphrase-file": "words"}, {"master-key-passphrase-file": "ask"}, HERE | HSM],
    ids=["nothing", "a place", "an HSM", "a passphrase", "a person", "all"],
)
def test_who_types_it_elsewhere_finds_the_same(ask, monkeypatch, tmp_path, flags):
    Path(".strongroom").mkdir()
    Path(".strongroom/strongroom.toml").write_text('master-key-passphrase-file = "/elsewhere"')
    told, here = ask("strongroom asking", **flags)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    words = shlex.split(told)[2:]
    there = ask("", **{flag[2:]: value for flag, value in zip(words[::2], words[1::2], strict=True)})[1]
    for name in PLACE:
        assert getattr(there, BY_NAME[name].field) == getattr(here, BY_NAME[name].field)


@pytest.mark.parametrize(
    ("found", "program", "name"),
    [
        ("bin/strongroom", "bin/strongroom", "strongroom"),
        (None, "bin/strongroom", "bin/strongroom"),
        ("elsewhere/strongroom", "bin/strongroom", "bin/strongroom"),
        (None, "-c", "strongroom"),
    ],
)
def test_commands_are_named_as_they_are_found_here(tmp_path, monkeypatch, found, program, name):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/strongroom").touch()
    monkeypatch.setattr(hints, "which", lambda _name: found and str(tmp_path / found))
    monkeypatch.setattr(sys, "argv", [str(tmp_path / program)])
    assert command_name() == name


def test_a_program_elsewhere_is_named_whole(tmp_path, monkeypatch):
    (tmp_path / "a b").touch()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(hints, "which", lambda _name: None)
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "a b")])
    assert command_name() == f"'{tmp_path}/a b'"
