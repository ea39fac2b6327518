"""Where a vault belongs: subscriptions and resource groups, as the resource manager tells them."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemData:
    """Who made a resource and who changed it last.

    *_by: an application id or a user's name. *_by_type: Application or User.
    """

    created_by: str
    created_by_type: str
    created_at: datetime
    last_modified_by: str
    last_modified_by_type: str
    last_modified_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A subscription: belongs to one tenant, holds resource groups.

    tag_names: names of tags that it suggests, each with values.
    """

    subscription_id: str
    tenant_id: str
    display_name: str
    created: datetime
    tags: tuple[tuple[str, str], ...] = ()
    tag_names: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceGroup:
    """A resource group; its name is kept as first written and compared without regard to case."""

    subscription_id: str
    name: str
    location: str
    tags: tuple[tuple[str, str], ...]
    system_data: SystemData
