"""What tests of keys share: a keeper and a place."""

import pytest

from key_doubles import a_keeper, a_place


@pytest.fixture
def keeper():
    return a_keeper()


@pytest.fixture
def place():
    return a_place()
