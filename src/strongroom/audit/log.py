"""The log of records: the chain that links them, and how it is read.

A link is an HMAC under a key of the keyring, so that who can write the file and has no master key cannot make one.
Records of a data directory older than that carry plain links (SHA-256) up to a mark that is kept with the data.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from strongroom.audit.event import Record

FIRST_LINK = bytes(32)
"""What the first record is linked to."""

PAGE = 1000
LONGEST_REQUEST = timedelta(hours=3)
"""The largest body at the slowest pace that is taken (`hosting/limits.py`).

Records lie in the order in which requests ended and tell when they began: behind an old one there may be newer ones.
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A record in its place: sequence counts from 1 without a gap, link is over the link before and the record."""

    sequence: int
    record: Record
    link: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the chain: the number of a record, and its link."""

    sequence: int
    link: bytes


BEGINNING = Mark(0, FIRST_LINK)
"""What the first record of all follows."""

Link = Callable[[bytes, Record], bytes]
"""The link of a record that follows a link (both 32 bytes)."""


def plain_link(before: bytes, record: Record) -> bytes:
    """Return the link that records had before links were keyed."""
    moment = record.began.to_bytes(8, "big", signed=True)
    return hashlib.sha256(before + record.record_id + moment + record.body).digest()


def keyed_link(authenticate: Callable[[bytes], bytes]) -> Link:
    """Return how records are linked. authenticate: HMAC-SHA-256 under the keyring's key for records.

    All parts but the body are of fixed or told length, so that no two records are linked alike.
    """

    def link(before: bytes, record: Record) -> bytes:
        moment = record.began.to_bytes(8, "big", signed=True)
        noted = _noted(record) if record.rows or record.change else NOTHING_NOTED
        return authenticate(b"".join((before, record.record_id, moment, noted, record.body)))

    return link


NOTHING_NOTED = bytes(12)


def _noted(record: Record) -> bytes:
    return (record.change or 0).to_bytes(8, "big") + len(record.rows).to_bytes(4, "big") + record.rows


@dataclass(frozen=True, slots=True)
class Chain:
    """How the records of one data directory are linked: plainly up to the number `plain_until`, then by `keyed`."""

    keyed: Link
    plain_until: int = 0

    def follows(self, entry: Entry, before: Mark) -> bool:
        """Answer whether an entry stands where `before` ends, as it was written."""
        return entry.sequence == before.sequence + 1 and entry.link == self.link(
            entry.sequence, before.link, entry.record
        )

    def link(self, sequence: int, before: bytes, record: Record) -> bytes:
        """Return the link of a record of this number."""
        return plain_link(before, record) if sequence <= self.plain_until else self.keyed(before, record)


class AuditLog(Protocol):
    """Records as they are kept: those in the chain, and those that are durable and on their way into it.

    Whoever wants all of them asks for those on their way first: what leaves for the chain meanwhile is then found
    there, under the same id.
    """

    def after(self, sequence: int, limit: int) -> tuple[Entry, ...]:
        """Return up to `limit` records past a sequence number, oldest first."""

    def before(self, sequence: int, limit: int) -> tuple[Entry, ...]:
        """Return up to `limit` records before a sequence number, newest first."""

    def across(self, sequence: int) -> Entry | None:
        """Return the record of a number or a smaller one that lies in one row with what is past it, None for none."""

    def last_sequence(self) -> int:
        """Return the newest sequence number, 0 when there is no record."""

    def pending(self) -> tuple[Record, ...]:
        """Return the records that are durable and not in the chain yet, of changes and of others, oldest first."""


class RecordSearch(Protocol):
    """Records in the chain, looked through from the newest on, a bounded number at a time."""

    def position_after(self, moment: datetime) -> int:
        """Return a sequence number at and past which every record began after `moment`, as low as is easily found."""

    def containing(self, before: int, span: int, needles: tuple[bytes, ...]) -> tuple[Entry, ...]:
        """Return those of the `span` records before a number whose bodies contain all needles, newest first."""

    def time_before(self, sequence: int) -> datetime | None:
        """Return when the record before a sequence number began, None when there is none."""


def whole_chain(log: AuditLog, position: int = 0) -> Iterator[Entry]:
    """Return every entry of a log past a number in order."""
    while page := log.after(position, PAGE):
        yield from page
        position = page[-1].sequence
