import hashlib
import hmac
import itertools
from dataclasses import dataclass

import pytest

from strongroom.custody.sealing import SealBroken
from strongroom.storage.rows import Decoder, RowSeal

ROWS = [
    ("a", ("b", "c"), b"d"),
    ("a", ("bc", ""), b"d"),
    ("a", ("", "bc"), b"d"),
    ("a", ("b",), b"cd"),
    ("a", ("b",), b"s1:cd"),
    ("a", ("b", "c", None), b"d"),
    ("a", ("b", None, "c"), b"d"),
    ("a", (None,), b""),
    ("a", ("-",), b""),
    ("a", (0,), b""),
    ("a", ("0",), b""),
    ("a", ("i0;",), b""),
    ("a", (), b"-\n"),
    ("a", (1, 2), b""),
    ("a", (12,), b""),
    ("a", (-12,), b""),
    ("a", ("ä",), b"x"),
    ("a", ("a\u0308",), b"x"),
    ("a\ns1:b", (), b""),
    ("ab", ("c",), b"d"),
]


@pytest.fixture
def seal():
    return RowSeal(lambda message: hmac.digest(b"k" * 32, message, "sha256"))


def test_no_two_rows_are_authenticated_alike(seal):
    macs = [seal.mac(*row) for row in ROWS]
    assert len(set(macs)) == len(ROWS)


def test_a_row_passes_with_its_own_mac_only(seal):
    for (place, row), (other, claimed) in itertools.product(enumerate(ROWS), repeat=2):
        if place == other:
            seal.require(*row, seal.mac(*claimed))
        else:
            with pytest.raises(SealBroken):
                seal.require(*row, seal.mac(*claimed))


def test_another_key_makes_another_mac(seal):
    other = RowSeal(lambda message: hashlib.sha256(message).digest())
    with pytest.raises(SealBroken):
        seal.require(*ROWS[0], other.mac(*ROWS[0]))


@dataclass
class Kept:
    number: int


def test_a_document_is_decoded_to_its_type():
    assert Decoder(Kept)(b'{"number": 1}') == Kept(1)


@pytest.mark.parametrize("document", [b"", b"{}", b'{"number": "1"}', b"\xff"])
def test_a_document_of_another_shape_breaks_the_seal(document):
    with pytest.raises(SealBroken):
        Decoder(Kept)(document)
