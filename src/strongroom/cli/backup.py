"""`strongroom backup`: the whole server into one sealed file, while it serves."""

import fcntl
import hashlib
import os
import sqlite3
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from strongroom.cli.failure import CommandFailed
from strongroom.cli.hints import typed_here
from strongroom.cli.options import PLACE, settings_from, settings_options
from strongroom.durability import sync
from strongroom.settings import Settings

if TYPE_CHECKING:
    from strongroom.audit.event import Record
    from strongroom.cli.data import Data
    from strongroom.custody.stream import Sink
    from strongroom.planes.stores import Stores
    from strongroom.storage.archive import Manifest
    from strongroom.storage.records import SqlRecords

STANDARD_OUTPUT = "-"
PATIENCE_SECONDS = 5.0
"""For how long records of what was answered before are waited for."""


@click.command(name="backup")
@click.argument("file")
@click.option("--accept-damage", is_flag=True, help="Make the archive although rows of the data are damaged.")
@settings_options(*PLACE)
def command(*, file: str, accept_damage: bool, **flags: Any) -> None:
    """Write everything that the server keeps into FILE, sealed under the master key, while the server runs.

    What was answered before it began is in it. It holds no master key: keep that elsewhere. FILE - is standard output,
    which cannot be read back: check it where it ends up, with `strongroom restore FILE --verify-only`.

    \b
    strongroom backup /backups/strongroom-$(date +%F)
    strongroom backup - | ssh host 'cat > strongroom.backup'
    """
    from strongroom.cli.data import on_data

    settings = settings_from(flags)
    if file == STANDARD_OUTPUT:
        on_data(settings, _to_standard_output)
        return
    path = Path(os.path.normpath(Path.cwd() / file))
    _require_place(path, settings)
    on_data(settings, lambda data: _to_file(data, path, accept_damage=accept_damage))


async def _to_file(data: "Data", path: Path, *, accept_damage: bool) -> None:
    from strongroom.cli.archives import check_archive, described, require_sound, tell_damage

    with _scratch(path) as (scratch, handle):
        sink = _Sink(handle)
        master_id, manifest, damage = _write(data, sink)
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)  # it is read back from the disk, not from memory
        found, problems = check_archive(scratch, data.custodian)
        assert found == manifest  # what was sealed is what opens
        require_sound((*damage, *problems), accepted=accept_damage, what=f"the backup {path} was not kept")
        _require_free(path)
        await _record(data, manifest, str(path), sink)
        _publish(scratch, path)
    sync(path.parent)
    click.echo(f"{path}: {sink.size:,} bytes, read back and checked\n{described(manifest)}")
    click.echo(f"sha256 {sink.digest}")
    click.echo(
        f"keep the master key {master_id[:8]}, or its passphrase, elsewhere: the archive opens with nothing else"
    )
    tell_damage((*damage, *problems))


async def _to_standard_output(data: "Data") -> None:
    from strongroom.cli.archives import described, require_sound

    if sys.stdout.isatty():
        raise CommandFailed("an archive is nothing for a terminal; send it to a file or a program")
    sink = _Sink(sys.stdout.fileno())
    master_id, manifest, damage = _write(data, sink)
    await _record(data, manifest, STANDARD_OUTPUT, sink)
    require_sound(damage, accepted=False, what="the archive was written, but do not rely on it")
    click.echo(
        f"{described(manifest)}; sha256 {sink.digest}; made under the master key {master_id[:8]}; not read back: "
        "check it where it is now",
        err=True,
    )


class _Sink:
    """Takes the archive: writes it out, measures it. What cannot be written raises OSError."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def write(self, data: bytes) -> None:
        self._hash.update(data)
        self.size += len(data)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._handle, rest) :]


def _write(data: "Data", sink: "Sink") -> "tuple[str, Manifest, tuple[str, ...]]":
    """Write an archive of the data; return its master key's id, what it says of itself, what SQLite finds wrong."""
    from strongroom import VERSION
    from strongroom.cli.shown import progress_bar
    from strongroom.clock import real_now
    from strongroom.custody.stream import SealedWriter
    from strongroom.storage.archive import Manifest, counted, write_items
    from strongroom.storage.snapshot import FILES, take_snapshot

    _reach_the_log(data.storage.records)
    taken = real_now()
    try:
        with take_snapshot(data.data_dir, touching=True) as snapshot:
            manifest = Manifest(
                version=VERSION,
                taken=taken,
                schema=snapshot.versions(),
                counts=snapshot.counts(),
                records=snapshot.count_records(),
            )
            with progress_bar("writing the archive", manifest.rows) as progress:
                items = chain([manifest], counted(snapshot.items(), progress))
                writer = SealedWriter(sink, data.custodian)
                write_items(writer, items)
            return (
                writer.master_id,
                manifest,
                tuple(f"{name}: {told}" for name in FILES for told in snapshot.damage(name)),
            )
    except sqlite3.Error as error:
        raise CommandFailed(f"the data cannot be read: {error}; `strongroom doctor` says more") from None


def _reach_the_log(records: "SqlRecords") -> None:
    """Wait until the records of what was answered before now are in the log, which is what an archive holds of them."""
    waiting, until = {record.record_id for record in records.pending()}, time.monotonic() + PATIENCE_SECONDS
    while waiting := waiting & {record.record_id for record in records.pending()}:
        if time.monotonic() >= until:
            told = f"records of the last moments ({len(waiting):,}) are not in the log yet, and not in this backup"
            click.echo(typed_here(f"{told}; `strongroom doctor` may say why"), err=True)
            return
        time.sleep(0.01)


async def _record(data: "Data", manifest: "Manifest", archive: str, sink: _Sink) -> None:
    """Record the backup; without its record there is none."""
    from strongroom.audit.local import local_record
    from strongroom.cli.archives import LAST_BACKUP, counts_of, last_backup
    from strongroom.clock import real_now

    said = {"archive": archive, "sha256": sink.digest, "bytes": sink.size, "taken": manifest.taken.isoformat()}

    async def work(stores: "Stores") -> "tuple[None, Record]":
        await stores.facts.put(LAST_BACKUP, last_backup(manifest.taken, archive, sink.digest))
        properties = {**said, "counts": counts_of(manifest)}
        return None, local_record("Strongroom.Installation/backup", now=real_now(), properties=properties)

    await data.storage.change(work)


def _require_place(path: Path, settings: Settings) -> None:
    """Raise CommandFailed where a backup must not or cannot be made."""
    _require_free(path)
    if not path.parent.is_dir():
        raise CommandFailed(f"there is no folder {path.parent}")
    if path.is_relative_to(settings.data_dir):
        raise CommandFailed(f"{path} lies in the data directory; a backup there is lost with it")
    for key in (settings.master_key_file, settings.master_key_passphrase_file):
        if isinstance(key, Path) and path.parent == key.parent:
            raise CommandFailed(f"{path} lies beside what opens it, {key.name}; whoever gets both has everything")


def _require_free(path: Path) -> None:
    if os.path.lexists(path):
        raise _there_already(path)


def _there_already(path: Path) -> CommandFailed:
    return CommandFailed(f"{path} is there already; a backup overwrites nothing, give another name")


@contextmanager
def _scratch(path: Path) -> Iterator[tuple[Path, int]]:
    """Hold a new file beside `path`, mode 0600, to write and publish; it is removed when that does not come to pass.

    A killed backup leaves it behind, and the next one of this name removes that first.
    """
    scratch = path.with_name(f"{path.name}.partial")
    try:
        _remove_left(scratch)
        handle = os.open(scratch, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CommandFailed(f"the backup {path} cannot be written: {error.strerror}") from None
    try:
        _require_alone(handle, scratch)
        try:
            yield scratch, handle
        except BaseException as error:
            scratch.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise CommandFailed(
                    f"the backup {path} could not be written: {error.strerror}; what there was of it was removed, and "
                    "the server was not touched"
                ) from None
            raise
    finally:
        os.close(handle)


def _remove_left(scratch: Path) -> None:
    """Remove what a killed backup left; CommandFailed where something lies that no backup of ours made."""
    try:
        found = scratch.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_nlink > 1:
        raise CommandFailed(f"{scratch} is no file that a backup left (a link, or of somebody else); remove it")
    handle = os.open(scratch, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _require_alone(handle, scratch)
        scratch.unlink()
    finally:
        os.close(handle)


def _publish(scratch: Path, path: Path) -> None:
    """Give a file the name `path`, and overwrite nothing that has come there meanwhile."""
    try:
        os.link(scratch, path, follow_symlinks=False)
    except FileExistsError:
        raise _there_already(path) from None
    except OSError:  # a file system without hard links
        _require_free(path)
        scratch.rename(path)
    else:
        scratch.unlink()


def _require_alone(handle: int, scratch: Path) -> None:
    """Raise CommandFailed when another backup has this file, or has just made it its own under the name it wanted."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_ours = os.path.lexists(scratch) and os.path.samestat(scratch.lstat(), os.fstat(handle))
    except BlockingIOError:
        is_ours = False
    if not is_ours:
        raise CommandFailed(f"another backup is writing {scratch} already")
