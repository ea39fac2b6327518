import copy
import json
import pickle

import msgspec
import pytest

from strongroom.sensitive import Sensitive

VALUE = "canary-5f1d"


def test_reveal_gives_the_value():
    assert Sensitive(VALUE).reveal() == VALUE


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r}".format, lambda value: "%s" % value])  # noqa: UP031
def test_no_text_shows_the_value(show):
    assert VALUE not in show(Sensitive(VALUE))


@pytest.mark.parametrize("leak", [json.dumps, msgspec.json.encode, pickle.dumps, copy.copy, copy.deepcopy, vars])
def test_nothing_copies_the_value_out(leak):
    with pytest.raises(TypeError):
        leak(Sensitive(VALUE))


def test_a_container_does_not_show_the_value():
    assert VALUE not in repr([Sensitive(VALUE), {"value": Sensitive(VALUE)}])
