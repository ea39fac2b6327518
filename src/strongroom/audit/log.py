"""The chain of records: what links one to the next, and how a break is found."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from strongroom.audit.event import Record

FIRST_LINK = bytes(32)
"""What the first record is linked to."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A record in its place: sequence counts from 1 without a gap, link is over the link before and the record."""

    sequence: int
    record: Record
    link: bytes


def link_of(before: bytes, record_id: bytes, microseconds: int, body: bytes) -> bytes:
    """Return the link of a record that follows the link `before` (SHA-256, 32 bytes)."""
    return hashlib.sha256(before + record_id + microseconds.to_bytes(8, "big") + body).digest()


def find_break(entries: Iterable[Entry], before: bytes = FIRST_LINK, sequence: int = 0) -> int | None:
    """Return the sequence number of the first entry that does not follow, None when the chain is whole.

    before, sequence: link and number of the entry that the first one given must follow.
    """
    for entry in entries:
        sequence += 1
        moment = round(entry.record.time.timestamp() * 1_000_000)
        link = link_of(before, entry.record.record_id, moment, entry.record.body)
        if entry.sequence != sequence or entry.link != link:
            return sequence
        before = link
    return None
