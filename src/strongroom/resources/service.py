"""Resource groups: made, changed, found, removed; and the rules of tags and locations that all resources share.

Texts: as the resource manager writes them, see `docs/errors.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from strongroom.clock import whole_seconds
from strongroom.errors import BadRequest, Conflict, NotFound
from strongroom.ids import GROUP_NAME, is_guid
from strongroom.resources.locations import Locations
from strongroom.resources.model import ResourceGroup, Subscription, SystemData
from strongroom.resources.store import ResourceStore

# Source: Azure "Use tags to organize your resources", limitations.
MAX_TAGS = 50
MAX_TAG_NAME = 512
MAX_TAG_VALUE = 256
NOT_IN_TAG_NAMES = frozenset("<>%&\\?/")

Tags = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes a resource: an application or user, and which of the two, as `systemData` names them."""

    name: str
    type: str


def touched(before: SystemData | None, author: Author, now: datetime) -> SystemData:
    """Return the system data of a resource that `author` makes (`before` is None) or changes."""
    moment = whole_seconds(now)
    if before is None:
        return SystemData(
            created_by=author.name,
            created_by_type=author.type,
            created_at=moment,
            last_modified_by=author.name,
            last_modified_by_type=author.type,
            last_modified_at=moment,
        )
    return replace(before, last_modified_by=author.name, last_modified_by_type=author.type, last_modified_at=moment)


def require_tags(tags: Mapping[str, str]) -> Tags:
    """Return tags as resources keep them; BadRequest when there are too many, too long or badly named ones."""
    if len(tags) > MAX_TAGS:
        raise BadRequest(f"A resource has at most {MAX_TAGS} tags; {len(tags)} were given.", code="InvalidTags")
    seen: set[str] = set()
    for name, value in tags.items():
        if not name or len(name) > MAX_TAG_NAME or len(value) > MAX_TAG_VALUE:
            raise BadRequest(
                f"A tag's name has 1 to {MAX_TAG_NAME} characters and its value at most {MAX_TAG_VALUE}.",
                code="InvalidTags",
            )
        if NOT_IN_TAG_NAMES & set(name):
            raise BadRequest(f"The tag name '{name}' has one of the reserved characters <>%&\\?/.", code="InvalidTags")
        if name.lower() in seen:
            raise BadRequest(f"The tag name '{name}' is given more than once.", code="InvalidTags")
        seen.add(name.lower())
    return tuple(tags.items())


async def require_subscription(resources: ResourceStore, subscription_id: str) -> Subscription:
    """Return a subscription; NotFound (SubscriptionNotFound), or BadRequest when the id is no GUID."""
    if not is_guid(subscription_id):
        raise BadRequest(
            f"The provided subscription identifier '{subscription_id}' is malformed or invalid.",
            code="InvalidSubscriptionId",
        )
    subscription = await resources.find_subscription(subscription_id.lower())
    if subscription is None:
        raise NotFound(f"The subscription '{subscription_id}' could not be found.", code="SubscriptionNotFound")
    return subscription


async def get_group(resources: ResourceStore, subscription_id: str, name: str) -> ResourceGroup:
    """Return a resource group; NotFound (ResourceGroupNotFound) when there is none."""
    group = await resources.find_group(subscription_id, name)
    if group is None:
        raise NotFound(f"Resource group '{name}' could not be found.", code="ResourceGroupNotFound")
    return group


async def put_group(
    resources: ResourceStore,
    locations: Locations,
    *,
    subscription_id: str,
    name: str,
    location: str | None,
    tags: Mapping[str, str],
    author: Author,
    now: datetime,
) -> tuple[ResourceGroup, bool]:
    """Make a resource group or replace what may change of it; return it and whether it is new.

    Raises BadRequest (LocationRequired, LocationNotAvailableForResourceGroup, InvalidResourceGroup) and
    Conflict (InvalidResourceGroupLocation) when it exists elsewhere.
    """
    _require_group_name(name)
    place = _require_group_location(locations, location)
    before = await resources.find_group(subscription_id, name)
    if before is not None and before.location != place:
        raise Conflict(
            f"Invalid resource group location '{place}'. The Resource group already exists in location "
            f"'{before.location}'.",
            code="InvalidResourceGroupLocation",
        )
    group = ResourceGroup(
        subscription_id=subscription_id,
        name=before.name if before else name,
        location=place,
        tags=require_tags(tags),
        system_data=touched(before.system_data if before else None, author, now),
    )
    await resources.put_group(group)
    return group, before is None


async def update_group(
    resources: ResourceStore,
    *,
    subscription_id: str,
    name: str,
    tags: Mapping[str, str] | None,
    author: Author,
    now: datetime,
) -> ResourceGroup:
    """Replace a group's tags when some are given; NotFound (ResourceGroupNotFound) when there is no such group."""
    before = await get_group(resources, subscription_id, name)
    kept = before.tags if tags is None else require_tags(tags)
    group = replace(before, tags=kept, system_data=touched(before.system_data, author, now))
    await resources.put_group(group)
    return group


def _require_group_name(name: str) -> None:
    if not GROUP_NAME.match(name):
        raise BadRequest(
            f"The resource group name '{name}' is invalid: it has 1 to 90 letters, digits, '_', '-', '.', '(' or ')' "
            "and does not end in a dot.",
            code="InvalidResourceGroup",
        )


def _require_group_location(locations: Locations, location: str | None) -> str:
    if not location or not location.strip():
        raise BadRequest("The location property is required for this definition.", code="LocationRequired")
    found = locations.find(location)
    if found is None:
        raise BadRequest(
            f"The provided location '{location}' is not available for resource group. "
            f"List of available regions is '{locations.listed()}'.",
            code="LocationNotAvailableForResourceGroup",
        )
    return found
