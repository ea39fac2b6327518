"""The rotation of the master key, step by step, so that a stop anywhere leaves data that a key on the disk opens.

1. The next key is made and written, beside the file that it will replace, or where the operator said.
2. One change lays every data key under it. This decides: before, the data lie under the old key, after, under the new.
3. The old file is kept under another name, for backups made before; the new one takes its place.
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
from strongroom.cli.custody import key_of, new_passphrase, rotating, source_of
from strongroom.cli.data import Data, on_data
from strongroom.cli.failure import CommandFailed
from strongroom.cli.running import running_pid
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
    """What the operator wants. kind: `file`, `passphrase`, None for what it is now.

    new_file: where a new key is written instead of over the old one. new_passphrase_file: where the new passphrase
    lies, None to ask for it.
    """

    kind: str | None
    new_file: Path | None
    new_passphrase_file: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Succession:
    """What was done. kept: where the old key, or passphrase, is now. place: where the new one is, None for nowhere.

    configured: whether the next start finds it there by the settings as they are.
    """

    before: str
    after: str
    kind: str
    kept: Path | None
    place: Path | None
    configured: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Next:
    """The next key and where its text goes. replaces: whether it takes the place of the file there, or is new."""

    key: MasterKey
    text: str
    place: Path | None
    replaces: bool


def rotate_master_key(settings: Settings, wish: Wish) -> Succession:
    """Lay the data under a new master key while the server runs or not; CommandFailed when it cannot be begun."""
    with rotating(settings.data_dir):
        source = source_of(settings)
        settle(source, find_description(settings.data_dir))

        async def work(data: Data) -> Succession:
            await _let_follow(settings, data)
            return await _rotate(settings, data, source, wish)

        return on_data(settings, work)


async def _rotate(settings: Settings, data: Data, source: MasterKeySource, wish: Wish) -> Succession:
    description = find_description(settings.data_dir)
    old_file = kept_file(source, description)
    is_passphrase = description is not None and description.derivation is not None
    kind = wish.kind or ("passphrase" if is_passphrase else "file")
    following = _next_key(settings, source, wish, kind)
    before = data.custodian.master_id
    _write(following)
    await _change(data, following, kind)
    data.custodian.succeed(following.key.key, following.key.derivation)
    kept = _retire(old_file, before, following)
    if following.replaces and following.place is not None:
        promote(following.place)
    await _let_follow(settings, data)
    return Succession(
        before=before,
        after=following.key.master_id,
        kind=kind,
        kept=kept,
        place=following.place,
        configured=following.replaces or following.place is None,
    )


def _next_key(settings: Settings, source: MasterKeySource, wish: Wish, kind: str) -> _Next:
    """Return the next key; nothing is written yet. CommandFailed when there is no place for it."""
    if kind == "passphrase":
        return _next_passphrase(source, wish)
    place = wish.new_file or source.file
    if place.is_relative_to(settings.data_dir):
        raise CommandFailed(f"the master key must not lie in the data directory {settings.data_dir}")
    if wish.new_file is None and not _is_ours(place):
        raise CommandFailed(
            f"the master key {place} is a credential, which only the service manager can replace; say where the new "
            "one is to be written with --new-file, and make it the credential then"
        )
    key = new_master_key()
    return _Next(key=key, text=encode_key(key), place=place, replaces=wish.new_file is None)


def _next_passphrase(source: MasterKeySource, wish: Wish) -> _Next:
    named = wish.new_passphrase_file
    passphrase = new_passphrase(source, named)
    file = source.passphrase_file
    replaces = file is not None and file != named and _is_ours(file)
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


async def _change(data: Data, following: _Next, kind: str) -> None:
    place = None if following.replaces or following.place is None else str(following.place)

    async def work(stores: Stores) -> tuple[None, Record]:
        now = real_now()
        count = await succeed(
            stores.keyring, stores.facts, data.custodian, following.key, place=place, hand_over=True, now=now
        )
        properties = {
            "masterKeyId": following.key.master_id,
            "previousMasterKeyId": data.custodian.master_id,
            "kind": kind,
            "dataKeys": count,
        }
        return None, local_record("Strongroom.MasterKey/rotate", now=now, properties=properties)

    await data.storage.change(work)


def _retire(old_file: Path | None, before: str, following: _Next) -> Path | None:
    """Keep the old file under the id of its key; return where, None when there is none of ours."""
    if old_file is None or not old_file.exists() or not _is_ours(old_file):
        return None
    if not following.replaces and following.place is not None and following.key.derivation is None:
        return old_file  # the operator named another place, so that it is not in the way
    return set_aside(old_file, f"{old_file.name}.{before[:8]}", stays=following.place == old_file)


async def _let_follow(settings: Settings, data: Data) -> None:
    """Wait until a running server has taken over the master key; where none runs, put the handover away."""
    deadline = time.monotonic() + FOLLOW_SECONDS
    while await is_handing_over(data.storage.read().facts):
        if running_pid(settings.data_dir) is None:
            await follow_master_key(data.storage, data.custodian, actor="operator")
        elif time.monotonic() > deadline:
            raise CommandFailed(
                f"the running server has not taken over the master key within {FOLLOW_SECONDS:g} seconds; it will once "
                "it can, its own log tells what keeps it; nothing else is left to do"
            )
        else:
            await asyncio.sleep(POLL_SECONDS)
