"""The master key as commands come by it: from its file, the HSM that wrapped it, a passphrase's file, or a person."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from strongroom.cli.failure import CommandFailed
from strongroom.cli.token import unwrap_with_hsm, wrap_with_hsm
from strongroom.custody.master import (
    MasterKey,
    MasterKeyMissing,
    MasterKeySource,
    load_master_key,
    make_master_key,
    open_master_key,
    read_passphrase,
)
from strongroom.custody.passphrase import derive, new_derivation, require_strong
from strongroom.sensitive import Sensitive
from strongroom.settings import Settings
from strongroom.storage.master import find_description

ROTATION_LOCK = "rotation.lock"


@contextmanager
def rotation_lock(data_dir: Path) -> Iterator[bool]:
    """Hold the lock of whoever changes keys on a data directory; tells whether it was free."""
    handle = os.open(data_dir / ROTATION_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


@contextmanager
def rotating(data_dir: Path) -> Iterator[None]:
    """Hold the same lock for a rotation; CommandFailed when another one is under way."""
    with rotation_lock(data_dir) as is_ours:
        if not is_ours:
            raise CommandFailed(f"another rotation is under way on {data_dir}; wait for it to end")
        yield


def source_of(settings: Settings) -> MasterKeySource:
    """Return where the settings say that the master key is."""
    named = settings.master_key_passphrase_file
    return MasterKeySource(
        file=settings.master_key_file,
        passphrase_file=named if isinstance(named, Path) else None,
        ask=_ask,
        unwrap=lambda text: unwrap_with_hsm(settings, text),
    )


def find_master_key(settings: Settings) -> MasterKey:
    """Return the master key of existing data; CommandFailed when it is missing: a new one would open nothing.

    MasterKeyExposed, MasterKeyWrong.
    """
    description = find_description(settings.data_dir)
    try:
        return open_master_key(source_of(settings), description)
    except MasterKeyMissing as error:
        raise CommandFailed(
            f"{error}, and the data in {settings.data_dir} need it; put it back, or name it with --master-key-file or "
            "--master-key-passphrase-file (no new one is made beside data that it could not open)"
        ) from None


def begin_master_key(settings: Settings) -> MasterKey:
    """Return the master key that new data begin under: the passphrase's if one is named, else the file's.

    One that is made now is wrapped by the HSM where the settings say so.
    """
    if settings.master_key_passphrase_file is not None:
        source = source_of(settings)
        return key_of(new_passphrase(source, source.passphrase_file))
    if settings.master_key_file.exists():
        found = load_master_key(settings.master_key_file, source_of(settings).unwrap)
        if settings.master_key_hsm and found.kind != "hsm":
            raise CommandFailed(
                f"the master key {settings.master_key_file} is there already and lies in clear, where new data are to "
                "begin with one that the HSM wraps; move it away, or begin without that option and rotate it --to hsm"
            )
        return found
    wrap = (lambda key: wrap_with_hsm(settings, key)) if settings.master_key_hsm else None
    try:
        return make_master_key(settings.master_key_file, wrap)
    except OSError as error:
        raise CommandFailed(f"the master key {settings.master_key_file} cannot be written: {error.strerror}") from None


def new_passphrase(source: MasterKeySource, file: Path | None) -> Sensitive[str]:
    """Return a new passphrase, from a file or asked for twice; PassphraseUnfit when it is weak."""
    if file is None:
        return _ask_twice(source)
    passphrase = read_passphrase(file)
    require_strong(passphrase)
    return passphrase


def key_of(passphrase: Sensitive[str]) -> MasterKey:
    """Return a master key that a passphrase makes with a salt of its own."""
    derivation = new_derivation()
    return MasterKey(derive(passphrase, derivation), derivation)


def makes(passphrase: Sensitive[str], key: MasterKey) -> bool:
    """Answer whether a master key is made of this passphrase."""
    return key.derivation is not None and derive(passphrase, key.derivation).reveal() == key.key.reveal()


def _ask_twice(source: MasterKeySource) -> Sensitive[str]:
    """Return a new passphrase that a person gave twice; CommandFailed when the two differ."""
    passphrase = source.ask("New passphrase of the master key")
    require_strong(passphrase)
    if source.ask("The same again").reveal() != passphrase.reveal():
        raise CommandFailed("the two passphrases differ; nothing was changed")
    return passphrase


def _ask(prompt: str) -> Sensitive[str]:
    """Ask the person at the terminal; CommandFailed where there is none: nobody else is listened to."""
    if not sys.stdin.isatty():
        raise CommandFailed(
            "the master key is made of a passphrase, and there is no terminal to ask for it; name the file that holds "
            "it with --master-key-passphrase-file"
        )
    return Sensitive(click.prompt(prompt, hide_input=True, err=True))
