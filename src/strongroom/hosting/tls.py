"""TLS as this server speaks it: 1.2 and 1.3, its own leaf and an operator's certificate side by side, picked by SNI.

Contexts are made before the workers are forked, so that they share the keys of session tickets and a client resumes on
any worker. A private key is never on disk in clear.
"""

import contextlib
import os
import secrets
import ssl
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from strongroom.errors import StrongroomError
from strongroom.hosting.ca import Leaf
from strongroom.sensitive import Sensitive

CIPHERS_1_2 = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Forward secrecy and authenticated encryption only; RFC 9325 section 4.2."""
RENEW_BEFORE = timedelta(days=97)

Mint = Callable[[datetime], Leaf]


class CertificateUnusable(StrongroomError):
    """The operator's certificate or key cannot be served; the message names the file."""


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """An operator's certificate chain and key, in PEM; both are read again on reload."""

    certificate: Path
    key: Path


@dataclass(slots=True)
class _Served:
    """One certificate being served, under the names it is good for, lower case."""

    context: ssl.SSLContext
    names: frozenset[str]
    ends: datetime


class _Connection(ssl.SSLObject):
    """The server's end of a connection. asked_name: the host that the client wants (SNI), "" when it does not say."""

    asked_name = ""


def asked_name(connection: object) -> str:
    """Return the host name that a client opened a connection for, lower case; "" when it named none."""
    return connection.asked_name if isinstance(connection, _Connection) else ""


class ServerTls:
    """The TLS side of a server: one context to listen with, which hands over by SNI to the certificate that fits.

    mint: makes a leaf of the private CA. operator: a certificate of the operator's own, served for the names it holds.
    """

    def __init__(self, mint: Mint, now: datetime, operator: CertificateFiles | None = None) -> None:
        self._mint = mint
        self._operator_files = operator
        self._operator: _Served | None = None
        self.context = _new_context()
        self.context.sslobject_class = _Connection
        self.context.sni_callback = self._choose
        self._load_leaf(now)
        if operator is not None:
            self._operator = _load_operator(operator)

    def reload(self, now: datetime) -> None:
        """Serve a fresh leaf and what the operator's files hold now; connections that are open stay as they are.

        Raises CertificateUnusable when the operator's files are unusable; the old certificate is then served on.
        """
        self._load_leaf(now)
        if self._operator_files is not None:
            self._operator = _load_operator(self._operator_files)

    def renew_if_due(self, now: datetime) -> None:
        """Reload when our own leaf is near its end: a server may run for longer than a certificate lasts.

        One that was made while the clock was ahead, and has not begun yet, is replaced as well.
        """
        if not self._leaf_begins <= now < self._leaf_ends - RENEW_BEFORE:
            self.reload(now)

    def ends(self) -> dict[str, datetime]:
        """Return when the certificates end that are served: our `own`, and the `operator`'s if there is one."""
        operator = self._operator
        return {"own": self._leaf_ends} | ({} if operator is None else {"operator": operator.ends})

    def _load_leaf(self, now: datetime) -> None:
        leaf = self._mint(now)
        _load_chain(self.context, leaf)
        self._leaf_begins = leaf.certificate.not_valid_before_utc
        self._leaf_ends = leaf.certificate.not_valid_after_utc

    def _choose(self, connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        operator = self._operator
        if isinstance(connection, _Connection) and name is not None:
            connection.asked_name = name.lower()
        if operator is not None and name is not None and covers(operator.names, name):
            connection.context = operator.context


def require_servable(files: CertificateFiles) -> None:
    """Raise CertificateUnusable unless a server can serve these files."""
    _load_operator(files)


def covers(names: frozenset[str], host: str) -> bool:
    """Answer whether a certificate for `names` is good for `host`; a wildcard stands for one label (RFC 6125 6.4.3)."""
    host = host.lower()
    _, _, parent = host.partition(".")
    return host in names or f"*.{parent}" in names


def _new_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS_1_2)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    return context


def _load_chain(context: ssl.SSLContext, leaf: Leaf) -> None:
    """Load a leaf. OpenSSL's Python face reads files only: they hold the key under a passphrase of this moment."""
    passphrase = secrets.token_hex(32).encode()
    with _scratch_file(leaf.seal_pem(Sensitive(passphrase))) as path:
        context.load_cert_chain(path, password=passphrase)


@contextlib.contextmanager
def _scratch_file(content: bytes) -> Iterator[str]:
    """Hold `content` in a file for a moment: in memory where the system can (a disk may be full or read-only)."""
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("tls")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            yield f"/proc/self/fd/{handle}"
    else:
        with tempfile.NamedTemporaryFile() as named:
            named.write(content)
            named.flush()
            yield named.name


def _load_operator(files: CertificateFiles) -> _Served:
    context = _new_context()
    try:
        context.load_cert_chain(files.certificate, files.key, password=_refuse_passphrase)
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        raise CertificateUnusable(f"the certificate {files.certificate} has no subject alternative names") from None
    except (OSError, ValueError) as error:
        raise CertificateUnusable(
            f"the certificate {files.certificate} with the key {files.key} cannot be served: {error}"
        ) from None
    found = frozenset(name.lower() for name in names.get_values_for_type(x509.DNSName))
    return _Served(context, found, certificate.not_valid_after_utc)


def _refuse_passphrase() -> str:
    """Refuse a key that asks for a passphrase; OpenSSL would wait for one on the terminal."""
    raise ValueError("the key is protected by a passphrase")
