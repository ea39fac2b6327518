"""Access tokens: what they say, and their making. The claims are those of the directory's v1 tokens for applications.

Every claim stands in one class here and nowhere else: `VERIFIED` ones are checked by the verifier, `TELLING` ones only
inform whoever holds the token. Source: Entra "Access token claims reference".
"""

import secrets
import uuid
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec
from jwt.api_jws import PyJWS

from strongroom.access.identity.model import Application
from strongroom.access.identity.signing import TOKEN_LIFETIME, LoadedKey
from strongroom.octets import encode_octets

ALGORITHM: Final = "RS256"
TYPE: Final = "JWT"
VERSION: Final = "1.0"

VERIFIED: Final = frozenset({"aud", "iss", "iat", "nbf", "exp", "tid", "oid", "sub", "appid", "idtyp", "ver", "uti"})
TELLING: Final = frozenset({"appidacr", "rh"})

# Tokens begin five minutes before they are made, as the directory's do: no clock of another node is ever behind them,
# and the verifier needs no leeway of its own.
BACKDATE = timedelta(minutes=5)

# What a client is told: a second less than the truth, so that it never sends a token that has just expired.
EXPIRES_IN_SECONDS = int(TOKEN_LIFETIME.total_seconds()) - 1

_jws = PyJWS(algorithms=[ALGORITHM])


class Credential(StrEnum):
    """How an application proved itself, as `appidacr` says it."""

    SECRET = "1"  # noqa: S105 - the way, not the secret
    CERTIFICATE = "2"


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """The claims of an access token; times are epoch seconds. A token that lacks one is none."""

    aud: str
    iss: str
    iat: int
    nbf: int
    exp: int
    appid: str
    appidacr: str
    idtyp: str
    oid: str
    rh: str
    sub: str
    tid: str
    uti: str
    ver: str


def issuer_of(tenant_id: str, domain: str) -> str:
    """Return the issuer of a tenant's tokens; it carries no port, so that a moved server's tokens stay valid."""
    return f"https://sts.{domain}/{tenant_id}/"


def claims_for(
    application: Application, audience: str, *, domain: str, credential: Credential, now: datetime
) -> Claims:
    """Return the claims of a token for `application`; `audience` stands in it as it was asked for."""
    begins = int((now - BACKDATE).timestamp())
    return Claims(
        aud=audience,
        iss=issuer_of(application.tenant_id, domain),
        iat=begins,
        nbf=begins,
        exp=int((now + TOKEN_LIFETIME).timestamp()),
        appid=application.app_id,
        appidacr=credential.value,
        idtyp="app",
        oid=application.object_id,
        rh="1." + encode_octets(uuid.UUID(application.tenant_id).bytes + uuid.UUID(application.app_id).bytes) + ".",
        sub=application.object_id,
        tid=application.tenant_id,
        uti=encode_octets(secrets.token_bytes(16)),
        ver=VERSION,
    )


def sign_token(claims: Claims, key: LoadedKey) -> str:
    """Return the token that says `claims`, signed."""
    return sign_payload(msgspec.json.encode(claims), key)


def sign_payload(payload: bytes, key: LoadedKey) -> str:
    """Return a JSON Web Signature of any payload; one without the claims of a token is no token."""
    return _jws.encode(payload, key.private, algorithm=ALGORITHM, headers={"kid": key.kid})
