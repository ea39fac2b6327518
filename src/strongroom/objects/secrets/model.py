"""A secret: one name, many immutable values. The value lies sealed; attributes and tags may be edited."""

from dataclasses import dataclass
from datetime import datetime

from strongroom.objects.lifecycle import ObjectState


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretVersion:
    """One version of a secret.

    not_before, expires: aware UTC, whole seconds; None means unbounded. They inform; a get works outside them.
    sealed: the value under the vault's data key (`custody.sealing`), opened only for its owner.
    Source: REST `SecretBundle`, `SecretAttributes`.
    """

    version: str
    sealed: bytes
    created: datetime
    updated: datetime
    enabled: bool = True
    not_before: datetime | None = None
    expires: datetime | None = None
    content_type: str | None = None
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Secret:
    """A version together with the state of its object."""

    state: ObjectState
    version: SecretVersion
