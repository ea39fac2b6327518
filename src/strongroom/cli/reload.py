"""`strongroom reload`: has the running server read its certificates again and exchange its workers."""

import os
import signal
from pathlib import Path
from typing import Any

import click

from strongroom.cli.failure import CommandFailed
from strongroom.cli.options import settings_from, settings_options
from strongroom.cli.running import Running, find_server


@click.command(name="reload")
@settings_options("data-dir")
def command(**flags: Any) -> None:
    """Have the server read its certificates again and exchange its workers for new ones; no request is lost.

    Options are not read again: a changed option takes a restart. A certificate that cannot be served is told here, with
    exit code 1; the old one is then served on. The server's log says when the new workers answer.

    \b
    strongroom reload                              # after the certificate was renewed
    strongroom reload --data-dir /srv/vault
    """
    server = find_server(settings_from(flags).data_dir)
    pid = server.pid
    if _ignores_hang_ups(pid):
        raise CommandFailed(f"the server (process {pid}) was started with nohup and cannot be told to reload")
    _require_servable(server)
    try:
        os.kill(pid, signal.SIGHUP)
    except PermissionError:
        raise CommandFailed(f"the server (process {pid}) is another user's") from None
    click.echo(f"asked the server (process {pid}) to reload; its log says when new workers answer")


def _require_servable(server: Running) -> None:
    """Raise CommandFailed when the operator's certificate, which the server would read again, cannot be served."""
    from strongroom.hosting.tls import CertificateFiles, CertificateUnusable, require_servable

    if server.tls_certificate is None or server.tls_key is None:
        return
    try:
        require_servable(CertificateFiles(Path(server.tls_certificate), Path(server.tls_key)))
    except CertificateUnusable as error:
        raise CommandFailed(f"{error.message}; nothing was reloaded, and the old certificate is served on") from None


def _ignores_hang_ups(pid: int) -> bool:
    """Answer whether a process ignores SIGHUP, as far as the system tells."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return False
    ignored = next((line.split()[1] for line in status.splitlines() if line.startswith("SigIgn:")), "0")
    return bool(int(ignored, 16) >> (signal.SIGHUP - 1) & 1)
