"""Commands that output names, as they are typed here: this program as it was started, and where its data lie.

What this command line said of the place of the data another one must say too, or it finds other data: those of the
usual place, perhaps of another server. What the environment and the file of options say each command reads itself.
"""

import os
import re
import shlex
import sys
from pathlib import Path
from shutil import which

import click

from strongroom.cli.options import PLACE
from strongroom.options import BY_NAME, CONFIG

HINT = re.compile(r"\bstrongroom((?: [a-z]+(?:-[a-z]+)*)+)")


def typed_here(text: str) -> str:
    """Return a text with every command `strongroom …` in it as a person here types it."""
    return HINT.sub(_typed, text)


def command_name() -> str:
    """Return how a person here starts this program."""
    program = Path(sys.argv[0])
    found = which("strongroom")
    if found is not None and Path(found).resolve() == program.resolve():
        return "strongroom"
    if not program.is_file():
        return "strongroom"
    here = Path.cwd()
    shown = program.relative_to(here) if program.is_relative_to(here) else program
    return shlex.quote(str(shown))


def _typed(found: re.Match[str]) -> str:
    words = found.group(1).split()
    context = click.get_current_context(silent=True)
    if context is None:
        return " ".join([command_name(), *words])
    command, count = _find_command(context.find_root(), words)
    accepted = {parameter.name for parameter in command.params}
    told = [word for name, flag in _place(context) if name in accepted for word in flag]
    return " ".join([command_name(), *words[:count], *told, *words[count:]]) if count else found.group()


def _find_command(root: click.Context, words: list[str]) -> tuple[click.Command, int]:
    """Return the command that words begin with, and how many of them name it."""
    command, count = root.command, 0
    while isinstance(command, click.Group) and count < len(words):
        following = command.get_command(root, words[count])
        if following is None:
            break
        command, count = following, count + 1
    return command, count


def _place(context: click.Context) -> list[tuple[str, tuple[str, str]]]:
    """Return what this command line says of the place of the data: parameters, each with its flag and its value."""
    options = [CONFIG, *(BY_NAME[name] for name in PLACE)]
    said = [(option, context.params.get(option.field)) for option in options]
    return [(option.field, (option.flag, _value(option.parse(text)))) for option, text in said if text is not None]


def _value(value: object) -> str:
    """Return a value as a word of a shell, wherever that runs."""
    return shlex.quote(os.path.normpath(Path.cwd() / value) if isinstance(value, Path) else str(value))
