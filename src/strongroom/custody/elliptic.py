"""Elliptic curve keys: ECDSA with signatures as r and s of fixed length, and which keys that callers bring are sound.

Sources: RFC 7518, sections 3.4 and 6.2; RFC 8812, section 3.2 (P-256K is what it calls secp256k1).
"""

from types import MappingProxyType
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature

from strongroom.custody.algorithms import CURVES, Algorithm, spec_of
from strongroom.custody.members import number
from strongroom.custody.provider import KeySpec, KeyType, PrivateParts, PublicParts
from strongroom.custody.refusals import no_key, unsound
from strongroom.sensitive import Sensitive

CURVES_BY_NAME: MappingProxyType[str, ec.EllipticCurve] = MappingProxyType(
    {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1(), "P-256K": ec.SECP256K1()}
)
"""Curves as `cryptography` has them."""
_NAMES = MappingProxyType({curve.name: name for name, curve in CURVES_BY_NAME.items()})
_ECDSA = MappingProxyType(
    {
        "sha256": ec.ECDSA(Prehashed(hashes.SHA256())),
        "sha384": ec.ECDSA(Prehashed(hashes.SHA384())),
        "sha512": ec.ECDSA(Prehashed(hashes.SHA512())),
    }
)


class EcPublicKey:
    """The public half: verifies."""

    __slots__ = ("_key", "_length")

    def __init__(self, key: ec.EllipticCurvePublicKey) -> None:
        self._key: Final = key
        self._length: Final = CURVES[_NAMES[key.curve.name]].coordinate_bytes

    def verify(self, row: Algorithm, digest: bytes, signature: bytes) -> bool:
        """Answer whether a signature, r and s of the curve's length, is one of `digest`."""
        if len(signature) != 2 * self._length:
            return False
        assert row.digest is not None
        r, s = (int.from_bytes(half, "big") for half in (signature[: self._length], signature[self._length :]))
        try:
            self._key.verify(encode_dss_signature(r, s), digest, _ECDSA[row.digest])
        except InvalidSignature:
            return False
        return True


class EcKey:
    """A private key, loaded. cost: bytes that it takes in memory, as measured."""

    __slots__ = ("_key", "_length", "_public_key", "cost", "is_slow", "public", "spec")

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        curve = _NAMES[key.curve.name]
        numbers = key.public_key().public_numbers()
        self._key: Final = key
        self._length: Final = CURVES[curve].coordinate_bytes
        self._public_key: Final = EcPublicKey(key.public_key())
        self.public: Final = PublicParts(
            x=numbers.x.to_bytes(self._length, "big"), y=numbers.y.to_bytes(self._length, "big")
        )
        self.spec: Final = spec_of(KeyType.EC, curve=curve)
        self.is_slow: Final = False
        self.cost: Final = 5_000

    def material(self) -> Sensitive[bytes]:
        """Return the key as it is sealed: PKCS#8, DER."""
        return Sensitive(
            self._key.private_bytes(
                serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def sign(self, row: Algorithm, digest: bytes) -> bytes:
        """Return r and s, each as long as the curve's coordinates."""
        assert row.digest is not None
        r, s = decode_dss_signature(self._key.sign(digest, _ECDSA[row.digest]))
        return r.to_bytes(self._length, "big") + s.to_bytes(self._length, "big")

    def verify(self, row: Algorithm, digest: bytes, signature: bytes) -> bool:
        """Answer whether a signature is one of `digest`."""
        return self._public_key.verify(row, digest, signature)


def load_public(spec: KeySpec, public: PublicParts) -> EcPublicKey:
    """Return the public half of a key that is kept elsewhere; ValueError when its point is not on the curve."""
    assert spec.curve is not None
    assert public.x is not None
    assert public.y is not None
    x, y = int.from_bytes(public.x, "big"), int.from_bytes(public.y, "big")
    return EcPublicKey(ec.EllipticCurvePublicNumbers(x, y, CURVES_BY_NAME[spec.curve]).public_key())


def generate(spec: KeySpec) -> EcKey:
    """Return a new key."""
    assert spec.curve is not None
    return EcKey(ec.generate_private_key(CURVES_BY_NAME[spec.curve]))


def load(material: Sensitive[bytes]) -> EcKey:
    """Return the key of what `material` gave; ValueError if it is none."""
    key = serialization.load_der_private_key(material.reveal(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name not in _NAMES:
        raise ValueError("the material is of another type")
    return EcKey(key)


def parts_of(key: ec.EllipticCurvePrivateKey) -> PrivateParts:
    """Return a key that came in another form as one that is brought: `take` then says whether it is sound."""
    numbers, name = key.private_numbers(), _NAMES.get(key.curve.name)
    length = (key.key_size + 7) // 8
    return PrivateParts(
        type=KeyType.EC,
        curve=name or key.curve.name,
        x=numbers.public_numbers.x.to_bytes(length, "big"),
        y=numbers.public_numbers.y.to_bytes(length, "big"),
        d=Sensitive(numbers.private_value.to_bytes(length, "big")),
    )


def take(parts: PrivateParts) -> EcKey:
    """Return the key that a caller brings; BadRequest for one that is not sound."""
    if parts.curve is None:
        raise no_key("crv is missing")
    name = spec_of(KeyType.EC, curve=parts.curve).curve
    assert name is not None
    curve, length = CURVES_BY_NAME[name], CURVES[name].coordinate_bytes
    x, y, d = (number(parts, member, length) for member in ("x", "y", "d"))
    if not 0 < d < curve.group_order:
        raise unsound("EC", f"d is not between 1 and the order of {name}")
    point = ec.EllipticCurvePublicNumbers(x, y, curve)
    if not _is_on_curve(point):
        raise unsound("EC", f"x and y are no point of {name}")
    key = ec.derive_private_key(d, curve)
    if key.public_key().public_numbers() != point:
        raise unsound("EC", "d does not belong to x and y")
    return EcKey(key)


def _is_on_curve(point: ec.EllipticCurvePublicNumbers) -> bool:
    """Answer whether numbers are the coordinates of a point. OpenSSL reduces larger ones: these are none."""
    try:
        return point.public_key().public_numbers() == point
    except ValueError:
        return False
