"""Disks that fail: one of a few megabytes that can be filled, and one that returns what errors it is told to."""

import mmap
import os
import shutil
import struct
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("failing_disk.c")
ORDER = struct.Struct("<ic251s")
WRITES, READS_TOO, SYNCS_ONLY = b"w", b"r", b"s"
MIB = 1024 * 1024


class SmallDisk:
    """A file system of its own at `folder`; what fills it is taken away again by `empty`."""

    def __init__(self, folder):
        self.folder = folder
        self._ballast = folder / "ballast"

    @property
    def free(self):
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def fill(self, leave=0):
        """Take all space but `leave` bytes."""
        with self._ballast.open("ab") as file:
            os.posix_fallocate(file.fileno(), file.tell(), max(self.free - leave, 1))

    def fill_up(self):
        """Take what is there, whoever else takes it at the same time."""
        with self._ballast.open("ab", buffering=0) as file:
            piece = bytes(4096)
            try:
                while True:
                    file.write(piece)
            except OSError:
                return

    def empty(self):
        self._ballast.unlink()


@contextmanager
def small_disk(folder, mebibytes):
    """Mount a disk of that size at `folder`; the test is skipped where that is not allowed."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0700", "none", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mounted.returncode != 0:
        pytest.skip(f"a disk that can be filled takes the right to mount one: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


class FailingDisk:
    """Lets calls on files fail in a process that was started with `environ`."""

    def __init__(self, library, order):
        self._order = order
        order.write_bytes(ORDER.pack(0, WRITES, b""))
        with order.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), ORDER.size)
        self.environ = {"LD_PRELOAD": str(library), "FAILING_DISK": str(order)}

    def fail(self, error, part, kind=WRITES):
        """From now on what writes to files whose path holds `part` fails with this error number.

        kind: whether reads fail too, or syncs alone.
        """
        self._memory[:] = ORDER.pack(0, kind, part.encode())
        self._memory[:4] = struct.pack("<i", error)

    def mend(self):
        self._memory[:4] = struct.pack("<i", 0)


def failing_disk(folder):
    """Return a disk that fails when told to; the test is skipped where it cannot be built."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("a disk that fails when told to is written in C, and there is no C compiler")
    folder.mkdir()
    library = folder / "failing_disk.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"], check=True)
    return FailingDisk(library, folder / "order")
