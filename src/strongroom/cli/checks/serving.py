"""The server itself: one that runs answers and is trusted, one that does not could be started; certificates last."""

import http.client
import socket
import ssl
from datetime import datetime, timedelta

from cryptography import x509

from strongroom.access.network.origin import Proxies
from strongroom.cli.checks.finding import Finding, Findings, ok, problem, warning
from strongroom.cli.failure import CommandFailed
from strongroom.cli.running import STATE_NAME, Running, find_server, running_pid
from strongroom.cli.shown import shown_time
from strongroom.errors import StrongroomError
from strongroom.hosting.ca import Authority
from strongroom.hosting.sockets import bind
from strongroom.hosting.tls import CertificateFiles, require_servable
from strongroom.settings import Settings

PATIENCE_SECONDS = 15.0
"""Longer than a server waits for a disk before it says that it is not ready."""
OWN_HEADER = b"PROXY UNKNOWN\r\n"
"""What a connection begins with where this machine is a trusted proxy itself: nobody else is behind it."""
ENDS_SOON = timedelta(days=14)
ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where a server listens that listens everywhere


def check_serving(settings: Settings, authority: Authority | None, now: datetime) -> Findings:
    """Look at the server that runs on the data, else at what a start would need. authority: None when not known."""
    if running_pid(settings.data_dir) is None:
        yield from _check_end(settings)
        yield _check_port(settings)
    else:
        yield from _check_running(settings, authority, now)
    if settings.tls_certificate is not None and settings.tls_key is not None:
        yield _check_own_certificate(CertificateFiles(settings.tls_certificate, settings.tls_key), now)


def _check_end(settings: Settings) -> Findings:
    """Tell of a server that left behind what it clears away when it stops."""
    if (settings.data_dir / STATE_NAME).exists():
        told = "the last one left its server.json: it did not stop properly, or was killed"
        yield warning("server", told, "see its log and the system's for why; the next start carries on")


def _check_port(settings: Settings) -> Finding:
    try:
        for listener in bind(settings.listen, settings.port):
            listener.close()
    except StrongroomError as error:
        return problem("server", f"none runs, and none could start: {error}", "free the port, or choose another")
    return ok("server", f"none runs; port {settings.port} is free for one")


def _check_running(settings: Settings, authority: Authority | None, now: datetime) -> Findings:
    try:
        server = find_server(settings.data_dir)
    except CommandFailed as error:
        yield problem("server", error.message, "wait until it has started; see its log if it does not")
        return
    place = f"{server.addresses[0]} port {server.port}"
    try:
        if authority is not None:
            certificate, status = _ask(server, _trusting(authority), settings)
            yield _check_certificate("served certificate", "of the private CA", certificate, now)
        else:
            _, status = _ask(server, _trusting_anyone(), settings)
    except ssl.SSLCertVerificationError as error:
        advice = "restart it; clients that trust the CA of the data refuse it"
        yield problem("server", f"what answers at {place} is not vouched for by the CA: {error.verify_message}", advice)
        return
    except (OSError, http.client.HTTPException) as error:
        yield problem("server", f"process {server.pid} does not answer at {place}: {error}", "see its log; restart it")
        return
    yield judged(server, place, status)


def judged(server: Running, place: str, status: int) -> Finding:
    """Return what the status of a server's readiness says."""
    told = f"process {server.pid} answers at {place}"
    if status == 200:
        return ok("server", f"{told} and is ready")
    return problem("server", f"{told} and is not ready ({status})", "see its log: the disk may be full or read-only")


def _ask(server: Running, context: ssl.SSLContext, settings: Settings) -> tuple[x509.Certificate, int]:
    """Return the certificate that a server shows to who asks for 127.0.0.1, and the status of its readiness."""
    address = ANY.get(server.addresses[0], server.addresses[0])
    with socket.create_connection((address, server.port), PATIENCE_SECONDS) as plain:
        if settings.proxy_protocol and Proxies(settings.trusted_proxies).hold(plain.getsockname()[0]):
            plain.sendall(OWN_HEADER)
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
            return _ask_readiness(secure)


def _ask_readiness(secure: ssl.SSLSocket) -> tuple[x509.Certificate, int]:
    shown = secure.getpeercert(binary_form=True)
    assert shown is not None  # a server of TLS shows one
    secure.sendall(b"GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    answer = http.client.HTTPResponse(secure)
    answer.begin()
    return x509.load_der_x509_certificate(shown), answer.status


def _trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.pem.decode())


def _trusting_anyone() -> ssl.SSLContext:
    """Return a context for looking, not for believing: no secret is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _check_own_certificate(files: CertificateFiles, now: datetime) -> Finding:
    try:
        require_servable(files)
    except StrongroomError as error:
        return problem("own certificate", str(error), "a chain and its key in PEM, without a passphrase")
    certificate = x509.load_pem_x509_certificates(files.certificate.read_bytes())[0]
    return _check_certificate("own certificate", str(files.certificate), certificate, now)


def _check_certificate(check: str, what: str, certificate: x509.Certificate, now: datetime) -> Finding:
    ends = certificate.not_valid_after_utc
    told = f"{what}, until {shown_time(ends)}"
    if ends <= now:
        return problem(check, f"{told}: over", "renew it, then: strongroom reload")
    if ends - now < ENDS_SOON:
        return warning(check, told, "renew it, then: strongroom reload")
    return ok(check, told)
