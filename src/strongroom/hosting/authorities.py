"""The authorities that the operator lets attest, and their keys: asked for when needed, kept for a while.

Implements `access.identity.attestation.Authorities`. Keys are kept for minutes, so that an authority may withdraw one;
a key that is not among them has them asked for again, but not at every request. One question at a time goes to each.
Source: OpenID Connect Discovery 1.0, section 4.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec
import structlog

from strongroom.access.identity.attestation import AuthorityKey, normal_authority, not_allowed, parse_key_set
from strongroom.errors import ServiceUnavailable
from strongroom.hosting.outgoing import Unreachable, get_json

KEPT_SECONDS = 600.0
AGAIN_SECONDS = 30.0
"""How long a key that is not there is taken not to be there."""
FAILED_SECONDS = 5.0
"""How long an authority that did not answer is not asked again."""
ADDRESS = re.compile(r"[!-~]{1,1024}", re.ASCII)
CONFIGURATION = "/.well-known/openid-configuration"

log = structlog.get_logger(__name__)


class _Configuration(msgspec.Struct):
    issuer: str
    jwks_uri: str


@dataclass(frozen=True, slots=True)
class _Kept:
    """What an authority answered, or why it did not. asked: seconds of the steady clock."""

    keys: tuple[AuthorityKey, ...]
    asked: float
    failure: str = ""

    def serves(self, kid: str, now: float) -> bool:
        """Answer whether the authority need not be asked now."""
        if self.failure:
            return now < self.asked + FAILED_SECONDS
        is_there = any(key.kid == kid for key in self.keys)
        return now < self.asked + (KEPT_SECONDS if is_there else AGAIN_SECONDS)


class HttpAuthorities:
    """The authorities of one worker. allowed: their addresses. get: asks one of them, as `outgoing.get_json` does."""

    def __init__(
        self,
        allowed: Iterable[str],
        get: Callable[[str], Awaitable[bytes]] = get_json,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allowed = frozenset(map(normal_authority, allowed))
        self._get = get
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    async def find_key(self, authority: str, kid: str) -> AuthorityKey | None:
        """Return a key that an authority publishes; Forbidden unless it is allowed, ServiceUnavailable if it fails."""
        if authority not in self._allowed:
            raise not_allowed(authority)
        kept = self._kept.get(authority)
        if kept is None or not kept.serves(kid, self._clock()):
            async with self._turns.setdefault(authority, asyncio.Lock()):
                kept = self._kept.get(authority)
                if kept is None or not kept.serves(kid, self._clock()):
                    kept = self._kept[authority] = await self._ask(authority)
        if kept.failure:
            raise ServiceUnavailable(
                f"The attestation authority '{authority}' cannot be asked for its keys now: {kept.failure}.",
                retry_after=int(FAILED_SECONDS),
            )
        return next((key for key in kept.keys if key.kid == kid), None)

    async def _ask(self, authority: str) -> _Kept:
        try:
            keys = await self._fetch(authority)
        except (Unreachable, ValueError) as error:
            log.warning("an attestation authority cannot be asked", authority=authority, reason=str(error))
            return _Kept((), self._clock(), str(error))
        return _Kept(keys, self._clock())

    async def _fetch(self, authority: str) -> tuple[AuthorityKey, ...]:
        """Return the keys that an authority publishes, at its own host alone; ValueError when it says anything else."""
        raw = await self._get(authority + CONFIGURATION)
        try:
            said = msgspec.json.decode(raw, type=_Configuration)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise ValueError("its configuration is none") from None
        if normal_authority(said.issuer) != authority:
            raise ValueError("its configuration is another issuer's")
        if _origin(said.jwks_uri) != _origin(authority):
            raise ValueError("its keys are at another host than itself")
        return parse_key_set(await self._get(said.jwks_uri))


def _origin(address: str) -> tuple[str, ...]:
    """Return the scheme, host and port of an address; ValueError when it is none."""
    parts = urlsplit(normal_authority(address.partition("?")[0]))
    if not parts.netloc or ADDRESS.fullmatch(address) is None:
        raise ValueError("the place of its keys is no address")
    return (parts.scheme, parts.netloc)
