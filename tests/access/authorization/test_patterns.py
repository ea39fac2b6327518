"""Patterns of actions: what they match, said once more by regular expressions, and none that takes long."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.access.authorization.patterns import LONGEST, matches


def oracle(pattern):
    around = [".*".join(map(re.escape, piece.split("*"))) for piece in pattern.lower().split("/*/")]
    return re.compile("/(?:.*/)?".join(around), re.DOTALL)


@given(st.text("aB/*", max_size=9), st.text("ab/", max_size=9))
def test_a_pattern_matches_what_its_words_say(pattern, action):
    assert matches((pattern,), action) is (oracle(pattern).fullmatch(action) is not None)


@pytest.mark.parametrize("pattern", ["*" * 200 + "x/read", "*a" * 120 + "b", "*/" * 120 + "b", "/*/*/a" * 40 + "b"])
@pytest.mark.parametrize("times", [1, 100])  # of a length that is remembered, and beyond
def test_no_pattern_takes_long(pattern, times):
    assert not matches((pattern * times,), "a/" * LONGEST)
