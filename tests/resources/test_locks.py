"""A lock blocks what it says and never more, whatever locks and scopes there are: held against an oracle of text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage_doubles import a_lock
from strongroom.errors import BadRequest, Conflict
from strongroom.ids import Scope
from strongroom.resources.locks import (
    MAX_LOCKS,
    Effect,
    Level,
    effect_of,
    locks_against,
    may_be_locked,
    require_level,
    require_lock_name,
    require_notes,
    require_room,
    require_unlocked,
)

ONE, TWO = "/subscriptions/s1", "/subscriptions/s2"
PLACES = [
    subscription + rest
    for subscription in (ONE, TWO)
    for rest in (
        "",
        *("/resourceGroups/g", "/resourceGroups/G2"),
        *(f"/resourceGroups/{group}/providers/Microsoft.KeyVault/vaults/kv1" for group in ("g", "G", "g2")),
        "/resourceGroups/g/providers/Microsoft.KeyVault/vaults/k2",
    )
]
ACTIONS = {
    "Microsoft.KeyVault/vaults/read": "read",
    "Microsoft.KeyVault/checkNameAvailability/read": "read",
    "Microsoft.KeyVault/vaults/write": "write",
    "Microsoft.KeyVault/vaults/delete": "delete",
    "Microsoft.Resources/subscriptions/resourceGroups/Delete": "delete",
    "Microsoft.KeyVault/locations/deletedVaults/purge/action": "write",
    "Microsoft.Resources/tags/delete": "delete",
    "Microsoft.Authorization/roleAssignments/delete": "delete",
    "Microsoft.Authorization/locks/write": "lock",
    "microsoft.authorization/LOCKS/delete": "lock",
    "Microsoft.Authorization/locks/read": "read",
}
places = st.sampled_from(PLACES)
locks = st.lists(
    st.builds(lambda scope, level: a_lock(1, scope, level=level), places, st.sampled_from(Level)), max_size=6
)


def stands_against(lock, kind, scope, whole):
    """Answer from the documents' words alone whether a lock blocks something."""
    locked, place = f"{lock.scope}/".lower(), f"{scope}/".lower()
    if kind == "delete":
        return place.startswith(locked) or (whole and locked.startswith(place))
    return kind == "write" and lock.level is Level.READ_ONLY and place.startswith(locked)


@given(locks, st.sampled_from(sorted(ACTIONS)), places, st.booleans())
def test_a_lock_blocks_what_it_says_and_never_more(held, action, scope, whole):
    expected = tuple(lock for lock in held if stands_against(lock, ACTIONS[action], scope, whole))
    assert locks_against(held, action, Scope.parse(scope), whole=whole) == expected


@given(locks, places, st.booleans())
def test_what_reads_and_what_changes_locks_is_never_blocked(held, scope, whole):
    for action, kind in ACTIONS.items():
        if kind in {"read", "lock"}:
            assert not may_be_locked(action)
            require_unlocked(held, action, scope, whole=whole)


def test_the_effect_of_an_action_is_its_last_word():
    assert effect_of("a/b/READ") is Effect.READ
    assert effect_of("a/b/delete") is Effect.DELETE
    assert {effect_of("a/b/write"), effect_of("a/read/action"), effect_of("")} == {Effect.WRITE}


def test_the_refusal_names_every_locked_scope_once():
    held = [a_lock(1), a_lock(2), a_lock(3, f"{ONE}/resourceGroups/g"), a_lock(4, f"{ONE}/resourceGroups/h")]
    with pytest.raises(Conflict) as refused:
        require_unlocked(held, "Microsoft.KeyVault/vaults/delete", f"{ONE}/resourceGroups/g/x", whole=True)
    assert refused.value.code == "ScopeLocked"
    assert refused.value.message == (
        f"The scope '{ONE}/resourceGroups/g/x' cannot perform delete operation because following scope(s) are locked: "
        f"'{ONE}', '{ONE}/resourceGroups/g'. Please remove the lock and try again."
    )


@pytest.mark.parametrize(
    "name", ["", "a/b", "a%b", "a:b", "a?b", "a<", "a>", "a&", "a\\b", "a\x00", "a" * 261, ".", ".."]
)
def test_names_that_no_lock_has(name):
    with pytest.raises(BadRequest) as refused:
        require_lock_name(name)
    assert refused.value.code == "InvalidLock"


def test_a_name_may_be_long_and_have_spaces():
    assert require_lock_name("a" * 260) == "a" * 260
    assert require_lock_name("do not touch") == "do not touch"


def test_levels_compare_without_case_and_nothing_else_is_one():
    assert require_level("readonly") is Level.READ_ONLY
    with pytest.raises(BadRequest):
        require_level("NotSpecified")


def test_notes_and_owners_have_bounds():
    require_notes("n" * 512, ["a"] * 100)
    for notes, owners in (("n" * 513, []), (None, ["a"] * 101)):
        with pytest.raises(BadRequest):
            require_notes(notes, owners)


def test_a_scope_has_room_for_so_many_locks():
    held = [a_lock(number) for number in range(MAX_LOCKS - 1)] + [a_lock(1, f"{ONE}/resourceGroups/g")]
    require_room(held, ONE.upper())
    with pytest.raises(Conflict) as refused:
        require_room([*held, a_lock(99)], ONE)
    assert refused.value.code == "LockCountQuotaReached"
