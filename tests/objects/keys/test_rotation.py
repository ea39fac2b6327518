from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles import MemoryStorage
from jwk_doubles import a_key_version
from strongroom.custody.algorithms import spec_of
from strongroom.custody.provider import KeyType
from strongroom.errors import BadRequest, NotFound
from strongroom.objects.keys.model import KeyEdit
from strongroom.objects.keys.rotation import DEFAULT_POLICY, RotationPolicy, Trigger, parse_period
from vault_doubles import NOON, a_vault, days, keys_of, put_vault

DAY = timedelta(days=1)
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - it is given


def period(text):
    return parse_period("any", text)


def a_trigger(after=None, before=None):
    return Trigger(after_create=after and period(after), before_expiry=before and period(before))


@pytest.mark.parametrize(
    ("text", "begins", "ends"),
    [
        ("P90D", "2026-01-01", "2026-04-01"),
        ("P1Y", "2024-02-29", "2025-02-28"),
        ("P1M", "2026-01-31", "2026-02-28"),
        ("P1Y2M3D", "2026-11-30", "2028-02-02"),
        ("p2w", "2026-01-01", "2026-01-15"),
        ("P999Y", "2026-01-01", "3025-01-01"),
    ],
)
def test_a_span_counts_as_the_calendar_does(text, begins, ends):
    assert period(text).after(datetime.fromisoformat(begins)) == datetime.fromisoformat(ends)
    assert period(text).text == text


@given(MOMENTS, st.integers(0, 999), st.integers(0, 9999))
def test_a_span_goes_forward_and_back(moment, months, number):
    span = period(f"P{months}M{number}D")
    assert span.after(moment) >= moment >= span.before(moment)
    if not months:
        assert span.before(span.after(moment)) == moment


def test_a_span_that_no_calendar_holds_ends_with_it():
    late = datetime(9999, 6, 1, tzinfo=UTC)
    assert period("P99999D").after(late).year == 9999
    assert period("P999Y").after(late).year == 9999
    assert period("P99999D").before(datetime(1, 6, 1, tzinfo=UTC)).year == 1


@pytest.mark.parametrize("text", ["", "P", "90D", "PT1H", "P1DT1H", "P-1D", "P1.5D", "P1D ", "P١D", "P1D1Y", "ninety"])
def test_what_is_no_span_is_refused(text):
    with pytest.raises(BadRequest, match="Property any has invalid value: it is an ISO 8601 duration"):
        period(text)


@pytest.mark.parametrize(
    ("expiry", "rotate", "notify", "why"),
    [
        ("P90D", a_trigger(before="P30D"), None, None),
        ("P28D", a_trigger(before="P7D"), a_trigger(before="P21D"), None),
        (None, a_trigger(after="P7D"), None, None),
        (None, None, a_trigger(before="P1D"), None),
        (None, None, None, None),
        ("P2Y", a_trigger(after="P18M"), a_trigger(before="P30D"), None),
        ("P27D", None, None, "expiryTime has invalid value: it is at least 28 days"),
        (None, a_trigger(after="P6D"), None, "at least 7 days after"),
        ("P28D", a_trigger(after="P22D"), None, "at least 7 days before"),
        ("P28D", a_trigger(before="P6D"), None, "at least 7 days before"),
        ("P28D", a_trigger(before="P22D"), None, "at least 7 days after"),
        ("P28D", None, a_trigger(before="P22D"), "at least 7 days after"),
        (None, a_trigger(before="P30D"), None, "needs an expiryTime"),
        ("P90D", a_trigger(), None, "either timeAfterCreate or timeBeforeExpiry"),
        ("P90D", a_trigger("P30D", "P30D"), None, "either timeAfterCreate or timeBeforeExpiry"),
        ("P90D", None, a_trigger(after="P30D"), "Notify has a trigger of timeBeforeExpiry"),
    ],
)
def test_a_policy_makes_sense_or_is_refused(expiry, rotate, notify, why):
    policy = RotationPolicy(expiry=expiry and period(expiry), rotate=rotate, notify=notify)
    if why is None:
        policy.require_sense(NOON)
    else:
        with pytest.raises(BadRequest, match=why):
            policy.require_sense(NOON)


@pytest.mark.parametrize(
    ("rotate", "expires", "due"),
    [
        (None, NOON + 90 * DAY, None),
        (a_trigger(after="P10D"), None, NOON.replace(microsecond=0) + 10 * DAY),
        (a_trigger(before="P10D"), None, None),
        (a_trigger(before="P10D"), NOON + 90 * DAY, NOON + 80 * DAY),
    ],
)
def test_when_a_key_is_due_hangs_on_its_newest_version(rotate, expires, due):
    version = a_key_version(expires=expires, created=NOON.replace(microsecond=0))
    assert RotationPolicy(rotate=rotate).due(version) == due


@pytest.fixture
async def keys():
    storage = MemoryStorage()
    keys = keys_of(storage, await put_vault(storage, a_vault()))
    await make(keys)
    return keys


async def make(keys, **said):
    edit = KeyEdit(**said)
    return await keys.add("k", await keys.make("k", spec_of(KeyType.EC), edit, hsm=False), edit)


async def due_of(keys):
    return keys.keys.policies["id-of-kv1", "k"][1]


POLICY = RotationPolicy(expiry=period("P90D"), rotate=a_trigger(before="P30D"))


async def test_a_key_has_the_service_s_own_policy_until_it_is_given_one(keys):
    assert await keys.get_policy("K") == DEFAULT_POLICY
    kept = await keys.set_policy("K", POLICY)
    assert await keys.get_policy("k") == kept
    assert kept.created == kept.updated == NOON.replace(microsecond=0)
    keys.now += DAY
    again = await keys.set_policy("k", RotationPolicy())
    assert (again.created, again.updated - again.created) == (kept.created, DAY)


async def test_a_policy_is_of_a_living_key(keys):
    for name in ("none", "k"):
        if name == "k":
            await keys.delete("k")
        for asked in (keys.get_policy(name), keys.set_policy(name, POLICY)):
            with pytest.raises(NotFound):
                await asked
    await keys.recover("k")
    with pytest.raises(BadRequest):
        await keys.set_policy("k", RotationPolicy(expiry=period("P1D")))
    assert await keys.get_policy("k") == DEFAULT_POLICY


async def test_rotation_lets_what_it_makes_expire_as_the_policy_says(keys):
    await keys.set_policy("k", POLICY)
    assert await due_of(keys) is None  # the version that is there never expires
    rotated = await keys.rotate("k", await keys.make_next("k"))
    assert rotated.version.expires == rotated.version.created + 90 * DAY
    assert await due_of(keys) == rotated.version.created + 60 * DAY


async def test_what_becomes_of_the_newest_version_moves_what_is_due(keys):
    await keys.set_policy("k", POLICY)
    ends = NOON.replace(microsecond=0) + 50 * DAY
    await keys.update("k", None, KeyEdit(expires=ends))
    assert await due_of(keys) == ends - 30 * DAY
    old = (await keys.get("k")).version.version
    await make(keys)
    assert await due_of(keys) is None
    await keys.update("k", old, KeyEdit(expires=ends))
    assert await due_of(keys) is None


async def test_a_policy_goes_with_its_key(keys):
    await keys.set_policy("k", POLICY)
    await keys.delete("k")
    await keys.purge("k")
    assert not keys.keys.policies
    await make(keys)
    await keys.set_policy("k", POLICY)
    await keys.delete("k")
    keys.now += days(90)
    await make(keys)
    assert await keys.get_policy("k") == DEFAULT_POLICY
