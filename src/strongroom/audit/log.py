"""The log of records: the chain that links them, how a break in it is found, and how it is read."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from strongroom.audit.event import Record

FIRST_LINK = bytes(32)
"""What the first record is linked to."""

PAGE = 1000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """A record in its place: sequence counts from 1 without a gap, link is over the link before and the record."""

    sequence: int
    record: Record
    link: bytes


def microseconds(moment: datetime) -> int:
    """Return a time as microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(count: int) -> datetime:
    """Return the time of so many microseconds since 1970, aware UTC."""
    return _EPOCH + timedelta(microseconds=count)


def link_of(before: bytes, record: Record) -> bytes:
    """Return the link of a record that follows the link `before` (SHA-256, 32 bytes).

    The parts before the body have fixed lengths, so that no two records are linked alike.
    """
    moment = microseconds(record.time).to_bytes(8, "big")
    return hashlib.sha256(before + record.record_id + moment + record.body).digest()


def find_break(entries: Iterable[Entry], before: bytes = FIRST_LINK, sequence: int = 0) -> int | None:
    """Return the sequence number of the first entry that does not follow, None when the chain is whole.

    before, sequence: link and number of the entry that the first one given must follow.
    """
    for entry in entries:
        sequence += 1
        if entry.sequence != sequence or entry.link != link_of(before, entry.record):
            return sequence
        before = entry.link
    return None


class AuditLog(Protocol):
    """Records as they are kept: those in the chain, and those of committed changes that are on their way into it.

    Whoever wants all of them asks for those on their way first: what leaves for the chain meanwhile is then found
    there, under the same id.
    """

    def after(self, sequence: int, limit: int) -> tuple[Entry, ...]:
        """Return up to `limit` records past a sequence number, oldest first."""

    def before(self, sequence: int, limit: int) -> tuple[Entry, ...]:
        """Return up to `limit` records before a sequence number, newest first."""

    def last_sequence(self) -> int:
        """Return the newest sequence number, 0 when there is no record."""

    def pending(self) -> tuple[Record, ...]:
        """Return the records of committed changes that are not in the chain yet, oldest first."""


def whole_chain(log: AuditLog) -> Iterator[Entry]:
    """Return every entry of a log in order, as `find_break` takes them."""
    position = 0
    while page := log.after(position, PAGE):
        yield from page
        position = page[-1].sequence
