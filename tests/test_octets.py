import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.octets import PATTERN, Octets, SensitiveOctets, decode_octets, encode_octets


@given(st.binary(max_size=100), st.booleans())
def test_bytes_go_there_and_back_with_padding_or_without(octets, padded):
    text = encode_octets(octets)
    assert re.fullmatch(PATTERN, text)
    assert "=" not in text
    assert decode_octets(base64.urlsafe_b64encode(octets).decode() if padded else text) == octets


@pytest.mark.parametrize("text", ["A", "AAAAA", "AA+A", "AA/A", "AA A", "AA\n", "A=AA", "AA===", "ä", "\x00"])
def test_what_is_no_base64url_is_refused_without_repeating_it(text):
    with pytest.raises(ValueError, match=r"^Expected base64url$"):
        decode_octets(text)


@pytest.mark.parametrize("given", [1, None, ["AA"], True, b"AA"])
def test_what_is_no_text_is_refused(given):
    with pytest.raises(TypeError):
        decode_octets(given)


def test_bytes_that_are_nobodys_business_do_not_print():
    assert "hunter2" not in repr(SensitiveOctets(b"hunter2"))
    assert Octets(b"a") == b"a"
