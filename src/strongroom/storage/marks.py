"""Marks: places in the chain of records that are kept with the data, so that the audit file does not vouch for itself.

`keyed`: where links began to be keyed. `newest`: a record that is known to be durable, moved forward with the changes
and once a minute: the chain must reach it. `pruned`: the last record that was pruned, which the first one kept follows.
Each is authenticated as rows are.
"""

from pathlib import Path

import structlog

from strongroom.audit.log import BEGINNING, Mark
from strongroom.custody.sealing import SealBroken
from strongroom.errors import StorageUnavailable
from strongroom.storage.connection import Reader
from strongroom.storage.rows import RowSeal
from strongroom.storage.session import Connection

MARKS = "marks"
KEYED, NEWEST, PRUNED = "keyed", "newest", "pruned"
NEWEST_AND_KEPT = "SELECT seq, link, (SELECT link FROM records WHERE seq = ?) FROM records ORDER BY seq DESC LIMIT 1"

log = structlog.get_logger(__name__)


def get_mark(connection: Connection, seal: RowSeal, name: str) -> Mark:
    """Return a mark; SealBroken when it was edited or is gone: every data directory has all of them."""
    rows = connection.rows("SELECT sequence, link, mac FROM marks WHERE name = ?", (name,))
    if not rows:
        raise SealBroken(f"the mark '{name}' of the chain of records is gone")
    sequence, link, mac = rows[0]
    seal.require(MARKS, (name, sequence), link, mac)
    return Mark(sequence, link)


def put_mark(connection: Connection, seal: RowSeal, name: str, mark: Mark) -> None:
    """Set a mark."""
    mac = seal.mac(MARKS, (name, mark.sequence), mark.link)
    connection.run(
        "INSERT INTO marks (name, sequence, link, mac) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET"
        " sequence = excluded.sequence, link = excluded.link, mac = excluded.mac",
        (name, mark.sequence, mark.link, mac),
    )


class Anchor:
    """Moves the mark of the newest record forward, as long as the chain still holds what it marked before.

    Where it does not, the mark stays: it is the evidence, and the alarm is told once.
    """

    def __init__(self, audit: Path, seal: RowSeal) -> None:
        self._audit = Reader(audit)
        self._seal = seal
        self._told = False

    def advance(self, connection: Connection) -> None:
        """Move the mark to the newest record, in a transaction of `connection`; not where none can be read."""
        try:
            kept = get_mark(connection, self._seal, NEWEST)
            newest = self._newest(kept)
        except SealBroken as error:
            self._alarm(error)
        except StorageUnavailable:
            return
        else:
            if newest.sequence > kept.sequence:
                put_mark(connection, self._seal, NEWEST, newest)

    def close(self) -> None:
        """Close the file of records."""
        self._audit.close()

    def _newest(self, kept: Mark) -> Mark:
        """Return the newest record; SealBroken when the one that is marked is not in its place any more."""
        rows = self._audit.rows(NEWEST_AND_KEPT, (kept.sequence,))
        sequence, link, found = rows[0] if rows else (0, BEGINNING.link, None)
        if kept.sequence and found != kept.link:
            raise SealBroken(
                f"record {kept.sequence} was kept and is not in its place any more; run: strongroom logs verify"
            )
        return Mark(sequence, link)

    def _alarm(self, error: SealBroken) -> None:
        if not self._told:
            log.error("alarm", error=type(error).__name__, reason=error.message)
            self._told = True
