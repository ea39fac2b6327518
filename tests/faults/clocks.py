"""A clock that a test sets, for a server that is started with `environ`: what only counts on is left as it is."""

from pathlib import Path

import pytest

LIBRARIES = ("usr/lib/*/faketime/libfaketimeMT.so.1", "usr/lib*/faketime/libfaketimeMT.so.1")


class SetClock:
    """Starts with the right time."""

    def __init__(self, library, file):
        self._file = file
        self.set("+0")
        self.environ = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }

    def set(self, ahead):
        """Set the clock ahead (`+10d`) or back (`-2h`) of the right time."""
        scratch = self._file.with_suffix(".new")
        scratch.write_text(ahead + "\n")
        scratch.replace(self._file)


def set_clock(folder):
    """Return a clock that can be set; the test is skipped where there is no libfaketime."""
    found = [path for pattern in LIBRARIES for path in sorted(Path("/").glob(pattern))]
    if not found:
        pytest.skip("a clock is set by libfaketime, and it is not installed (Debian: apt install faketime)")
    return SetClock(found[0], folder / "clock")
