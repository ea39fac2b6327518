import subprocess
import sys
from importlib import import_module

import click
import pytest

from strongroom.cli import main
from strongroom.cli.failure import CommandFailed
from strongroom.errors import NotFound


def commands(group, path=()):
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


ALL = list(commands(main.strongroom))


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) for path, _ in ALL])
def test_every_command_says_what_it_does_and_what_its_options_mean(strongroom, path, command):
    code, out, err = strongroom(*path, "--help")
    assert (code, err) == (0, "")
    assert command.help
    assert all(parameter.help for parameter in command.params if isinstance(parameter, click.Option))
    assert "Usage: strongroom " + " ".join(path) in out


GROUPS = [((), main.strongroom), *((path, each) for path, each in ALL if isinstance(each, click.Group))]


@pytest.mark.parametrize(("path", "group"), GROUPS, ids=[" ".join(path) or "strongroom" for path, _ in GROUPS])
def test_what_a_command_does_is_not_cut_off_in_the_list_of_its_group(path, group):
    """Its first sentence stands there: it must fit beside the longest name on a terminal of 80 columns."""
    context = click.Context(group, info_name=" ".join(path), terminal_width=80)
    cut = [line.strip() for line in group.get_help(context).partition("Commands:")[2].splitlines() if "..." in line]
    assert not cut


@pytest.mark.parametrize("name", main.COMMANDS)
def test_commands_that_a_newcomer_meets_show_an_example(name):
    assert f"strongroom {name}" in import_module(f"strongroom.cli.{name}").command.help


def test_the_list_of_commands_loads_none_of_them():
    code = "import sys; from strongroom.cli.main import run; run(['--help']); print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for heavy in ("strongroom.cli.serve", "cryptography", "msgspec", "uvicorn", "asyncio"):
        assert f"'{heavy}'" not in loaded
    for name, text in main.COMMANDS.items():
        assert name in loaded
        assert text in " ".join(loaded.split())


def test_the_version_is_told(strongroom):
    code, out, _ = strongroom("--version")
    assert code == 0
    assert out.startswith("strongroom 0.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serv"], "strongroom: No such command 'serv'"),
        (["serve", "--prot", "1"], "strongroom serve: No such option"),
        (["serve", "--port", "x"], "strongroom: option 'port' (flag --port): 'x' is wrong"),
        (["app", "create"], "strongroom app create: Missing argument 'NAME'"),
    ],
)
def test_a_command_asked_wrongly_is_told_so_in_one_line(strongroom, arguments, message):
    code, out, err = strongroom(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(message)
    assert err.count("\n") == 1


def test_nothing_asked_shows_the_help(strongroom):
    code, _, err = strongroom()
    assert code == 2
    assert "Commands:" in err


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (CommandFailed("it\n  cannot be"), 1, "strongroom: it cannot be\n"),
        (NotFound("There is none."), 1, "strongroom: There is none.\n"),
        (
            PermissionError(13, "Permission denied", "/x"),
            1,
            "strongroom: /x: Permission denied; run this as the user whose it is\n",
        ),
        (FileNotFoundError(2, "No such file or directory", "/x"), 1, "strongroom: /x: No such file or directory\n"),
        (OSError("odd"), 1, "strongroom: odd\n"),
        (OSError(), 1, "strongroom: OSError\n"),
        (click.UsageError("no"), 2, "strongroom: no (see strongroom --help)\n"),
        (KeyboardInterrupt(), 130, ""),
        (click.Abort(), 130, ""),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(strongroom, monkeypatch, error, code, line):
    def fail(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(main.strongroom, "main", fail)
    assert strongroom("env") == (code, "", line)


def test_a_reader_who_has_had_enough_ends_the_command_in_silence(strongroom, monkeypatch):
    replaced = []

    def fail(*_args, **_kwargs):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(main.strongroom, "main", fail)
    monkeypatch.setattr(main.os, "dup2", lambda *handles: replaced.append(handles))
    assert strongroom("logs") == (1, "", "")
    assert replaced


def test_the_exit_code_is_that_of_the_command(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["strongroom", "run"])
    monkeypatch.setattr(main.strongroom, "main", lambda *_args, **_kwargs: 7)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 7
