"""The rotation of the master key, step by step, so that a stop anywhere leaves data that a key on the disk opens.

1. The next key is made and written, beside the file that it will replace, or where the operator said. What is to be
   replaced is kept under another name as well, for backups made before.
2. One change lays every data key under it. This decides: before, the data lie under the old key, after, under the new.
3. The new file takes its place; an old one whose place is another's is renamed.
4. A running server takes the next key over: it was left for it, sealed under the one that it holds.

A start, or the next rotation, that finds step 3 undone does it; one that finds step 2 undone drops what step 1 wrote.
"""

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

from strongroom.audit.event import Record
from strongroom.audit.local import local_record
from strongroom.cli.custody import key_of, makes, new_passphrase, rotating, source_of
from strongroom.cli.data import Data, run_on, unlock
from strongroom.cli.failure import CommandFailed
from strongroom.cli.running import running_pid
from strongroom.cli.token import wrap_with_hsm
from strongroom.clock import real_now
from strongroom.custody.files import is_credential, promote, set_aside, stage, write_private
from strongroom.custody.master import (
    MasterKey,
    MasterKeySource,
    encode_key,
    kept_file,
    new_master_key,
    settle,
)
from strongroom.custody.succession import is_handing_over, succeed
from strongroom.planes.stores import Stores
from strongroom.scheduling.following import follow_master_key
from strongroom.settings import Settings
from strongroom.storage.master import find_description

FOLLOW_SECONDS = 60.0
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the operator wants. kind: `file`, `hsm`, `passphrase`, None for what it is now.

    new_file: where a new key is written instead of over the old one. new_passphrase_file: where the new passphrase
    lies, None to ask for it.
    """

    kind: str | None
    new_file: Path | None
    new_passphrase_file: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Succession:
    """What was done. old_kind, kind: of the key before, and of this one.

    old_file: where the old key, or passphrase, lay, None for nowhere; kept: where it is now, None where it is not ours
    to keep. place: where the new one is, None for nowhere. configured: whether the next start finds it there by the
    settings as they are.
    """

    before: str
    after: str
    old_kind: str
    kind: str
    old_file: Path | None
    kept: Path | None
    place: Path | None
    configured: bool


class RotationStopped(CommandFailed):
    """A person stopped the rotation of the master key; the message says what is true now. Exit code 130."""

    exit_code = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class _Next:
    """The next key and where its text goes. replaces: whether it takes the place of the file there, or is new."""

    key: MasterKey
    text: str
    place: Path | None
    replaces: bool

    @property
    def kind(self) -> str:
        return self.key.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class _Old:
    """The key that the data lie under before. file: where it lies, None where a person was asked."""

    key: MasterKey
    file: Path | None

    @property
    def kind(self) -> str:
        return self.key.kind


def rotate_master_key(settings: Settings, wish: Wish) -> Succession:
    """Lay the data under a new master key while the server runs or not; CommandFailed when it cannot be begun.

    RotationStopped when a person stops it with Ctrl-C, once nobody is asked any more.
    """
    with rotating(settings.data_dir):
        source = source_of(settings)
        settle(source, find_description(settings.data_dir))
        key = unlock(settings)
        old = _Old(key=key, file=kept_file(source, find_description(settings.data_dir)))
        following = _next_key(settings, source, wish, old)

        async def work(data: Data) -> Succession:
            await _let_follow(settings, data)
            return await _rotate(settings, data, old, following)

        try:
            return run_on(settings, key, work)
        except KeyboardInterrupt:
            raise _stopped(settings, source, old, following) from None


async def _rotate(settings: Settings, data: Data, old: _Old, following: _Next) -> Succession:
    _write(following)
    if following.place == old.file:
        _retire(old, following)  # before it is replaced, by whomever: a stop from here on loses no key
    await _change(data, following)
    data.custodian.succeed(following.key.key, following.key.derivation)
    kept = _retire(old, following)
    if following.replaces and following.place is not None:
        promote(following.place)
    await _let_follow(settings, data, _told(settings, following))
    return Succession(
        before=old.key.master_id,
        after=following.key.master_id,
        old_kind=old.kind,
        kind=following.kind,
        old_file=old.file,
        kept=kept,
        place=following.place,
        configured=_is_configured(settings, following),
    )


def _stopped(settings: Settings, source: MasterKeySource, old: _Old, following: _Next) -> RotationStopped:
    """Finish or undo what was begun on the disk, and return what is true now."""
    description = find_description(settings.data_dir)
    settle(source, description)
    if description is None or description.master_id != following.key.master_id:
        return RotationStopped(
            f"stopped before anything changed: the data lie under the master key {old.key.master_id[:8]} as before; to "
            "rotate it, run the same command again"
        )
    return RotationStopped(
        f"stopped, but the master key has changed: {_told(settings, following)}; a running server takes it over by "
        "itself; do not rotate again, see with `strongroom doctor` that all is well"
    )


def _told(settings: Settings, following: _Next) -> str:
    """Return what is to be known of the next key, now that the data lie under it."""
    lies = f"lies in {following.place}: copy it at once" if following.place else "is made of the passphrase given"
    if following.kind == "hsm":
        lies += ", and only the HSM opens it"
    if not _is_configured(settings, following):
        lies += ", and let the options name it before the next start"
    return f"the data lie under {following.key.master_id[:8]} now, which {lies}"


def _is_configured(settings: Settings, following: _Next) -> bool:
    """Answer whether the next start finds the next key by the settings as they are."""
    named = settings.master_key_passphrase_file if following.kind == "passphrase" else settings.master_key_file
    return following.replaces or following.place in (None, named)


def _next_key(settings: Settings, source: MasterKeySource, wish: Wish, old: _Old) -> _Next:
    """Return the next key; nothing is written yet. CommandFailed when there is no place for it."""
    kind = wish.kind or ("file" if wish.new_file is not None and old.kind == "passphrase" else old.kind)
    if kind == "passphrase":
        return _next_passphrase(source, wish, old)
    place = wish.new_file or source.file
    if place.is_relative_to(settings.data_dir):
        raise CommandFailed(f"the master key must not lie in the data directory {settings.data_dir}")
    if wish.new_file is not None:
        _require_free(wish.new_file)
    elif not _is_ours(place):
        raise CommandFailed(
            f"the master key {place} is a credential, which only the service manager can replace; say where the new "
            "one is to be written with --new-file, and make it the credential then"
        )
    key = new_master_key((lambda made: wrap_with_hsm(settings, made)) if kind == "hsm" else None)
    return _Next(key=key, text=encode_key(key), place=place, replaces=wish.new_file is None)


def _require_free(new_file: Path) -> None:
    """Raise CommandFailed where a new file for the key cannot be made."""
    if not new_file.parent.is_dir():
        raise CommandFailed(f"there is no folder {new_file.parent}")
    if new_file.exists():
        raise CommandFailed(
            f"{new_file} is there already, and a new key overwrites nothing: give another name (without --new-file the "
            "key's own file is replaced, and the old one kept beside it)"
        )


def _next_passphrase(source: MasterKeySource, wish: Wish, old: _Old) -> _Next:
    named = wish.new_passphrase_file
    passphrase = new_passphrase(source, named)
    if makes(passphrase, old.key):
        raise CommandFailed("the new passphrase is the old one, under which the data lie already; nothing was changed")
    file = source.passphrase_file
    replaces = file is not None and file != named and _is_ours(file)
    if replaces and file is not None and file != old.file and file.exists():
        raise CommandFailed(
            f"{file} is there already and would be overwritten; if it holds the new passphrase, name it with "
            "--new-passphrase-file, else remove it"
        )
    text, place = passphrase.reveal() + "\n", file if replaces else named
    return _Next(key=key_of(passphrase), text=text, place=place, replaces=replaces)


def _is_ours(path: Path) -> bool:
    """Answer whether a file is ours to replace, and not a service manager's."""
    return not is_credential(path, os.environ)


def _write(following: _Next) -> None:
    """Write what the next start needs; of a passphrase that lies where the operator put it, nothing."""
    if following.place is None:
        return
    if following.replaces:
        stage(following.place, following.text)
    elif following.key.derivation is None:
        write_private(following.place, following.text)


async def _change(data: Data, following: _Next) -> None:
    place = None if following.replaces or following.place is None else str(following.place)

    async def work(stores: Stores) -> tuple[None, Record]:
        now = real_now()
        count = await succeed(
            stores.keyring, stores.facts, data.custodian, following.key, place=place, hand_over=True, now=now
        )
        properties = {
            "masterKeyId": following.key.master_id,
            "previousMasterKeyId": data.custodian.master_id,
            "kind": following.kind,
            "dataKeys": count,
        }
        return None, local_record("Strongroom.MasterKey/rotate", now=now, properties=properties)

    await data.storage.change(work)


def _retire(old: _Old, following: _Next) -> Path | None:
    """Keep the old file under the id of its key; return where, None when there is none of ours."""
    if old.file is None or not old.file.exists() or not _is_ours(old.file):
        return None
    if following.kind != "passphrase" and not following.replaces:
        return old.file  # the operator named another place, so that it is not in the way
    name = f"{old.file.name}.{old.key.master_id[:8]}"
    return set_aside(old.file, name, stays=following.place == old.file)


async def _let_follow(
    settings: Settings, data: Data, told: str = "an earlier rotation left it, no new one was begun"
) -> None:
    """Wait until a running server has taken over the master key; where none runs, put the handover away.

    told: what a person is to know of that key if the server does not.
    """
    deadline = time.monotonic() + FOLLOW_SECONDS
    while await is_handing_over(data.storage.read().facts):
        if running_pid(settings.data_dir) is None:
            await follow_master_key(data.storage, data.custodian, actor="operator")
        elif time.monotonic() > deadline:
            raise CommandFailed(
                f"the running server has not taken over the master key within {FOLLOW_SECONDS:g} seconds; it will once "
                f"it can, its own log tells what keeps it; nothing else is left to do; {told}"
            )
        else:
            await asyncio.sleep(POLL_SECONDS)
