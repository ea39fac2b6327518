"""What a command tells a person when it cannot go on: one line."""

import click


class CommandFailed(click.ClickException):
    """The command cannot do what it was asked; the message says why and what would help. Exit code 1."""

    exit_code = 1


def one_line(error: BaseException) -> str:
    """Return what went wrong as one line for a person."""
    if isinstance(error, click.UsageError):
        where = error.ctx.command_path if error.ctx else "strongroom"
        return f"{where}: {_flat(error.format_message())} (see {where} --help)"
    if isinstance(error, click.ClickException):
        return f"strongroom: {_flat(error.format_message())}"
    if isinstance(error, OSError) and error.filename is not None:
        advice = "; run this as the user whose it is" if isinstance(error, PermissionError) else ""
        return f"strongroom: {error.filename}: {error.strerror}{advice}"
    return f"strongroom: {_flat(str(error)) or type(error).__name__}"


def _flat(text: str) -> str:
    return " ".join(text.split())
