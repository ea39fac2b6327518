"""What stands for a plaintext where padding was bad: always the same of one ciphertext, of any length, and no clue."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from strongroom.custody.algorithms import RSA_BITS
from strongroom.custody.rejection import substitute
from strongroom.sensitive import Sensitive

seeds = st.binary(min_size=32, max_size=32).map(Sensitive)


@given(seeds, st.binary(max_size=512), st.sampled_from(RSA_BITS))
def test_it_is_as_long_as_a_plaintext_could_be_and_always_the_same(seed, ciphertext, bits):
    found = substitute(seed, ciphertext, bits).reveal()
    assert 0 <= len(found) <= bits // 8 - 11
    assert substitute(seed, ciphertext, bits).reveal() == found


def test_it_differs_by_ciphertext_and_by_key():
    found = {
        substitute(Sensitive(bytes([seed]) * 32), bytes([value]), 2048).reveal()
        for seed in range(8)
        for value in range(8)
    }
    assert len([each for each in found if len(each) > 8]) >= 48


def test_every_length_occurs_about_as_often():
    lengths = Counter(
        len(substitute(Sensitive(bytes(32)), str(number).encode(), 2048).reveal()) for number in range(8192)
    )
    assert set(lengths) == set(range(246))
    assert max(lengths.values()) < 4 * 8192 / 246
