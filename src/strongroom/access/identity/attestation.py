"""Attestation: an authority says in a signed token what an environment is, and which key it keeps.

The token's issuer is the authority. Its keys are those that it publishes, found by its address alone: what a token's
header brings along (`jku`, `jwk`, `x5c`) counts for nothing. Times are compared with the real clock.
Sources: RFC 7515, 7517, 7519, 8725; OpenID Connect Discovery 1.0; Azure Attestation, "Attestation token".
"""

import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeAlias, TypeVar
from urllib.parse import urlsplit

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.api_jws import PyJWS
from jwt.exceptions import PyJWTError

from strongroom.errors import Forbidden
from strongroom.octets import decode_octets

TOKEN_BYTES = 48 * 1024
LEEWAY = timedelta(minutes=1)
"""How far an authority's clock may be ahead of ours; a token that has expired has expired."""
MOST_KEYS = 64
ADDRESS_LENGTH = 512
CANNOT_VERIFY = "Target environment attestation statement cannot be verified"

_RSA: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVES: MappingProxyType[str, ec.EllipticCurve] = MappingProxyType(
    {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
)
_EC: Final = MappingProxyType({"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"})
ALGORITHMS: Final = (*sorted(_RSA), *_EC)
SMALLEST_RSA_BITS = 2048
LARGEST_RSA_BITS = 8192
SHAPE = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+\Z", re.ASCII)

PublicKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
_jws = PyJWS(algorithms=list(ALGORITHMS))


@dataclass(frozen=True, slots=True)
class AuthorityKey:
    """A key that an authority publishes. algorithm: the only one that it is for, None for any of its type."""

    kid: str
    key: PublicKey
    algorithm: str | None = None

    def fits(self, algorithm: str) -> bool:
        """Answer whether the key makes signatures of this algorithm: type, curve and size say so."""
        if self.algorithm not in (None, algorithm):
            return False
        if isinstance(self.key, rsa.RSAPublicKey):
            return algorithm in _RSA and SMALLEST_RSA_BITS <= self.key.key_size <= LARGEST_RSA_BITS
        return _EC.get(algorithm) == self.key.curve.name


class Authorities(Protocol):
    """Where the keys of authorities come from."""

    async def find_key(self, authority: str, kid: str) -> AuthorityKey | None:
        """Return a key that an authority publishes. authority: its address, in its normal spelling.

        Forbidden, in words, for an authority that the operator has not allowed, or that cannot be asked now.
        """


class NoAuthorities:
    """Trusts nobody: where the operator has allowed no authority."""

    async def find_key(self, authority: str, _kid: str) -> AuthorityKey | None:
        """Refuse."""
        raise not_allowed(authority)


class _Header(msgspec.Struct):
    alg: str
    kid: str
    crit: Any = None


class _Registered(msgspec.Struct):
    """The claims that every token must have, or may; the others are for a policy to ask for."""

    iss: str
    exp: float
    nbf: float | None = None


class _WebKey(msgspec.Struct):
    """A published key; Azure Attestation publishes certificates without `n` and `e`."""

    kty: str
    kid: str
    use: str | None = None
    alg: str | None = None
    n: str | None = None
    e: str | None = None
    crv: str | None = None
    x: str | None = None
    y: str | None = None
    x5c: list[str] | None = None


class _KeySet(msgspec.Struct):
    keys: list[msgspec.Raw]


def normal_authority(address: str) -> str:
    """Return the one spelling of an authority's address, "" when it can be none.

    A slash at its end, the case of scheme and host, and the port 443 say nothing.
    """
    try:
        parts = urlsplit(address) if len(address) <= ADDRESS_LENGTH and address.isascii() else None
        port = parts.port if parts else None
    except ValueError:
        return ""
    if parts is None or parts.scheme not in {"https", "http"} or not parts.hostname or "@" in parts.netloc:
        return ""
    if parts.query or parts.fragment or any(character.isspace() or character in '\\"<>' for character in address):
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    suffix = "" if port in (None, 443 if parts.scheme == "https" else 80) else f":{port}"
    return f"{parts.scheme}://{host}{suffix}{parts.path.rstrip('/')}"


def unverified_issuer(unverified_token: str) -> str:
    """Return who a token says that issued it; Forbidden for what is no token at all."""
    return _decode(_part(unverified_token, 2), _Registered).iss


async def verify_attestation(
    unverified_token: str, authority: str, authorities: Authorities, now: datetime
) -> Mapping[str, Any]:
    """Return what `authority` attests in a token of its own; Forbidden when it attests nothing.

    authority: in its normal spelling. now: real time.
    """
    header = _decode(_part(unverified_token, 1), _Header)
    if header.alg not in ALGORITHMS:
        raise cannot_verify(f"its algorithm is none of {', '.join(ALGORITHMS)}")
    if header.crit is not None:
        raise cannot_verify("it has critical extensions, which are not understood here")
    key = await authorities.find_key(authority, header.kid)
    if key is None or not key.fits(header.alg):
        raise cannot_verify("its authority publishes no such key for this algorithm")
    payload = _verified_payload(unverified_token, header.alg, key.key)
    registered, claims = _decode(payload, _Registered), _decode(payload, dict[str, Any])
    if normal_authority(registered.iss) != authority:
        raise cannot_verify("it was issued by another than the authority that signed it")
    moment = now.timestamp()
    if registered.exp <= moment:
        raise cannot_verify("it has expired")
    if registered.nbf is not None and registered.nbf > moment + LEEWAY.total_seconds():
        raise cannot_verify("it is not yet valid")
    return claims


def parse_key_set(raw: bytes) -> tuple[AuthorityKey, ...]:
    """Return the keys of a JSON Web Key set that sign; others, and those of types that are not known, are left out.

    ValueError when it is no key set.
    """
    try:
        published = msgspec.json.decode(raw, type=_KeySet).keys
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ValueError("it is no JSON Web Key set") from None
    found = [_find_key(each) for each in published[:MOST_KEYS]]
    return tuple(key for key in found if key is not None)


def _find_key(raw: msgspec.Raw) -> AuthorityKey | None:
    try:
        described = msgspec.json.decode(raw, type=_WebKey)
        key = _public_key(described)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError):
        return None
    if key is None or described.use not in (None, "sig"):
        return None
    return AuthorityKey(described.kid, key, described.alg)


def _public_key(described: _WebKey) -> PublicKey | None:
    """Return the key of a description, None for a type that signs nothing here; ValueError when it is malformed."""
    if described.kty == "RSA" and described.n and described.e:
        return rsa.RSAPublicNumbers(_number(described.e), _number(described.n)).public_key()
    curve = _CURVES.get(described.crv or "")
    if described.kty == "EC" and described.x and described.y and curve is not None:
        return ec.EllipticCurvePublicNumbers(_number(described.x), _number(described.y), curve).public_key()
    if described.x5c:
        key = x509.load_der_x509_certificate(b64decode(described.x5c[0], validate=True)).public_key()
        return key if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) else None
    return None


def not_allowed(authority: str) -> Forbidden:
    """Return the refusal of an authority that the operator has not allowed."""
    return cannot_verify(
        f"the operator of this server has not allowed the authority '{authority}' (attestation-authority)"
    )


def cannot_verify(why: str) -> Forbidden:
    """Return the refusal of a token; the service's words, and behind them why."""
    return Forbidden(f"{CANNOT_VERIFY}: {why}.")


def _part(unverified_token: str, number: int) -> bytes:
    shape = SHAPE.match(unverified_token) if len(unverified_token) <= TOKEN_BYTES else None
    if shape is None:
        raise cannot_verify(f"it is no signed token of at most {TOKEN_BYTES} bytes")
    try:
        return decode_octets(shape.group(number))
    except ValueError:
        raise cannot_verify("it is no signed token") from None


def _verified_payload(unverified_token: str, algorithm: str, key: PublicKey) -> bytes:
    try:
        payload: bytes = _jws.decode_complete(unverified_token, key, algorithms=[algorithm])["payload"]
    except PyJWTError:
        raise cannot_verify("its signature is not its authority's") from None
    return payload


T = TypeVar("T")


def _decode(raw: bytes, into: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=into)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise cannot_verify("it lacks what every attestation has: 'alg', 'kid', 'iss' and 'exp'") from None


def _number(text: str) -> int:
    return int.from_bytes(decode_octets(text), "big")
