"""Who is calling? The only place where a `Caller` is made: from a token that this server signed, about one who lives.

Pinned: RS256, our own keys by `kid`, issuer, audience, tenant, `nbf` and `exp` without leeway; all other header fields
are ignored, `crit` is refused. What a verified token says is remembered for at most five minutes; a refusal never is,
and whether the principal still lives, and which groups it is in, is asked of the store every time: no token says so.

Texts: AKV numbers as observed in the service's answers; where none was observed, the service's older form with the
number of its token library, `Error validating token: IDX…` (`docs/divergences.md`).
"""

import base64
import hashlib
import re
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.api_jws import PyJWS
from jwt.exceptions import PyJWTError

from strongroom.access.identity.audiences import Service, find_service, own_audience
from strongroom.access.identity.model import Caller, PrincipalType, SigningKey
from strongroom.access.identity.signing import load_public_key, verifying_keys
from strongroom.access.identity.store import IdentityStore
from strongroom.access.identity.tokens import ALGORITHM, TYPE, VERSION, Claims, issuer_of
from strongroom.errors import Unauthenticated

TOKEN_BYTES = 16 * 1024
CACHE_ENTRIES = 10_000
CACHE_LIFE = timedelta(minutes=5)
CLAIM_LENGTH = 256

SHAPE = re.compile(r"([A-Za-z0-9_-]{1,1024})\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z", re.ASCII)

UNKNOWN_KEY: Final = "AKV10046: Unable to resolve the key used for signature validation."
TOO_LONG: Final = "Error validating token: IDX10209. The token is too long."
MALFORMED: Final = "Error validating token: IDX12741. It is no signed token."
WRONG_ALGORITHM: Final = "Error validating token: IDX10696. The algorithm is not accepted."
BAD_SIGNATURE: Final = "Error validating token: IDX10511. The signature does not match."
EXPIRED: Final = "Error validating token: IDX10223. The token has expired."
TOO_EARLY: Final = "Error validating token: IDX10222. The token is not yet valid."
NO_PRINCIPAL: Final = "Error validating token: the principal that it was issued to is disabled or deleted."

_jws = PyJWS(algorithms=[ALGORITHM])


class _Header(msgspec.Struct):
    alg: str
    kid: str
    typ: str = TYPE


@dataclass(slots=True)
class _Verified:
    """A token that passed every check of its own.

    since, until: when it was checked and when it must be checked again; a clock that was set back is before the former.
    groups: those that the caller was made with; they are compared with those of the store for every request.
    """

    caller: Caller
    service: Service | None
    since: datetime
    until: datetime
    groups: frozenset[str] = frozenset()


class Verifier:
    """Verifies the access tokens of one server. One per process: it remembers what it has verified."""

    def __init__(self, domain: str) -> None:
        self._domain = domain
        self._signing_keys: tuple[SigningKey, ...] = ()
        self._public: dict[str, RSAPublicKey] = {}
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()

    async def verify(
        self,
        unverified_token: str,
        *,
        service: Service,
        store: IdentityStore,
        now: datetime,
        tenant_id: str | None = None,
    ) -> Caller:
        """Return who calls `service` with this token; Unauthenticated unless every check passes.

        now: real time. tenant_id: the tenant that the caller must belong to, any of ours when None.
        """
        self._adopt(await store.list_signing_keys())
        if len(unverified_token) > TOKEN_BYTES:
            raise Unauthenticated(TOO_LONG)
        digest = hashlib.sha256(unverified_token.encode("utf-8", "replace")).digest()
        verified = self._verified.get(digest)
        if verified is None or not verified.since <= now < verified.until:
            verified = self._remember(digest, self._check(unverified_token, now), now)
        else:
            self._verified.move_to_end(digest)
        caller = verified.caller
        if verified.service is not service:
            raise Unauthenticated(self._wrong_audience(service, caller.audience))
        if tenant_id is not None and caller.tenant_id != tenant_id:
            raise Unauthenticated(self._wrong_issuer(tenant_id, caller.issuer))
        await _require_alive(caller, store)
        return await _with_groups(verified, store)

    def _adopt(self, signing_keys: tuple[SigningKey, ...]) -> None:
        """Follow the store's key set: when it changed, nothing verified under the old one is believed."""
        if signing_keys is self._signing_keys:
            return
        if signing_keys != self._signing_keys:
            self._verified.clear()
            self._public = {key.kid: load_public_key(key) for key in signing_keys}
        self._signing_keys = signing_keys

    def _remember(self, digest: bytes, verified: _Verified, now: datetime) -> _Verified:
        verified.until = min(verified.until, now + CACHE_LIFE)
        self._verified[digest] = verified
        self._verified.move_to_end(digest)
        while len(self._verified) > CACHE_ENTRIES:
            self._verified.popitem(last=False)
        return verified

    def _check(self, unverified_token: str, now: datetime) -> _Verified:
        claims = self._claims(unverified_token, self._key_of(unverified_token, now))
        if claims.iss != issuer_of(claims.tid, self._domain):
            raise Unauthenticated(self._wrong_issuer(claims.tid, claims.iss))
        moment = now.timestamp()
        if moment >= claims.exp:
            raise Unauthenticated(EXPIRED)
        if moment < claims.nbf:
            raise Unauthenticated(TOO_EARLY)
        caller = _caller(claims)
        return _Verified(caller, find_service(claims.aud, self._domain), now, caller.expires)

    def _key_of(self, unverified_token: str, now: datetime) -> RSAPublicKey:
        """Return the key of ours that the token names; which keys it brings along is not even looked at."""
        shape = SHAPE.match(unverified_token)
        if shape is None:
            raise Unauthenticated(MALFORMED)
        header = _decode_header(shape.group(1))
        if header.alg != ALGORITHM or header.typ != TYPE:
            raise Unauthenticated(WRONG_ALGORITHM)
        if all(key.kid != header.kid for key in verifying_keys(self._signing_keys, now)):
            raise Unauthenticated(UNKNOWN_KEY)
        return self._public[header.kid]

    def _claims(self, unverified_token: str, key: RSAPublicKey) -> Claims:
        try:
            payload = _jws.decode_complete(unverified_token, key, algorithms=[ALGORITHM])["payload"]
        except PyJWTError:
            raise Unauthenticated(BAD_SIGNATURE) from None
        try:
            claims = msgspec.json.decode(payload, type=Claims)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise Unauthenticated(MALFORMED) from None
        if claims.ver != VERSION or claims.idtyp != "app" or claims.sub != claims.oid:
            raise Unauthenticated(MALFORMED)
        return claims

    def _wrong_audience(self, service: Service, found: str) -> str:
        expected = own_audience(service, self._domain)
        return f"AKV10022: Invalid audience. Expected {expected}, found: {found[:CLAIM_LENGTH]}."

    def _wrong_issuer(self, tenant_id: str, found: str) -> str:
        expected = issuer_of(tenant_id, self._domain)
        return f"AKV10032: Invalid issuer. Expected one of {expected}, found {found[:CLAIM_LENGTH]}."


async def _require_alive(caller: Caller, store: IdentityStore) -> None:
    application = await store.find_principal(caller.object_id)
    if (
        application is None
        or not application.enabled
        or application.app_id != caller.app_id
        or application.tenant_id != caller.tenant_id
    ):
        raise Unauthenticated(NO_PRINCIPAL)


async def _with_groups(verified: _Verified, store: IdentityStore) -> Caller:
    """Return the caller with the groups that it is in now; another one is made only where these are others."""
    groups = await store.groups_of(verified.caller.object_id)
    if groups != verified.groups:
        verified.caller = replace(verified.caller, principals=groups | {verified.caller.object_id})
        verified.groups = groups
    return verified.caller


def _decode_header(segment: str) -> _Header:
    try:
        raw = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
        return msgspec.json.decode(raw, type=_Header)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Unauthenticated(MALFORMED) from None


def _caller(claims: Claims) -> Caller:
    return Caller(
        object_id=claims.oid,
        app_id=claims.appid,
        tenant_id=claims.tid,
        issuer=claims.iss,
        type=PrincipalType.SERVICE_PRINCIPAL,
        audience=claims.aud,
        token_id=claims.uti,
        expires=datetime.fromtimestamp(claims.exp, UTC),
        principals=frozenset({claims.oid}),
    )
