"""Subscriptions: made and renamed by the operator of the server; no request makes one.

Each has a key of its own for backups, so that what was backed up in one opens in no other.
"""

from dataclasses import replace
from datetime import datetime

from strongroom.clock import whole_seconds
from strongroom.custody.keyring import add_key
from strongroom.custody.sealing import Custodian
from strongroom.custody.store import KeyringStore, Purpose
from strongroom.errors import BadRequest, Conflict, NotFound
from strongroom.ids import is_guid
from strongroom.resources.model import Subscription
from strongroom.resources.store import ResourceStore

MAX_NAME = 64


async def create_subscription(
    resources: ResourceStore,
    keyring: KeyringStore,
    custodian: Custodian,
    *,
    subscription_id: str,
    tenant_id: str,
    name: str,
    now: datetime,
) -> Subscription:
    """Make a subscription of a tenant and return it.

    Raises BadRequest when the id is no GUID or the name none, Conflict when either is taken.
    """
    if not is_guid(subscription_id):
        raise BadRequest(f"The subscription id '{subscription_id}' is not a GUID.")
    await _require_name(resources, name)
    subscription = Subscription(
        subscription_id=subscription_id.lower(), tenant_id=tenant_id, display_name=name, created=whole_seconds(now)
    )
    await resources.add_subscription(subscription)
    await add_key(keyring, custodian, Purpose.BACKUP, subscription.subscription_id, subscription.created)
    return subscription


async def rename_subscription(resources: ResourceStore, subscription: Subscription, name: str) -> Subscription:
    """Give a subscription another name and return it; BadRequest or Conflict as when it is made."""
    if name.lower() != subscription.display_name.lower():
        await _require_name(resources, name)
    renamed = replace(subscription, display_name=name)
    await resources.replace_subscription(renamed)
    return renamed


async def get_named(resources: ResourceStore, name_or_id: str) -> Subscription:
    """Return a subscription by its id or its name; NotFound (SubscriptionNotFound) when there is none."""
    wanted = name_or_id.lower()
    for subscription in await resources.list_subscriptions():
        if wanted in (subscription.subscription_id.lower(), subscription.display_name.lower()):
            return subscription
    raise NotFound(f"There is no subscription '{name_or_id}'.", code="SubscriptionNotFound")


async def _require_name(resources: ResourceStore, name: str) -> None:
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable() or name != name.strip() or is_guid(name):
        raise BadRequest(
            f"The name '{name}' is none for a subscription: it has 1 to {MAX_NAME} characters, no space at its ends, "
            "and is no GUID."
        )
    if any(each.display_name.lower() == name.lower() for each in await resources.list_subscriptions()):
        raise Conflict(f"There is a subscription of the name '{name}' already.")
