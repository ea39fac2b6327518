import pytest
from msgspec.structs import replace

from doubles import MemoryStorage
from jwk_doubles import digest_of
from strongroom.custody.algorithms import spec_of
from strongroom.custody.keyring import add_key
from strongroom.custody.provider import KeyType, PrivateParts
from strongroom.custody.sealing import SealBroken
from strongroom.custody.store import Purpose
from strongroom.errors import (
    BadRequest,
    Conflict,
    KeyDisabled,
    KeyExpired,
    NotFound,
    ServiceUnavailable,
)
from strongroom.objects.keys.model import KeyEdit, Operation
from strongroom.objects.keys.rotation import RotationPolicy, Trigger, parse_period
from strongroom.sensitive import Sensitive
from vault_doubles import NOON, a_vault, days, keepers_of, keys_of, put_vault

EC = spec_of(KeyType.EC)
DIGEST = digest_of()


@pytest.fixture
def storage():
    return MemoryStorage()


@pytest.fixture
async def keys(storage):
    return keys_of(storage, await put_vault(storage, a_vault(sku="premium")))


async def make(keys, name="k", spec=EC, *, hsm=False, **said):
    edit = KeyEdit(**said)
    return await keys.add(name, await keys.make(name, spec, edit, hsm=hsm), edit)


async def test_a_key_is_made_signs_and_verifies(keys):
    made = await make(keys)
    key, signature = await keys.sign("K", None, "ES256", DIGEST)
    assert key == made
    assert (await keys.verify("k", made.version.version, "ES256", DIGEST, signature))[1] is True
    assert (await keys.verify("k", None, "ES256", digest_of(said=b"other"), signature))[1] is False
    assert made.version.operations == (Operation.SIGN, Operation.VERIFY)


@pytest.mark.parametrize(
    ("meanwhile", "hsm"), [(spec_of(KeyType.RSA), False), (spec_of(KeyType.EC, curve="P-384"), False), (EC, True)]
)
async def test_a_key_that_became_another_while_its_next_version_was_made_is_not_rotated(keys, meanwhile, hsm):
    await make(keys)
    made = await keys.make_next("k")
    other = await make(keys, spec=meanwhile, hsm=hsm)
    with pytest.raises(Conflict, match="another type"):
        await keys.rotate("k", made)
    assert await keys.get("k") == other


async def test_a_new_version_takes_nothing_over_and_the_old_one_stays(keys):
    first = await make(keys, "Name", tags=(("a", "b"),), expires=NOON + days(1), operations=(Operation.SIGN,))
    second = await make(keys, "name")
    assert second.version.tags == ()
    assert second.version.expires is None
    assert (await keys.get("NAME")).version == second.version
    assert (await keys.get("name", first.version.version)).version == first.version
    assert [each.state.name for each in await keys.list(None, 9)] == ["Name"]
    assert [each.version for each in await keys.list_versions("name", None, 9)] == [first.version, second.version]


async def test_encryption_and_wrapping_go_there_and_back(keys):
    await make(keys, spec=spec_of(KeyType.RSA))
    plain = Sensitive(b"hunter2")
    _, made = await keys.encrypt("k", None, "RSA-OAEP", plain)
    assert (await keys.decrypt("k", None, "RSA-OAEP", made))[1].reveal() == b"hunter2"
    _, wrapped = await keys.wrap("k", None, "RSA-OAEP-256", plain)
    assert (await keys.unwrap("k", None, "RSA-OAEP-256", wrapped.value))[1].reveal() == b"hunter2"


async def test_a_key_that_is_brought_is_checked_and_kept(keys):
    parts = PrivateParts(type=KeyType.OCT, k=Sensitive(bytes(16)))
    edit = KeyEdit(operations=(Operation.WRAP, Operation.UNWRAP))
    await keys.add("k", await keys.take("k", parts, edit, hsm=True), edit)
    assert (await keys.get("k")).version.spec == spec_of(KeyType.OCT, bits=128)
    with pytest.raises(BadRequest, match="JsonWebKey"):
        await keys.take("k", PrivateParts(type=KeyType.OCT), edit, hsm=True)
    with pytest.raises(BadRequest, match="key_ops"):
        await keys.take("k", _ec_parts(), KeyEdit(operations=(Operation.ENCRYPT,)), hsm=False)


def _ec_parts():
    from jwk_doubles import an_ec_key

    numbers = an_ec_key().private_numbers()
    return PrivateParts(
        type=KeyType.EC,
        curve="P-256",
        x=numbers.public_numbers.x.to_bytes(32),
        y=numbers.public_numbers.y.to_bytes(32),
        d=Sensitive(numbers.private_value.to_bytes(32)),
    )


async def test_rotation_makes_the_like_of_the_newest_version(keys):
    await make(keys, spec=spec_of(KeyType.EC, curve="P-384"))
    tags, operations = (("a", "b"),), (Operation.VERIFY, Operation.SIGN)
    old = await make(keys, tags=tags, operations=operations, enabled=False, expires=NOON, hsm=True)
    new = await keys.rotate("K", await keys.make_next("K"))
    assert (new.version.spec, new.version.hsm) == (old.version.spec, True)
    assert (new.version.tags, new.version.operations, new.version.enabled) == (tags, operations, True)
    assert (new.version.expires, new.version.not_before) == (None, None)
    assert new.version.public != old.version.public
    with pytest.raises(NotFound):
        await keys.make_next("other")


async def test_a_key_that_may_not_be_used_any_more_does_not_stay_loaded(keys):
    made = await make(keys)
    loaded = keys.keepers.software._loaded
    await keys.sign("k", None, "ES256", DIGEST)
    assert len(loaded) == 1
    await keys.update("k", None, KeyEdit(enabled=False))
    with pytest.raises(KeyDisabled):
        await keys.sign("k", None, "ES256", DIGEST)
    assert len(loaded) == 0
    await keys.update("k", None, KeyEdit(enabled=True))
    await keys.sign("k", made.version.version, "ES256", DIGEST)
    await keys.delete("k")
    with pytest.raises(NotFound):
        await keys.sign("k", None, "ES256", DIGEST)
    assert len(loaded) == 0


async def test_a_disabled_key_shows_what_is_public_of_it(keys):
    await make(keys, enabled=False)
    assert (await keys.get("k")).version.public.x


async def test_a_key_expires_while_it_lives(storage, keys):
    await make(keys, expires=NOON.replace(microsecond=0) + days(1))
    await keys.sign("k", None, "ES256", DIGEST)
    later = keys_of(storage, keys.vault, NOON + days(1))
    with pytest.raises(KeyExpired):
        await later.sign("k", None, "ES256", DIGEST)
    await later.update("k", None, KeyEdit(expires=NOON + days(2)))
    await later.sign("k", None, "ES256", DIGEST)


@pytest.mark.parametrize("version", [None, "0" * 32, "nonsense"])
async def test_what_is_not_there_does_nothing(keys, version):
    for operation in (keys.get("none", version), keys.sign("none", version, "ES256", DIGEST)):
        with pytest.raises(NotFound) as caught:
            await operation
        assert caught.value.code == "KeyNotFound"
    with pytest.raises(BadRequest, match="invalid name"):
        await keys.sign("a_b", version, "ES256", DIGEST)


async def test_a_name_that_a_deleted_key_holds_is_refused_before_a_key_is_made(storage, keys):
    made = await keys.make("k", EC, KeyEdit(), hsm=False)
    await make(keys)
    await keys.delete("k")
    with pytest.raises(Conflict, match="Key k is currently in a deleted but recoverable state"):
        await keys.make("K", EC, KeyEdit(), hsm=False)
    with pytest.raises(Conflict):
        await keys.add("k", made, KeyEdit())
    after = keys_of(storage, keys.vault, NOON + days(90))
    await make(after)
    assert len(await after.list_versions("k", None, 9)) == 1


@pytest.mark.parametrize(
    ("sku", "has_hsm", "type_", "hsm", "why"),
    [
        ("premium", True, KeyType.OCT, False, "keys of type oct are not offered in vaults"),
        ("standard", True, KeyType.OCT, False, "keys of type oct are not offered in vaults"),
        ("standard", True, KeyType.RSA, True, "RSA-HSM need a vault of the SKU premium, and this one is standard"),
        ("standard", True, KeyType.OCT, True, "oct-HSM need a vault of the SKU premium"),
        ("premium", False, KeyType.EC, True, "this server has no HSM for keys of type EC-HSM"),
        ("Premium", True, KeyType.EC, True, None),
        ("premium", False, KeyType.EC, False, None),
        ("standard", False, KeyType.EC, False, None),
        ("premium", True, KeyType.OCT, True, None),
    ],
)
async def test_keys_of_an_hsm_are_where_one_is_or_software_may_stand_in(storage, sku, has_hsm, type_, hsm, why):
    vault = await put_vault(storage, a_vault(sku=sku))
    keys = keys_of(storage, vault, keepers=keepers_of(storage, hsm=has_hsm))
    if why is None:
        made = await make(keys, spec=spec_of(type_), hsm=hsm)
        assert (made.version.hsm, made.version.platform) == (hsm, "0")
    else:
        with pytest.raises(BadRequest, match=f"Property kty has invalid value: .*{why}"):
            await make(keys, spec=spec_of(type_), hsm=hsm)


async def test_a_key_whose_hsm_is_gone_is_told_so(keys):
    made = await make(keys)
    elsewhere = replace(made.version, platform="2")
    await keys.store.replace_version(made.state, elsewhere)
    with pytest.raises(ServiceUnavailable, match="HSM that keeps this key is not configured"):
        await keys.sign("k", None, "ES256", DIGEST)


async def test_a_key_that_was_made_under_a_data_key_of_before_lies_under_the_newest(storage, keys):
    made = await keys.make("k", EC, KeyEdit(), hsm=False)
    stores = storage.stores
    newest = await add_key(stores.keyring, storage.custodian, Purpose.VAULT, keys.vault.vault_id, NOON)
    key = await keys.add("k", made, KeyEdit())
    assert key.version.sealed[1:17].hex() == newest.key_id
    await keys.sign("k", None, "ES256", DIGEST)


async def test_a_handle_in_another_place_opens_nothing(keys):
    made = await make(keys)
    await make(keys, "other")
    other = (await keys.get("other")).version
    await keys.store.replace_version(made.state, replace(made.version, sealed=other.sealed))
    with pytest.raises(SealBroken):
        await keys.sign("k", None, "ES256", DIGEST)


async def test_only_a_policy_that_was_given_is_one_that_was_given(keys):
    await make(keys, expires=NOON + days(400))
    assert await keys.find_given_policy("k") is None, "the service's own, kept to tell the key's end"
    given = await keys.set_policy("k", RotationPolicy(notify=Trigger(before_expiry=parse_period("x", "P40D"))))
    assert await keys.find_given_policy("K") == given
    assert await keys.find_given_policy("none") is None
