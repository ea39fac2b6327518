from dataclasses import replace

import pytest

from storage_doubles import NOON, a_signing_key, a_tenant, an_application
from strongroom.errors import Conflict, NotFound


async def test_tenants_are_kept(storage, change):
    await change(lambda stores: stores.identity.add_tenant(a_tenant(1)))
    await change(lambda stores: stores.identity.add_tenant(a_tenant(2)))
    assert await storage.read().identity.list_tenants() == (a_tenant(1), a_tenant(2))


async def test_a_tenant_is_added_once(storage, change):
    await change(lambda stores: stores.identity.add_tenant(a_tenant()))
    with pytest.raises(Conflict):
        await change(lambda stores: stores.identity.add_tenant(a_tenant()))


async def test_an_application_is_found_by_either_id_whatever_its_case(storage, change):
    await change(lambda stores: stores.identity.add_application(an_application()))
    identity = storage.read().identity
    assert await identity.find_application("APP-1") == an_application()
    assert await identity.find_principal("Object-1") == an_application()


async def test_what_is_not_there_is_none(storage):
    identity = storage.read().identity
    assert await identity.find_application("object-1") is None
    assert await identity.find_principal("app-1") is None


@pytest.mark.parametrize("changes", [{"app_id": "app-9"}, {"object_id": "object-9"}], ids=["object id", "app id"])
async def test_neither_id_of_an_application_is_taken_twice(storage, change, changes):
    await change(lambda stores: stores.identity.add_application(an_application()))
    with pytest.raises(Conflict):
        await change(lambda stores: stores.identity.add_application(an_application(**changes)))


async def test_applications_are_listed_oldest_first(storage, change):
    for number in (3, 1, 2):
        await change(lambda stores, number=number: stores.identity.add_application(an_application(number)))
    listed = await storage.read().identity.list_applications()
    assert [each.app_id for each in listed] == ["app-3", "app-1", "app-2"]


async def test_an_application_is_replaced_whole(storage, change):
    await change(lambda stores: stores.identity.add_application(an_application()))
    after = replace(an_application(), enabled=False, secrets=(), display_name="other")
    await change(lambda stores: stores.identity.replace_application(after))
    identity = storage.read().identity
    assert await identity.find_principal("object-1") == await identity.find_application("app-1") == after


async def test_an_application_that_is_not_there_is_neither_replaced_nor_removed(storage, change):
    with pytest.raises(NotFound):
        await change(lambda stores: stores.identity.replace_application(an_application()))
    with pytest.raises(NotFound):
        await change(lambda stores: stores.identity.remove_application("object-1"))


async def test_a_removed_application_is_gone_and_its_ids_are_free(storage, change):
    await change(lambda stores: stores.identity.add_application(an_application()))
    assert await storage.read().identity.find_application("app-1") is not None
    await change(lambda stores: stores.identity.remove_application("OBJECT-1"))
    assert await storage.read().identity.find_application("app-1") is None
    await change(lambda stores: stores.identity.add_application(an_application()))


async def test_signing_keys_are_listed_newest_first(storage, change):
    for number in (1, 2):
        await change(lambda stores, number=number: stores.identity.add_signing_key(a_signing_key(number)))
    assert await storage.read().identity.list_signing_keys() == (a_signing_key(2), a_signing_key(1))


async def test_a_signing_key_is_added_once(storage, change):
    await change(lambda stores: stores.identity.add_signing_key(a_signing_key()))
    with pytest.raises(Conflict):
        await change(lambda stores: stores.identity.add_signing_key(replace(a_signing_key(), retired=NOON)))


async def test_a_signing_key_is_replaced_and_removed(storage, change):
    for number in (1, 2):
        await change(lambda stores, number=number: stores.identity.add_signing_key(a_signing_key(number)))
    retired = replace(a_signing_key(1), begins=NOON, retired=NOON)
    await change(lambda stores: stores.identity.replace_signing_key(retired))
    assert await storage.read().identity.list_signing_keys() == (a_signing_key(2), retired)
    await change(lambda stores: stores.identity.remove_signing_key(a_signing_key(2).kid))
    assert await storage.read().identity.list_signing_keys() == (retired,)


async def test_a_signing_key_that_is_not_there_is_neither_replaced_nor_removed(change):
    with pytest.raises(NotFound):
        await change(lambda stores: stores.identity.replace_signing_key(a_signing_key()))
    with pytest.raises(NotFound):
        await change(lambda stores: stores.identity.remove_signing_key("none"))
