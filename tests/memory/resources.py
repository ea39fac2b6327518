"""The store of subscriptions and resource groups, in memory."""

from memory.store import MemoryStore
from strongroom.errors import Conflict, NotFound


class MemoryResources(MemoryStore):
    held = ("subscriptions", "groups")

    def __init__(self):
        self.subscriptions = {}
        self.groups = {}

    async def list_subscriptions(self):
        return tuple(self.subscriptions.values())

    async def find_subscription(self, subscription_id):
        return self.subscriptions.get(subscription_id.lower())

    async def add_subscription(self, subscription):
        if subscription.subscription_id in self.subscriptions:
            raise Conflict("The subscription exists.")
        self.subscriptions[subscription.subscription_id] = subscription

    async def replace_subscription(self, subscription):
        if subscription.subscription_id.lower() not in self.subscriptions:
            raise NotFound("There is no such subscription.", code="SubscriptionNotFound")
        self.subscriptions[subscription.subscription_id.lower()] = subscription

    async def find_group(self, subscription_id, name):
        return self.groups.get((subscription_id.lower(), name.lower()))

    async def list_groups(self, subscription_id):
        fitting = [key for key in self.groups if key[0] == subscription_id.lower()]
        return tuple(self.groups[key] for key in sorted(fitting))

    async def put_group(self, group):
        self.groups[group.subscription_id.lower(), group.name.lower()] = group

    async def remove_group(self, subscription_id, name):
        if self.groups.pop((subscription_id.lower(), name.lower()), None) is None:
            raise NotFound("There is no such resource group.", code="ResourceGroupNotFound")
