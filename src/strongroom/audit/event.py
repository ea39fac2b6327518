"""What happened: one record for every request, in the service's own diagnostic format.

Source: Azure Monitor resource logs of Key Vault (`docs/audit.md` lists every field); JSON, one record a line.
"""

import os
import time
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache


class Category(StrEnum):
    """The log that a record belongs to."""

    AUDIT = "AuditEvent"
    ADMINISTRATIVE = "Administrative"
    SIGN_IN = "SignInLogs"


def new_record_id() -> bytes:
    """Return a 16-byte record id that sorts by time (milliseconds, then random bits)."""
    return int(time.time() * 1000).to_bytes(6, "big") + os.urandom(10)


@dataclass(frozen=True, slots=True)
class Record:
    """A record as kept: its id, when the request began, its body (one line of JSON in UTF-8, no line end)."""

    record_id: bytes
    time: datetime
    body: bytes


def wire_time(moment: datetime) -> str:
    """Return a time, aware UTC, as records write it: seven fractional digits."""
    return f"{_whole_second(moment.replace(microsecond=0))}.{moment.microsecond:06d}0Z"


@lru_cache(maxsize=16)
def _whole_second(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S")
