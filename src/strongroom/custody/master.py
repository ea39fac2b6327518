"""The master key's own place, apart from the data and from every backup of it: a file, a credential, or a passphrase.

Which of them it is, the data say (`Description`): a file holds a random key, a passphrase makes one. A file may hold a
key that an HSM wrapped, so that the file alone opens nothing (`wrapping`). A credential is a file that a service
manager hands in. Nothing here writes or changes the data, and nothing makes a key anew by itself.
"""

import base64
import binascii
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from strongroom.custody.files import (
    MasterKeyExposed,
    MasterKeyMissing,
    discard,
    promote,
    read_private,
    staged,
    write_private,
)
from strongroom.custody.holder import KEY_BYTES
from strongroom.custody.passphrase import Derivation, derive
from strongroom.custody.sealing import MasterKeyWrong, SealBroken, master_key_id
from strongroom.sensitive import Sensitive

__all__ = [
    "Description",
    "MasterKey",
    "MasterKeyExposed",
    "MasterKeyMissing",
    "MasterKeySource",
    "MasterKeyWrong",
    "load_master_key",
    "make_master_key",
    "open_master_key",
]

PREFIX = "strongroom-master-key-1:"
WRAPPED_PREFIX = "strongroom-wrapped-master-key-1:"
FILE, PASSPHRASE = "master key", "passphrase"


class Description(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the data say of the master key that they lie under; nothing in it is secret.

    since: when it took over, None where that is not told. derivation: how it is made of a passphrase. place: where a
    rotation wrote it, if that was not where it is looked for.
    """

    master_id: str
    since: datetime | None = None
    derivation: Derivation | None = None
    place: str | None = None

    def encode(self) -> bytes:
        """Return the description as it is kept."""
        return msgspec.json.encode(self)


@dataclass(frozen=True, slots=True)
class MasterKey:
    """A master key, and how it was made if it was made of a passphrase. wrapped: its text as an HSM wrapped it."""

    key: Sensitive[bytes]
    derivation: Derivation | None = None
    wrapped: str | None = None

    @property
    def master_id(self) -> str:
        """Its id."""
        return master_key_id(self.key)

    @property
    def kind(self) -> str:
        """What opens it: a passphrase, an HSM, or whoever has its file."""
        if self.derivation is not None:
            return "passphrase"
        return "file" if self.wrapped is None else "hsm"


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterKeySource:
    """Where the operator keeps the master key.

    passphrase_file: where the passphrase lies, None to ask for it. ask: asks a person, with these words; raises where
    there is nobody. unwrap: lets the HSM open what it wrapped; raises where there is none.
    """

    file: Path
    passphrase_file: Path | None
    ask: Callable[[str], Sensitive[str]]
    unwrap: Callable[[str], Sensitive[bytes]]


def decode_description(kept: bytes) -> Description:
    """Return a description as it was kept; SealBroken when it is none."""
    try:
        return msgspec.json.decode(kept, type=Description)
    except msgspec.MsgspecError:
        raise SealBroken("what the data say of their master key cannot be read") from None


def new_master_key(wrap: Callable[[Sensitive[bytes]], str] | None = None) -> MasterKey:
    """Return a new random master key, kept nowhere yet. wrap: lets an HSM wrap it."""
    key = Sensitive(secrets.token_bytes(KEY_BYTES))
    return MasterKey(key, wrapped=wrap(key) if wrap else None)


def encode_key(key: MasterKey) -> str:
    """Return the text of a master key's file."""
    if key.wrapped is not None:
        return f"{WRAPPED_PREFIX}{key.master_id}:{key.wrapped}\n"
    return PREFIX + base64.b64encode(key.key.reveal()).decode() + "\n"


def make_master_key(path: Path, wrap: Callable[[Sensitive[bytes]], str] | None = None) -> MasterKey:
    """Write a new master key to `path` and return it; an existing file is never touched (FileExistsError).

    wrap: lets an HSM wrap it; None to leave it as it is.
    """
    made = new_master_key(wrap)
    write_private(path, encode_key(made))
    return made


def load_master_key(path: Path, unwrap: Callable[[str], Sensitive[bytes]]) -> MasterKey:
    """Return the master key kept in `path`. unwrap: lets the HSM open one that it wrapped; what it raises is raised.

    Raises MasterKeyMissing when there is no file, MasterKeyExposed when others than its owner may open it,
    MasterKeyWrong when it holds no master key.
    """
    text = read_private(path, FILE).strip()
    if text.startswith(WRAPPED_PREFIX):
        named, _, wrapped = text.removeprefix(WRAPPED_PREFIX).partition(":")
        found = MasterKey(unwrap(wrapped), wrapped=wrapped)
        if found.master_id != named:
            raise MasterKeyWrong(f"what the HSM opens of the file {path} is not the master key that it names")
        return found
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(PREFIX) or len(key) != KEY_BYTES:
        raise MasterKeyWrong(f"the file {path} holds no master key")
    return MasterKey(Sensitive(key))


def is_wrapped_other(path: Path, master_id: str) -> bool:
    """Answer whether a file holds another master key than this, wrapped; the HSM, which may be away, is not asked."""
    text = read_private(path, FILE)
    return text.startswith(WRAPPED_PREFIX) and not text.startswith(f"{WRAPPED_PREFIX}{master_id}:")


def read_passphrase(path: Path) -> Sensitive[str]:
    """Return the passphrase kept in `path`, without the end of its line. Raises as `load_master_key` does."""
    text = read_private(path, PASSPHRASE).removesuffix("\n").removesuffix("\r")
    if not text:
        raise MasterKeyWrong(f"the file {path} holds no passphrase")
    return Sensitive(text)


def open_master_key(source: MasterKeySource, description: Description | None) -> MasterKey:
    """Return the master key that data lie under; the one place where it is read.

    description: what the data say of it, None when they say nothing: then it is the one in its file, since whoever
    makes or replaces one otherwise says so. A file that a rotation left staged is used if it is the one; `settle` lets
    it take its place. Raises MasterKeyMissing, MasterKeyExposed, MasterKeyWrong.
    """
    if description is None:
        return load_master_key(source.file, source.unwrap)
    for key in _candidates(source, description):
        if key.master_id == description.master_id:
            return key
    raise MasterKeyWrong(_why_none(source, description))


def settle(source: MasterKeySource, description: Description | None) -> None:
    """Finish or undo what a rotation that was cut short left behind; nothing happens when there is nothing.

    Only while no rotation is under way. What was staged takes its place if the data lie under it, else it goes.
    """
    for file in (source.file, source.passphrase_file):
        if file is None or not staged(file).exists():
            continue
        if file == kept_file(source, description) and _is_current(staged(file), source, description):
            promote(file)
        else:
            discard(file)


def _is_current(path: Path, source: MasterKeySource, description: Description | None) -> bool:
    if description is None or (description.derivation is None and is_wrapped_other(path, description.master_id)):
        return False
    return _read(path, source, description.derivation).master_id == description.master_id


def kept_file(source: MasterKeySource, description: Description | None) -> Path | None:
    """Return the file that data need to be opened, None when a person is asked."""
    if description is not None and description.derivation is not None:
        return source.passphrase_file
    return source.file


def _candidates(source: MasterKeySource, description: Description) -> Iterator[MasterKey]:
    """Return the keys that may be the one: what lies at its place, then what waits beside it."""
    file = kept_file(source, description)
    if file is None:
        assert description.derivation is not None  # nobody is asked for a random key
        passphrase = source.ask("Passphrase of the master key")
        yield MasterKey(derive(passphrase, description.derivation), description.derivation)
        return
    places = [path for path in (file, staged(file)) if path.exists()]
    for path in places or [file]:
        if path.exists() and description.derivation is None and is_wrapped_other(path, description.master_id):
            continue
        yield _read(path, source, description.derivation)


def _read(path: Path, source: MasterKeySource, derivation: Derivation | None) -> MasterKey:
    if derivation is None:
        return load_master_key(path, source.unwrap)
    return MasterKey(derive(read_passphrase(path), derivation), derivation)


def _why_none(source: MasterKeySource, description: Description) -> str:
    since = f" since {description.since:%Y-%m-%d %H:%M} UTC" if description.since else ""
    if description.derivation is not None:
        where = f"in {source.passphrase_file}" if source.passphrase_file else "given"
        return f"the passphrase {where} is wrong: it does not open the data, which lie under another{since}"
    written = f"; a rotation wrote it to {description.place}" if description.place else ""
    return (
        f"the master key {source.file} does not open the data: they lie under the key {description.master_id[:8]}"
        f"{since}{written}"
    )
