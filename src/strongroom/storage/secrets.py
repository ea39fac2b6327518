"""Secrets in SQL: how their versions are written."""

from strongroom.objects.lifecycle import Kind
from strongroom.objects.secrets.model import SecretVersion
from strongroom.storage.objects import Attributes, SqlObjects, Statements, read_attributes, written_attributes
from strongroom.storage.rows import Decoder, encode
from strongroom.storage.session import Session

STATEMENTS = Statements(Kind.SECRET)


class _Version(Attributes, frozen=True, omit_defaults=True, kw_only=True):
    content_type: str | None = None


_open_version = Decoder(_Version)


class SecretCodec:
    """Implements `storage.objects.Codec`."""

    def encode(self, version: SecretVersion) -> bytes:
        """Return the document of a version."""
        return encode(_Version(content_type=version.content_type, **written_attributes(version)))

    def decode(self, version: str, sealed: bytes, document: bytes) -> SecretVersion:
        """Return the version of a document; SealBroken when it is none."""
        kept: _Version = _open_version(document)
        return SecretVersion(version=version, sealed=sealed, content_type=kept.content_type, **read_attributes(kept))


def sql_secrets(session: Session) -> SqlObjects[SecretVersion]:
    """Return the secrets, through one session."""
    return SqlObjects(session, Kind.SECRET, STATEMENTS, SecretCodec())
