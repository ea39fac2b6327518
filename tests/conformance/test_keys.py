"""What is of keys alone in a store; what they share with secrets is held by `test_secrets.py`."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from jwk_doubles import a_key_version, a_policy
from storage_doubles import NOON, a_state, a_version
from strongroom.custody.algorithms import spec_of
from strongroom.custody.provider import KeyType, PublicParts
from strongroom.objects.keys.model import Operation
from strongroom.objects.keys.release import ReleasePolicy
from strongroom.objects.keys.store import Due
from strongroom.objects.lifecycle import Kind
from strongroom.objects.model import Held
from vault_doubles import a_vault

WHOLE = a_key_version(
    7,
    sealed=bytes(range(256)) * 10,
    enabled=False,
    not_before=datetime(1969, 1, 1, tzinfo=UTC),
    expires=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    tags=(("a", "b"), ("", "\N{GRINNING FACE}")),
    operations=(Operation.VERIFY, Operation.ENCRYPT),
    hsm=True,
    platform="2",
    exportable=True,
    release_policy=ReleasePolicy(b'{"version":"1.0.0"}', immutable=True),
)
KINDS = {
    "RSA": {"spec": spec_of(KeyType.RSA, bits=3072, exponent=3), "public": PublicParts(n=b"\xff" * 384, e=b"\x03")},
    "EC": {"spec": spec_of(KeyType.EC, curve="P-521"), "public": PublicParts(x=bytes(66), y=b"\x01" * 66)},
    "oct": {"spec": spec_of(KeyType.OCT, bits=192), "public": PublicParts()},
    "AKP": {"spec": spec_of(KeyType.AKP, algorithm="ML-DSA-65"), "public": PublicParts(pub=b"\x00" * 1952)},
}


def a_key_state(name="Key", **changes):
    return a_state(name, **{"kind": Kind.KEY} | changes)


@pytest.fixture
def add(change):
    async def run(state, *versions):
        for version in versions:
            await change(lambda stores, v=version: stores.keys.add_version(state, v))

    return run


@pytest.mark.parametrize("kind", KINDS)
async def test_a_version_of_every_type_comes_back_as_it_was(storage, add, kind):
    version = replace(WHOLE, **KINDS[kind])
    await add(a_key_state(), version)
    assert await storage.read().keys.find("vault-1", "key") == Held(a_key_state(latest=7), version)


async def test_a_key_and_a_secret_of_one_name_know_nothing_of_each_other(storage, change, add):
    await add(a_key_state("one"), a_key_version(1), a_key_version(2))
    await change(lambda stores: stores.secrets.add_version(a_state("one"), a_version(1)))
    stores = storage.read()
    assert (await stores.secrets.find("vault-1", "one")).version == a_version(1)
    assert (await stores.keys.find("vault-1", "one")).version == a_key_version(2)
    deleted = a_key_state("one", latest=2, deleted=NOON, scheduled_purge=NOON)
    await change(lambda stores: stores.keys.replace_state(deleted))
    stores = storage.read()
    assert await stores.secrets.list_expired(NOON, 9) == ()
    assert await stores.keys.list_expired(NOON, 9) == (deleted,)
    listed = {"deleted": False, "after": None, "limit": 9, "now": NOON}
    assert len(await stores.secrets.list_newest("vault-1", **listed)) == 1
    assert await stores.keys.list_newest("vault-1", **listed) == ()
    await change(lambda stores: stores.keys.purge("vault-1", "one"))
    stores = storage.read()
    assert await stores.keys.find("vault-1", "one") is None
    assert await stores.secrets.find("vault-1", "one") is not None


async def test_what_another_key_sealed_is_counted_kind_by_kind(storage, change, add):
    await add(a_key_state("one"), a_key_version(1), a_key_version(2))
    await change(lambda stores: stores.secrets.add_version(a_state("one"), a_version(1)))
    stores = storage.read()
    assert await stores.keys.count_sealed_before("vault-1", "00" * 16) == 2
    assert await stores.secrets.count_sealed_before("vault-1", "00" * 16) == 1


async def test_a_policy_is_kept_replaced_and_found_when_it_is_due(storage, change):
    later = NOON + timedelta(days=1)
    for name, due in (("b", NOON), ("A", NOON), ("c", later), ("never", None)):
        await change(lambda stores, n=name, d=due: stores.keys.put_policy("vault-1", n, a_policy(), d))
    keys = storage.read().keys
    assert await keys.find_policy("vault-1", "a") == a_policy()
    assert await keys.find_policy("vault-2", "a") is None
    first = await keys.list_due(NOON, after=None, limit=1)
    assert first == (Due(NOON, "vault-1", "a"),)
    assert await keys.list_due(NOON, after=first[0], limit=9) == (Due(NOON, "vault-1", "b"),)
    assert [each.name for each in await keys.list_due(later, after=None, limit=9)] == ["a", "b", "c"]
    told = a_policy(rotate=None, told_near="1", told_end="2")
    await change(lambda stores: stores.keys.put_policy("vault-1", "A", told, None))
    assert await storage.read().keys.find_policy("vault-1", "a") == told
    keys = storage.read().keys
    assert (await keys.find_policy("vault-1", "a")).rotate is None
    assert [each.name for each in await keys.list_due(NOON, after=None, limit=9)] == ["b"]
    await change(lambda stores: stores.keys.put_policy("vault-1", "A", told, NOON.replace(year=1950)))
    assert [each.name for each in await keys.list_due(NOON, after=None, limit=9)] == ["a", "b"], "what is due for ever"


async def test_a_policy_goes_with_its_key_and_with_its_vault(storage, change, add):
    vaults = [a_vault(name) for name in ("kv1", "kv2")]
    for vault in vaults:
        await change(lambda stores, v=vault: stores.vaults.add(v))
        for name in ("one", "two"):
            await add(a_key_state(name, vault=vault.vault_id), a_key_version(1))
            await change(lambda stores, v=vault, n=name: stores.keys.put_policy(v.vault_id, n, a_policy(), NOON))
    await change(lambda stores: stores.keys.purge("id-of-kv1", "ONE"))
    await change(lambda stores: stores.vaults.purge(vaults[1]))
    left = await storage.read().keys.list_due(NOON, after=None, limit=9)
    assert [(each.vault_id, each.name) for each in left] == [("id-of-kv1", "two")]
