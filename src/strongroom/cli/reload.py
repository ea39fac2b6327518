"""`strongroom reload`: has the running server read its certificates again and exchange its workers."""

import os
import signal
from pathlib import Path
from typing import Any

import click

from strongroom.cli.failure import CommandFailed
from strongroom.cli.options import settings_from, settings_options
from strongroom.cli.running import find_server


@click.command(name="reload")
@settings_options("data-dir")
def command(**flags: Any) -> None:
    """Have the server read its certificates again and exchange its workers for new ones; no request is lost.

    Options are not read again: a changed option takes a restart. The server's log says when the new workers answer, and
    when a new certificate cannot be served: then the old one is served on.

    \b
    strongroom reload                              # after the certificate was renewed
    strongroom reload --data-dir /srv/vault
    """
    pid = find_server(settings_from(flags).data_dir).pid
    if _ignores_hang_ups(pid):
        raise CommandFailed(f"the server (process {pid}) was started with nohup and cannot be told to reload")
    try:
        os.kill(pid, signal.SIGHUP)
    except PermissionError:
        raise CommandFailed(f"the server (process {pid}) is another user's") from None
    click.echo(f"asked the server (process {pid}) to reload; its log says when new workers answer")


def _ignores_hang_ups(pid: int) -> bool:
    """Answer whether a process ignores SIGHUP, as far as the system tells."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return False
    ignored = next((line.split()[1] for line in status.splitlines() if line.startswith("SigIgn:")), "0")
    return bool(int(ignored, 16) >> (signal.SIGHUP - 1) & 1)
