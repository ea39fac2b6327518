"""Whether rows are as they were written: every MAC, every sealed value, the chain of records, one row after the other.

It takes rows from wherever they come, a snapshot of a server or an archive, in bounded memory.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from strongroom.access.identity.signing import private_place
from strongroom.audit.log import BEGINNING, Chain, Entry, Mark, keyed_link, plain_link
from strongroom.custody.sealing import Custodian, SealBroken, sealing_key_id
from strongroom.custody.store import DataKey, Purpose
from strongroom.errors import StrongroomError
from strongroom.objects.lifecycle import Kind
from strongroom.objects.service import sealed_place
from strongroom.storage.archive import Item, Progress, Rows, Table, counted
from strongroom.storage.commit import drive
from strongroom.storage.connection import MAIN_FILE
from strongroom.storage.connections import CONNECTIONS
from strongroom.storage.identity import APPLICATIONS, SIGNING_KEYS
from strongroom.storage.keyring import COLUMNS as KEY_COLUMNS
from strongroom.storage.keyring import KEYS, SqlKeyring, key_of
from strongroom.storage.keys import POLICIES
from strongroom.storage.locks import LOCKS
from strongroom.storage.marks import KEYED, MARKS, NEWEST, PRUNED
from strongroom.storage.networks import NETWORKS
from strongroom.storage.objects import OBJECTS, VERSIONS
from strongroom.storage.outbox import LATE_COLUMNS, OUTBOX, open_late
from strongroom.storage.packing import entries_of, row_of
from strongroom.storage.positions import COLUMNS as POSITION_COLUMNS
from strongroom.storage.positions import POSITIONS, open_position
from strongroom.storage.principals import MEMBERSHIPS
from strongroom.storage.resources import GROUPS
from strongroom.storage.rows import RowSeal
from strongroom.storage.session import Documents, Session
from strongroom.storage.snapshot import Snapshot
from strongroom.storage.sqlite import SqlStores
from strongroom.storage.tables import DOCUMENTS
from strongroom.storage.vaults import VAULTS

NAMED = 5
"""How many damaged rows of a table are named; the others are counted."""

NAMES: dict[str, tuple[str, ...]] = {
    **{kind.table: kind.columns[:1] for kind in DOCUMENTS},
    GROUPS.table: ("name",),
    LOCKS.table: ("scope", "name"),
    NETWORKS.table: NETWORKS.columns,
    CONNECTIONS.table: ("vault_id", "name"),
    POLICIES.table: ("vault_id", "name"),
    MEMBERSHIPS.table: MEMBERSHIPS.shape.columns[:3],
    VAULTS.table: ("name",),
    OBJECTS.table: ("vault_id", "name"),
    VERSIONS.table: ("vault_id", "name", "version"),
    KEYS.table: ("key_id",),
    MARKS: ("name",),
    OUTBOX: ("change",),
    POSITIONS: ("name",),
    "records": ("seq",),
}
"""Which columns name a row to a person."""

Row = Mapping[str, Any]


class Inspection:
    """What was found in the rows that were taken."""

    def __init__(self, custodian: Custodian) -> None:
        self._custodian = custodian
        self._keys: dict[str, DataKey] = {}
        self._seal: RowSeal | None = None
        self._table = Table(file="", name="", columns=())
        self._named: list[str] = []
        self._damaged: Counter[str] = Counter()
        self._marks: dict[str, Mark] = {}
        self._chain: Chain | None = None
        self._before = BEGINNING
        self._is_chained, self._is_marked = True, False
        self._checks: dict[str, Callable[[Row], None]] = {
            **{kind.table: _document_check(kind, self._rows) for kind in DOCUMENTS},
            APPLICATIONS.table: self._check_application,
            SIGNING_KEYS.table: self._check_signing_key,
            VAULTS.table: self._check_vault,
            OBJECTS.table: self._check_object,
            VERSIONS.table: self._check_version,
            KEYS.table: self._check_key,
            MARKS: self._check_mark,
            OUTBOX: self._check_late,
            POSITIONS: self._check_position,
            "records": self._check_record,
        }

    def take(self, item: Item) -> None:
        """Check the rows of an item."""
        if isinstance(item, Table):
            self._table = item
        check = self._checks.get(self._table.name)
        if isinstance(item, Rows) and check is not None:
            for row in item.rows:
                self._check(check, dict(zip(self._table.columns, row, strict=True)))

    def problems(self) -> tuple[str, ...]:
        """Return what is wrong, a line for each damaged row up to NAMED of a table, and how many more there are."""
        more = {table: count - NAMED for table, count in self._damaged.items() if count > NAMED}
        return (
            *self._named,
            *self._missing(),
            *(f"{table}: {count:,} more rows like these" for table, count in more.items()),
        )

    def _check(self, check: Callable[[Row], None], row: Row) -> None:
        try:
            check(row)
        except (
            StrongroomError,
            TypeError,
            ValueError,
            OverflowError,
        ) as error:  # SQLite lets any type stand in any column
            self._damaged[self._table.name] += 1
            if self._damaged[self._table.name] <= NAMED:
                name = " ".join(str(row[column]) for column in NAMES[self._table.name])
                self._named.append(f"{self._table.name} {name}: {error}")

    # --- the keyring, and what opens with it

    def _check_key(self, row: Row) -> None:
        key = key_of(tuple([row[column] for column in KEY_COLUMNS]))
        authenticate = self._custodian.authenticator(key)
        self._keys[key.key_id] = key
        if key.purpose is Purpose.ROWS:
            self._seal = RowSeal(authenticate)

    def _rows(self) -> RowSeal:
        if self._seal is None:
            raise SealBroken("the keyring has no key for rows that opens")
        return self._seal

    def _require_key(self, key_id: str, purpose: Purpose, scope: str = "") -> DataKey:
        key = self._keys.get(key_id)
        if key is None or (key.purpose, key.scope) != (purpose, scope):
            raise SealBroken("it is sealed under a key that the keyring does not have for it")
        return key

    # --- rows

    def _check_application(self, row: Row) -> None:
        for secret in _open(APPLICATIONS, self._rows(), row).secrets:
            self._require_key(secret.digest_key, Purpose.CLIENT_SECRETS)

    def _check_signing_key(self, row: Row) -> None:
        kept = _open(SIGNING_KEYS, self._rows(), row)
        key = self._require_key(sealing_key_id(kept.sealed_private), Purpose.SERVER)
        self._custodian.open(key, kept.sealed_private, private_place(kept.kid))

    def _check_vault(self, row: Row) -> None:
        vault = _open(VAULTS, self._rows(), row)
        if not any((key.purpose, key.scope) == (Purpose.VAULT, vault.vault_id) for key in self._keys.values()):
            raise SealBroken("the keyring has no key for this vault")

    def _check_object(self, row: Row) -> None:
        columns = (row["vault_id"], row["kind"], row["name"], row["latest"], row["deleted"], row["purge"])
        self._rows().require(OBJECTS.table, columns, row["document"], row["mac"])

    def _check_version(self, row: Row) -> None:
        columns = (row["vault_id"], row["kind"], row["name"], row["version"])
        self._rows().require(VERSIONS.table, columns, row["document"], row["mac"])
        key = self._require_key(sealing_key_id(row["sealed"]), Purpose.VAULT, row["vault_id"])
        place = sealed_place(row["vault_id"], Kind(row["kind"]), row["name"], row["version"])
        self._custodian.open(key, row["sealed"], place)

    # --- the chain

    def _check_mark(self, row: Row) -> None:
        self._rows().require(MARKS, (row["name"], row["sequence"]), row["link"], row["mac"])
        self._marks[row["name"]] = Mark(row["sequence"], row["link"])

    def _check_late(self, row: Row) -> None:
        if "mac" in row:  # else it is of a version before late records were authenticated
            open_late(self._rows(), tuple([row[column] for column in LATE_COLUMNS]))

    def _check_position(self, row: Row) -> None:
        open_position([row[column] for column in POSITION_COLUMNS], self._rows(), row["name"])

    def _check_record(self, row: Row) -> None:
        """Tell the first record that does not follow; those behind it hang on it."""
        pruned = self._marks.get(PRUNED, BEGINNING)
        if self._chain is None:
            self._chain, self._before = self._begin_chain(), pruned
        if row["seq"] < 1:
            raise SealBroken("no record has such a number: it was put in")
        if row["seq"] <= pruned.sequence:
            return  # it was verified when the mark went past it, and is on its way out
        entries = entries_of(row_of(row), self._before.sequence)
        broken = [not self._follows(self._chain, entry) for entry in entries]
        if self._is_chained and any(broken):
            self._is_chained = False
            raise SealBroken("it does not follow the record before it: one was changed, removed or put in between")

    def _follows(self, chain: Chain, entry: Entry) -> bool:
        """Answer whether an entry follows the one before, and go on to it."""
        follows = self._is_chained and chain.follows(entry, self._before)
        self._before = Mark(entry.sequence, entry.link)
        self._is_marked |= self._before == self._marks.get(NEWEST)
        return follows

    def _begin_chain(self) -> Chain:
        """Return how records are linked: with the keyring's newest key for them, plainly where there was none yet."""
        keys = [key for key in self._keys.values() if key.purpose is Purpose.RECORDS]
        if not keys:
            return Chain(plain_link, 0)
        keyed = keyed_link(self._custodian.authenticator(max(keys, key=lambda key: key.version)))
        return Chain(keyed, self._marks.get(KEYED, BEGINNING).sequence)

    def _missing(self) -> list[str]:
        """Return what is not there that should be."""
        found = [f"{MARKS}: the mark '{name}' is gone" for name in (KEYED, NEWEST, PRUNED) if name not in self._marks]
        newest = self._marks.get(NEWEST, BEGINNING)
        if not self._is_marked and newest.sequence and newest != self._marks.get(PRUNED):
            found.append(f"records: the chain does not reach record {newest.sequence}, which was kept: its end was cut")
        return found if any(key.purpose is Purpose.RECORDS for key in self._keys.values()) else []


def inspect(items: Iterable[Item], custodian: Custodian, progress: Progress) -> tuple[str, ...]:
    """Return what is wrong in the rows of `items`, in words. progress: told how many were looked at so far."""
    inspection = Inspection(custodian)
    for item in counted(items, progress):
        inspection.take(item)
    return inspection.problems()


def stores_of(snapshot: Snapshot, custodian: Custodian) -> SqlStores:
    """Return stores to read from as a snapshot shows them; SealBroken when its keyring has no key for rows."""
    connection = _Looking(snapshot.connections[MAIN_FILE])
    return SqlStores(Session(connection, seal_of(snapshot, custodian), {}, transaction=True))


def seal_of(snapshot: Snapshot, custodian: Custodian) -> RowSeal:
    """Return the seal of a snapshot's rows; SealBroken when its keyring has no key for rows."""
    connection = _Looking(snapshot.connections[MAIN_FILE])
    keyring = SqlKeyring(Session(connection, RowSeal(lambda _: b""), {}, transaction=True))
    key = drive(keyring.newest(Purpose.ROWS))
    if key is None:
        raise SealBroken("the keyring has no key for rows")
    return RowSeal(custodian.authenticator(key))


class _Looking:
    """A connection of a snapshot, as sessions use one."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, statement: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
        return self._connection.execute(statement, parameters).fetchall()

    def run(self, statement: str, parameters: tuple[Any, ...] = ()) -> int:
        del statement, parameters
        raise TypeError("a snapshot is only looked at")


def _document_check(kind: Documents, seal: Callable[[], RowSeal]) -> Callable[[Row], None]:
    def check(row: Row) -> None:
        _open(kind, seal(), row)

    return check


def _open(kind: Documents, seal: RowSeal, row: Row) -> Any:
    return kind.open(seal, tuple([row[column] for column in (*kind.columns, "document", "mac")]))
