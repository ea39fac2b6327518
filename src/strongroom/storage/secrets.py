"""Secrets in SQL. Implements `objects.secrets.store.SecretStore`.

A get is one statement: the state of the object joined with the version asked for, both checked.
"""

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from strongroom.custody.sealing import SealBroken
from strongroom.errors import Conflict, NotFound
from strongroom.objects.lifecycle import Kind, ObjectState
from strongroom.objects.secrets.model import Secret, SecretVersion
from strongroom.storage.notes import Shape
from strongroom.storage.rows import Decoder, encode
from strongroom.storage.session import Session

KIND = Kind.SECRET.value
OBJECTS = Shape("objects", ("vault_id", "kind", "name", "latest", "deleted", "purge", "document", "mac"), 3)
VERSIONS = Shape("versions", ("vault_id", "kind", "name", "version", "document", "mac", "sealed"), 4)

STATE = "o.vault_id, o.name, o.latest, o.deleted, o.purge, o.document, o.mac"
VERSION = "v.version, v.document, v.mac, v.sealed"
FROM_OBJECTS = f"FROM objects o WHERE o.kind = '{KIND}'"
JOINED = (
    f"SELECT {STATE}, {VERSION} FROM objects o {{way}} {{join}} versions v"  # noqa: S608 - constants only
    f" ON v.vault_id = o.vault_id AND v.kind = o.kind AND v.name = o.name AND v.version = {{version}}"
    f" WHERE o.kind = '{KIND}' AND o.vault_id = ?"
)
# A newest version that is not there is no row less, but a row that does not open.
NEWEST = partial(JOINED.format, join="LEFT JOIN", version="o.latest")
FIND_NEWEST = NEWEST(way="") + " AND o.name = ?"
FIND_VERSION = JOINED.format(way="", join="JOIN", version="?") + " AND o.name = ?"
# A page passes none of the others on its way, of which there may be a million.
LIST_LIVING = NEWEST(way="INDEXED BY objects_living") + " AND o.deleted IS NULL AND o.name > ? ORDER BY o.name LIMIT ?"
LIST_DELETED = (
    NEWEST(way="INDEXED BY objects_deleted")
    + " AND o.deleted IS NOT NULL AND o.purge > ? AND o.name > ? ORDER BY o.name LIMIT ?"
)
LIST_VERSIONS = (
    f"SELECT {VERSION} FROM versions v WHERE v.vault_id = ? AND v.kind = '{KIND}' AND v.name = ?"  # noqa: S608
    " AND v.seq > COALESCE(?, (SELECT seq FROM versions WHERE vault_id = v.vault_id AND kind = v.kind"
    " AND name = v.name AND version = ?)) ORDER BY v.seq LIMIT ?"
)
# What a sealed value names after its format, `custody.sealing`: the key that sealed it.
SEALED_BEFORE = f"v.vault_id = ? AND v.kind = '{KIND}' AND substr(v.sealed, 2, 16) <> ?"
COUNT_SEALED_BEFORE = f"SELECT count(*) FROM versions v WHERE {SEALED_BEFORE}"  # noqa: S608 - constants only
LIST_SEALED_BEFORE = (
    f"SELECT {STATE}, {VERSION} FROM versions v JOIN objects o"  # noqa: S608 - constants only
    " ON o.vault_id = v.vault_id AND o.kind = v.kind AND o.name = v.name"
    f" WHERE {SEALED_BEFORE} AND (v.name, v.version) > (?, ?) ORDER BY v.name, v.version LIMIT ?"
)
INSERT_VERSION = (
    "INSERT INTO versions (vault_id, kind, name, version, document, mac, sealed) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING"
)
PUT_STATE = (
    "INSERT INTO objects (vault_id, kind, name, latest, deleted, purge, document, mac) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (vault_id, kind, name) DO UPDATE SET latest = excluded.latest, deleted = excluded.deleted,"
    " purge = excluded.purge, document = excluded.document, mac = excluded.mac"
)


class _State(msgspec.Struct, frozen=True):
    name: str


class _Version(msgspec.Struct, frozen=True, omit_defaults=True):
    created: int
    updated: int
    enabled: bool = True
    not_before: int | None = None
    expires: int | None = None
    content_type: str | None = None
    tags: tuple[tuple[str, str], ...] = ()


_open_state = Decoder(_State)
_open_version = Decoder(_Version)


class SqlSecrets:
    """Secrets, through one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def find(self, vault_id: str, name: str, version: str | None = None) -> Secret | None:
        """Return a version of a secret, the newest when `version` is None; deleted or not: the rules decide."""
        if version is None:
            row = self._session.first(FIND_NEWEST, (vault_id, name.lower()))
        else:
            row = self._session.first(FIND_VERSION, (version.lower(), vault_id, name.lower()))
        return self._secret(row) if row else None

    async def find_state(self, vault_id: str, name: str) -> ObjectState | None:
        """Return the state of a secret."""
        statement = f"SELECT {STATE} {FROM_OBJECTS} AND o.vault_id = ? AND o.name = ?"
        rows = self._session.connection.rows(statement, (vault_id, name.lower()))
        return self._state(rows[0]) if rows else None

    async def list_newest(
        self, vault_id: str, *, deleted: bool, after: str | None, limit: int, now: datetime
    ) -> tuple[Secret, ...]:
        """Return up to `limit` secrets with their newest version, by lower-case name, past the name `after`."""
        past = (after or "").lower()
        if deleted:
            rows = self._session.connection.rows(LIST_DELETED, (vault_id, now.timestamp(), past, limit))
        else:
            rows = self._session.connection.rows(LIST_LIVING, (vault_id, past, limit))
        return tuple([self._secret(row) for row in rows])

    async def list_versions(
        self, vault_id: str, name: str, *, after: str | None, limit: int
    ) -> tuple[SecretVersion, ...]:
        """Return up to `limit` versions of a secret, oldest first, past the version id `after`."""
        key = (vault_id, name.lower())
        past = (0, None) if after is None else (None, after.lower())
        rows = self._session.connection.rows(LIST_VERSIONS, (*key, *past, limit))
        return tuple([self._version((*key, *row)) for row in rows])

    async def add_version(self, state: ObjectState, version: SecretVersion) -> None:
        """Add a version and make it the newest; the first one makes the secret. Conflict when the version exists."""
        row = (*_version_key(state, version), *self._sealed(state, version), version.sealed)
        if self._session.connection.run(INSERT_VERSION, row) != 1:
            raise Conflict(f"The version '{version.version}' of the secret '{state.name}' exists already.")
        self._session.note(VERSIONS, row)
        self._put_state(replace(state, latest=version.version.lower()))

    async def replace_version(self, state: ObjectState, version: SecretVersion) -> None:
        """Replace an existing version (its attributes or tags); NotFound when there is none."""
        update = (
            "UPDATE versions SET document = ?, mac = ?, sealed = ?"
            " WHERE vault_id = ? AND kind = ? AND name = ? AND version = ?"
        )
        key, written = _version_key(state, version), (*self._sealed(state, version), version.sealed)
        if self._session.connection.run(update, (*written, *key)) != 1:
            raise NotFound(f"There is no version '{version.version}' of '{state.name}'.", code="SecretNotFound")
        self._session.note(VERSIONS, (*key, *written))

    async def replace_state(self, state: ObjectState) -> None:
        """Replace the state of a secret: it was deleted or recovered; NotFound when there is none."""
        if await self.find_state(state.vault_id, state.name) is None:
            raise NotFound(f"There is no secret '{state.name}'.", code="SecretNotFound")
        self._put_state(state)

    async def purge(self, vault_id: str, name: str) -> None:
        """Remove a secret with all its versions."""
        key = (vault_id, KIND, name.lower())
        for shape in (OBJECTS, VERSIONS):
            statement = f"DELETE FROM {shape.table} WHERE vault_id = ? AND kind = ? AND name = ?"  # noqa: S608 - ours
            self._session.connection.run(statement, key)
            self._session.note_gone(shape, *key)

    async def list_sealed_before(
        self, vault_id: str, key_id: str, *, after: tuple[str, str] | None, limit: int
    ) -> tuple[Secret, ...]:
        """Return up to `limit` versions of a vault, deleted ones too, that another key than `key_id` sealed."""
        past = ("", "") if after is None else after
        rows = self._session.connection.rows(LIST_SEALED_BEFORE, (vault_id, bytes.fromhex(key_id), *past, limit))
        return tuple([self._secret(row) for row in rows])

    async def count_sealed_before(self, vault_id: str, key_id: str) -> int:
        """Return how many versions of a vault another key than `key_id` sealed."""
        rows = self._session.connection.rows(COUNT_SEALED_BEFORE, (vault_id, bytes.fromhex(key_id)))
        return int(rows[0][0])

    async def list_expired(self, now: datetime, limit: int) -> tuple[ObjectState, ...]:
        """Return deleted secrets, of all vaults, whose retention has passed at `now`."""
        statement = f"SELECT {STATE} {FROM_OBJECTS} AND o.purge <= ? ORDER BY o.purge LIMIT ?"
        return tuple([self._state(row) for row in self._session.connection.rows(statement, (now.timestamp(), limit))])

    def _put_state(self, state: ObjectState) -> None:
        columns = (state.vault_id, KIND, state.name.lower(), state.latest, *_times(state))
        document = encode(_State(state.name))
        row = (*columns, document, self._session.seal.mac(OBJECTS.table, columns, document))
        self._session.connection.run(PUT_STATE, row)
        self._session.note(OBJECTS, row)

    def _sealed(self, state: ObjectState, version: SecretVersion) -> tuple[bytes, bytes]:
        document = encode(
            _Version(
                created=int(version.created.timestamp()),
                updated=int(version.updated.timestamp()),
                enabled=version.enabled,
                not_before=_seconds(version.not_before),
                expires=_seconds(version.expires),
                content_type=version.content_type,
                tags=version.tags,
            )
        )
        return document, self._session.seal.mac(VERSIONS.table, _version_key(state, version), document)

    def _secret(self, row: tuple[Any, ...]) -> Secret:
        return self._session.verified(row, self._open)

    def _open(self, row: tuple[Any, ...]) -> Secret:
        vault_id, name = row[:2]
        return Secret(self._state(row[:7]), self._version((vault_id, name, *row[7:])))

    def _state(self, row: tuple[Any, ...]) -> ObjectState:
        vault_id, name, latest, deleted, purge, document, mac = row
        self._session.seal.require(OBJECTS.table, (vault_id, KIND, name, latest, deleted, purge), document, mac)
        return ObjectState(
            vault_id=vault_id,
            kind=Kind.SECRET,
            name=_open_state(document).name,
            latest=latest,
            deleted=_moment(deleted),
            scheduled_purge=_moment(purge),
        )

    def _version(self, row: tuple[Any, ...]) -> SecretVersion:
        vault_id, name, version, document, mac, sealed = row
        self._session.seal.require(VERSIONS.table, (vault_id, KIND, name, version), document, mac)
        if not isinstance(sealed, bytes):
            raise SealBroken("a sealed value is of another type than it was written")
        kept: _Version = _open_version(document)
        return SecretVersion(
            version=version,
            sealed=sealed,
            created=datetime.fromtimestamp(kept.created, UTC),
            updated=datetime.fromtimestamp(kept.updated, UTC),
            enabled=kept.enabled,
            not_before=_moment(kept.not_before),
            expires=_moment(kept.expires),
            content_type=kept.content_type,
            tags=kept.tags,
        )


def _version_key(state: ObjectState, version: SecretVersion) -> tuple[str, str, str, str]:
    return state.vault_id, KIND, state.name.lower(), version.version.lower()


def _times(state: ObjectState) -> tuple[int | None, int | None]:
    return _seconds(state.deleted), _seconds(state.scheduled_purge)


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
