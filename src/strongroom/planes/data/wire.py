"""Secrets as they stand on the wire: the one mapping between the model and the service's JSON.

Sources: REST `SecretBundle`, `SecretItem`, `DeletedSecretBundle`, `SecretAttributes`; the order of members as recorded
from the service. Absent members are left out; times are UNIX seconds; ids are built from the request's own Host.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from strongroom.errors import BadRequest
from strongroom.objects.lifecycle import recovery_level
from strongroom.objects.model import MAX_TAGS
from strongroom.objects.secrets.model import (
    MAX_CONTENT_TYPE,
    MAX_TAG_TEXT,
    MAX_VALUE_BYTES,
    Secret,
    SecretEdit,
)
from strongroom.octets import Octets, SensitiveOctets, decode_octets
from strongroom.sensitive import Sensitive
from strongroom.vaults.model import Vault

LATEST_SECOND = 253_402_300_799  # the last second of the year 9999

# Bounds that documents tell; the rules behind them are held by the model, in the service's words.
Moment = Annotated[int, Meta(extra_json_schema={"minimum": 0, "maximum": LATEST_SECOND})]
ContentType = Annotated[str, Meta(extra_json_schema={"maxLength": MAX_CONTENT_TYPE})]
Tags = Annotated[
    dict[str, Annotated[str, Meta(extra_json_schema={"maxLength": MAX_TAG_TEXT})]],
    Meta(extra_json_schema={"maxProperties": MAX_TAGS, "propertyNames": {"maxLength": MAX_TAG_TEXT}}),
]
Value = Annotated[
    Sensitive[bytes],
    Meta(
        description=f"Text of at most {MAX_VALUE_BYTES:,} bytes in UTF-8.",
        extra_json_schema={"maxLength": MAX_VALUE_BYTES},
    ),
]


class AttributesPatch(msgspec.Struct, frozen=True):
    """Attributes as a client sends them; null says nothing, like absence. Read-only ones are ignored."""

    enabled: bool | None = None
    nbf: Moment | None = None
    exp: Moment | None = None


class SecretUpdate(msgspec.Struct, frozen=True, rename="camel"):
    """The body of UpdateSecret."""

    content_type: ContentType | None = None
    attributes: AttributesPatch | None = None
    tags: Tags | None = None

    def edit(self) -> SecretEdit:
        """Return what this asks for; BadRequest when a time cannot be one."""
        given = self.attributes or AttributesPatch()
        return SecretEdit(
            enabled=given.enabled,
            not_before=moment_of("nbf", given.nbf),
            expires=moment_of("exp", given.exp),
            content_type=self.content_type,
            tags=None if self.tags is None else tuple(self.tags.items()),
        )


class SecretSet(SecretUpdate, frozen=True, rename="camel", kw_only=True):
    """The body of SetSecret; the value is sensitive from its first moment here."""

    value: Value


class Backup(msgspec.Struct, frozen=True):
    """The body of RestoreSecret and the answer of BackupSecret."""

    value: str


class Attributes(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", kw_only=True):
    """Attributes as the service tells them."""

    enabled: bool
    nbf: Moment | None = None
    exp: Moment | None = None
    created: int
    updated: int
    recovery_level: str
    recoverable_days: int


class SecretItem(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", kw_only=True):
    """A secret, or one of its versions, in a list."""

    content_type: ContentType | None = None
    id: str
    attributes: Attributes
    tags: Tags | None = None


class SecretBundle(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", kw_only=True):
    """A secret; `value` only in the answers of SetSecret and GetSecret."""

    value: Value | None = None
    content_type: ContentType | None = None
    id: str
    attributes: Attributes
    tags: Tags | None = None


class DeletedSecret(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", kw_only=True):
    """A deleted secret, alone (with the id of its newest version) or in a list; never with its value."""

    recovery_id: str
    deleted_date: int
    scheduled_purge_date: int
    content_type: ContentType | None = None
    id: str
    attributes: Attributes
    tags: Tags | None = None


class SecretList(msgspec.Struct, frozen=True, rename="camel"):
    """A page of secrets; `nextLink` is null on the last one."""

    value: tuple[SecretItem, ...]
    next_link: str | None


class DeletedSecretList(msgspec.Struct, frozen=True, rename="camel"):
    """A page of deleted secrets; `nextLink` is null on the last one."""

    value: tuple[DeletedSecret, ...]
    next_link: str | None


def make_octets(kind: type, given: Any) -> Octets | Sensitive[bytes]:
    """Make of a JSON string what msgspec does not know: bytes in base64url, or a secret's value."""
    if kind is Octets:
        return Octets(decode_octets(given))
    if kind is SensitiveOctets:
        return SensitiveOctets(decode_octets(given))
    if not isinstance(given, str):
        raise TypeError("Expected `str`")
    return Sensitive(given.encode())


def write_bundle(base: str, vault: Vault, secret: Secret) -> bytes:
    """Return a secret as SecretBundle, without its value."""
    version = secret.version
    return encode(
        SecretBundle(
            content_type=version.content_type,
            id=secret_id(base, secret),
            attributes=_attributes(vault, secret),
            tags=dict(version.tags) if version.tags else None,
        )
    )


def add_value(bundle: bytes, value: Sensitive[bytes]) -> bytes:
    """Return what `write_bundle` returned with the secret's value as its first member."""
    return b'{"value":%b,%b' % (encode(value), bundle[1:])


def write_deleted(base: str, vault: Vault, secret: Secret) -> bytes:
    """Return a deleted secret as DeletedSecretBundle."""
    return encode(_deleted(base, vault, secret, with_version=True))


def write_list(base: str, vault: Vault, page: Iterable[Secret], next_link: str | None) -> bytes:
    """Return a page of secrets, one item each with the newest version's attributes."""
    return encode(SecretList(tuple(_item(base, vault, secret, with_version=False) for secret in page), next_link))


def write_versions(base: str, vault: Vault, page: Iterable[Secret], next_link: str | None) -> bytes:
    """Return a page of versions of one secret."""
    return encode(SecretList(tuple(_item(base, vault, secret, with_version=True) for secret in page), next_link))


def write_deleted_list(base: str, vault: Vault, page: Iterable[Secret], next_link: str | None) -> bytes:
    """Return a page of deleted secrets."""
    found = tuple(_deleted(base, vault, secret, with_version=False) for secret in page)
    return encode(DeletedSecretList(found, next_link))


def secret_id(base: str, secret: Secret, *, with_version: bool = True) -> str:
    """Return the id of a version, or of its secret."""
    state = secret.state
    return f"{base}/secrets/{state.name}/{secret.version.version}" if with_version else f"{base}/secrets/{state.name}"


def _reveal(value: Sensitive[bytes]) -> str:
    """Render a secret's value for the one who may read it: the one type here that msgspec cannot write."""
    return str(value.reveal(), "utf-8")


encode = msgspec.json.Encoder(enc_hook=_reveal).encode


def _item(base: str, vault: Vault, secret: Secret, *, with_version: bool) -> SecretItem:
    return SecretItem(
        content_type=secret.version.content_type,
        id=secret_id(base, secret, with_version=with_version),
        attributes=_attributes(vault, secret),
        tags=dict(secret.version.tags) or None,
    )


def _deleted(base: str, vault: Vault, secret: Secret, *, with_version: bool) -> DeletedSecret:
    state = secret.state
    assert state.deleted is not None  # only deleted secrets come here
    assert state.scheduled_purge is not None
    return DeletedSecret(
        recovery_id=f"{base}/deletedsecrets/{state.name}",
        deleted_date=seconds_of(state.deleted),
        scheduled_purge_date=seconds_of(state.scheduled_purge),
        content_type=secret.version.content_type,
        id=secret_id(base, secret, with_version=with_version),
        attributes=_attributes(vault, secret),
        tags=dict(secret.version.tags) or None,
    )


def _attributes(vault: Vault, secret: Secret) -> Attributes:
    version = secret.version
    return Attributes(
        enabled=version.enabled,
        nbf=None if version.not_before is None else seconds_of(version.not_before),
        exp=None if version.expires is None else seconds_of(version.expires),
        created=seconds_of(version.created),
        updated=seconds_of(version.updated),
        recovery_level=recovery_level(vault.retention_days, purge_protection=vault.purge_protection),
        recoverable_days=vault.retention_days,
    )


def seconds_of(moment: datetime) -> int:
    """Return a time as the wire has it."""
    return int(moment.timestamp())


def moment_of(name: str, seconds: int | None) -> datetime | None:
    """Return a time that the request's property `name` tells, None when it tells none; BadRequest when it is none."""
    if seconds is None:
        return None
    if not 0 <= seconds <= LATEST_SECOND:
        raise BadRequest(f"Property {name} has invalid value: it counts the seconds since 1970-01-01T00:00:00Z.")
    return datetime.fromtimestamp(seconds, UTC)
