"""The keeper in software: what lies sealed, what opens where, what runs in threads, what is kept loaded."""

import asyncio
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa as library

from doubles import a_custodian
from key_doubles import (
    AKP_KEYS,
    EC_KEYS,
    EVERY_KEY,
    OCT_KEYS,
    RSA_KEYS,
    a_data_key,
    a_place,
    digest_for,
    made,
    name_of,
    rsa_parts,
)
from strongroom.custody import rsa, software
from strongroom.custody.algorithms import ALGORITHMS, Use
from strongroom.custody.loaded import LoadedKeys
from strongroom.custody.provider import Ciphertext, KeptKey, KeyType, Place, PrivateParts, PublicParts
from strongroom.custody.sealing import Context, Custodian, SealBroken, sealing_key_id
from strongroom.custody.software import SoftwareProvider
from strongroom.errors import BadRequest
from strongroom.sensitive import Sensitive

every_key = pytest.mark.parametrize("spec", EVERY_KEY, ids=name_of)


@pytest.fixture
def fresh():
    """Return a keeper that has nothing loaded."""
    return SoftwareProvider(a_custodian())


def material_of(kept, place):
    return a_custodian().open(place.key, kept.handle, place.context).reveal()


async def use(keeper, kept, place):
    """Use a key in a way that it has, and answer whether what comes of it is right."""
    row = next(each for each in ALGORITHMS.values() if usable(each, kept.spec))
    if Use.SIGN in row.uses:
        signature = await keeper.sign(kept, place, row.name, digest_for(row))
        return await keeper.verify(kept, place, row.name, digest_for(row), signature)
    sealed = await keeper.wrap(kept, place, row.name, Sensitive(bytes(32)))
    return (await keeper.unwrap(kept, place, row.name, sealed.value)).reveal() == bytes(32)


def usable(row, spec):
    if row.type is not spec.type or row.curve not in (None, spec.curve) or row.bits not in (None, spec.bits):
        return False
    return Use.ENCRYPT not in row.uses and (spec.algorithm is None or row.name == spec.algorithm)


# --- what is made and brought


@every_key
async def test_what_is_made_is_what_was_asked_for_and_lies_sealed(place, spec):
    kept = made(spec)
    assert kept.spec == spec
    material = material_of(kept, place)
    assert sealing_key_id(kept.handle) == place.key.key_id
    assert material not in kept.handle
    assert not any(part and part in kept.handle for part in (material[-24:], material[:24]))


@every_key
async def test_two_keys_of_one_kind_differ(fresh, place, spec):
    first, second = [made(spec), await fresh.make(spec, place)]
    assert material_of(first, place) != material_of(second, place)
    assert first.public != second.public or spec.type is KeyType.OCT


@every_key
async def test_the_public_half_is_that_of_the_sealed_key(fresh, place, spec):
    kept = made(spec)
    members = {name for name in ("n", "e", "x", "y", "pub") if getattr(kept.public, name) is not None}
    assert members == {"RSA": {"n", "e"}, "EC": {"x", "y"}, "oct": set(), "AKP": {"pub"}}[spec.type]
    assert await use(fresh, kept, place)


async def test_exponent_3_is_kept(fresh, place):
    kept = await fresh.make(software.KeySpec(type=KeyType.RSA, bits=2048, exponent=3), place)
    assert (kept.public.e, kept.spec.exponent) == (b"\3", 3)
    assert await use(fresh, kept, place)


async def test_what_is_refused_leaves_nothing(fresh, place):
    with pytest.raises(BadRequest):
        await fresh.take(PrivateParts(type=KeyType.RSA, n=b"\1"), place)
    assert len(fresh._loaded) == 0


def test_software_tells_that_it_is():
    assert SoftwareProvider(a_custodian()).platform == "0"


# --- places


PLACES = [
    Place(a_data_key(), Context("vault-a", "keys", "other", "0" * 32, "material")),
    Place(a_data_key(), Context("vault-a", "keys", "key", "1" * 32, "material")),
    Place(a_data_key(), Context("vault-a", "secrets", "key", "0" * 32, "material")),
    Place(a_data_key(), Context("vault-b", "keys", "key", "0" * 32, "material")),
    Place(a_data_key("vault-b"), Context("vault-a", "keys", "key", "0" * 32, "material")),
    a_place("vault-b"),
]


@every_key
@pytest.mark.parametrize("elsewhere", PLACES, ids=range(len(PLACES)))
async def test_a_handle_opens_in_its_place_alone_even_when_it_is_loaded(fresh, place, spec, elsewhere):
    kept = made(spec)
    with pytest.raises(SealBroken):
        await use(fresh, kept, elsewhere)
    assert await use(fresh, kept, place)
    with pytest.raises(SealBroken):
        await use(fresh, kept, elsewhere)
    assert await use(fresh, kept, place)


@pytest.mark.parametrize("loaded", [False, True])
async def test_no_byte_of_a_handle_may_change(fresh, place, loaded):
    kept = made(EC_KEYS[0])
    assert not loaded or await use(fresh, kept, place)
    for position in range(len(kept.handle)):
        changed = bytearray(kept.handle)
        changed[position] ^= 1
        with pytest.raises(SealBroken):
            await use(fresh, KeptKey(spec=kept.spec, handle=bytes(changed), public=kept.public), place)
    for handle in (b"", kept.handle[:-1], kept.handle + b"\0", kept.handle[:29]):
        with pytest.raises(SealBroken):
            await use(fresh, KeptKey(spec=kept.spec, handle=handle, public=kept.public), place)


@every_key
@pytest.mark.parametrize("loaded", [False, True])
async def test_a_row_that_says_another_key_s_public_half_is_not_believed(fresh, place, spec, loaded):
    kept, other = made(spec), await SoftwareProvider(a_custodian()).make(spec, place)
    if spec.type is KeyType.OCT:
        other = made(EC_KEYS[0])
    assert not loaded or await use(fresh, kept, place)
    with pytest.raises(SealBroken, match="a key is not what its row says"):
        await use(fresh, KeptKey(spec=spec, handle=kept.handle, public=other.public), place)


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize(
    ("real", "said"),
    [
        (RSA_KEYS[0], RSA_KEYS[1]),
        (EC_KEYS[0], EC_KEYS[3]),
        (OCT_KEYS[0], OCT_KEYS[1]),
        (AKP_KEYS[0], AKP_KEYS[1]),
        *[(real, said) for real in (RSA_KEYS[0], EC_KEYS[0], OCT_KEYS[0], AKP_KEYS[0])
          for said in (RSA_KEYS[0], EC_KEYS[0], OCT_KEYS[0], AKP_KEYS[0]) if real is not said],
    ],
    ids=name_of,
)  # fmt: skip
async def test_a_row_that_says_another_kind_of_key_is_not_believed(fresh, place, real, said, loaded):
    kept = made(real)
    assert not loaded or await use(fresh, kept, place)
    with pytest.raises(SealBroken):
        await use(fresh, KeptKey(spec=said, handle=kept.handle, public=kept.public), place)


@every_key
async def test_a_key_that_was_moved_opens_in_its_new_place_and_is_the_same(fresh, place, spec):
    kept, to = made(spec), a_place("vault-b", "copy", "1" * 32)
    moved = await fresh.move(kept, place, to)
    assert (moved.spec, moved.public) == (kept.spec, kept.public)
    assert moved.handle != kept.handle
    assert material_of(moved, to) == material_of(kept, place)
    assert await use(fresh, moved, to)
    with pytest.raises(SealBroken):
        await use(fresh, moved, place)
    assert await use(fresh, kept, place), "whoever moves a key throws the old one away"


async def test_a_key_is_not_moved_from_where_it_is_not(fresh, place):
    with pytest.raises(SealBroken):
        await fresh.move(made(EC_KEYS[0]), a_place("vault-b"), place)


async def test_another_master_key_opens_nothing(place):
    stranger = SoftwareProvider(Custodian(Sensitive(bytes(32))))
    with pytest.raises(Exception, match="master key does not open"):
        await use(stranger, made(EC_KEYS[0]), place)


# --- what is kept loaded


async def test_a_key_is_opened_once(fresh, place, monkeypatch):
    opened = []
    monkeypatch.setattr(fresh._custodian, "open", lambda *given: opened.append(given) or OPEN(fresh._custodian, *given))
    for _ in range(3):
        assert await use(fresh, made(EC_KEYS[0]), place)
    assert len(opened) == 1


OPEN = Custodian.open


@pytest.mark.parametrize("drop", ["handle", "owner"])
async def test_a_key_that_is_forgotten_is_opened_again(fresh, place, drop, monkeypatch):
    kept, other = made(EC_KEYS[0]), await fresh.make(EC_KEYS[0], a_place("vault-b"))
    assert await use(fresh, kept, place)
    assert await use(fresh, other, a_place("vault-b"))
    fresh.forget(kept.handle) if drop == "handle" else fresh.forget_owner("vault-a")
    opened = []
    monkeypatch.setattr(fresh._custodian, "open", lambda *given: opened.append(given) or OPEN(fresh._custodian, *given))
    assert await use(fresh, kept, place)
    assert await use(fresh, other, a_place("vault-b"))
    assert [given[1] for given in opened] == [kept.handle]


def test_forgetting_what_is_not_known_does_nothing(fresh):
    fresh.forget(b"unknown")
    fresh.forget_owner("unknown")


async def test_what_is_loaded_stays_within_its_bounds(place):
    loaded = LoadedKeys(most_keys=3)
    keeper = SoftwareProvider(a_custodian(), loaded)
    keys = [await keeper.make(EC_KEYS[0], place) for _ in range(8)]
    for _ in range(2):
        for kept in keys:
            assert await use(keeper, kept, place)
            assert len(loaded) <= 3


# --- what runs where


class Watched:
    """Notes the threads in which a function of a module is called."""

    def __init__(self, monkeypatch, module, name):
        self.threads = []
        real = getattr(module, name)

        def noted(*given):
            self.threads.append(threading.current_thread().name)
            return real(*given)

        monkeypatch.setattr(module, name, noted)


@pytest.mark.parametrize(
    ("spec", "where"),
    list(zip(RSA_KEYS, ("MainThread", "key-using", "key-using"), strict=True)),
    ids=[name_of(spec) for spec in RSA_KEYS],
)
async def test_a_large_private_key_is_used_in_a_thread(fresh, place, spec, where, monkeypatch):
    signs = Watched(monkeypatch, rsa.RsaKey, "sign")
    decrypts = Watched(monkeypatch, rsa.RsaKey, "decrypt")
    verifies = Watched(monkeypatch, rsa.RsaKey, "verify")
    kept = made(spec)
    signature = await fresh.sign(kept, place, "PS256", bytes(32))
    assert await fresh.verify(kept, place, "PS256", bytes(32), signature)
    sealed = await fresh.encrypt(kept, place, "RSA-OAEP-256", Sensitive(b"v"))
    await fresh.decrypt(kept, place, "RSA-OAEP-256", sealed)
    await fresh.unwrap(kept, place, "RSA-OAEP-256", sealed.value)
    assert len(signs.threads) == 1
    assert len(decrypts.threads) == 2
    assert all(name.startswith(where) for name in (*signs.threads, *decrypts.threads))
    assert verifies.threads == ["MainThread"]


async def test_keys_are_made_and_checked_in_threads(fresh, place, monkeypatch):
    generated = Watched(monkeypatch, library, "generate_private_key")
    await fresh.make(RSA_KEYS[0], place)
    parts = rsa_parts(library.generate_private_key(65537, 2048))
    rules = Watched(monkeypatch, rsa, "is_roca")
    await fresh.take(parts, place)
    assert generated.threads[0].startswith("key-making")
    assert [name.startswith("key-checking") for name in rules.threads] == [True]


async def test_others_do_not_wait_for_a_key_that_is_being_made(fresh, place, monkeypatch):
    begun, end = threading.Event(), threading.Event()
    real = library.generate_private_key
    monkeypatch.setattr(library, "generate_private_key", lambda *given: begun.set() or (end.wait(30) and real(*given)))
    making = asyncio.ensure_future(fresh.make(RSA_KEYS[0], place))
    assert await asyncio.to_thread(begun.wait, 30)
    assert await use(fresh, made(RSA_KEYS[0]), place)
    assert await use(fresh, made(RSA_KEYS[2]), place)
    assert not making.done()
    end.set()
    assert await use(fresh, await making, place)


async def test_keys_of_a_moment_are_not_made_behind_those_of_seconds(fresh, place, monkeypatch):
    end = threading.Event()
    real = library.generate_private_key
    monkeypatch.setattr(library, "generate_private_key", lambda *given: end.wait(30) and real(*given))
    line = [asyncio.ensure_future(fresh.make(RSA_KEYS[0], place)) for _ in range(8)]
    for spec in (EC_KEYS[0], OCT_KEYS[0]):
        assert await use(fresh, await fresh.make(spec, place), place)
    assert await use(fresh, await fresh.take(PrivateParts(type=KeyType.OCT, k=Sensitive(bytes(16))), place), place)
    assert not any(making.done() for making in line)
    end.set()
    await asyncio.gather(*line)


async def test_keys_are_checked_one_at_a_time(fresh, place, monkeypatch):
    """What checks them holds the lock of the interpreter: two at once are no faster, and twice in others' way."""
    checks = Watched(monkeypatch, rsa, "is_roca")
    parts = rsa_parts(library.generate_private_key(65537, 2048))
    await asyncio.gather(*(fresh.take(parts, place) for _ in range(6)))
    assert (len(checks.threads), len(set(checks.threads))) == (6, 1)


async def test_others_do_not_wait_for_a_key_that_is_being_checked(fresh, place, monkeypatch):
    begun, end = threading.Event(), threading.Event()
    monkeypatch.setattr(rsa, "is_prime", lambda _number: begun.set() or end.wait(30))
    taking = asyncio.ensure_future(fresh.take(rsa_parts(library.generate_private_key(65537, 2048)), place))
    assert await asyncio.to_thread(begun.wait, 30)
    assert await use(fresh, made(RSA_KEYS[0]), place)
    assert not taking.done()
    end.set()
    assert await use(fresh, await taking, place)


async def test_a_keeper_that_was_closed_has_ended_its_threads(fresh, place):
    assert await use(fresh, made(RSA_KEYS[2]), place)
    fresh.close()
    fresh.close()


async def test_what_is_sealed_by_one_process_is_used_by_another(place):
    kept = await SoftwareProvider(a_custodian()).make(EC_KEYS[0], place)
    assert await use(SoftwareProvider(a_custodian()), kept, place)


async def test_a_key_without_public_half_has_an_empty_one(place):
    assert made(OCT_KEYS[0]).public == PublicParts()


async def test_a_ciphertext_that_is_for_another_key_does_not_decrypt(fresh, place):
    other = await fresh.make(RSA_KEYS[0], place)
    sealed = await fresh.encrypt(other, place, "RSA-OAEP", Sensitive(b"v"))
    with pytest.raises(BadRequest, match="Unable to decrypt specified value with this key"):
        await fresh.decrypt(made(RSA_KEYS[0]), place, "RSA-OAEP", Ciphertext(value=sealed.value))
