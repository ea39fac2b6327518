"""What resources need of a storage."""

from typing import Protocol

from strongroom.resources.locks import Lock
from strongroom.resources.model import ResourceGroup, Subscription


class ResourceStore(Protocol):
    """Subscriptions and resource groups; names compare without regard to case."""

    async def list_subscriptions(self) -> tuple[Subscription, ...]:
        """Return every subscription, oldest first."""

    async def find_subscription(self, subscription_id: str) -> Subscription | None:
        """Return a subscription."""

    async def add_subscription(self, subscription: Subscription) -> None:
        """Add a subscription; Conflict when its id is taken."""

    async def replace_subscription(self, subscription: Subscription) -> None:
        """Replace the subscription of that id; NotFound (SubscriptionNotFound) when there is none."""

    async def find_group(self, subscription_id: str, name: str) -> ResourceGroup | None:
        """Return a resource group."""

    async def list_groups(self, subscription_id: str) -> tuple[ResourceGroup, ...]:
        """Return the resource groups of a subscription, by name."""

    async def put_group(self, group: ResourceGroup) -> None:
        """Add a resource group, or replace the one of that name."""

    async def remove_group(self, subscription_id: str, name: str) -> None:
        """Remove a resource group; NotFound when there is none."""


class LockStore(Protocol):
    """Locks; scopes and names compare without regard to case."""

    async def list_in(self, subscription_id: str) -> tuple[Lock, ...]:
        """Return the locks at and below a subscription, by scope and name."""

    async def put(self, lock: Lock) -> None:
        """Add a lock, or replace the one of that scope and name."""

    async def remove(self, scope: str, name: str) -> None:
        """Remove a lock; NotFound (LockNotFound) when there is none."""

    async def remove_within(self, scope: str) -> None:
        """Remove every lock at `scope` or below: the scope is gone."""
