"""Subscriptions, resource groups and facts in SQL. Implements `resources.store` and `resources.facts`."""

import msgspec

from strongroom.errors import Conflict, NotFound
from strongroom.resources.model import ResourceGroup, Subscription
from strongroom.storage.session import Documents, Session

SUBSCRIPTIONS = Documents("subscriptions", Subscription, "subscription_id")
GROUPS = Documents("resource_groups", ResourceGroup, "subscription_id", "name", keys=2)


class Fact(msgspec.Struct, frozen=True):
    """A fact as its document has it."""

    value: bytes


FACTS = Documents("facts", Fact, "name")


class SqlResources:
    """Subscriptions and resource groups, through one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def list_subscriptions(self) -> tuple[Subscription, ...]:
        """Return every subscription, oldest first."""
        return self._session.remember(("subscriptions",), lambda: SUBSCRIPTIONS.read(self._session, "ORDER BY rowid"))

    async def find_subscription(self, subscription_id: str) -> Subscription | None:
        """Return a subscription."""
        wanted = subscription_id.lower()
        return next((each for each in await self.list_subscriptions() if each.subscription_id.lower() == wanted), None)

    async def add_subscription(self, subscription: Subscription) -> None:
        """Add a subscription; Conflict when its id is taken."""
        if not SUBSCRIPTIONS.insert(self._session, (subscription.subscription_id.lower(),), subscription):
            raise Conflict(f"The subscription '{subscription.subscription_id}' exists already.")

    async def replace_subscription(self, subscription: Subscription) -> None:
        """Replace the subscription of that id; NotFound (SubscriptionNotFound) when there is none."""
        key = subscription.subscription_id.lower()
        if not SUBSCRIPTIONS.update(self._session, (key,), subscription):
            raise NotFound(f"The subscription '{key}' could not be found.", code="SubscriptionNotFound")

    async def find_group(self, subscription_id: str, name: str) -> ResourceGroup | None:
        """Return a resource group."""
        found = GROUPS.read(self._session, "WHERE subscription_id = ? AND name = ?", _key(subscription_id, name))
        return next(iter(found), None)

    async def list_groups(self, subscription_id: str) -> tuple[ResourceGroup, ...]:
        """Return the resource groups of a subscription, by name."""
        return GROUPS.read(self._session, "WHERE subscription_id = ? ORDER BY name", (subscription_id.lower(),))

    async def put_group(self, group: ResourceGroup) -> None:
        """Add a resource group, or replace the one of that name."""
        key = _key(group.subscription_id, group.name)
        GROUPS.put(self._session, key, group)

    async def remove_group(self, subscription_id: str, name: str) -> None:
        """Remove a resource group; NotFound when there is none."""
        if not GROUPS.delete(self._session, _key(subscription_id, name)):
            raise NotFound(f"Resource group '{name}' could not be found.", code="ResourceGroupNotFound")


class SqlFacts:
    """The facts of this server, through one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, name: str) -> bytes | None:
        """Return a fact."""

        def load() -> tuple[Fact, ...]:  # that a fact is not set is remembered too: the names are our own, and few
            return FACTS.read(self._session, "WHERE name = ?", (name,))

        found = self._session.remember(("fact", name), load)
        return found[0].value if found else None

    async def names(self) -> tuple[str, ...]:
        """Return the names of all facts."""
        return tuple([str(name) for (name,) in self._session.connection.rows("SELECT name FROM facts ORDER BY rowid")])

    async def put(self, name: str, value: bytes) -> None:
        """Set a fact."""
        FACTS.put(self._session, (name,), Fact(value))


def _key(subscription_id: str, name: str) -> tuple[str, str]:
    return subscription_id.lower(), name.lower()
