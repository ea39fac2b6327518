"""The public point of an elliptic key that only signs: a token that unwrapped one often tells no point of it.

A signature (r, s) of z fits two keys and no other: Q = (s/r) R - (z/r) G, where R is one of the two points whose x is
r. A second signature tells which of the two it is. What is computed is public; the multiplications are OpenSSL's, of
which only x is told, which is enough for a point whose sign is not known anyway.
Source: SEC 1, version 2.0, section 4.1.6 (without the keys whose x is not below the order: one in 2^128 signatures).
"""

import os
from collections.abc import Callable, Iterator
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric import ec

from strongroom.custody.algorithms import ALGORITHMS, CURVES, Algorithm
from strongroom.custody.elliptic import CURVES_BY_NAME, load_public
from strongroom.custody.provider import KeySpec, PublicParts

_FIELDS = MappingProxyType(
    {
        "P-256": 2**256 - 2**224 + 2**192 + 2**96 - 1,
        "P-384": 2**384 - 2**128 - 2**96 + 2**32 - 1,
        "P-521": 2**521 - 1,
        "P-256K": 2**256 - 2**32 - 977,
    }
)
"""The primes of the fields. Sources: SP 800-186, section 3.2.1; SEC 2, section 2.4.1."""


def recover_point(spec: KeySpec, sign: Callable[[Algorithm, bytes], bytes]) -> PublicParts:
    """Return the public half of a key. sign: returns its signature of a digest, as r and s of the curve's length.

    ValueError when no point of the curve of `spec` fits two signatures: the key is of another one, or none.
    """
    row = signature_of(spec)
    first, second = (os.urandom(row.digest_bytes or 0) for _ in range(2))
    signed, signed_again = sign(row, first), sign(row, second)
    for public in _candidates(spec, first, signed):
        if load_public(spec, public).verify(row, second, signed_again):
            return public
    raise ValueError("no point of this curve fits the signatures")


def signature_of(spec: KeySpec) -> Algorithm:
    """Return the algorithm that keys of a curve sign with."""
    return next(row for row in ALGORITHMS.values() if row.curve is not None and row.curve == spec.curve)


def _candidates(spec: KeySpec, digest: bytes, signature: bytes) -> Iterator[PublicParts]:
    """Yield the two keys that a signature fits. ValueError for numbers that are none of a signature."""
    assert spec.curve is not None
    curve, length, field = CURVES_BY_NAME[spec.curve], CURVES[spec.curve].coordinate_bytes, _FIELDS[spec.curve]
    if len(signature) != 2 * length:
        raise ValueError("this is no signature of the curve")
    inverse = pow(int.from_bytes(signature[:length]), -1, curve.group_order)
    u, v = (int.from_bytes(each) * inverse % curve.group_order for each in (signature[length:], digest))
    base = ec.derive_private_key(-v % curve.group_order, curve).public_key().public_numbers()
    shared = ec.derive_private_key(u, curve).exchange(ec.ECDH(), _point(curve, signature[:length]))
    times_r = _point(curve, shared).public_numbers()
    for y in (times_r.y, field - times_r.y):
        yield _sum((times_r.x, y), (base.x, base.y), field, length)


def _point(curve: ec.EllipticCurve, x: bytes) -> ec.EllipticCurvePublicKey:
    """Return one of the two points with this x; ValueError when there is none."""
    return ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\x02" + x)


def _sum(one: tuple[int, int], other: tuple[int, int], field: int, length: int) -> PublicParts:
    """Return the sum of two points; ValueError when they have the same x."""
    slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, field) % field
    x = (slope * slope - one[0] - other[0]) % field
    y = (slope * (one[0] - x) - one[1]) % field
    return PublicParts(x=x.to_bytes(length), y=y.to_bytes(length))
