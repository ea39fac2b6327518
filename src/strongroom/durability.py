"""What lasts: when a file, or the names in a folder, are on the disk and not in its waiting rooms."""

import os
from pathlib import Path


def sync(place: Path) -> None:
    """Make what a file holds, or the names in a folder, as durable as the disk is."""
    handle = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_new(path: Path, text: str) -> None:
    """Write a new file for its owner only, durable when this returns; FileExistsError when there is one."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    sync(path.parent)
