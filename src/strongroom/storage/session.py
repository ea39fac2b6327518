"""What every store works with: one connection, the seal of rows, and what may be remembered between requests."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from strongroom.storage.notes import Note, Shape, gone, note_of
from strongroom.storage.rows import Column, Decoder, RowSeal, encode

T = TypeVar("T")

CACHE_ENTRIES = 20_000
ROW_ENTRIES = 5_000
ROW_BYTES = 2_000
WITHIN = "(scope = ? OR (scope >= ? AND scope < ?))"
"""At a scope or below it, by an index where there is one; what it is asked with, `within` returns."""
AFTER_SLASH = chr(ord("/") + 1)


class Connection(Protocol):
    """A reader or a writer."""

    def rows(self, statement: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
        """Return the rows of a statement."""

    def run(self, statement: str, parameters: tuple[Any, ...] = ()) -> int:
        """Run a statement and return how many rows it touched."""


class Unchanged:
    """What was found since the file last changed, within a bound. Implements `planes.stores.Unchanged`.

    forgetful: nothing is kept, as inside a transaction.
    """

    __slots__ = ("_forgetful", "_kept", "generation", "get")

    def __init__(self, *, forgetful: bool) -> None:
        self._forgetful = forgetful
        self._kept: dict[Any, Any] = {}
        self.generation = 0
        self.get = self._kept.get

    def keep(self, key: Any, value: Any, size: int = 0) -> None:
        """Keep a value, unless it is large: `size` is about its bytes."""
        if self._forgetful or size > ROW_BYTES:
            return
        if len(self._kept) >= ROW_ENTRIES:
            self._kept.clear()
        self._kept[key] = value

    def forget(self) -> None:
        """Forget everything: the file has changed."""
        self._kept.clear()
        self.generation += 1


class Session:
    """One connection with its cache.

    transaction: it writes. Then the cache is for this transaction alone, in which nobody else writes, and is emptied by
    each change to what decides access. unchanged: what was found since the file last changed.
    touched: whether something that decides access was written, so that every worker must look anew.
    notes: what became of the rows that were written.
    """

    __slots__ = ("_verified", "cache", "connection", "notes", "seal", "touched", "unchanged")

    def __init__(
        self, connection: Connection, seal: RowSeal, cache: dict[Any, Any], *, transaction: bool = False
    ) -> None:
        self.connection = connection
        self.seal = seal
        self.cache = cache
        self.unchanged = Unchanged(forgetful=transaction)
        self.touched = False
        self.notes: list[Note] = []
        self._verified: dict[Any, Any] = {}

    def first(self, statement: str, parameters: tuple[Any, ...], load: Callable[[tuple[Any, ...]], T]) -> T | None:
        """Return what `load` makes of the first row of a statement, checking it; None when there is no row.

        Neither is done again while the file is unchanged. Large rows are not kept, nor is that there is none.
        """
        known: T | None = self.unchanged.get((statement, parameters))
        if known is not None:
            return known
        row = next(iter(self.connection.rows(statement, parameters)), None)
        if row is None:
            return None
        found = self.verified(row, load)
        self.unchanged.keep((statement, parameters), found, _size(row))
        return found

    def verified(self, row: tuple[Any, ...], load: Callable[[tuple[Any, ...]], T]) -> T:
        """Return what `load` makes of a row that it checks. Of a row that is the same to the byte it makes the same.

        Large rows are not kept.
        """
        found: T | None = self._verified.get(row)
        if found is None:
            found = load(row)
            if _size(row) <= ROW_BYTES:
                if len(self._verified) >= ROW_ENTRIES:
                    self._verified.clear()
                self._verified[row] = found
        return found

    def remember(self, key: tuple[Any, ...], load: Callable[[], T]) -> T:
        """Return what `load` gives, from the cache where it is known.

        That something is not there is not remembered: names of what is not there are a stranger's to choose.
        """
        cache = self.cache
        try:
            found: T = cache[key]
        except KeyError:
            found = load()
            if found is not None:
                if len(cache) >= CACHE_ENTRIES:
                    cache.clear()
                cache[key] = found
        return found

    def change(self, statement: str, parameters: tuple[Any, ...]) -> int:
        """Write something that decides access; return how many rows it touched."""
        self.touched = True
        self.cache.clear()
        return self.connection.run(statement, parameters)

    def note(self, shape: Shape, row: tuple[Any, ...]) -> None:
        """Note a row as it was written just now: all its columns, as `shape` names them."""
        self.notes.append(note_of(shape, row))

    def note_gone(self, shape: Shape, *key: Column) -> None:
        """Note that a row is gone, or all those whose key begins so."""
        self.notes.append(gone(shape, key))


def within(scope: str) -> tuple[str, str, str]:
    """Return what WITHIN is asked with for a resource id in any case."""
    place = scope.lower().rstrip("/")
    return place, place + "/", place + AFTER_SLASH


def _size(row: tuple[Any, ...]) -> int:
    return sum([len(column) for column in row if isinstance(column, bytes)])


class Documents:
    """One table of authenticated rows: key columns, further look-up columns, a document of one type.

    columns: all look-up columns in order, the first `keys` of them its primary key.
    """

    def __init__(self, table: str, kind: Any, *columns: str, keys: int = 1) -> None:
        self.table = table
        self.columns = columns
        self._decode = Decoder(kind)
        self._keys = keys
        self.shape = Shape(table, (*columns, "document", "mac"), keys)
        names = ", ".join(columns)
        marks = ", ".join("?" * (len(columns) + 2))
        where = " AND ".join(f"{name} = ?" for name in columns[:keys])
        changed = ", ".join(f"{name} = ?" for name in (*columns[keys:], "document", "mac"))
        # Names of tables and columns are this program's own; values are always bound.
        self.select = f"SELECT {names}, document, mac FROM {table}"  # noqa: S608
        self._insert = f"INSERT INTO {table} ({names}, document, mac) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608
        self._update = f"UPDATE {table} SET {changed} WHERE {where}"  # noqa: S608
        self._keys_of = f"SELECT {', '.join(columns[:keys])} FROM {table}"  # noqa: S608
        self._delete = f"DELETE FROM {table} WHERE {where}"  # noqa: S608

    def read(self, session: Session, where: str = "", parameters: tuple[Any, ...] = ()) -> tuple[Any, ...]:
        """Return the values of the rows that `where` finds, each checked."""
        return tuple(
            [self.open(session.seal, row) for row in session.connection.rows(f"{self.select} {where}", parameters)]
        )

    def open(self, seal: RowSeal, row: tuple[Any, ...]) -> Any:
        """Return the value of a row: look-up columns, document, HMAC; SealBroken when it was edited."""
        *columns, document, mac = row
        seal.require(self.table, tuple(columns), document, mac)
        return self._decode(document)

    def insert(self, session: Session, columns: tuple[Column, ...], value: Any) -> bool:
        """Insert a row; answer False when its key, or what else is unique, is taken."""
        row = self._row(session, columns, value)
        return self._noted(session, row, session.change(self._insert, row))

    def update(self, session: Session, columns: tuple[Column, ...], value: Any) -> bool:
        """Replace the row of this key; answer False when there is none."""
        row = self._row(session, columns, value)
        return self._noted(session, row, session.change(self._update, (*row[self._keys :], *row[: self._keys])))

    def put(self, session: Session, columns: tuple[Column, ...], value: Any) -> None:
        """Insert a row, or replace the one of this key."""
        if not self.update(session, columns, value):
            self.insert(session, columns, value)

    def delete(self, session: Session, key: tuple[Column, ...]) -> bool:
        """Delete the row of this key; answer False when there is none."""
        if session.change(self._delete, key) != 1:
            return False
        session.note_gone(self.shape, *key)
        return True

    def delete_where(self, session: Session, condition: str, parameters: tuple[Column, ...]) -> None:
        """Delete the rows that a condition of this program's own finds."""
        for key in session.connection.rows(f"{self._keys_of} WHERE {condition}", parameters):
            self.delete(session, key)

    def _noted(self, session: Session, row: tuple[Any, ...], touched: int) -> bool:
        if touched != 1:
            return False
        session.note(self.shape, row)
        return True

    def _row(self, session: Session, columns: tuple[Column, ...], value: Any) -> tuple[Any, ...]:
        document = encode(value)
        return (*columns, document, session.seal.mac(self.table, columns, document))
