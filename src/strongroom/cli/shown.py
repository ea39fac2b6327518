"""How commands show what they found: as columns for a person, as JSON for a program."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
Row = Mapping[str, Any]


def format_option(function: F) -> F:
    """Give a command the option that chooses between the two; it arrives as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of columns.")(function)


def show_rows(rows: Sequence[Row], *, as_json: bool) -> None:
    """Print rows that have the same keys; JSON is one array."""
    if as_json:
        click.echo(json.dumps(list(rows), indent=2, default=str))
        return
    for line in columns([list(rows[0]), *([str(value) for value in row.values()] for row in rows)] if rows else []):
        click.echo(line)


def show_one(row: Row, *, as_json: bool) -> None:
    """Print one thing: a line for each of its values, or a JSON object."""
    if as_json:
        click.echo(json.dumps(dict(row), indent=2, default=str))
        return
    for line in columns([[name, str(value)] for name, value in row.items()]):
        click.echo(line)


def columns(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return rows of texts as lines whose columns align."""
    rows = [list(map(printable, row)) for row in rows]
    widths = [max(len(text) for text in column) for column in zip(*rows, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def printable(text: str) -> str:
    """Return text that a terminal shows and does not obey: parts of it were written by clients."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def shown_time(moment: datetime) -> str:
    """Return a time for a person."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


@contextmanager
def progress_bar(label: str, length: int) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how far long work has come, elsewhere nothing; gives what is told how much is done."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:

        def reach(done: int) -> None:
            bar.update(max(done - bar.pos, 0))

        yield reach
