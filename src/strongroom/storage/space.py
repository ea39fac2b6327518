"""How much room the disk of the data has, and when that is too little: looked at once a second at most.

The last of it is reserved: below the reserve requests that prove nobody leave no record any more, so that a stranger
cannot take the room that the records of authenticated requests need. Well before that the operator is warned.
"""

import os
from enum import StrEnum
from math import inf
from pathlib import Path

import structlog

from strongroom.settings import Settings

MIB = 1024 * 1024
DEFAULT_RESERVE = 256 * MIB
LARGEST_SHARE = 20
"""A reserve that nobody chose takes this part of a small disk at most."""
WARNING_FACTOR = 4
LOOK_SECONDS = 1
TELL_SECONDS = 3600

log = structlog.get_logger(__name__)


class Level(StrEnum):
    """How full the disk is: enough room, less than four times the reserve, less than the reserve."""

    AMPLE = "ample"
    LOW = "low"
    RESERVED = "reserved"


class Space:
    """The room on the disk of one data directory. reserve: bytes; None for the default.

    Times are seconds of a clock that never goes back.
    """

    def __init__(self, data_dir: Path, reserve: int | None = None) -> None:
        self._data_dir = data_dir
        self._chosen = reserve
        self._looked = -inf
        self._told: Level = Level.AMPLE
        self._told_at = -inf
        self.free = self.reserve = 0
        """Bytes, as last looked at; a disk that cannot be asked has none free."""

    def has_room(self, seconds: float) -> bool:
        """Answer whether there is room for records of requests that prove nobody."""
        return self.level(seconds) is not Level.RESERVED

    def level(self, seconds: float) -> Level:
        """Return how full the disk is."""
        if seconds - self._looked >= LOOK_SECONDS:
            self._looked = seconds
            self._look()
        if self.free < self.reserve or self.free == 0:
            return Level.RESERVED
        return Level.LOW if self.free < WARNING_FACTOR * self.reserve else Level.AMPLE

    def tell(self, seconds: float) -> None:
        """Tell the operator when the level has changed, and once an hour while the disk is not ample."""
        level = self.level(seconds)
        if level is self._told and (level is Level.AMPLE or seconds - self._told_at < TELL_SECONDS):
            return
        self._told, self._told_at = level, seconds
        sizes = {"free_mib": self.free // MIB, "reserve_mib": self.reserve // MIB}
        if level is Level.AMPLE:
            log.info("the disk has room again", **sizes)
        elif level is Level.LOW:
            log.warning("the disk is getting full; below the reserve only authenticated requests are served", **sizes)
        else:
            log.error("the disk is nearly full: unauthenticated requests are refused to keep what is left", **sizes)

    def _look(self) -> None:
        try:
            found = os.statvfs(self._data_dir)
        except OSError as error:
            log.warning("the disk cannot be asked for its free space", reason=str(error))
            self.free = 0
            return
        self.free = found.f_bavail * found.f_frsize
        whole = found.f_blocks * found.f_frsize
        self.reserve = min(DEFAULT_RESERVE, whole // LARGEST_SHARE) if self._chosen is None else self._chosen


def space_of(settings: Settings) -> Space:
    """Return the room of a server's data, with the reserve that its settings want."""
    reserve = settings.reserved_space
    return Space(settings.data_dir, None if reserve is None else reserve * MIB)
