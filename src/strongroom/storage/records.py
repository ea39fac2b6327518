"""Reads records: the chain in the audit file, and what is durable and on its way there.

What `recordwriter` wrote, one row for records that entered together (`packing`), is shown one by one.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any

from strongroom.audit.event import Record
from strongroom.audit.log import LONGEST_REQUEST, Entry
from strongroom.clock import from_microseconds
from strongroom.custody.sealing import SealBroken
from strongroom.storage.connection import AUDIT_FILE, MAIN_FILE, Reader
from strongroom.storage.failures import unavailable
from strongroom.storage.journal import Position, journals_in, read_journal
from strongroom.storage.outbox import LAST_CHANGE, SELECT_OUTBOX, Late, read_late
from strongroom.storage.packing import COLUMNS, NO_RECORD, entries_of
from strongroom.storage.positions import SELECT as SELECT_POSITION
from strongroom.storage.positions import position_in
from strongroom.storage.rows import RowSeal

BEFORE_ALL, GREATEST = -(2**63), 2**63 - 1
HAS = "SELECT 1 FROM records WHERE id = ?"
LAST = "SELECT seq, link FROM records ORDER BY seq DESC LIMIT 1"
NEWEST_CHANGE = "SELECT COALESCE(CAST(MAX(change) AS INTEGER), 0) FROM records WHERE change IS NOT NULL"
NEXT_CHANGE = "SELECT change FROM records WHERE change > ? ORDER BY change LIMIT 1"
SELECT = f"SELECT {', '.join(COLUMNS)} FROM records"  # noqa: S608 - names of this program's own
LAST_ROW = "SELECT COALESCE(MAX(seq), 0) FROM records WHERE seq <= ?"
"""The number of the last row that ends at a number or before it, 0 for none."""
ROW_BEFORE = "SELECT MAX(seq) FROM records WHERE seq < ?"
"""The number of the row before another. One that was put in may have any number, 0 and less too."""
HOLDS = "SELECT COALESCE((SELECT MIN(seq) FROM records WHERE seq >= ?1), ?1)"
"""The number of the row in which a number lies, which is that of the newest record in it."""
LATEST = datetime.max.replace(tzinfo=UTC)
ROWS_AT_ONCE = 100
"""Rows that are read together; each may hold many records."""


class SqlRecords:
    """Reads records. Implements `audit.log.AuditLog`; every method raises StorageUnavailable when it cannot read."""

    def __init__(self, data_dir: Path, seal: RowSeal) -> None:
        self._data_dir = data_dir
        self._seal = seal
        self._audit = Reader(data_dir / AUDIT_FILE)
        self._main = Reader(data_dir / MAIN_FILE)

    def after(self, sequence: int, limit: int) -> tuple[Entry, ...]:
        """Return up to `limit` records past a sequence number, oldest first."""
        return tuple(islice(self._forwards(sequence), limit))

    def before(self, sequence: int, limit: int) -> tuple[Entry, ...]:
        """Return up to `limit` records before a sequence number, newest first."""
        return tuple(islice(self._backwards(sequence), limit))

    def across(self, sequence: int) -> Entry | None:
        """Return the record of a number or a smaller one that lies in one row with what is past it, None for none."""
        rows = self._audit.rows(f"{SELECT} WHERE seq > ? ORDER BY seq LIMIT 1", (sequence,))
        first = entries_of(rows[0])[0] if rows else None
        return first if first is not None and first.sequence <= sequence else None

    def _forwards(self, sequence: int) -> Iterator[Entry]:
        position = self._audit.rows(LAST_ROW, (sequence,))[0][0]
        while rows := self._audit.rows(f"{SELECT} WHERE seq > ? ORDER BY seq LIMIT ?", (position, ROWS_AT_ONCE)):
            for row in rows:
                yield from (entry for entry in entries_of(row, position) if entry.sequence > sequence)
                position = row[0]

    def _backwards(self, sequence: int) -> Iterator[Entry]:
        position = self._audit.rows(HOLDS, (max(sequence - 1, BEFORE_ALL),))[0][0]
        page = f"{SELECT} WHERE seq <= ? ORDER BY seq DESC LIMIT ?"
        while position is not None and (rows := self._audit.rows(page, (position, ROWS_AT_ONCE))):
            position = self._audit.rows(ROW_BEFORE, (rows[-1][0],))[0][0]
            for row, before in zip(rows, [*(row[0] for row in rows[1:]), position or 0], strict=True):
                entries = reversed(entries_of(row, before))
                yield from (entry for entry in entries if entry.sequence < sequence)

    def position_after(self, moment: datetime) -> int:
        """Return a sequence number at and past which every record began after `moment`, as low as is easily found."""
        low, high = 0, self.last_sequence() + 1
        while low < high:
            middle = (low + high) // 2
            found = self._audit.rows("SELECT time FROM records WHERE seq >= ? ORDER BY seq LIMIT 1", (middle,))
            if found and _time_of(found[0][0]) - LONGEST_REQUEST <= moment:
                low = middle + 1
            else:
                high = middle
        return high

    def containing(self, before: int, span: int, needles: tuple[bytes, ...]) -> tuple[Entry, ...]:
        """Return those of the `span` records before a number whose bodies contain all needles, newest first."""
        wanted = " OR ".join(
            " AND ".join(["TRUE", *[f"instr({column}, ?)"] * len(needles)]) for column in ("body", "packed")
        )
        where = f"WHERE seq <= ? AND seq >= ? AND ({wanted}) ORDER BY seq DESC"
        end = self._audit.rows(HOLDS, (before - 1,))[0][0]
        rows = self._audit.rows(f"{SELECT} {where}", (end, before - span, *needles, *needles))
        found = (entry for row in rows for entry in reversed(entries_of(row)))
        return tuple([each for each in found if before - span <= each.sequence < before and _has(each, needles)])

    def time_before(self, sequence: int) -> datetime | None:
        """Return when the record before a sequence number began, None when there is none."""
        found = next(self._backwards(sequence), None)
        # What was tampered with ends no reading.
        return None if found is None else LATEST if found.record is NO_RECORD else found.record.time

    def last_sequence(self) -> int:
        """Return the newest sequence number, 0 when there is no record."""
        rows = self._audit.rows(LAST)
        return int(rows[0][0]) if rows else 0

    def newest(self) -> Entry | None:
        """Return the newest record, None when there is none."""
        return next(iter(self.before(self.last_sequence() + 1, 1)), None)

    def unknown_change(self) -> int | None:
        """Return the first change in the chain that the data do not know, None when they know all: they are older."""
        newest = self._audit.rows(NEWEST_CHANGE)[0][0]
        known = self._main.rows(LAST_CHANGE)[0][0]  # read later: the data are ahead of their records
        ahead = self._audit.rows(NEXT_CHANGE, (known,)) if newest > known else ()
        return ahead[0][0] if ahead else None

    def pending(self) -> tuple[Record, ...]:
        """Return the records that are durable and not in the chain yet: of committed changes, and in journals."""
        late = [late.record for late in self.outbox() if late.record]
        kept = [record for path in journals_in(self._data_dir) for record in self._kept_in(path)]
        found = {record.record_id: record for record in (*late, *kept)}
        # That of a change may have come by the other way.
        new = [each for each in found.values() if each.change is None or not self._is_in_chain(each)]
        return tuple(sorted(new, key=attrgetter("began")))

    def outbox(self, after: int = BEFORE_ALL, limit: int = -1) -> tuple[Late, ...]:
        """Return up to `limit` rows of the outbox past a change, those included that were carried into the chain."""
        rows = self._main.rows(f"{SELECT_OUTBOX} WHERE change > ? ORDER BY change LIMIT ?", (after, limit))
        return tuple([read_late(self._seal, row) for row in rows])

    def close(self) -> None:
        """Close both files."""
        self._audit.close()
        self._main.close()

    def _kept_in(self, path: Path) -> list[Record]:
        position = None
        try:
            while True:
                before, position = position, self._position(path.name)
                page = read_journal(path, self._seal, position)
                if not page.is_broken or position == before:
                    return page.records  # else what was taken meanwhile may lie no more where it lay
        except (SealBroken, FileNotFoundError):  # SealBroken is told by whoever takes the journal
            return []
        except OSError as error:
            raise unavailable(error) from error

    def _position(self, name: str) -> Position:
        return position_in(self._audit.rows(SELECT_POSITION, (name,)), self._seal, name)

    def _is_in_chain(self, record: Record) -> bool:
        return bool(self._audit.rows(HAS, (record.record_id,)))


def _time_of(column: Any) -> datetime:
    """Return the time of a row, the latest of all where it is none: what was tampered with ends no reading."""
    try:
        return from_microseconds(column)
    except (TypeError, OverflowError):
        return LATEST


def _has(entry: Entry, needles: tuple[bytes, ...]) -> bool:
    return all(needle in entry.record.body for needle in needles)
