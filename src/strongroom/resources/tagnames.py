"""Names and values of tags that a subscription has before anything carries them: suggestions, which bind nobody.

Names compare without regard to case, values as they are. Source: REST Tags, Create Or Update, Create Or Update Value.
"""

from dataclasses import replace

from strongroom.errors import BadRequest, Conflict, NotFound
from strongroom.resources.model import Subscription
from strongroom.resources.service import require_tags

MAX_KEPT = 1000
"""How many names and values a subscription keeps, together."""

Names = tuple[tuple[str, tuple[str, ...]], ...]


def find_values(subscription: Subscription, name: str) -> tuple[str, ...] | None:
    """Return the values that are kept of a name, None where the name is not kept."""
    return next((values for kept, values in subscription.tag_names if kept.lower() == name.lower()), None)


def with_name(subscription: Subscription, name: str) -> Subscription:
    """Return a subscription that keeps a name; BadRequest (InvalidTags) for one that no tag has, or too many."""
    require_tags({name: ""})
    if find_values(subscription, name) is not None:
        return subscription
    return _with(subscription, (*subscription.tag_names, (name, ())))


def with_value(subscription: Subscription, name: str, value: str) -> Subscription:
    """Return a subscription that keeps a value of a name; NotFound (TagNameNotFound) when the name is not kept."""
    require_tags({name: value})
    held = find_values(subscription, name)
    if held is None:
        raise NotFound(f"The tag name '{name}' could not be found.", code="TagNameNotFound")
    return (
        subscription if value in held else _with(subscription, _replaced(subscription.tag_names, name, (*held, value)))
    )


def without_name(subscription: Subscription, name: str) -> Subscription:
    """Return a subscription that does not keep a name; Conflict (TagNameHasValues) while values of it are kept."""
    require_tags({name: ""})
    if find_values(subscription, name):
        raise Conflict(f"The tag name '{name}' has values; delete them first.", code="TagNameHasValues")
    return replace(
        subscription, tag_names=tuple(each for each in subscription.tag_names if each[0].lower() != name.lower())
    )


def without_value(subscription: Subscription, name: str, value: str) -> Subscription:
    """Return a subscription that does not keep a value of a name."""
    require_tags({name: value})
    held = find_values(subscription, name) or ()
    left = tuple(each for each in held if each != value)
    return replace(subscription, tag_names=_replaced(subscription.tag_names, name, left))


def _replaced(names: Names, name: str, values: tuple[str, ...]) -> Names:
    return tuple((kept, values if kept.lower() == name.lower() else held) for kept, held in names)


def _with(subscription: Subscription, names: Names) -> Subscription:
    if sum(1 + len(values) for _, values in names) > MAX_KEPT:
        raise BadRequest(f"A subscription keeps at most {MAX_KEPT} names and values of tags.", code="InvalidTags")
    return replace(subscription, tag_names=names)
