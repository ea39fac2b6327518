"""The master key's own place: a file of 0600 in a folder of its own, never beside the data and never in a backup."""

import base64
import binascii
import os
import secrets
import stat
from pathlib import Path

from strongroom.custody.sealing import KEY_BYTES, MasterKeyWrong
from strongroom.errors import StrongroomError
from strongroom.sensitive import Sensitive

PREFIX = "strongroom-master-key-1:"
OTHERS = stat.S_IRWXG | stat.S_IRWXO


class MasterKeyMissing(StrongroomError):
    """There is no master key where one should be."""


class MasterKeyExposed(StrongroomError):
    """The master key can be read by others than its owner."""


def make_master_key(path: Path) -> Sensitive[bytes]:
    """Write a new master key to `path` and return it; an existing file is never touched (FileExistsError)."""
    key = secrets.token_bytes(KEY_BYTES)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(PREFIX + base64.b64encode(key).decode() + "\n")
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(path.parent)
    return Sensitive(key)


def load_master_key(path: Path) -> Sensitive[bytes]:
    """Return the master key kept in `path`.

    Raises MasterKeyMissing when there is no file, MasterKeyExposed when others than its owner may open it,
    MasterKeyWrong when it holds no master key.
    """
    try:
        with path.open(encoding="ascii") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(256)
    except FileNotFoundError:
        raise MasterKeyMissing(f"there is no master key at {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise MasterKeyWrong(f"the master key at {path} cannot be read: {error}") from None
    if mode & OTHERS:
        raise MasterKeyExposed(f"the master key at {path} can be opened by others; run: chmod 600 {path}")
    return _decode(text, path)


def _decode(text: str, path: Path) -> Sensitive[bytes]:
    try:
        key = base64.b64decode(text.strip().removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not text.startswith(PREFIX) or len(key) != KEY_BYTES:
        raise MasterKeyWrong(f"the file {path} holds no master key")
    return Sensitive(key)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
