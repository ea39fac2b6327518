"""Client assertions: an application proves itself with the key of a certificate that is registered for it.

A JWT signed with RS256 or PS256; `x5t` or `x5t#S256` names the certificate, and what the header brings along (`x5c`,
`jwk`) counts for nothing. An assertion may be sent more than once while it lives: the clients themselves keep one for
nine minutes and use it for every resource (MSAL's `AutoRefresher`), so `jti` cannot be held against them.

Sources: RFC 7521, RFC 7523; Entra "Certificate credentials".
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar, cast

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.api_jws import PyJWS
from jwt.exceptions import PyJWTError

from strongroom.access.identity import refusals
from strongroom.access.identity.model import Application, ClientCertificate
from strongroom.octets import decode_octets

JWT_BEARER: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS: Final = ("RS256", "PS256")
ASSERTION_BYTES = 16 * 1024
LEEWAY = timedelta(minutes=5)
LONGEST_LIFE = timedelta(hours=1)

SHAPE = re.compile(r"([A-Za-z0-9_-]{1,12288})\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z", re.ASCII)
ENDPOINT = re.compile(r"https://([a-z0-9.-]+)(?::[0-9]{1,5})?/([^/]+)/(oauth2/v2\.0/token|oauth2/token|v2\.0)/?\Z")

_jws = PyJWS(algorithms=list(ALGORITHMS))


class _Header(msgspec.Struct):
    alg: str
    x5t: str | None = None
    x5t_s256: str | None = msgspec.field(name="x5t#S256", default=None)


class _Claims(msgspec.Struct):
    aud: str
    exp: float
    iss: str
    sub: str
    iat: float | None = None
    nbf: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The token endpoint that a request came to. tenants: every name that the tenant goes by, in lower case."""

    host: str
    url: str
    tenants: frozenset[str]

    def is_meant(self, audience: str) -> bool:
        """Answer whether an assertion's audience is this endpoint, or its tenant's issuer; the port says nothing."""
        found = ENDPOINT.match(audience.lower()) if len(audience) <= 512 else None
        return found is not None and found.group(1) == self.host and found.group(2) in self.tenants


def require_assertion(
    unverified_assertion: str, application: Application, endpoint: Endpoint, now: datetime
) -> ClientCertificate:
    """Return the certificate that proves `application`; SignInFailed when the assertion proves nothing."""
    if len(unverified_assertion) > ASSERTION_BYTES:
        raise refusals.assertion_malformed()
    shape = SHAPE.match(unverified_assertion)
    if shape is None:
        raise refusals.assertion_malformed()
    header = _decode(_from_base64url(shape.group(1)), _Header)
    if header.alg not in ALGORITHMS:
        raise refusals.assertion_unsigned("the algorithm must be RS256 or PS256")
    certificate = _find_certificate(header, application)
    key = _living_key(certificate, now)
    claims = _decode(_verified_payload(unverified_assertion, header.alg, key), _Claims)
    _require_claims(claims, application, endpoint, now)
    return certificate


def _find_certificate(header: _Header, application: Application) -> ClientCertificate:
    if header.x5t is None and header.x5t_s256 is None:
        raise refusals.assertion_unsigned("the header names no certificate by 'x5t' or 'x5t#S256'")
    sha1 = None if header.x5t is None else _from_base64url(header.x5t)
    sha256 = None if header.x5t_s256 is None else _from_base64url(header.x5t_s256)
    for certificate in application.certificates:
        if sha1 in (None, certificate.sha1) and sha256 in (None, certificate.sha256):
            return certificate
    raise refusals.assertion_unsigned("no certificate of the application has this thumbprint")


def _living_key(certificate: ClientCertificate, now: datetime) -> RSAPublicKey:
    loaded = x509.load_der_x509_certificate(certificate.der)
    if not loaded.not_valid_before_utc <= now < certificate.expires:
        raise refusals.assertion_unsigned("the certificate has expired or is not yet valid")
    return cast("RSAPublicKey", loaded.public_key())


def _verified_payload(unverified_assertion: str, algorithm: str, key: RSAPublicKey) -> bytes:
    try:
        payload: bytes = _jws.decode_complete(unverified_assertion, key, algorithms=[algorithm])["payload"]
    except PyJWTError:
        raise refusals.assertion_unsigned("it does not match the certificate's key") from None
    return payload


def _require_claims(claims: _Claims, application: Application, endpoint: Endpoint, now: datetime) -> None:
    if not claims.iss.lower() == claims.sub.lower() == application.app_id:
        raise refusals.assertion_foreign()
    if not endpoint.is_meant(claims.aud):
        raise refusals.assertion_misdirected(endpoint.url)
    moment = now.timestamp()
    latest = moment + (LONGEST_LIFE + LEEWAY).total_seconds()
    begins = max(claims.nbf or 0.0, claims.iat or 0.0)
    if not moment < claims.exp <= latest or begins > moment + LEEWAY.total_seconds():
        raise refusals.assertion_out_of_time()


def _from_base64url(text: str) -> bytes:
    """Return the bytes of a base64url text, with or without its padding; clients write it both ways."""
    try:
        return decode_octets(text)
    except ValueError:
        raise refusals.assertion_malformed() from None


T = TypeVar("T", _Header, _Claims)


def _decode(raw: bytes, into: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=into)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise refusals.assertion_malformed() from None
