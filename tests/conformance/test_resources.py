from dataclasses import replace

import pytest

from storage_doubles import a_group, a_subscription
from strongroom.errors import Conflict, NotFound


@pytest.fixture
def put(change):
    async def run(*groups):
        for group in groups:
            await change(lambda stores, one=group: stores.resources.put_group(one))

    return run


async def test_subscriptions_are_listed_oldest_first_and_found_whatever_their_case(storage, change):
    for number in (2, 1):
        await change(lambda stores, number=number: stores.resources.add_subscription(a_subscription(number)))
    resources = storage.read().resources
    assert await resources.list_subscriptions() == (a_subscription(2), a_subscription(1))
    assert await resources.find_subscription("S1") == a_subscription(1)
    assert await resources.find_subscription("s3") is None


async def test_a_subscription_is_added_once(change):
    await change(lambda stores: stores.resources.add_subscription(a_subscription()))
    with pytest.raises(Conflict):
        await change(lambda stores: stores.resources.add_subscription(a_subscription()))


async def test_a_subscription_is_replaced_where_it_is(storage, change):
    await change(lambda stores: stores.resources.add_subscription(a_subscription()))
    other = replace(a_subscription(), display_name="Other", tags=(("a", "b"),))
    await change(lambda stores: stores.resources.replace_subscription(other))
    assert await storage.read().resources.list_subscriptions() == (other,)
    with pytest.raises(NotFound) as refused:
        await change(lambda stores: stores.resources.replace_subscription(a_subscription(2)))
    assert refused.value.code == "SubscriptionNotFound"


async def test_a_group_is_found_whatever_the_case_of_its_name_and_keeps_the_case_it_has(storage, put):
    await put(a_group("Group"))
    assert await storage.read().resources.find_group("S1", "gROUP") == a_group("Group")
    assert await storage.read().resources.find_group("s2", "group") is None


async def test_putting_a_group_of_a_name_replaces_it(storage, put):
    await put(a_group("Group"), a_group("GROUP", location="elsewhere", tags=()))
    assert await storage.read().resources.list_groups("s1") == (a_group("GROUP", location="elsewhere", tags=()),)


async def test_groups_are_listed_by_name_within_their_subscription(storage, put):
    await put(a_group("b"), a_group("C"), a_group("A"), a_group("z", subscription="s2"))
    assert [each.name for each in await storage.read().resources.list_groups("S1")] == ["A", "b", "C"]


async def test_a_removed_group_is_gone(storage, change, put):
    await put(a_group("Group"), a_group("Group", subscription="s2"))
    await change(lambda stores: stores.resources.remove_group("s1", "GROUP"))
    assert await storage.read().resources.find_group("s1", "Group") is None
    assert await storage.read().resources.find_group("s2", "Group") is not None
    with pytest.raises(NotFound) as refused:
        await change(lambda stores: stores.resources.remove_group("s1", "Group"))
    assert refused.value.code == "ResourceGroupNotFound"


async def test_a_fact_is_what_was_put_last(storage, change):
    assert await storage.read().facts.get("clock") is None
    await change(lambda stores: stores.facts.put("clock", b"\x00\xff"))
    assert await storage.read().facts.get("clock") == b"\x00\xff"
    await change(lambda stores: stores.facts.put("clock", b""))
    assert await storage.read().facts.get("clock") == b""
    assert await storage.read().facts.get("Clock") is None
