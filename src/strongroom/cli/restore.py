"""`strongroom restore`: a data directory made of an archive, all of it or nothing; or only a check of the archive."""

import shlex
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from strongroom.cli.failure import CommandFailed
from strongroom.cli.hints import typed_here
from strongroom.cli.options import PLACE, settings_from, settings_options
from strongroom.settings import Settings

if TYPE_CHECKING:
    from strongroom.audit.event import Record
    from strongroom.cli.archives import OpenArchive
    from strongroom.custody.sealing import Custodian
    from strongroom.planes.stores import Stores
    from strongroom.storage.archive import Manifest


@click.command(name="restore")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--verify-only", is_flag=True, help="Read and check all of the archive; restore nothing.")
@click.option("--accept-damage", is_flag=True, help="Restore although rows in the archive are damaged.")
@settings_options(*PLACE)
def command(*, file: Path, verify_only: bool, accept_damage: bool, **flags: Any) -> None:
    """Make the data directory that FILE is a backup of: a new or empty one, on this or another machine.

    The master key that the data was under is needed, where --master-key-file says. What was done after the backup was
    taken is not in it: an application disabled since then is enabled again.

    \b
    strongroom restore /backups/strongroom-2030-01-31 --verify-only
    strongroom restore /backups/strongroom-2030-01-31 --data-dir /srv/strongroom/data
    """
    settings = settings_from(flags)
    if verify_only:
        _verify(file, settings, accept_damage=accept_damage)
    else:
        _restore(file, settings, accept_damage=accept_damage)


def _verify(path: Path, settings: Settings, *, accept_damage: bool) -> None:
    from strongroom.cli.archives import check_archive, described, require_sound, tell_damage

    custodian = _custodian(settings, path)
    manifest, problems = check_archive(path, custodian)
    require_sound(problems, accepted=accept_damage, what=f"{path} is whole and as it was written, but not sound")
    sound = (
        ", of data that were damaged already" if problems else ", every row and every sealed value as it was written"
    )
    click.echo(f"{path}: whole{sound}\n{described(manifest)}")
    click.echo(f"it was made under the master key {custodian.master_id[:8]}, which is at hand, and opens with no other")
    tell_damage(problems)


def _restore(path: Path, settings: Settings, *, accept_damage: bool) -> None:
    from strongroom.cli.archives import described, opened, require_sound, tell_damage, told
    from strongroom.cli.running import require_no_server
    from strongroom.cli.shown import progress_bar
    from strongroom.storage.archive import read_items
    from strongroom.storage.directory import upgrade
    from strongroom.storage.restoration import build, finish, require_empty, require_known, verify

    data_dir = settings.data_dir
    require_no_server(data_dir)
    require_empty(data_dir)
    custodian = _custodian(settings, path)
    with opened(path, custodian) as archive:
        require_known(archive.manifest)
        with _unfinished(archive, data_dir):
            with told(path), progress_bar("restoring", archive.manifest.rows) as progress:
                build(data_dir, read_items(archive.reader), progress)
            with progress_bar("checking what was restored", archive.manifest.rows) as progress:
                problems = verify(data_dir, archive.manifest, custodian, progress)
            require_sound(problems, accepted=accept_damage, what=f"{path} was not restored")
            upgrade(data_dir)
            _record(data_dir, custodian, archive.manifest, path)
            finish(data_dir)
    click.echo(f"{data_dir} is restored and checked\n{described(archive.manifest)}")
    tell_damage(problems)
    _tell_start(settings, _domains(data_dir, custodian))


def _custodian(settings: Settings, path: Path) -> "Custodian":
    from strongroom.cli.archives import archive_file, told
    from strongroom.cli.custody import source_of
    from strongroom.custody.master import MasterKeyMissing, load_master_key, open_master_key
    from strongroom.custody.sealing import Custodian
    from strongroom.custody.stream import master_key_of

    with told(path), archive_file(path) as file:
        description = master_key_of(file)
    source = source_of(settings)
    try:
        if description.derivation is None:
            return Custodian(load_master_key(settings.master_key_file, source.unwrap).key)
        master = open_master_key(source, description)
    except MasterKeyMissing as error:
        raise CommandFailed(
            f"{error}; put the one that {path} was made under there (master key {description.master_id[:8]}), or name "
            "it with --master-key-file or --master-key-passphrase-file (an archive never holds it, and opens with no "
            "other)"
        ) from None
    return Custodian(master.key, master.derivation)


@contextmanager
def _unfinished(archive: "OpenArchive", data_dir: Path) -> Iterator[None]:
    """Hold the directory as one that is not whole; what goes wrong leaves nothing of it behind."""
    from strongroom.cli.running import LOCK_NAME, ServerLock
    from strongroom.storage.restoration import abandon, begin

    is_new = not data_dir.exists()
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        data_dir.chmod(0o700)
        with ServerLock(data_dir):
            try:
                _require_space(archive.path, data_dir)
                begin(data_dir)
                yield
            except BaseException:
                abandon(data_dir)
                (data_dir / LOCK_NAME).unlink()
                if is_new:
                    data_dir.rmdir()
                raise
    except (sqlite3.Error, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise CommandFailed(f"{data_dir} could not be restored: {why}; what there was of it was removed") from None


def _require_space(path: Path, data_dir: Path) -> None:
    """Raise CommandFailed where the files will not fit: they need as much room as the archive at the least."""
    needed, free = path.stat().st_size, shutil.disk_usage(data_dir).free
    if free < needed:
        raise CommandFailed(f"{data_dir} has room for {free:,} bytes and {path} holds {needed:,}")


def _record(data_dir: Path, custodian: "Custodian", manifest: "Manifest", path: Path) -> None:
    """Say in the records of what was restored that it was, and when the newest backup of it was taken."""
    import asyncio

    from strongroom.audit.local import local_record
    from strongroom.cli.archives import LAST_BACKUP, counts_of, last_backup
    from strongroom.clock import real_now
    from strongroom.resources.facts import RESTORED_FACT
    from strongroom.storage.sqlite import SqliteStorage

    now = real_now()

    async def work(stores: "Stores") -> "tuple[None, Record]":
        await stores.facts.put(LAST_BACKUP, last_backup(manifest.taken, str(path), ""))
        await stores.facts.put(RESTORED_FACT, now.isoformat().encode())
        properties = {"archive": str(path), "taken": manifest.taken.isoformat(), "counts": counts_of(manifest)}
        return None, local_record("Strongroom.Installation/restore", now=now, properties=properties)

    async def change() -> None:
        storage = SqliteStorage.open(data_dir, custodian)
        try:
            await storage.change(work)
        finally:
            storage.close()

    asyncio.run(change())


def _domains(data_dir: Path, custodian: "Custodian") -> tuple[str, ...]:
    """Return the domains that what was restored has a CA for, the newest one last."""
    from strongroom.hosting.ca import list_domains
    from strongroom.storage.commit import drive
    from strongroom.storage.inspection import stores_of
    from strongroom.storage.snapshot import take_snapshot

    with take_snapshot(data_dir, touching=False) as snapshot:
        found: tuple[str, ...] = drive(list_domains(stores_of(snapshot, custodian).facts))
    return found


def _tell_start(settings: Settings, domains: tuple[str, ...]) -> None:
    """Say how a server is started on what was restored: as the one that clients trust."""
    click.echo(f"start it: {_start(settings, domains[-1] if domains else settings.domain)}")
    if len(domains) > 1:
        click.echo(f"it has served the domains {', '.join(domains)}, each with a CA of its own: --domain chooses")
    click.echo("add the options that the old server had (port, listen, certificate): an archive does not hold them")


def _start(settings: Settings, domain: str) -> str:
    """Return the command that starts a server on what was restored."""
    words = [typed_here("strongroom serve")]
    if domain != settings.domain:
        words += ["--domain", shlex.quote(domain)]
    return " ".join(words)
