"""A secret: one name, many immutable values. The value lies sealed; attributes and tags may be edited."""

from datetime import datetime

from msgspec.structs import replace

from strongroom.errors import BadRequest
from strongroom.objects.model import Edit, Held, Version, edited, invalid_property, require_tags_within

# Source: "About Azure Key Vault secrets". The service counts octets; its message says characters.
MAX_VALUE_BYTES = 25 * 1024
MAX_CONTENT_TYPE = 255
MAX_TAG_TEXT = 512


class SecretVersion(Version, frozen=True, kw_only=True):
    """One version of a secret; what is sealed is its value.

    `not_before` and `expires` inform; a get works outside them. Source: REST `SecretBundle`, `SecretAttributes`.
    """

    content_type: str | None = None


Secret = Held[SecretVersion]


class SecretEdit(Edit, frozen=True, kw_only=True):
    """What a caller wants a version to say. `not_before` after `expires` is accepted: both only inform."""

    content_type: str | None = None

    def require_within_limits(self) -> None:
        """Raise BadRequest when the content type or the tags are longer or more than a secret may have."""
        if self.content_type is not None and len(self.content_type) > MAX_CONTENT_TYPE:
            raise invalid_property("contentType", f"it has at most {MAX_CONTENT_TYPE} characters")
        require_tags_within(self.tags, MAX_TAG_TEXT)

    def applied_to(self, version: SecretVersion, now: datetime) -> SecretVersion:
        """Return `version` edited at `now`: what the edit does not mention stays, tags are replaced as a whole."""
        content_type = version.content_type if self.content_type is None else self.content_type
        return replace(edited(version, self, now), content_type=content_type)


def require_value_size(length: int) -> None:
    """Raise BadRequest when a value of `length` bytes is too long for a secret."""
    if length > MAX_VALUE_BYTES:
        raise BadRequest(
            f"Secret is beyond the maximum permitted length of {MAX_VALUE_BYTES} characters.", inner="SecretTooLarge"
        )
