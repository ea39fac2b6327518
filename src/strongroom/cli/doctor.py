"""`strongroom doctor`: says in words what is wrong with an installation, and what to do. It changes nothing."""

import json
import sqlite3
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from strongroom.cli.hints import typed_here
from strongroom.cli.options import PLACE, settings_from, settings_options
from strongroom.cli.shown import format_option, printable
from strongroom.settings import Settings

if TYPE_CHECKING:
    from strongroom.cli.checks.finding import Finding, Findings
    from strongroom.custody.sealing import Custodian
    from strongroom.hosting.ca import Authority

OPTIONS = (
    *PLACE,
    "port",
    "listen",
    "trusted-proxies",
    "proxy-protocol",
    "domain",
    "proxy-port",
    "tls-certificate",
    "tls-key",
    "reserved-space",
)
INDENT = 30


@click.command(name="doctor")
@click.option("--quick", is_flag=True, help="Leave out what reads all of the data.")
@format_option
@settings_options(*OPTIONS)
def command(*, quick: bool, as_json: bool, **flags: Any) -> int:
    """Look at an installation, whether its server runs or not, and say what is wrong and what to do. Changes nothing.

    Every row and every sealed value is checked, and the chain of records: what was edited in the files is named. The
    options are those that the server is started with. Exit code 1 when there is a problem.

    \b
    strongroom doctor
    strongroom doctor --quick --json
    """
    from strongroom.cli.checks.finding import Verdict

    found = []
    for finding in examine(_as_served(settings_from(flags)), quick=quick):
        found.append(finding)
        if not as_json:
            _show(finding)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in found], indent=2))
    else:
        _sum_up(found)
    return 1 if any(finding.verdict is Verdict.PROBLEM for finding in found) else 0


def _as_served(settings: Settings) -> Settings:
    """Return the settings with what the running server says of itself in place of what a start would take."""
    from strongroom.cli.failure import CommandFailed
    from strongroom.cli.running import find_server

    try:
        server = find_server(settings.data_dir)
    except (CommandFailed, OSError):
        return settings
    return replace(settings, domain=server.domain, proxy_port=server.proxy_port)


def examine(settings: Settings, *, quick: bool) -> "Findings":
    """Return what is found, as it is found."""
    from strongroom.cli.checks.finding import problem
    from strongroom.cli.checks.machine import check_machine
    from strongroom.cli.checks.place import check_place

    try:
        exists = settings.data_dir.is_dir()
        if exists:
            yield from check_place(settings)
            yield from _examine_data(settings, quick=quick)
        else:
            yield problem("data directory", f"there is none at {settings.data_dir}", "--data-dir; or: strongroom serve")
    except PermissionError as error:
        yield problem("data directory", f"{error.filename}: {error.strerror}", "run this as the user who owns the data")
    yield from check_machine(settings)


def _examine_data(settings: Settings, *, quick: bool) -> "Findings":
    from strongroom.cli.checks.content import check_content, check_keyring
    from strongroom.cli.checks.endpoints import check_endpoints
    from strongroom.cli.checks.finding import Verdict, problem
    from strongroom.cli.checks.keeping import check_keeping, find_ca
    from strongroom.cli.checks.rules import check_rules
    from strongroom.cli.checks.serving import check_serving
    from strongroom.clock import real_now
    from strongroom.errors import StrongroomError
    from strongroom.storage.directory import schema_version
    from strongroom.storage.snapshot import take_snapshot

    now = real_now()
    key, custodian = _open_key(settings)
    yield key
    authority: Authority | None = None
    try:
        if schema_version(settings.data_dir) is None:
            yield problem(
                "data", f"there is none in {settings.data_dir} yet", "strongroom serve, or strongroom restore"
            )
            return
        with take_snapshot(settings.data_dir, touching=False) as snapshot:
            if custodian is not None:
                keyring = check_keyring(snapshot, custodian)
                yield keyring
                custodian = custodian if keyring.verdict is Verdict.OK else None
            yield from check_content(snapshot, custodian, quick=quick)
            if custodian is not None:
                yield from check_keeping(snapshot, custodian, settings.domain, now)
                yield from check_rules(snapshot, custodian, now)
                yield from check_endpoints(snapshot, custodian, settings)
                authority = find_ca(snapshot, custodian, settings.domain)
    except (StrongroomError, sqlite3.Error) as error:
        yield problem("data", str(error), "see `When it does not start` in docs/operations.md")
    yield from check_serving(settings, authority, now)


def _open_key(settings: Settings) -> "tuple[Finding, Custodian | None]":
    """Return what is found of the master key, and who holds it if it is one."""
    from strongroom.cli.checks.finding import ok, problem
    from strongroom.cli.custody import find_master_key
    from strongroom.cli.failure import CommandFailed
    from strongroom.custody.sealing import Custodian
    from strongroom.errors import StrongroomError

    try:
        master = find_master_key(settings)
    except (CommandFailed, StrongroomError) as error:
        return problem("master key", str(error), _key_advice(error)), None
    where = {
        "passphrase": "made of a passphrase",
        "hsm": f"{settings.master_key_file}, which the HSM opens",
        "file": f"{settings.master_key_file}",
    }
    return ok("master key", where[master.kind]), Custodian(master.key, master.derivation)


def _key_advice(error: Exception) -> str:
    """Return what to do about a master key that cannot be had."""
    from strongroom.cli.token import HsmFailed
    from strongroom.custody.master import MasterKeyExposed, MasterKeyWrong

    if isinstance(error, HsmFailed):
        return "bring the HSM that wrapped it back, or its backup, and name it with --hsm-module and the options beside"
    if isinstance(error, MasterKeyExposed):
        return error.remedy
    if isinstance(error, MasterKeyWrong):
        return "name the one that the data lie under: --master-key-file FILE, or --master-key-passphrase-file FILE"
    return "put its copy back, or name it with --master-key-file; without it nothing that is sealed can be opened"


def _show(finding: "Finding") -> None:
    color = {"ok": "green", "warning": "yellow", "problem": "red"}[finding.verdict]
    click.echo(f"{click.style(f'{finding.verdict:<8}', fg=color)} {finding.check:<21}{printable(finding.text)}")
    if finding.advice:
        click.echo(f"{'':<{INDENT}}> {printable(typed_here(finding.advice))}")


def _sum_up(found: "list[Finding]") -> None:
    from strongroom.cli.checks.finding import Verdict

    counts = {kind: sum(finding.verdict is kind for finding in found) for kind in (Verdict.PROBLEM, Verdict.WARNING)}
    told = [f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in counts.items() if count]
    click.echo("\n" + (", ".join(told) if told else "all is well"))
