"""Small private files: the master key, a passphrase. Who may read one, and how one takes another's place.

A file that is to replace another is first written beside it, as `NAME.next`. Whether it takes over is decided elsewhere
(in the data); a start after a crash finds both and settles which of them stays.
"""

import os
import shlex
import stat
from collections.abc import Mapping
from pathlib import Path

from strongroom.custody.sealing import MasterKeyWrong
from strongroom.durability import sync, write_new
from strongroom.errors import StrongroomError

LONGEST = 8192
OTHERS = stat.S_IRWXG | stat.S_IRWXO
ROOT = 0
CREDENTIALS = "CREDENTIALS_DIRECTORY"
RUN_CREDENTIALS = Path("/run/credentials")


class MasterKeyMissing(StrongroomError):
    """There is no master key where one should be."""


class MasterKeyExposed(StrongroomError):
    """The master key can be read by others than its owner. remedy: the command that ends it."""

    def __init__(self, what: str, path: Path) -> None:
        self.remedy = f"chmod 600 {shlex.quote(str(path))}"
        super().__init__(f"the {what} at {path} can be opened by others; run: {self.remedy}")


def read_private(path: Path, what: str) -> str:
    """Return the text of a file that only its owner may open; `what` it is stands in the errors.

    Raises MasterKeyMissing, MasterKeyExposed, MasterKeyWrong.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            status = os.fstat(file.fileno())
            text = file.read(LONGEST + 1)
    except FileNotFoundError:
        raise MasterKeyMissing(f"the {what} {path} is missing") from None
    except (OSError, UnicodeDecodeError) as error:
        raise MasterKeyWrong(f"the {what} at {path} cannot be read: {error}") from None
    if is_exposed(status, is_credential=is_credential(path, os.environ)):
        raise MasterKeyExposed(what, path)
    return text


def is_exposed(status: os.stat_result, *, is_credential: bool) -> bool:
    """Answer whether others than its owner may open a file.

    A credential that systemd made for a service with a user of its own belongs to root, and its mode is 0440: the
    group's bit is the mask of an access list that names that user alone. Source: systemd, `src/core/exec-credential.c`
    (`ACCESS_ACL`); systemd.exec(5), "Credentials".
    """
    allowed = 0
    if is_credential and (status.st_uid, status.st_gid) == (ROOT, ROOT):
        allowed = stat.S_IRGRP
    return bool(status.st_mode & OTHERS & ~allowed)


def is_credential(path: Path, environ: Mapping[str, str]) -> bool:
    """Answer whether a file is a credential that a service manager hands in: not ours to write."""
    folders = [RUN_CREDENTIALS] + ([Path(environ[CREDENTIALS])] if environ.get(CREDENTIALS) else [])
    return any(path.is_relative_to(folder) for folder in folders)


def write_private(path: Path, text: str) -> None:
    """Write a new file for its owner only, and the folder that it lies in; FileExistsError when there is one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_new(path, text)


def staged(path: Path) -> Path:
    """Return where the file waits that is to take the place of `path`."""
    return path.with_name(f"{path.name}.next")


def stage(path: Path, text: str) -> None:
    """Write what is to take the place of `path`; what an earlier, given up attempt left there is replaced."""
    staged(path).unlink(missing_ok=True)
    write_private(staged(path), text)


def promote(path: Path) -> None:
    """Let the staged file take its place; durable when this returns."""
    staged(path).replace(path)
    sync(path.parent)


def discard(path: Path) -> None:
    """Remove a staged file that is not to take its place; nothing happens when there is none."""
    staged(path).unlink(missing_ok=True)
    sync(path.parent)


def set_aside(path: Path, name: str, *, stays: bool) -> Path:
    """Keep a file under another name in its folder, durably; return where.

    stays: leave it at its place too, since another is about to take that: there is always one of them.
    """
    kept = path.with_name(name)
    if not stays:
        path.replace(kept)
    elif not kept.exists():
        os.link(path, kept)
    sync(path.parent)
    return kept
