"""Names and values of tags in a subscription: those that are kept for it, and those that something carries."""

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from strongroom.ids import subscription_scope
from strongroom.planes.call import Call
from strongroom.planes.http import Response
from strongroom.planes.management.answers import Page
from strongroom.planes.management.listing import PAGE, page
from strongroom.planes.management.places import SUBSCRIPTION, subscription_id
from strongroom.planes.management.wire import Wire, render
from strongroom.planes.operation import Operation
from strongroom.resources.model import Subscription
from strongroom.resources.service import require_subscription
from strongroom.resources.tagnames import find_values, with_name, with_value, without_name, without_value

NAMES = SUBSCRIPTION + "/tagNames"
ONE = NAMES + "/{tag}"
VALUE = ONE + "/tagValues/{value}"
OPERATION = "Microsoft.Resources/subscriptions/tagNames/"
READ_AT_ONCE = 1000


class Count(Wire, kw_only=True):
    """How many things carry a tag."""

    type: str = "Total"
    value: int


class TagValueAnswer(Wire, kw_only=True):
    """A value of a tag."""

    id: str
    tag_value: str
    count: Count


class TagNameAnswer(Wire, kw_only=True):
    """A name of tags, with its values."""

    id: str
    tag_name: str
    count: Count
    values: list[TagValueAnswer]


class Carried:
    """How often tags are carried. names: first spellings by lower-case name; counts: of each value, by the same."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.counts: dict[str, Counter[str]] = {}

    def take(self, tags: tuple[tuple[str, str], ...]) -> None:
        """Count the tags of one thing."""
        for name, value in tags:
            self.names.setdefault(name.lower(), name)
            self.counts.setdefault(name.lower(), Counter())[value] += 1

    def of(self, name: str) -> Counter[str]:
        """Return how often each value of a name is carried."""
        return self.counts.get(name.lower(), Counter())


async def list_names(call: Call) -> Response:
    """List the names of tags of a subscription with their values, those that are only kept too."""
    subscription, carried = await _subscription(call), await _carried(call)
    names = {kept.lower(): kept for kept, _ in subscription.tag_names}
    every = list((carried.names | names).values())
    return await page(call, every, str, partial(_name, subscription, carried))


async def put_name(call: Call) -> Response:
    """Keep a name."""
    return await _keep(call, with_name, call.parameters["tag"])


async def delete_name(call: Call) -> Response:
    """Forget a name that has no values; 204 when it is not kept. What carries it goes on to."""
    return await _forget(call, without_name, call.parameters["tag"])


async def put_value(call: Call) -> Response:
    """Keep a value of a name."""
    return await _keep(call, with_value, call.parameters["tag"], call.parameters["value"])


async def delete_value(call: Call) -> Response:
    """Forget a value; 204 when it is not kept. What carries it goes on to."""
    return await _forget(call, without_value, call.parameters["tag"], call.parameters["value"])


async def _subscription(call: Call) -> Subscription:
    return await require_subscription(call.stores.resources, subscription_id(call))


async def _keep(call: Call, change: Callable[..., Subscription], name: str, *value: str) -> Response:
    before, none = await _subscription(call), Carried()
    after = change(before, name, *value)
    is_new = after is not before
    if is_new:
        await call.stores.resources.replace_subscription(after)
    answer = _value(after, none, name, value[0]) if value else _name(after, none, name)
    return render(answer, 201 if is_new else 200)


async def _forget(call: Call, change: Callable[..., Subscription], *named: str) -> Response:
    before = await _subscription(call)
    after = change(before, *named)
    if after == before:
        return Response(204)
    await call.stores.resources.replace_subscription(after)
    return Response(200)


async def _carried(call: Call) -> Carried:
    """Count what the groups and vaults of a subscription carry; other requests are served in between."""
    stores, subscription, carried = call.stores, subscription_id(call), Carried()
    for group in await stores.resources.list_groups(subscription):
        carried.take(group.tags)
    after: str | None = ""
    while after is not None:
        vaults = await stores.vaults.list_living(subscription, after=after, limit=READ_AT_ONCE)
        for vault in vaults:
            carried.take(vault.tags)
        after = vaults[-1].name.lower() if len(vaults) == READ_AT_ONCE else None
        await asyncio.sleep(0)
    return carried


def _name(subscription: Subscription, carried: Carried, name: str) -> TagNameAnswer:
    kept = find_values(subscription, name) or ()
    used = carried.of(name)
    return TagNameAnswer(
        id=f"{subscription_scope(subscription.subscription_id)}/tagNames/{name}",
        tag_name=name,
        count=Count(value=used.total()),
        values=[_value(subscription, carried, name, value) for value in sorted({*kept, *used})],
    )


def _value(subscription: Subscription, carried: Carried, name: str, value: str) -> TagValueAnswer:
    return TagValueAnswer(
        id=f"{subscription_scope(subscription.subscription_id)}/tagNames/{name}/tagValues/{value}",
        tag_value=value,
        count=Count(value=carried.of(name)[value]),
    )


def _row(method: str, path: str, handler: Any, action: str, **said: Any) -> Operation:
    named = {"needs": OPERATION + action, "log": OPERATION + action, "name": handler.__name__.replace("_", "_tag_")}
    return Operation(method=method, path=path, handler=handler, **named, **said)


CHANGE = partial(_row, changes=True)
OPERATIONS = (
    _row("GET", NAMES, list_names, "read", gives=Page[TagNameAnswer], query=PAGE),
    CHANGE("PUT", ONE, put_name, "write", gives=TagNameAnswer, success=(200, 201)),
    CHANGE("DELETE", ONE, delete_name, "delete", gives=None, success=(200, 204)),
    CHANGE("PUT", VALUE, put_value, "tagValues/write", gives=TagValueAnswer, success=(200, 201)),
    CHANGE("DELETE", VALUE, delete_value, "tagValues/delete", gives=None, success=(200, 204)),
)
