"""`strongroom serve`: prepares the data directory, says where it listens, serves until told to stop."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from strongroom.cli.announcement import announce
from strongroom.cli.connection import connection, require_writable_folder, write_connection
from strongroom.cli.identity import Credentials
from strongroom.cli.options import settings_from, settings_options
from strongroom.cli.running import Running, ServerLock, clear_state, require_no_server, write_state
from strongroom.cli.token import find_token, try_token
from strongroom.settings import Settings

if TYPE_CHECKING:
    from strongroom.cli.beginning import Beginning
    from strongroom.custody.token import Token
    from strongroom.hosting.tls import CertificateFiles

PROXY_ADDRESSES = ("127.0.0.1", "::1")


@click.command(name="serve")
@settings_options()
def command(**flags: Any) -> int:
    """Start the server and serve until Ctrl-C.

    The first start makes the data directory, the master key beside it, a private CA, a tenant, a subscription and the
    bootstrap application that owns it. Later starts find all of it again, on another port too.

    \b
    strongroom serve --dev                         # with a vault 'dev' to try things on
    strongroom serve --data-dir /srv/vault --domain vault.example.test --listen 0.0.0.0 --port 443
    strongroom serve --listen 127.0.0.1 --listen 10.0.0.9:9443 --trusted-proxies 10.0.0.0/24 --proxy-protocol
    """
    return serve_with(settings_from(flags))


def serve_with(settings: Settings) -> int:
    """Start the server and return its exit code once it has stopped; raises, in one line, when it must not start."""
    from strongroom.cli.beginning import begin_server, make_data_folder, require_usable
    from strongroom.cli.oplog import configure_log
    from strongroom.clock import real_now
    from strongroom.hosting.limits import refuse_core_dumps

    refuse_core_dumps()
    configure_log(level=settings.log_level, form=settings.log_format)
    require_no_server(settings.data_dir)
    if settings.connection_file is not None:
        require_writable_folder(settings.connection_file)
    known = require_usable(settings)
    operator = _operator_certificate(settings)
    if (token := find_token(settings)) is not None:
        try_token(token, settings)
    with _bound(settings) as sockets:
        make_data_folder(settings.data_dir)
        with ServerLock(settings.data_dir):
            clear_state(settings.data_dir)
            start = begin_server(settings, known, real_now())
            try:
                return _serve(settings, start, sockets, operator, token)
            finally:
                clear_state(settings.data_dir)


@dataclass(frozen=True, slots=True)
class _Sockets:
    """What the server listens on. proxies, metrics: empty when they are off."""

    listeners: list[socket.socket]
    proxies: list[socket.socket] = field(default_factory=list)
    metrics: list[socket.socket] = field(default_factory=list)


@contextmanager
def _bound(settings: Settings) -> Iterator[_Sockets]:
    """Hold the sockets to listen on."""
    from strongroom.hosting.sockets import bind

    sockets = _Sockets(bind(settings.listen, settings.port))
    try:
        if settings.proxy_port is not None:
            sockets.proxies.extend(bind(PROXY_ADDRESSES, settings.proxy_port, "--proxy-port"))
        if settings.metrics_port is not None:
            sockets.metrics.extend(bind(settings.metrics_listen, settings.metrics_port, "--metrics-port"))
        yield sockets
    finally:
        for each in (*sockets.listeners, *sockets.proxies, *sockets.metrics):
            each.close()


def _operator_certificate(settings: Settings) -> "CertificateFiles | None":
    """Return the operator's own certificate, if there is one; CertificateUnusable, before anything is made."""
    from strongroom.hosting.tls import CertificateFiles, require_servable

    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    files = CertificateFiles(settings.tls_certificate, settings.tls_key)
    require_servable(files)
    return files


def _serve(
    settings: Settings,
    start: "Beginning",
    sockets: _Sockets,
    operator: "CertificateFiles | None",
    token: "Token | None",
) -> int:
    from strongroom.access.network.origin import Proxies
    from strongroom.cli.workers import application_maker, metrics_duties, new_counts, recorder_duty
    from strongroom.clock import real_now
    from strongroom.hosting.tls import ServerTls
    from strongroom.hosting.workers import serve
    from strongroom.storage.notices import listening

    running, meters = _describe(settings, start, sockets), new_counts(settings, start.custodian, real_now())
    with listening(settings.data_dir) as records:
        return serve(
            application_maker(settings, start.custodian, meters, restored=start.restored, token=token),
            sockets.listeners,
            ServerTls(start.authority.mint, real_now(), operator),
            domain=settings.domain,
            workers=settings.workers,
            on_ready=lambda: _tell(settings, start, running),
            proxy_sockets=sockets.proxies,
            trusted=Proxies(settings.trusted_proxies),
            proxy_protocol=settings.proxy_protocol,
            meters=meters,
            beside=(
                recorder_duty(settings, start.custodian, meters, records),
                *metrics_duties(settings, meters, sockets.metrics),
            ),
        )


def _describe(settings: Settings, start: "Beginning", sockets: _Sockets) -> Running:
    from strongroom.hosting.sockets import port_of

    port = port_of(sockets.listeners[0])
    return Running(
        pid=os.getpid(),
        domain=settings.domain,
        addresses=tuple(listener.getsockname()[0] for listener in sockets.listeners if port_of(listener) == port),
        port=port,
        proxy_port=port_of(sockets.proxies[0]) if sockets.proxies else None,
        metrics_port=port_of(sockets.metrics[0]) if sockets.metrics else None,
        tenant_id=start.installation.tenant_id,
        subscription_id=start.installation.subscription_id,
        client_id=start.installation.client_id,
        location=settings.location,
        dev=settings.dev,
        ca_file=str(start.trust.ca),
        ca_bundle=str(start.trust.bundle),
        connection_file=_text(settings.connection_file),
        tls_certificate=_text(settings.tls_certificate),
        tls_key=_text(settings.tls_key),
    )


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _tell(settings: Settings, start: "Beginning", running: Running) -> None:
    """Tell everyone that the server answers: other commands, readers of the connection file, the operator."""
    secret = start.installation.client_secret
    credentials = Credentials(
        client_id=start.installation.client_id,
        client_secret=secret.reveal() if secret else None,
        vault=start.installation.vault,
    )
    write_state(settings.data_dir, running)
    if settings.connection_file is not None:
        write_connection(settings.connection_file, connection(running, credentials, start.installation.vault))
    shown = credentials.client_secret if sys.stdout.isatty() else None
    click.echo(
        announce(
            running,
            credentials,
            shown_secret=shown,
            is_new=start.installation.is_new,
            new_ca=start.new_authority,
        )
    )
    sys.stdout.flush()
