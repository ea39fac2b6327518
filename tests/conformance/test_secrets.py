from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from storage_doubles import NOON, a_state, a_version
from strongroom.errors import Conflict, NotFound
from strongroom.objects.model import Held

WHOLE = a_version(
    7,
    sealed=bytes(range(256)) * 100,
    enabled=False,
    not_before=datetime(1969, 1, 1, tzinfo=UTC),
    expires=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    content_type="text/ü",
    tags=(("a", "b"), ("", "\N{GRINNING FACE}")),
)


@pytest.fixture
def add(change):
    async def run(name, *versions, vault="vault-1"):
        for version in versions:
            await change(lambda stores, v=version: stores.secrets.add_version(a_state(name, vault=vault), v))

    return run


@pytest.fixture
def delete(change):
    async def run(name, *, purge, vault="vault-1", latest=1):
        state = a_state(name, vault=vault, latest=latest, deleted=NOON, scheduled_purge=purge)
        await change(lambda stores: stores.secrets.replace_state(state))
        return state

    return run


async def test_a_version_comes_back_as_it_was(storage, add):
    await add("Secret", WHOLE)
    found = await storage.read().secrets.find("vault-1", "secret")
    assert found == Held(a_state("Secret", latest=7), WHOLE)


async def test_the_newest_is_the_one_that_was_added_last(storage, add):
    await add("Secret", a_version(2), a_version(1))
    secrets = storage.read().secrets
    assert (await secrets.find("vault-1", "Secret")).version == a_version(1)
    assert (await secrets.find("vault-1", "Secret", a_version(2).version)).version == a_version(2)


async def test_name_and_version_are_found_whatever_their_case(storage, add):
    version = a_version(0xABC)
    await add("SeCret", version)
    found = await storage.read().secrets.find("vault-1", "sEcRET", version.version.upper())
    assert (found.state.name, found.version) == ("SeCret", version)


@pytest.mark.parametrize(
    ("vault", "name", "version"),
    [("vault-2", "secret", None), ("vault-1", "other", None), ("vault-1", "secret", "f" * 32)],
)
async def test_what_is_not_there_is_none(storage, add, vault, name, version):
    await add("secret", a_version())
    assert await storage.read().secrets.find(vault, name, version) is None


async def test_the_state_is_found_by_itself(storage, add, delete):
    await add("Secret", a_version())
    assert await storage.read().secrets.find_state("vault-1", "SECRET") == a_state("Secret")
    deleted = await delete("Secret", purge=NOON + timedelta(days=7))
    assert await storage.read().secrets.find_state("vault-1", "secret") == deleted
    assert await storage.read().secrets.find_state("vault-2", "secret") is None


async def test_a_deleted_secret_is_still_found(storage, add, delete):
    await add("secret", a_version())
    deleted = await delete("secret", purge=NOON)
    assert await storage.read().secrets.find("vault-1", "secret") == Held(deleted, a_version())


async def test_a_version_is_added_once(add):
    await add("secret", a_version())
    with pytest.raises(Conflict):
        await add("SECRET", a_version())


async def test_the_same_version_may_lie_in_two_vaults_or_under_two_names(storage, add):
    await add("secret", a_version())
    await add("secret", a_version(sealed=b"other"), vault="vault-2")
    await add("secret2", a_version(sealed=b"third"))
    secrets = storage.read().secrets
    assert (await secrets.find("vault-1", "secret")).version.sealed == a_version().sealed
    assert (await secrets.find("vault-2", "secret")).version.sealed == b"other"


async def test_a_version_is_replaced_and_its_neighbours_are_not(storage, change, add):
    await add("secret", a_version(1), a_version(2))
    edited = replace(a_version(1), enabled=False, tags=(("x", "y"),), updated=NOON + timedelta(hours=1))
    await change(lambda stores: stores.secrets.replace_version(a_state("secret", latest=2), edited))
    secrets = storage.read().secrets
    assert await secrets.list_versions("vault-1", "secret", after=None, limit=9) == (edited, a_version(2))
    assert (await secrets.find("vault-1", "secret")).version == a_version(2)


async def test_what_is_not_there_is_not_replaced(change, add):
    await add("secret", a_version(1))
    with pytest.raises(NotFound):
        await change(lambda stores: stores.secrets.replace_version(a_state("secret"), a_version(2)))
    with pytest.raises(NotFound):
        await change(lambda stores: stores.secrets.replace_state(a_state("other")))


async def test_a_recovered_secret_is_among_the_living_again(storage, change, add, delete):
    await add("secret", a_version())
    await delete("secret", purge=NOON + timedelta(days=7))
    await change(lambda stores: stores.secrets.replace_state(a_state("secret")))
    assert await storage.read().secrets.find_state("vault-1", "secret") == a_state("secret")


async def list_names(storage, **said):
    said = {"deleted": False, "after": None, "limit": 100, "now": NOON} | said
    return [each.state.name for each in await storage.read().secrets.list_newest("vault-1", **said)]


async def test_living_secrets_are_listed_by_name_page_by_page(storage, add, delete):
    for name in ("b", "C", "A", "d", "gone"):
        await add(name, a_version())
    await add("other", a_version(), vault="vault-2")
    await delete("gone", purge=NOON + timedelta(days=7))
    assert await list_names(storage) == ["A", "b", "C", "d"]
    assert await list_names(storage, limit=2) == ["A", "b"]
    assert await list_names(storage, after="B", limit=2) == ["C", "d"]
    assert await list_names(storage, after="bb") == ["C", "d"]
    assert await list_names(storage, after="d") == []


async def test_a_list_shows_the_newest_version_of_each(storage, add):
    await add("secret", a_version(1), a_version(2))
    listed = await storage.read().secrets.list_newest("vault-1", deleted=False, after=None, limit=9, now=NOON)
    assert listed == (Held(a_state("secret", latest=2), a_version(2)),)


async def test_deleted_secrets_are_listed_until_their_retention_has_passed(storage, add, delete):
    for name, days in (("soon", 7), ("later", 90)):
        await add(name, a_version())
        await delete(name, purge=NOON + timedelta(days=days))
    await add("living", a_version())
    assert await list_names(storage, deleted=True) == ["later", "soon"]
    assert await list_names(storage, deleted=True, after="later") == ["soon"]
    assert await list_names(storage, deleted=True, now=NOON + timedelta(days=7)) == ["later"]


async def test_versions_are_listed_in_the_order_of_their_making(storage, add):
    versions = [a_version(number) for number in (5, 3, 9)]
    await add("secret", *versions)
    await add("secret2", a_version(4))
    secrets = storage.read().secrets
    assert await secrets.list_versions("vault-1", "SECRET", after=None, limit=9) == tuple(versions)
    assert await secrets.list_versions("vault-1", "secret", after=None, limit=2) == tuple(versions[:2])
    after = versions[0].version.upper()
    assert await secrets.list_versions("vault-1", "secret", after=after, limit=9) == tuple(versions[1:])
    assert await secrets.list_versions("vault-1", "secret", after=versions[2].version, limit=9) == ()


async def test_a_page_past_a_version_that_is_gone_is_empty(storage, add):
    await add("secret", a_version(1))
    assert await storage.read().secrets.list_versions("vault-1", "secret", after="e" * 32, limit=9) == ()


async def test_a_purged_secret_is_gone_with_its_versions_and_its_name_is_free(storage, change, add):
    await add("secret", a_version(1), a_version(2))
    await add("secret", a_version(1), vault="vault-2")
    await change(lambda stores: stores.secrets.purge("vault-1", "SECRET"))
    secrets = storage.read().secrets
    assert await secrets.find("vault-1", "secret") is None
    assert await secrets.find_state("vault-1", "secret") is None
    assert await secrets.list_versions("vault-1", "secret", after=None, limit=9) == ()
    assert await secrets.find("vault-2", "secret") is not None
    await add("secret", a_version(1))


async def test_expired_secrets_of_all_vaults_are_listed_the_longest_expired_first(storage, add, delete):
    for vault, days in (("vault-1", 8), ("vault-2", 7), ("vault-3", 9)):
        await add("secret", a_version(), vault=vault)
        await delete("secret", purge=NOON + timedelta(days=days), vault=vault)
    await add("living", a_version())
    now = NOON + timedelta(days=8)
    expired = await storage.read().secrets.list_expired(now, 9)
    assert [state.vault_id for state in expired] == ["vault-2", "vault-1"]
    assert all(state.is_expired(now) for state in expired)
    assert len(await storage.read().secrets.list_expired(now, 1)) == 1


async def test_what_another_key_sealed_is_listed_page_by_page_in_order(storage, change):
    """Of one vault, every version of it, deleted secrets too; `sealed` names its key after its format."""
    one, other = (f"{number:032x}" for number in (1, 2))

    def sealed(key_id):
        return b"\x01" + bytes.fromhex(key_id) + bytes(30)

    async def fill(stores):
        for name, key_id in (("B", one), ("a", one), ("c", other)):
            for number in (2, 1):
                state = a_state(name, latest=number)
                await stores.secrets.add_version(state, a_version(number, sealed=sealed(key_id)))
        await stores.secrets.replace_state(a_state("a", latest=1, deleted=NOON, scheduled_purge=NOON))
        await stores.secrets.add_version(a_state("a", vault="vault-2"), a_version(1, sealed=sealed(one)))

    await change(fill)
    secrets = storage.read().secrets
    assert await secrets.count_sealed_before("vault-1", other) == 4
    assert await secrets.count_sealed_before("vault-1", one) == 2
    found, after = [], None
    while page := await secrets.list_sealed_before("vault-1", other, after=after, limit=3):
        found += [(secret.state.name, int(secret.version.version, 16)) for secret in page]
        after = (page[-1].state.name.lower(), page[-1].version.version)
    assert found == [("a", 1), ("a", 2), ("B", 1), ("B", 2)]
