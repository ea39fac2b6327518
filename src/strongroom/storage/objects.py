"""Objects in SQL, one kind like the other. Implements `objects.store.ObjectStore`.

A get is one statement: the state of the object joined with the version asked for, both checked.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Generic, Protocol

import msgspec
from msgspec.structs import replace

from strongroom.custody.sealing import SealBroken
from strongroom.errors import Conflict, NotFound
from strongroom.objects.lifecycle import Kind, ObjectState
from strongroom.objects.model import Held, V, Version
from strongroom.storage.notes import Shape
from strongroom.storage.rows import Decoder, encode
from strongroom.storage.session import Session

OBJECTS = Shape("objects", ("vault_id", "kind", "name", "latest", "deleted", "purge", "document", "mac"), 3)
VERSIONS = Shape("versions", ("vault_id", "kind", "name", "version", "document", "mac", "sealed"), 4)

# The kind is in a row that is read, since rows that were verified are remembered by what is in them.
STATE = "o.vault_id, o.kind, o.name, o.latest, o.deleted, o.purge, o.document, o.mac"
VERSION = "v.version, v.document, v.mac, v.sealed"
INSERT_VERSION = (
    "INSERT INTO versions (vault_id, kind, name, version, document, mac, sealed) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING"
)
PUT_STATE = (
    "INSERT INTO objects (vault_id, kind, name, latest, deleted, purge, document, mac) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (vault_id, kind, name) DO UPDATE SET latest = excluded.latest, deleted = excluded.deleted,"
    " purge = excluded.purge, document = excluded.document, mac = excluded.mac"
)


class Statements:
    """The statements that read one kind, each a constant of its kind."""

    def __init__(self, kind: Kind) -> None:
        joined = (
            f"SELECT {STATE}, {VERSION} FROM objects o {{way}} {{join}} versions v"  # noqa: S608 - constants only
            f" ON v.vault_id = o.vault_id AND v.kind = o.kind AND v.name = o.name AND v.version = {{version}}"
            f" WHERE o.kind = '{kind}' AND o.vault_id = ?"
        )
        # A newest version that is not there is no row less, but a row that does not open.
        newest = partial(joined.format, join="LEFT JOIN", version="o.latest")
        from_objects = f"SELECT {STATE} FROM objects o WHERE o.kind = '{kind}'"  # noqa: S608 - constants only
        self.find_newest = newest(way="") + " AND o.name = ?"
        self.find_version = joined.format(way="", join="JOIN", version="?") + " AND o.name = ?"
        self.find_state = from_objects + " AND o.vault_id = ? AND o.name = ?"
        self.list_expired = from_objects + " AND o.purge <= ? ORDER BY o.purge LIMIT ?"
        # A page passes none of the others on its way, of which there may be a million.
        self.list_living = (
            newest(way="INDEXED BY objects_living") + " AND o.deleted IS NULL AND o.name > ? ORDER BY o.name LIMIT ?"
        )
        self.list_deleted = (
            newest(way="INDEXED BY objects_deleted")
            + " AND o.deleted IS NOT NULL AND o.purge > ? AND o.name > ? ORDER BY o.name LIMIT ?"
        )
        self.list_versions = (
            f"SELECT {VERSION} FROM versions v WHERE v.vault_id = ? AND v.kind = '{kind}' AND v.name = ?"  # noqa: S608
            " AND v.seq > COALESCE(?, (SELECT seq FROM versions WHERE vault_id = v.vault_id AND kind = v.kind"
            " AND name = v.name AND version = ?)) ORDER BY v.seq LIMIT ?"
        )
        # What is sealed names after its format, `custody.sealing`, the key that sealed it.
        sealed_before = f"v.vault_id = ? AND v.kind = '{kind}' AND substr(v.sealed, 2, 16) <> ?"
        self.count_sealed_before = f"SELECT count(*) FROM versions v WHERE {sealed_before}"  # noqa: S608 - constants only
        self.list_sealed_before = (
            f"SELECT {STATE}, {VERSION} FROM versions v JOIN objects o"  # noqa: S608 - constants only
            " ON o.vault_id = v.vault_id AND o.kind = v.kind AND o.name = v.name"
            f" WHERE {sealed_before} AND (v.name, v.version) > (?, ?) ORDER BY v.name, v.version LIMIT ?"
        )


class Codec(Protocol[V]):
    """How the versions of one kind are written."""

    def encode(self, version: V) -> bytes:
        """Return the document of a version: all of it but its id and what is sealed."""

    def decode(self, version: str, sealed: bytes, document: bytes) -> V:
        """Return the version of a document; SealBroken when it is none."""


class Attributes(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What the documents of all kinds have; times are UNIX seconds."""

    created: int
    updated: int
    enabled: bool = True
    not_before: int | None = None
    expires: int | None = None
    tags: tuple[tuple[str, str], ...] = ()


class _State(msgspec.Struct, frozen=True):
    name: str


_open_state = Decoder(_State)


class SqlObjects(Generic[V]):
    """The objects of one kind, through one session."""

    def __init__(self, session: Session, kind: Kind, statements: Statements, codec: Codec[V]) -> None:
        self.kind = kind
        self._session = session
        self._statements = statements
        self._codec = codec

    async def find(self, vault_id: str, name: str, version: str | None = None) -> Held[V] | None:
        """Return a version of an object, the newest when `version` is None; deleted or not: the rules decide."""
        if version is None:
            return self._session.first(self._statements.find_newest, (vault_id, name.lower()), self._open)
        parameters = (version.lower(), vault_id, name.lower())
        return self._session.first(self._statements.find_version, parameters, self._open)

    async def find_state(self, vault_id: str, name: str) -> ObjectState | None:
        """Return the state of an object."""
        rows = self._session.connection.rows(self._statements.find_state, (vault_id, name.lower()))
        return self._state(rows[0]) if rows else None

    async def list_newest(
        self, vault_id: str, *, deleted: bool, after: str | None, limit: int, now: datetime
    ) -> tuple[Held[V], ...]:
        """Return up to `limit` objects with their newest version, by lower-case name, past the name `after`."""
        past = (after or "").lower()
        if deleted:
            parameters = (vault_id, now.timestamp(), past, limit)
            rows = self._session.connection.rows(self._statements.list_deleted, parameters)
        else:
            rows = self._session.connection.rows(self._statements.list_living, (vault_id, past, limit))
        return tuple([self._held(row) for row in rows])

    async def list_versions(self, vault_id: str, name: str, *, after: str | None, limit: int) -> tuple[V, ...]:
        """Return up to `limit` versions of an object, oldest first, past the version id `after`."""
        past = (0, None) if after is None else (None, after.lower())
        parameters = (vault_id, name.lower(), *past, limit)
        rows = self._session.connection.rows(self._statements.list_versions, parameters)
        return tuple([self._version((vault_id, self.kind.value, name.lower(), *row)) for row in rows])

    async def add_version(self, state: ObjectState, version: V) -> None:
        """Add a version and make it the newest; the first one makes the object. Conflict when the version exists."""
        row = (*self._key(state, version), *self._document(state, version), version.sealed)
        if self._session.connection.run(INSERT_VERSION, row) != 1:
            noun = self.kind.noun
            raise Conflict(f"The version '{version.version}' of the {noun} '{state.name}' exists already.")
        self._session.note(VERSIONS, row)
        self._put_state(replace(state, latest=version.version.lower()))

    async def replace_version(self, state: ObjectState, version: V) -> None:
        """Replace an existing version (its attributes or tags); NotFound when there is none."""
        update = (
            "UPDATE versions SET document = ?, mac = ?, sealed = ?"
            " WHERE vault_id = ? AND kind = ? AND name = ? AND version = ?"
        )
        key, written = self._key(state, version), (*self._document(state, version), version.sealed)
        if self._session.connection.run(update, (*written, *key)) != 1:
            raise self._missing(f"There is no version '{version.version}' of '{state.name}'.")
        self._session.note(VERSIONS, (*key, *written))

    async def replace_state(self, state: ObjectState) -> None:
        """Replace the state of an object: it was deleted or recovered; NotFound when there is none."""
        if await self.find_state(state.vault_id, state.name) is None:
            raise self._missing(f"There is no {self.kind.noun} '{state.name}'.")
        self._put_state(state)

    async def purge(self, vault_id: str, name: str) -> None:
        """Remove an object with all its versions."""
        key = (vault_id, self.kind.value, name.lower())
        for shape in (OBJECTS, VERSIONS):
            statement = f"DELETE FROM {shape.table} WHERE vault_id = ? AND kind = ? AND name = ?"  # noqa: S608 - ours
            self._session.connection.run(statement, key)
            self._session.note_gone(shape, *key)

    async def list_sealed_before(
        self, vault_id: str, key_id: str, *, after: tuple[str, str] | None, limit: int
    ) -> tuple[Held[V], ...]:
        """Return up to `limit` versions of a vault, deleted ones too, that another key than `key_id` sealed."""
        past = ("", "") if after is None else after
        parameters = (vault_id, bytes.fromhex(key_id), *past, limit)
        rows = self._session.connection.rows(self._statements.list_sealed_before, parameters)
        return tuple([self._held(row) for row in rows])

    async def count_sealed_before(self, vault_id: str, key_id: str) -> int:
        """Return how many versions of a vault another key than `key_id` sealed."""
        parameters = (vault_id, bytes.fromhex(key_id))
        return int(self._session.connection.rows(self._statements.count_sealed_before, parameters)[0][0])

    async def list_expired(self, now: datetime, limit: int) -> tuple[ObjectState, ...]:
        """Return deleted objects, of all vaults, whose retention has passed at `now`."""
        rows = self._session.connection.rows(self._statements.list_expired, (now.timestamp(), limit))
        return tuple([self._state(row) for row in rows])

    def _put_state(self, state: ObjectState) -> None:
        times = (_seconds(state.deleted), _seconds(state.scheduled_purge))
        columns = (state.vault_id, self.kind.value, state.name.lower(), state.latest, *times)
        document = encode(_State(state.name))
        row = (*columns, document, self._session.seal.mac(OBJECTS.table, columns, document))
        self._session.connection.run(PUT_STATE, row)
        self._session.note(OBJECTS, row)

    def _document(self, state: ObjectState, version: V) -> tuple[bytes, bytes]:
        document = self._codec.encode(version)
        return document, self._session.seal.mac(VERSIONS.table, self._key(state, version), document)

    def _held(self, row: tuple[Any, ...]) -> Held[V]:
        return self._session.verified(row, self._open)

    def _open(self, row: tuple[Any, ...]) -> Held[V]:
        return Held(self._state(row[:8]), self._version((*row[:3], *row[8:])))

    def _state(self, row: tuple[Any, ...]) -> ObjectState:
        vault_id, _, _, latest, deleted, purge, document, mac = row
        self._session.seal.require(OBJECTS.table, row[:6], document, mac)
        return ObjectState(
            vault_id=vault_id,
            kind=self.kind,
            name=_open_state(document).name,
            latest=latest,
            deleted=_moment(deleted),
            scheduled_purge=_moment(purge),
        )

    def _version(self, row: tuple[Any, ...]) -> V:
        version, document, mac, sealed = row[3:]
        self._session.seal.require(VERSIONS.table, row[:4], document, mac)
        if not isinstance(sealed, bytes):
            raise SealBroken("a sealed value is of another type than it was written")
        return self._codec.decode(version, sealed, document)

    def _key(self, state: ObjectState, version: V) -> tuple[str, str, str, str]:
        return state.vault_id, self.kind.value, state.name.lower(), version.version.lower()

    def _missing(self, message: str) -> NotFound:
        return NotFound(message, code=f"{self.kind.noun.capitalize()}NotFound")


def written_attributes(version: Version) -> Mapping[str, Any]:
    """Return the fields of `Attributes` as a version has them."""
    return {
        "created": int(version.created.timestamp()),
        "updated": int(version.updated.timestamp()),
        "enabled": version.enabled,
        "not_before": _seconds(version.not_before),
        "expires": _seconds(version.expires),
        "tags": version.tags,
    }


def read_attributes(kept: Attributes) -> Mapping[str, Any]:
    """Return the fields of `Version` as a document has them."""
    return {
        "created": datetime.fromtimestamp(kept.created, UTC),
        "updated": datetime.fromtimestamp(kept.updated, UTC),
        "enabled": kept.enabled,
        "not_before": _moment(kept.not_before),
        "expires": _moment(kept.expires),
        "tags": kept.tags,
    }


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
