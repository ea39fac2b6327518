"""The server that runs on a data directory: the lock that makes it the only one, and how other commands find it."""

import fcntl
import json
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import click

from strongroom.cli.failure import CommandFailed
from strongroom.durability import write_new

LOCK_NAME = "server.lock"
STATE_NAME = "server.json"
HTTPS_PORT = 443
# How long the workers of a killed server may take to end, stuck ones included; they hold its lock until then.
ORPHANS_SECONDS = 20.0
NOTICE_SECONDS = 1.0
ORPHANS_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What the running server tells about itself; nothing in it is secret.

    ca_file: the CA alone; ca_bundle: the public roots and the CA. client_id: the bootstrap application.
    connection_file: where the credentials that are known were written, if anywhere. tls_certificate, tls_key: the
    operator's own, which a reload reads again.
    """

    pid: int
    domain: str
    addresses: tuple[str, ...]
    port: int
    proxy_port: int | None
    tenant_id: str
    subscription_id: str
    client_id: str
    location: str
    dev: bool
    ca_file: str
    ca_bundle: str
    connection_file: str | None = None
    metrics_port: int | None = None
    tls_certificate: str | None = None
    tls_key: str | None = None

    @property
    def host_suffix(self) -> str:
        """The base domain as URLs write it: with the port unless it is 443."""
        return self.domain if self.port == HTTPS_PORT else f"{self.domain}:{self.port}"

    @property
    def proxy_url(self) -> str | None:
        """The built-in proxy's address."""
        if self.proxy_port is None:
            return None
        return f"http://127.0.0.1:{self.proxy_port}"

    def url(self, label: str) -> str:
        """Return the address of a host under the domain, such as `login` or `dev.vault`."""
        return f"https://{label}.{self.host_suffix}"


class ServerLock:
    """Held by the one server of a data directory, and by its workers, until the last of them has ended."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / LOCK_NAME
        self._handle: int | None = None

    def __enter__(self) -> Self:
        """Take the lock; CommandFailed when another server holds it."""
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _take(handle):
            pid = _holder(self._path)
            os.close(handle)
            raise CommandFailed(_already_running(self._path.parent, pid))
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._handle = handle
        return self

    def __exit__(self, *_: object) -> None:
        assert self._handle is not None  # entered
        os.close(self._handle)
        self._handle = None


def require_no_server(data_dir: Path) -> None:
    """Raise CommandFailed when a server runs on `data_dir`; changes nothing."""
    pid = running_pid(data_dir)
    if pid is not None:
        raise CommandFailed(_already_running(data_dir, pid))


def running_pid(data_dir: Path) -> int | None:
    """Return the process id of the server on `data_dir`, 0 when it cannot be told; None when no server runs there."""
    path = data_dir / LOCK_NAME
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return None if _take(handle, fcntl.LOCK_SH) else _holder(path)
    finally:
        os.close(handle)


def find_server(data_dir: Path) -> Running:
    """Return the server that runs on `data_dir`; CommandFailed when there is none."""
    if running_pid(data_dir) is None:
        raise CommandFailed(f"no server runs on {data_dir}; start one: strongroom serve")
    try:
        state = json.loads((data_dir / STATE_NAME).read_text())
    except FileNotFoundError:
        raise CommandFailed(f"the server on {data_dir} does not answer yet") from None
    return Running(**(state | {"addresses": tuple(state["addresses"])}))


def write_state(data_dir: Path, running: Running) -> None:
    """Tell other commands where the server is."""
    write_private_json(data_dir / STATE_NAME, asdict(running))


def clear_state(data_dir: Path) -> None:
    """Forget what an earlier server told: whoever looks now finds none that answers."""
    (data_dir / STATE_NAME).unlink(missing_ok=True)


def write_private_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON object that only its owner can read; a reader sees the old file or the new one, never half of it."""
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        write_new(scratch, json.dumps(document, indent=2) + "\n")
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def _take(handle: int, kind: int = fcntl.LOCK_EX) -> bool:
    """Answer whether the lock was to be had; the workers of a server that was killed are waited for."""
    deadline, notice = time.monotonic() + ORPHANS_SECONDS, time.monotonic() + NOTICE_SECONDS
    while True:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if _is_alive(_pid_in(os.pread(handle, 32, 0))) or time.monotonic() > deadline:
                return False
            if time.monotonic() > notice:
                click.echo("strongroom: waiting for the processes of a server that was killed", err=True)
                notice = deadline
            time.sleep(ORPHANS_POLL_SECONDS)
        else:
            return True


def _holder(path: Path) -> int:
    return _pid_in(path.read_bytes())


def _pid_in(content: bytes) -> int:
    text = content.strip()
    return int(text) if text.isdigit() else 0


def _is_alive(pid: int) -> bool:
    """Answer whether a process exists; one that is not known is taken to."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _already_running(data_dir: Path, pid: int) -> str:
    from strongroom.storage.directory import UNFINISHED

    who = f" (process {pid})" if pid else ""
    if (data_dir / UNFINISHED).exists():
        return f"{data_dir} is being restored{who}; wait for its end or give another --data-dir"
    return f"another server{who} runs on {data_dir} already; stop it first or give another --data-dir"
