"""Tags as a whole, whatever carries them: replaced, merged, taken away.

Names compare without regard to case and keep the spelling that they have. Source: REST Tags, Update At Scope.
"""

from collections.abc import Mapping
from enum import StrEnum

from strongroom.errors import BadRequest
from strongroom.resources.service import Tags, require_tags


class TagChange(StrEnum):
    """What a change does with the tags that it is given, in lower case."""

    MERGE = "merge"
    REPLACE = "replace"
    DELETE = "delete"


def require_tag_change(text: str | None) -> TagChange:
    """Return a change by its name in any case; BadRequest (InvalidTagsPatchOperation) when there is none of it."""
    found = next((change for change in TagChange if change.value == (text or "").lower()), None)
    if found is None:
        raise BadRequest(
            f"The tags operation '{text or ''}' is not supported; use Merge, Replace or Delete.",
            code="InvalidTagsPatchOperation",
        )
    return found


def change_tags(before: Tags, change: TagChange, given: Mapping[str, str]) -> Tags:
    """Return tags after a change; BadRequest (InvalidTags) when there would be too many or badly named ones.

    A tag is deleted by its name alone where its value is given as "", else by name and value.
    """
    asked = require_tags(given)
    if change is TagChange.REPLACE:
        return asked
    named = {name.lower(): value for name, value in asked}
    if change is TagChange.DELETE:
        return tuple([tag for tag in before if named.get(tag[0].lower()) not in ("", tag[1])])
    held = {name.lower() for name, _ in before}
    kept = [(name, named.get(name.lower(), value)) for name, value in before]
    return require_tags(dict([*kept, *[tag for tag in asked if tag[0].lower() not in held]]))
