"""Archives as `backup` and `restore` name them to a person: opened, checked, described."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import click

from strongroom.cli.failure import CommandFailed
from strongroom.cli.shown import progress_bar, shown_time
from strongroom.custody.sealing import Custodian
from strongroom.custody.stream import ArchiveBroken, SealedReader
from strongroom.storage.archive import Manifest, read_items, read_manifest
from strongroom.storage.connection import AUDIT_FILE, MAIN_FILE
from strongroom.storage.inspection import inspect
from strongroom.storage.restoration import require_known

LAST_BACKUP = "backup.last"
"""The fact that tells when the newest backup was taken, and where it went."""

COUNTED = (
    ("vaults", MAIN_FILE, "vaults"),
    ("secrets", MAIN_FILE, "objects"),
    ("versions", MAIN_FILE, "versions"),
    ("applications", MAIN_FILE, "applications"),
)


@dataclass(frozen=True, slots=True)
class OpenArchive:
    """An archive whose beginning was read."""

    path: Path
    reader: SealedReader
    manifest: Manifest


@contextmanager
def opened(path: Path, custodian: Custodian) -> Iterator[OpenArchive]:
    """Open an archive and read its beginning; CommandFailed when it is none, is damaged or is another key's."""
    with archive_file(path) as file, told(path):
        reader = SealedReader(file, custodian)
        yield OpenArchive(path, reader, read_manifest(reader))


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Tell, with the archive's name, what is wrong with it."""
    try:
        yield
    except ArchiveBroken as error:
        raise CommandFailed(f"{path}: {error}; nothing in it is to be trusted") from None


def check_archive(path: Path, custodian: Custodian) -> tuple[Manifest, tuple[str, ...]]:
    """Read an archive to its end and return what it says of itself, and what is wrong with the rows in it.

    DataDirectoryNewer where this version does not know its schema: what it does not know would look damaged to it.
    """
    with opened(path, custodian) as archive:
        require_known(archive.manifest)
        with progress_bar("checking the archive", archive.manifest.rows) as progress:
            return archive.manifest, inspect(read_items(archive.reader), custodian, progress)


def described(manifest: Manifest) -> str:
    """Return in words what an archive holds."""
    counts = [_counted(count, noun) for noun, count in counts_of(manifest).items()]
    return f"taken {shown_time(manifest.taken)}: {', '.join(counts)}"


def counts_of(manifest: Manifest) -> dict[str, int]:
    """Return how much of what an archive holds, for a record."""
    rows = manifest.count(AUDIT_FILE, "records")  # each held one before they shared rows
    records = rows if manifest.records is None else manifest.records
    return {noun: manifest.count(file, table) for noun, file, table in COUNTED} | {"records": records}


def last_backup(taken: datetime, archive: str, sha256: str) -> bytes:
    """Return the fact of a backup."""
    return json.dumps({"taken": taken.isoformat(), "archive": archive, "sha256": sha256}).encode()


def read_last_backup(fact: bytes) -> Mapping[str, Any]:
    """Return what the fact of a backup says; `taken` is a time."""
    said: dict[str, Any] = json.loads(fact)
    return said | {"taken": datetime.fromisoformat(said["taken"])}


def require_sound(problems: tuple[str, ...], *, accepted: bool, what: str) -> None:
    """Raise CommandFailed when rows are damaged, unless that is accepted. what: what is not done then."""
    if problems and not accepted:
        more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise CommandFailed(
            f"{what}, since what is in it is damaged: {'; '.join(problems[:3])}{more}. `strongroom doctor` says more; "
            "with --accept-damage it is done all the same"
        )


def tell_damage(problems: Iterable[str]) -> None:
    """Tell damage that was accepted, so that nobody takes what was made of it for whole."""
    for problem in problems:
        click.echo(f"damaged: {problem}", err=True)


def _counted(count: int, nouns: str) -> str:
    return f"{count:,} {nouns.removesuffix('s') if count == 1 else nouns}"


def archive_file(path: Path) -> BinaryIO:
    """Return an archive to read from; CommandFailed when that cannot be."""
    try:
        return path.open("rb")
    except OSError as error:
        raise CommandFailed(f"the archive {path} cannot be read: {error.strerror}") from None
