"""The public point of a key that only signs."""

import pytest

from key_doubles import EC_KEYS, name_of
from strongroom.custody import elliptic
from strongroom.custody.recovery import recover_point, signature_of


@pytest.mark.parametrize("spec", EC_KEYS, ids=name_of)
def test_two_signatures_tell_the_public_half(spec):
    for _ in range(20):
        key = elliptic.generate(spec)
        assert recover_point(spec, key.sign) == key.public


def test_signatures_of_two_keys_tell_none():
    spec = EC_KEYS[0]
    keys = [elliptic.generate(spec) for _ in range(2)]
    with pytest.raises(ValueError, match="no point of this curve fits"):
        recover_point(spec, lambda row, digest: keys.pop().sign(row, digest))


@pytest.mark.parametrize("spec", EC_KEYS, ids=name_of)
@pytest.mark.parametrize("other", EC_KEYS, ids=name_of)
def test_signatures_of_another_curve_tell_none(spec, other):
    if spec == other:
        return
    key, row = elliptic.generate(other), signature_of(other)
    with pytest.raises(ValueError, match=r"."):
        recover_point(spec, lambda _row, digest: key.sign(row, digest[:32].ljust(row.digest_bytes, b"\1")))


@pytest.mark.parametrize("signature", [b"", bytes(64), b"\0" * 63 + b"\1", b"\1" + b"\0" * 63, b"\xff" * 64])
def test_what_is_no_signature_tells_none(signature):
    with pytest.raises(ValueError, match=r"."):
        recover_point(EC_KEYS[0], lambda _row, _digest: signature)


def test_each_curve_has_its_algorithm():
    found = {spec.curve: signature_of(spec).name for spec in EC_KEYS}
    assert found == {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "P-256K": "ES256K"}
