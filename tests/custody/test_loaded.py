"""Keys that a process has opened: within bounds, the last used stay."""

from hypothesis import given
from hypothesis import strategies as st

from strongroom.custody.loaded import LoadedKeys
from strongroom.custody.sealing import Context


class Key:
    def __init__(self, cost=1000):
        self.cost = cost


def a_place(owner="vault"):
    return Context(owner, "keys", "key", "0" * 32, "material")


def test_what_was_kept_is_found_in_its_place_alone():
    keys, key = LoadedKeys(), Key()
    keys.keep(b"handle", a_place(), key)
    assert keys.find(b"handle", a_place()) is key
    assert keys.find(b"handle", a_place("another")) is None
    assert keys.find(b"another", a_place()) is None


def test_what_was_used_longest_ago_makes_room():
    keys = LoadedKeys(most_keys=2)
    for name in (b"a", b"b"):
        keys.keep(name, a_place(), Key())
    assert keys.find(b"a", a_place())
    keys.keep(b"c", a_place(), Key())
    assert [keys.find(name, a_place()) is not None for name in (b"a", b"b", b"c")] == [True, False, True]


def test_a_key_that_is_larger_than_all_that_is_granted_is_not_kept():
    keys = LoadedKeys(most_bytes=10_000)
    keys.keep(b"a", a_place(), Key(1000))
    keys.keep(b"b", a_place(), Key(20_000))
    assert len(keys) == keys.bytes == 0


def test_a_key_that_is_kept_twice_counts_once():
    keys = LoadedKeys()
    for _ in range(3):
        keys.keep(b"a", a_place(), Key(1000))
    assert len(keys) == 1
    once = keys.bytes
    keys.drop(b"a")
    keys.keep(b"a", a_place(), Key(1000))
    assert keys.bytes == once


def test_an_owner_s_keys_are_dropped_and_no_other():
    keys = LoadedKeys()
    for number in range(4):
        keys.keep(bytes([number]), a_place(f"vault-{number % 2}"), Key())
    keys.drop_owner("vault-1")
    assert [keys.find(bytes([number]), a_place(f"vault-{number % 2}")) is not None for number in range(4)] == [
        *(True, False, True, False)
    ]


STEPS = st.lists(
    st.tuples(st.sampled_from(["keep", "find", "drop", "owner"]), st.integers(0, 9), st.integers(0, 5_000)), max_size=80
)


@given(steps=STEPS)
def test_bounds_hold_whatever_happens(steps):
    keys, known = LoadedKeys(most_keys=4, most_bytes=12_000), {}
    for what, number, cost in steps:
        handle, place = bytes([number]), a_place(f"vault-{number % 3}")
        if what == "keep":
            known[handle] = Key(cost)
            keys.keep(handle, place, known[handle])
        elif what == "find":
            assert keys.find(handle, place) in (None, known.get(handle))
        elif what == "drop":
            keys.drop(handle)
            assert keys.find(handle, place) is None
        else:
            keys.drop_owner(f"vault-{number % 3}")
            assert keys.find(handle, place) is None
        assert len(keys) <= 4
        assert 0 <= keys.bytes <= 12_000
        assert keys.bytes == sum(entry.cost for entry in keys._entries.values())
