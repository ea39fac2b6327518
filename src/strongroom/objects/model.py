"""What all kinds of objects have in common: immutable versions under one name, with attributes and tags to edit."""

from datetime import datetime
from typing import Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from strongroom.errors import BadRequest
from strongroom.objects.lifecycle import ObjectState

MAX_TAGS = 15  # source: "About keys, secrets, and certificates"


class Version(Struct, frozen=True, kw_only=True):
    """One version of an object.

    not_before, expires: aware UTC, whole seconds; None means unbounded.
    sealed: what only `custody` reads, under the vault's data key (`custody.sealing`).
    """

    version: str
    sealed: bytes
    created: datetime
    updated: datetime
    enabled: bool = True
    not_before: datetime | None = None
    expires: datetime | None = None
    tags: tuple[tuple[str, str], ...] = ()


V = TypeVar("V", bound=Version)


class Held(Struct, Generic[V], frozen=True):
    """A version together with the state of its object."""

    state: ObjectState
    version: V


class Edit(Struct, frozen=True, kw_only=True):
    """What a caller wants a version to say; None says nothing about it. Times are aware UTC, whole seconds."""

    enabled: bool | None = None
    not_before: datetime | None = None
    expires: datetime | None = None
    tags: tuple[tuple[str, str], ...] | None = None


def edited(version: V, edit: Edit, now: datetime) -> V:
    """Return `version` edited at `now`: what the edit does not mention stays, tags are replaced as a whole."""
    return replace(
        version,
        updated=now,
        enabled=version.enabled if edit.enabled is None else edit.enabled,
        not_before=edit.not_before or version.not_before,
        expires=edit.expires or version.expires,
        tags=version.tags if edit.tags is None else edit.tags,
    )


def require_tags_within(tags: tuple[tuple[str, str], ...] | None, longest: int) -> None:
    """Raise BadRequest when there are more tags than a version may have, or one is longer than `longest` characters."""
    if tags is None:
        return
    if len(tags) > MAX_TAGS:
        raise invalid_property("tags", f"there are at most {MAX_TAGS}")
    if any(len(name) > longest or len(value) > longest for name, value in tags):
        raise invalid_property("tags", f"a name or a value has at most {longest} characters")


def invalid_property(name: str, rule: str) -> BadRequest:
    """Return the error for a property of the request that breaks a rule."""
    return BadRequest(f"Property {name} has invalid value: {rule}.")
