"""Data keys in SQL. Implements `custody.store.KeyringStore`; the rows authenticate themselves under the master key."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from strongroom.custody.keyring import lies_under
from strongroom.custody.sealing import SealBroken
from strongroom.custody.store import DataKey, Purpose
from strongroom.errors import Conflict, NotFound
from strongroom.storage.notes import Shape
from strongroom.storage.session import Session

KEYS = Shape("data_keys", ("purpose", "scope", "version", "key_id", "sealed", "created"), 3)
COLUMNS = ("key_id", "purpose", "scope", "version", "sealed", "created")
SELECT = f"SELECT {', '.join(COLUMNS)} FROM data_keys"  # noqa: S608 - the names above

_Row = tuple[str, Purpose, str, int, bytes, int]


class SqlKeyring:
    """The keyring, through one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def newest(self, purpose: Purpose, scope: str = "") -> DataKey | None:
        """Return the newest key of a purpose and scope."""
        where = "WHERE purpose = ? AND scope = ? ORDER BY version DESC LIMIT 1"
        return self._session.remember(("newest", purpose, scope), lambda: self._first(where, (purpose.value, scope)))

    async def find(self, key_id: str) -> DataKey | None:
        """Return a key by its id."""
        return self._session.remember(("key", key_id), lambda: self._first("WHERE key_id = ?", (key_id,)))

    async def list_versions(self, purpose: Purpose, scope: str = "") -> tuple[DataKey, ...]:
        """Return every version of a purpose and scope, newest first."""
        where = "WHERE purpose = ? AND scope = ? ORDER BY version DESC"
        return tuple(map(key_of, self._session.connection.rows(f"{SELECT} {where}", (purpose.value, scope))))

    async def list_all(self) -> tuple[DataKey, ...]:
        """Return every key."""
        return tuple(map(key_of, self._session.connection.rows(f"{SELECT} ORDER BY rowid")))

    async def add(self, key: DataKey) -> None:
        """Add a key; Conflict when its id or version is taken, or when the keyring lies under another master key."""
        if not lies_under(key, await self.newest(Purpose.ROWS)):
            raise Conflict("The master key was replaced meanwhile; try again.")
        row = _row(key)
        insert = (
            "INSERT INTO data_keys (purpose, scope, version, key_id, sealed, created) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING"
        )
        if self._session.change(insert, row) != 1:
            raise Conflict("The data key exists already.")
        self._session.note(KEYS, row)

    async def replace(self, key: DataKey) -> None:
        """Replace the sealed form of a key, which alone ever changes; NotFound when there is none of that id."""
        if self._session.change("UPDATE data_keys SET sealed = ? WHERE key_id = ?", (key.sealed, key.key_id)) != 1:
            raise NotFound(f"There is no data key '{key.key_id}'.")
        self._session.note(KEYS, _row(key))

    async def remove(self, key: DataKey) -> None:
        """Remove a key: what it sealed is gone for good; NotFound when there is none of that id."""
        if self._session.change("DELETE FROM data_keys WHERE key_id = ?", (key.key_id,)) != 1:
            raise NotFound(f"There is no data key '{key.key_id}'.")
        self._session.note_gone(KEYS, key.purpose.value, key.scope, key.version)

    async def remove_scope(self, purpose: Purpose, scope: str) -> None:
        """Remove the keys of a scope: what they sealed is gone for good."""
        self._session.change("DELETE FROM data_keys WHERE purpose = ? AND scope = ?", (purpose.value, scope))
        self._session.note_gone(KEYS, purpose.value, scope)

    def _first(self, where: str, parameters: tuple[Any, ...]) -> DataKey | None:
        rows = self._session.connection.rows(f"{SELECT} {where}", parameters)
        return key_of(rows[0]) if rows else None


def _row(key: DataKey) -> tuple[Any, ...]:
    return key.purpose.value, key.scope, key.version, key.key_id, key.sealed, int(key.created.timestamp())


def key_of(row: tuple[Any, ...]) -> DataKey:
    """Return the key of a row, its COLUMNS. Whether it belongs there shows when it is opened; here, that it is one."""
    try:
        key_id, purpose, scope, version, sealed, created = msgspec.convert(row, _Row, builtin_types=(bytes,))
        moment = datetime.fromtimestamp(created, UTC)
    except (msgspec.ValidationError, ValueError, OverflowError, OSError):
        raise SealBroken("a row of data_keys is not as it was written") from None
    return DataKey(key_id=key_id, purpose=purpose, scope=scope, version=version, sealed=sealed, created=moment)
