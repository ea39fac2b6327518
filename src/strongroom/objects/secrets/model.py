"""A secret: one name, many immutable values. The value lies sealed; attributes and tags may be edited."""

from dataclasses import dataclass, replace
from datetime import datetime

from strongroom.errors import BadRequest
from strongroom.objects.lifecycle import ObjectState

# Source: "About Azure Key Vault secrets". The service counts octets; its message says characters.
MAX_VALUE_BYTES = 25 * 1024
MAX_CONTENT_TYPE = 255
MAX_TAGS = 15
MAX_TAG_TEXT = 512


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretEdit:
    """What a caller wants a version to say; None says nothing about it. Times are aware UTC, whole seconds.

    `not_before` after `expires` is accepted: both only inform.
    """

    enabled: bool | None = None
    not_before: datetime | None = None
    expires: datetime | None = None
    content_type: str | None = None
    tags: tuple[tuple[str, str], ...] | None = None

    def require_within_limits(self) -> None:
        """Raise BadRequest when the content type or the tags are longer or more than a secret may have."""
        if self.content_type is not None and len(self.content_type) > MAX_CONTENT_TYPE:
            raise _invalid("contentType", f"it has at most {MAX_CONTENT_TYPE} characters")
        if self.tags is None:
            return
        if len(self.tags) > MAX_TAGS:
            raise _invalid("tags", f"there are at most {MAX_TAGS}")
        if any(len(name) > MAX_TAG_TEXT or len(value) > MAX_TAG_TEXT for name, value in self.tags):
            raise _invalid("tags", f"a name or a value has at most {MAX_TAG_TEXT} characters")

    def applied_to(self, version: SecretVersion, now: datetime) -> SecretVersion:
        """Return `version` edited at `now`: what the edit does not mention stays, tags are replaced as a whole."""
        return replace(
            version,
            updated=now,
            enabled=version.enabled if self.enabled is None else self.enabled,
            not_before=self.not_before or version.not_before,
            expires=self.expires or version.expires,
            content_type=version.content_type if self.content_type is None else self.content_type,
            tags=version.tags if self.tags is None else self.tags,
        )


def require_value_size(length: int) -> None:
    """Raise BadRequest when a value of `length` bytes is too long for a secret."""
    if length > MAX_VALUE_BYTES:
        raise BadRequest(
            f"Secret is beyond the maximum permitted length of {MAX_VALUE_BYTES} characters.", inner="SecretTooLarge"
        )


def _invalid(name: str, rule: str) -> BadRequest:
    return BadRequest(f"Property {name} has invalid value: {rule}.")
