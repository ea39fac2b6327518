"""Keys in SQL: how their versions are written, and their rotation policies."""

from datetime import UTC, datetime

from strongroom.custody.provider import KeySpec, KeyType, PublicParts
from strongroom.objects.keys.model import KeyVersion, Operation
from strongroom.objects.keys.release import ReleasePolicy
from strongroom.objects.keys.rotation import RotationPolicy
from strongroom.objects.keys.store import Due
from strongroom.objects.lifecycle import Kind
from strongroom.storage.objects import Attributes, SqlObjects, Statements, read_attributes, written_attributes
from strongroom.storage.rows import Decoder, encode
from strongroom.storage.session import Documents, Session

STATEMENTS = Statements(Kind.KEY)
POLICIES = Documents("rotation_policies", RotationPolicy, "vault_id", "name", "due", keys=2)
# Who is named here is looked at closely when it is found: a row that was edited holds up no other. Nor does one whose
# time was made a fraction, which a page that begins past whole seconds would show again and again.
LIST_DUE = (
    "SELECT vault_id, name, CAST(due AS INTEGER) AS second FROM rotation_policies"
    " WHERE due <= ? AND (second, vault_id, name) > (?, ?, ?) ORDER BY second, vault_id, name LIMIT ?"
)


class _Version(Attributes, frozen=True, omit_defaults=True, kw_only=True):
    type: KeyType
    bits: int | None = None
    exponent: int | None = None
    curve: str | None = None
    algorithm: str | None = None
    n: bytes | None = None
    e: bytes | None = None
    x: bytes | None = None
    y: bytes | None = None
    pub: bytes | None = None
    operations: tuple[Operation, ...]
    hsm: bool = False
    platform: str = "0"
    exportable: bool = False
    release_policy: bytes | None = None
    immutable: bool = False


_open_version = Decoder(_Version)


class KeyCodec:
    """Implements `storage.objects.Codec`."""

    def encode(self, version: KeyVersion) -> bytes:
        """Return the document of a version."""
        spec, public, policy = version.spec, version.public, version.release_policy
        return encode(
            _Version(
                type=spec.type,
                bits=spec.bits,
                exponent=spec.exponent,
                curve=spec.curve,
                algorithm=spec.algorithm,
                n=public.n,
                e=public.e,
                x=public.x,
                y=public.y,
                pub=public.pub,
                operations=version.operations,
                hsm=version.hsm,
                platform=version.platform,
                exportable=version.exportable,
                release_policy=None if policy is None else policy.data,
                immutable=policy is not None and policy.immutable,
                **written_attributes(version),
            )
        )

    def decode(self, version: str, sealed: bytes, document: bytes) -> KeyVersion:
        """Return the version of a document; SealBroken when it is none."""
        kept: _Version = _open_version(document)
        return KeyVersion(
            version=version,
            sealed=sealed,
            spec=KeySpec(
                type=kept.type, bits=kept.bits, exponent=kept.exponent, curve=kept.curve, algorithm=kept.algorithm
            ),
            public=PublicParts(n=kept.n, e=kept.e, x=kept.x, y=kept.y, pub=kept.pub),
            operations=kept.operations,
            hsm=kept.hsm,
            platform=kept.platform,
            exportable=kept.exportable,
            release_policy=None if kept.release_policy is None else ReleasePolicy(kept.release_policy, kept.immutable),
            **read_attributes(kept),
        )


class SqlKeys(SqlObjects[KeyVersion]):
    """Keys and their rotation policies, through one session. Implements `objects.keys.store.KeyStore`."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, Kind.KEY, STATEMENTS, KeyCodec())

    async def purge(self, vault_id: str, name: str) -> None:
        """Remove a key with all its versions and its policy."""
        await super().purge(vault_id, name)
        POLICIES.delete(self._session, (vault_id, name.lower()))

    async def find_policy(self, vault_id: str, name: str) -> RotationPolicy | None:
        """Return the rotation policy of a key, None when it was never given one."""
        found = POLICIES.read(self._session, "WHERE vault_id = ? AND name = ?", (vault_id, name.lower()))
        return next(iter(found), None)

    async def put_policy(self, vault_id: str, name: str, policy: RotationPolicy, due: datetime | None) -> None:
        """Keep the rotation policy of a key. due: before when nothing is to be done, None for never."""
        columns = (vault_id, name.lower(), None if due is None else max(0, int(due.timestamp())))
        POLICIES.put(self._session, columns, policy)

    async def list_due(self, now: datetime, *, after: Due | None, limit: int) -> tuple[Due, ...]:
        """Return up to `limit` keys that may be due at `now`, the longest due first, past `after`."""
        past = (-1, "", "") if after is None else (int(after.moment.timestamp()), after.vault_id, after.name)
        rows = self._session.connection.rows(LIST_DUE, (now.timestamp(), *past, limit))
        return tuple([Due(datetime.fromtimestamp(due, UTC), vault_id, name) for vault_id, name, due in rows])
