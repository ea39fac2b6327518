"""The chain of records, checked from the last one pruned to the newest: where it breaks first, and what was done there.

A link vouches for its record and for all before it. What stands at the first break is told from what else the log
holds: a number that is missing, a record that follows at another place, or one that follows nowhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from strongroom.audit.log import AuditLog, Chain, Entry, Mark, whole_chain

PROGRESS_RECORDS = 10_000

Progress = Callable[[int], None]


class Tampering(StrEnum):
    """What was done at the first break."""

    REMOVED = "removed"
    CHANGED = "changed"
    REORDERED = "reordered"
    INSERTED = "inserted"
    CUT_OFF = "cut off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """The first place where the chain does not hold.

    sequence: the number there. found: the record that stands there now. before: the last one that holds, None where
    that is the beginning. count: how many are missing, 0 where that cannot be told. other: for records that were
    reordered, the number at which the one that belongs here stands now.
    """

    tampering: Tampering
    sequence: int
    found: Entry | None = None
    before: Entry | None = None
    count: int = 0
    other: int = 0


def verify(
    chain: Chain, log: AuditLog, *, pruned: Mark, newest: Mark, progress: Progress = lambda _: None
) -> Break | None:
    """Return the first break of a log, None when it is whole.

    pruned: the last record that was pruned, which the first one kept follows. newest: a record that was kept once, so
    that the log must have it. progress: told now and again up to which number the chain holds.
    """
    # Rows leave whole: what shares one with records that are kept, and is not past the mark, was put into it.
    early = next(iter(log.before(1, 1)), None) or log.across(pruned.sequence)
    if early is not None:
        return Break(tampering=Tampering.INSERTED, sequence=early.sequence, found=early)
    last, before = pruned, None
    for entry in whole_chain(log, pruned.sequence):
        if not chain.follows(entry, last):
            return _diagnose(chain, log, newest, Place(last, before), entry)
        last, before = Mark(entry.sequence, entry.link), entry
        if last.sequence == newest.sequence and last.link != newest.link:
            return Break(tampering=Tampering.CUT_OFF, sequence=newest.sequence, found=entry, before=before)
        if last.sequence % PROGRESS_RECORDS == 0:
            progress(last.sequence)
    progress(last.sequence)
    if last.sequence < newest.sequence:
        missing = newest.sequence - last.sequence
        return Break(tampering=Tampering.CUT_OFF, sequence=last.sequence + 1, before=before, count=missing)
    return None


@dataclass(frozen=True, slots=True)
class Place:
    """Where the chain still holds: the mark that the next record must follow, and the record there, if there is one."""

    mark: Mark
    entry: Entry | None

    @property
    def next(self) -> int:
        """The number of the next record."""
        return self.mark.sequence + 1


def _diagnose(chain: Chain, log: AuditLog, newest: Mark, place: Place, found: Entry) -> Break:
    """Return what was done where `found` does not follow."""
    successor = _find_successor(chain, log, place, found)
    if successor is not None:
        tampering = Tampering.INSERTED if _is_pushed(chain, place, found, successor) else Tampering.REORDERED
        other = 0 if tampering is Tampering.INSERTED else successor.sequence
        return Break(tampering=tampering, sequence=place.next, found=found, before=place.entry, other=other)
    count = found.sequence - place.next or _shift(log, newest, place)
    tampering = Tampering.REMOVED if count else Tampering.CHANGED
    return Break(tampering=tampering, sequence=place.next, found=found, before=place.entry, count=count)


def _find_successor(chain: Chain, log: AuditLog, place: Place, found: Entry) -> Entry | None:
    """Return the record that belongs at a place and stands elsewhere, with its own link or having left that behind."""
    for entry in whole_chain(log, place.next):
        if chain.link(place.next, place.mark.link, entry.record) in (entry.link, found.link):
            return entry
    return None


def _is_pushed(chain: Chain, place: Place, found: Entry, successor: Entry) -> bool:
    """Answer whether the record that belongs at a place was only moved on by one, to make room for `found`."""
    number = place.next + 1
    if successor.sequence != number or chain.link(place.next, place.mark.link, successor.record) != successor.link:
        return False
    return chain.link(number, successor.link, found.record) != found.link


def _shift(log: AuditLog, newest: Mark, place: Place) -> int:
    """Return by how many numbers the record that is marked as the newest moved down: so many were removed before it."""
    for entry in whole_chain(log, place.mark.sequence):
        if entry.link == newest.link:
            return max(newest.sequence - entry.sequence, 0)
    return 0
