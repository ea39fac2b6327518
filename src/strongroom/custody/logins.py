"""How the logins to a token went, of all processes that share it: tokens lock after a few wrong PINs."""

import mmap
import struct

from strongroom.clock import steady_seconds

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 5.0, 600.0
"""How long after a login that failed for no known reason the next may be, at first and at most."""


class Logins:
    """Lie in memory that is mapped before the fork. Written while a lock is held that all these processes share.

    After one that failed for no known reason the next waits, twice as long each time: it may have been a wrong PIN,
    told in a module's own words.
    """

    _FORM = struct.Struct("=?Id")  # the PIN was refused; how many failed in a row; when the next may be

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, self._FORM.size)

    @property
    def are_refused(self) -> bool:
        """Whether the token refused the PIN."""
        return bool(self._read()[0])

    def seconds_left(self) -> float:
        """Return how many seconds it is too early for another login; 0 or less when it is not."""
        _, failed, next_ = self._read()
        return next_ - steady_seconds() if failed else 0.0

    def attempt(self) -> tuple[bool, int, float]:
        """Note a login that begins, as one that failed until more is known; return what was noted before."""
        before = self._read()
        self.fail()
        return before

    def restore(self, before: tuple[bool, int, float]) -> None:
        """Note that a login came to nothing without a word of the PIN."""
        self._write(refused=before[0], failed=before[1], next_=before[2])

    def refuse(self) -> None:
        """Note that the token refused the PIN."""
        self._write(refused=True)

    def fail(self) -> None:
        """Note a login that failed for no known reason."""
        failed = self._read()[1] + 1
        wait = min(FIRST_WAIT_SECONDS * 2.0 ** (failed - 1), LONGEST_WAIT_SECONDS)
        self._write(failed=failed, next_=steady_seconds() + wait)

    def succeed(self) -> None:
        """Note that the PIN is right."""
        self._write()

    def _read(self) -> tuple[bool, int, float]:
        return self._FORM.unpack_from(self._memory)

    def _write(self, *, refused: bool = False, failed: int = 0, next_: float = 0.0) -> None:
        self._FORM.pack_into(self._memory, 0, refused, failed, next_)
