"""Keys in SQL: how their versions are written."""

from strongroom.custody.provider import KeySpec, KeyType, PublicParts
from strongroom.objects.keys.model import KeyVersion, Operation
from strongroom.objects.lifecycle import Kind
from strongroom.storage.objects import Attributes, SqlObjects, Statements, read_attributes, written_attributes
from strongroom.storage.rows import Decoder, encode
from strongroom.storage.session import Session

STATEMENTS = Statements(Kind.KEY)


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


_open_version = Decoder(_Version)


class KeyCodec:
    """Implements `storage.objects.Codec`."""

    def encode(self, version: KeyVersion) -> bytes:
        """Return the document of a version."""
        spec, public = version.spec, version.public
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
            **read_attributes(kept),
        )


def sql_keys(session: Session) -> SqlObjects[KeyVersion]:
    """Return the keys, through one session."""
    return SqlObjects(session, Kind.KEY, STATEMENTS, KeyCodec())
