from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwk_doubles import a_key_version
from strongroom.custody.algorithms import spec_of
from strongroom.custody.provider import KeyType
from strongroom.errors import BadRequest, KeyDisabled, KeyExpired, KeyNotYetValid, KeyOperationForbidden
from strongroom.objects.keys.model import (
    DEFAULTS,
    OUTSIDE_WINDOW,
    POSSIBLE,
    KeyEdit,
    Operation,
    known_operations,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MOMENTS = st.sampled_from([NOON + timedelta(seconds=each) for each in (-10, -1, 0, 1, 10)])
OPERATIONS = st.lists(st.sampled_from(Operation), unique=True).map(tuple)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("operation", sorted(set(Operation) - OUTSIDE_WINDOW))
def test_an_expired_key_makes_nothing_new(operation):
    key = a_key_version(operations=tuple(Operation), expires=NOON)
    key.require(operation, NOON - SECOND)
    with pytest.raises(KeyExpired, match=f"Operation {operation} is not allowed on an expired key"):
        key.require(operation, NOON)


@pytest.mark.parametrize("operation", sorted(set(Operation) - OUTSIDE_WINDOW))
def test_a_key_before_its_time_makes_nothing_new(operation):
    key = a_key_version(operations=tuple(Operation), not_before=NOON)
    key.require(operation, NOON)
    with pytest.raises(KeyNotYetValid, match="not yet valid"):
        key.require(operation, NOON - SECOND)


@pytest.mark.parametrize("operation", sorted(OUTSIDE_WINDOW))
def test_outside_its_time_a_key_still_reads_what_it_made(operation):
    key = a_key_version(operations=tuple(Operation), not_before=NOON, expires=NOON + SECOND)
    key.require(operation, NOON - timedelta(days=365))
    key.require(operation, NOON + timedelta(days=365))


@given(
    operation=st.sampled_from(Operation),
    operations=OPERATIONS,
    enabled=st.booleans(),
    now=MOMENTS,
    begins=st.none() | MOMENTS,
    ends=st.none() | MOMENTS,
)
def test_what_a_key_may_is_what_four_rules_allow(operation, operations, enabled, now, begins, ends):
    key = a_key_version(operations=operations, enabled=enabled, not_before=begins, expires=ends)
    reads = operation in {"decrypt", "unwrapKey", "verify"}
    rules = (
        (KeyDisabled, not enabled),
        (KeyOperationForbidden, operation not in operations),
        (KeyNotYetValid, not reads and begins is not None and now < begins),
        (KeyExpired, not reads and ends is not None and now >= ends),
    )
    broken = next((error for error, is_broken in rules if is_broken), None)
    if broken is None:
        key.require(operation, now)
    else:
        with pytest.raises(broken) as caught:
            key.require(operation, now)
        assert (caught.value.status, caught.value.code, caught.value.inner) == (403, "Forbidden", broken.__name__)


@pytest.mark.parametrize("type_", KeyType)
def test_a_key_can_what_it_does_unless_somebody_says_otherwise(type_):
    assert set(DEFAULTS[type_]) <= set(POSSIBLE[type_])
    spec = spec_of(type_, algorithm="ML-DSA-65" if type_ is KeyType.AKP else None)
    KeyEdit(operations=POSSIBLE[type_]).require_within_limits(spec, exportable=False)
    KeyEdit(operations=(*POSSIBLE[type_], Operation.EXPORT)).require_within_limits(spec, exportable=True)
    for operation in set(Operation) - set(POSSIBLE[type_]):
        with pytest.raises(BadRequest, match="Property key_ops has invalid value"):
            KeyEdit(operations=(operation,)).require_within_limits(spec, exportable=False)


@pytest.mark.parametrize("names", [["sign"], ["SIGN", "sign", "Sign"]])
def test_operations_are_named_in_any_case_and_count_once(names):
    assert known_operations(names) == (Operation.SIGN,)


@given(names=st.lists(st.sampled_from(Operation), unique=True))
def test_operations_stay_in_their_order(names):
    assert known_operations(names) == tuple(names)


@pytest.mark.parametrize("name", ["release", "secureWrapKey", "", "signs"])
def test_operations_that_are_not_here_are_refused(name):
    with pytest.raises(BadRequest, match="Property key_ops has invalid value: the operations of a key here are"):
        known_operations(["sign", name])


@pytest.mark.parametrize(
    ("tags", "is_allowed"),
    [
        ((("a" * 256, "b" * 256),), True),
        ((("a" * 257, ""),), False),
        ((("", "b" * 257),), False),
        (tuple((str(each), "") for each in range(15)), True),
        (tuple((str(each), "") for each in range(16)), False),
    ],
)
def test_tags_of_keys_have_bounds_of_their_own(tags, is_allowed):
    edit = KeyEdit(tags=tags)
    if is_allowed:
        edit.require_within_limits(spec_of(KeyType.EC), exportable=False)
    else:
        with pytest.raises(BadRequest, match="Property tags has invalid value"):
            edit.require_within_limits(spec_of(KeyType.EC), exportable=False)


def test_an_edit_changes_what_it_mentions_and_nothing_else():
    key = a_key_version(tags=(("a", "b"),), not_before=NOON)
    assert KeyEdit().applied_to(key, key.updated) == key
    edited = KeyEdit(operations=(Operation.VERIFY,), enabled=False, tags=()).applied_to(key, NOON)
    assert (edited.operations, edited.enabled, edited.tags, edited.not_before) == ((Operation.VERIFY,), False, (), NOON)
    assert (edited.sealed, edited.public, edited.updated) == (key.sealed, key.public, NOON)
