"""The command `strongroom`: finds its subcommands by name, loads only the one that runs, tells errors in one line."""

import os
import sys
from importlib import import_module

import click

from strongroom import VERSION
from strongroom.cli.failure import one_line
from strongroom.errors import StrongroomError
from strongroom.settings import SettingsError

STANDARD_OUTPUT = 1

# What each command does, so that the list of them needs none loaded.
COMMANDS = {
    "serve": "Start the server.",
    "reload": "Have the server read its certificates again and exchange its workers.",
    "run": "Run a command with the environment that its Azure clients need to find and trust the server.",
    "env": "Print that environment for a shell or a program.",
    "app": "Make, list, disable and delete the applications that sign in.",
    "directory": "Keep users, groups and service principals, and who belongs to which group.",
    "subscription": "Add subscriptions, list them, rename them.",
    "role": "Give roles to applications, users and groups, list them, take them away.",
    "access": "Say who can reach a vault, a secret or a key, by which road, and who could give itself that.",
    "network": "Say from where vaults are reached, and rehearse network rules before they count.",
    "rotate": "Put new keys in the place of old ones: the master key, a vault's, the one that signs tokens.",
    "logs": "Read and follow the records of what was asked and answered.",
    "openapi": "Print the OpenAPI document of a plane.",
    "backup": "Write the whole server into one sealed file, while it runs.",
    "restore": "Make a data directory of such a file, or only check it.",
    "doctor": "Say what is wrong with an installation, and what to do.",
    "attest": "Run an attestation authority for rehearsals of key release.",
    "hsm": "Say what the HSM can do, and whether its keys are those that the vaults refer to.",
    "clock": "Move the clock of a rehearsal server (--dev).",
}


class Commands(click.Group):
    """The subcommands: one module each, loaded when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = import_module(f"strongroom.cli.{cmd_name}").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _show_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 (click's call)
    if wanted and not ctx.resilient_parsing:
        click.echo(f"strongroom {VERSION}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
def strongroom() -> None:
    """A key vault that you run yourself, for every unmodified Azure SDK and tool.

    \b
    strongroom serve --dev             a server to try things on
    strongroom run -- python app.py    a program that finds and trusts it
    strongroom logs --follow           what it is asked, and what it answers
    """


def main() -> None:
    """Run the command line: exit code 0, 1 when it could not be done, 2 when it was asked wrongly, 130 after Ctrl-C."""
    # Where rich is installed, structlog loads it (a third of a second of each start) for tracebacks that show local
    # variables, which ours must not. None stands for a module that there is not.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
    from strongroom.cli.oplog import configure_log

    configure_log(level="warning", form="console")  # to standard error: what a command prints may be read by a program
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line `arguments` and return its exit code."""
    try:
        code = strongroom.main(arguments, prog_name="strongroom", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except BrokenPipeError:  # whoever read the output has had enough; nothing is left to say it to
        os.dup2(os.open(os.devnull, os.O_WRONLY), STANDARD_OUTPUT)
        return 1
    except (click.ClickException, SettingsError, StrongroomError, OSError) as error:
        click.echo(one_line(error), err=True)
        return getattr(error, "exit_code", 2 if isinstance(error, SettingsError) else 1)
    except (click.Abort, KeyboardInterrupt):
        return 130
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    main()
