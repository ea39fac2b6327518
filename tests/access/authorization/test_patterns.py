"""Patterns of actions: what they match, said once more by regular expressions, and none that takes long."""

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.access.authorization.patterns import LONGEST, matches

BETWEEN_SLASHES = re.compile(r"(?<=/)\*+/")


def oracle(pattern):
    """A star between slashes ends in one or is not there, as the pattern says before anything is taken from it."""
    parts = BETWEEN_SLASHES.split(pattern.lower())
    return re.compile("(?:.*/)?".join(".*".join(map(re.escape, part.split("*"))) for part in parts), re.DOTALL)


def every(letters, longest):
    return ["".join(text) for length in range(longest + 1) for text in product(letters, repeat=length)]


@given(st.text("aB/*", max_size=9), st.text("ab/", max_size=9))
def test_a_pattern_matches_what_its_words_say(pattern, action):
    assert matches((pattern,), action) is (oracle(pattern).fullmatch(action) is not None)


def test_every_short_pattern_matches_what_its_words_say():
    actions = every("a/", 6)
    for pattern in every("a/*", 6):
        expected = oracle(pattern)
        assert [matches((pattern,), each) for each in actions] == [
            expected.fullmatch(each) is not None for each in actions
        ]


@pytest.mark.parametrize(
    ("pattern", "matched", "others"),
    [
        ("a/*/b", ["a/b", "a/x/b", "a/x/y/b"], ["a/xb", "ab", "a//", "b/a/b"]),
        ("a/*/*/b", ["a/b", "a/x/b", "a/x/y/b"], ["a/xb", "ab"]),
        ("a/**/b", ["a/b", "a/x/b"], ["a/xb"]),
        ("a/*/b*c", ["a/bc", "a/xb/bc"], ["a/xbc"]),
        ("a/*/b/*/c", ["a/b/c", "a/xb/b/yc/c"], ["a/xb/c", "a/b/xc"]),
        ("a*b*c", ["abc", "axbbyc"], ["ac", "acb"]),
        ("ab*bc*cd", ["abbccd"], ["abcd", "abbcd", "abccd"]),
        ("*/read", ["a/read", "/read"], ["read"]),
        ("a/*", ["a/", "a/b"], ["a", "b/a/"]),
        ("*", ["", "a/b"], []),
    ],
)
def test_what_stars_stand_for(pattern, matched, others):
    assert [each for each in (*matched, *others) if matches((pattern,), each)] == matched


@pytest.mark.parametrize("pattern", ["*" * 200 + "x/read", "*a" * 120 + "b", "*/" * 120 + "b", "/*/*/a" * 40 + "b"])
@pytest.mark.parametrize("times", [1, 100])  # of a length that is remembered, and beyond
def test_no_pattern_takes_long(pattern, times):
    assert not matches((pattern * times,), "a/" * LONGEST)
