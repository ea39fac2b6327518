"""Which keys there are and what each algorithm does with them: one row an algorithm, and nothing is decided elsewhere.

Sources: Key Vault and Managed HSM, "Key types, algorithms, and operations"; REST `JsonWebKeyEncryptionAlgorithm`,
`JsonWebKeySignatureAlgorithm`; RFC 7518, section 3. Texts as the service's own answers have them (`docs/errors.md`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from strongroom.custody.provider import KeySpec, KeyType
from strongroom.custody.refusals import invalid, wrong_length
from strongroom.errors import BadRequest

RSA_BITS = (2048, 3072, 4096)
EXPONENTS = (65537, 3)
OCT_BITS = (128, 192, 256)
ML_DSA = ("ML-DSA-44", "ML-DSA-65", "ML-DSA-87")


class Use(StrEnum):
    """What an algorithm is for, as error texts name it: sign covers verify, and so on."""

    SIGN = "signing"
    ENCRYPT = "encryption"
    WRAP = "key wrap"


class Family(StrEnum):
    """How an algorithm is carried out."""

    PKCS1_ENCRYPTION = "RSAES-PKCS1-v1_5"
    OAEP = "RSAES-OAEP"
    PKCS1_SIGNATURE = "RSASSA-PKCS1-v1_5"
    PKCS1_BARE = "RSASSA-PKCS1-v1_5 without DigestInfo"
    PSS = "RSASSA-PSS"
    ECDSA = "ECDSA"
    GCM = "AES-GCM"
    CBC = "AES-CBC"
    CBC_PADDED = "AES-CBC with PKCS#7 padding"
    KEY_WRAP = "AES-KW"
    KEY_WRAP_PADDED = "AES-KWP"
    HMAC = "HMAC"
    ML_DSA = "ML-DSA"


@dataclass(frozen=True, slots=True)
class Curve:
    """An elliptic curve by its JSON Web Key name. coordinate_bytes: of x, y, r and s."""

    name: str
    bits: int
    coordinate_bytes: int


CURVES = MappingProxyType(
    {
        curve.name: curve
        for curve in (
            Curve("P-256", 256, 32),
            Curve("P-384", 384, 48),
            Curve("P-521", 521, 66),
            Curve("P-256K", 256, 32),
        )
    }
)


OLD_CURVE_NAMES = MappingProxyType({"SECP256K1": "P-256K"})  # of the preview; the Azure CLI imports under it


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm:
    """All there is to say of one algorithm.

    digest: the hash it is built on, as hashlib names it. digest_bytes: how long what it signs must be; None: any.
    curve, bits: which keys of its type it takes; None: any. iv_bytes: of its iv, None where it has none; takes_iv: a
    caller may bring one to encrypt. tag_bytes: of its tag. takes_aad: it authenticates additional data.
    """

    name: str
    family: Family
    type: KeyType
    uses: frozenset[Use]
    digest: str | None = None
    digest_bytes: int | None = None
    curve: str | None = None
    bits: int | None = None
    iv_bytes: int | None = None
    takes_iv: bool = False
    tag_bytes: int | None = None
    takes_aad: bool = False


_SIGN = frozenset({Use.SIGN})
_ENCRYPT = frozenset({Use.ENCRYPT})
_WRAP = frozenset({Use.WRAP})
_CIPHER = _ENCRYPT | _WRAP
_DIGESTS = (("sha256", 32), ("sha384", 48), ("sha512", 64))


def _rsa_ciphers() -> Iterable[Algorithm]:
    rsa = KeyType.RSA
    yield Algorithm(name="RSA1_5", family=Family.PKCS1_ENCRYPTION, type=rsa, uses=_CIPHER)
    yield Algorithm(name="RSA-OAEP", family=Family.OAEP, type=rsa, uses=_CIPHER, digest="sha1")
    yield Algorithm(name="RSA-OAEP-256", family=Family.OAEP, type=rsa, uses=_CIPHER, digest="sha256")


def _digest_signatures() -> Iterable[Algorithm]:
    for prefix, family, type_ in (
        ("RS", Family.PKCS1_SIGNATURE, KeyType.RSA),
        ("PS", Family.PSS, KeyType.RSA),
        ("HS", Family.HMAC, KeyType.OCT),
    ):
        for digest, length in _DIGESTS:
            name = prefix + digest.removeprefix("sha")
            signed = None if family is Family.HMAC else length  # a MAC is one of the message itself
            yield Algorithm(name=name, family=family, type=type_, uses=_SIGN, digest=digest, digest_bytes=signed)
    yield Algorithm(name="RSNULL", family=Family.PKCS1_BARE, type=KeyType.RSA, uses=_SIGN)


def _ecdsa() -> Iterable[Algorithm]:
    for name, curve, (digest, length) in (
        ("ES256", "P-256", _DIGESTS[0]),
        ("ES256K", "P-256K", _DIGESTS[0]),
        ("ES384", "P-384", _DIGESTS[1]),
        ("ES512", "P-521", _DIGESTS[2]),
    ):
        yield Algorithm(
            name=name,
            family=Family.ECDSA,
            type=KeyType.EC,
            uses=_SIGN,
            digest=digest,
            digest_bytes=length,
            curve=curve,
        )


def _aes() -> Iterable[Algorithm]:
    oct_ = KeyType.OCT
    for bits in OCT_BITS:
        yield Algorithm(
            name=f"A{bits}GCM",
            family=Family.GCM,
            type=oct_,
            uses=_ENCRYPT,
            bits=bits,
            iv_bytes=12,
            tag_bytes=16,
            takes_aad=True,
        )
        for suffix, family in (("CBC", Family.CBC), ("CBCPAD", Family.CBC_PADDED)):
            yield Algorithm(
                name=f"A{bits}{suffix}",
                family=family,
                type=oct_,
                uses=_ENCRYPT,
                bits=bits,
                iv_bytes=16,
                takes_iv=True,
            )
        yield Algorithm(name=f"A{bits}KW", family=Family.KEY_WRAP, type=oct_, uses=_WRAP, bits=bits)
    yield Algorithm(name="CKM_AES_KEY_WRAP", family=Family.KEY_WRAP, type=oct_, uses=_WRAP)
    yield Algorithm(name="CKM_AES_KEY_WRAP_PAD", family=Family.KEY_WRAP_PADDED, type=oct_, uses=_WRAP)


def _ml_dsa() -> Iterable[Algorithm]:
    return (Algorithm(name=name, family=Family.ML_DSA, type=KeyType.AKP, uses=_SIGN) for name in ML_DSA)


ALGORITHMS = MappingProxyType(
    {row.name: row for rows in (_rsa_ciphers, _digest_signatures, _ecdsa, _aes, _ml_dsa) for row in rows()}
)


def get_algorithm(name: str, use: Use, spec: KeySpec) -> Algorithm:
    """Return the row of an algorithm that a key can carry out for this use; BadRequest in the service's words."""
    row = ALGORITHMS.get(name)
    if row is None or use not in row.uses:
        known = ", ".join(each.name for each in ALGORITHMS.values() if use in each.uses and each.type is spec.type)
        raise invalid("alg", f"{use} with this key takes {known or 'no algorithm'}")
    _require_fit(row, use, spec)
    return row


def _require_fit(row: Algorithm, use: Use, spec: KeySpec) -> None:
    """Raise BadRequest unless type, curve, size and, for AKP, the one algorithm of a key are those of the row."""
    if row.type is not spec.type:
        raise _incompatible(use, f"is of type '{spec.type}'", row, f"a key of type '{row.type}'")
    if row.curve is not None and row.curve != spec.curve:
        raise _incompatible(use, f"uses curve '{spec.curve}'", row, f"curve '{row.curve}'")
    if row.bits is not None and row.bits != spec.bits:
        raise _incompatible(use, f"has {spec.bits} bits", row, f"a key of {row.bits} bits")
    if row.type is KeyType.AKP and row.name != spec.algorithm:
        raise _incompatible(use, f"is one for '{spec.algorithm}'", row, f"a key for '{row.name}'")


def _incompatible(use: Use, found: str, row: Algorithm, needed: str) -> BadRequest:
    return BadRequest(
        f"Key and {use} algorithm are incompatible. The key {found}, and algorithm '{row.name}' can only be used with "
        f"{needed}."
    )


def require_digest(row: Algorithm, digest: bytes, member: str) -> None:
    """Raise BadRequest unless `digest`, the body's `member`, is as long as the algorithm's."""
    if row.digest_bytes is not None and len(digest) != row.digest_bytes:
        raise wrong_length(member, len(digest), row.name, f"{row.digest_bytes} bytes")


def spec_of(
    type_: KeyType,
    *,
    bits: int | None = None,
    exponent: int | None = None,
    curve: str | None = None,
    algorithm: str | None = None,
) -> KeySpec:
    """Return what key a request asks for, with the service's defaults; BadRequest for one that there is not.

    Defaults: RSA 2048 with 65537, EC P-256, oct 256.
    """
    if type_ is KeyType.RSA:
        return KeySpec(type=type_, bits=_size(bits, RSA_BITS, 2048), exponent=_exponent(exponent))
    if type_ is KeyType.EC:
        return KeySpec(type=type_, curve=_curve(curve, bits))
    if type_ is KeyType.OCT:
        return KeySpec(type=type_, bits=_size(bits, OCT_BITS, 256))
    if algorithm not in ML_DSA:
        raise invalid("alg", f"a key of type AKP is one for {', '.join(ML_DSA)}")
    return KeySpec(type=type_, algorithm=algorithm)


def _size(bits: int | None, known: tuple[int, ...], default: int) -> int:
    if bits is None:
        return default
    if bits not in known:
        raise BadRequest(
            f"Unsupported key size ({bits}). Supported sizes are {list(known)}", inner="KeySizeNotSupported"
        )
    return bits


def _exponent(exponent: int | None) -> int:
    if exponent is None:
        return EXPONENTS[0]
    if exponent not in EXPONENTS:
        raise invalid("public_exponent", f"it is {' or '.join(map(str, EXPONENTS))}")
    return exponent


def _curve(name: str | None, bits: int | None) -> str:
    """Return the curve that a name, a size, or both ask for; P-256 when neither does."""
    if name is None:
        return f"P-{_size(bits, (256, 384, 521), 256)}"
    name = OLD_CURVE_NAMES.get(name, name)
    if name not in CURVES:
        raise invalid("crv", f"it is one of {', '.join(CURVES)}")
    _size(bits, (CURVES[name].bits,), CURVES[name].bits)
    return name
