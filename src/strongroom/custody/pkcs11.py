"""The keeper of keys in hardware: each is made in a PKCS#11 token, used there, and never leaves it.

What is kept here is a handle (`handles`): where the key is. What needs a key's public half alone (verifying, encrypting
with RSA) is done outside, with the half that the key's row tells; all else is the token's, in threads, since a token
takes its time. What it cannot do is refused by name (`abilities`), never made up for with a key that left it.
"""

import asyncio
import os
import threading
from collections.abc import Callable
from typing import TypeVar

import pkcs11
from pkcs11 import Attribute

from strongroom.custody import elliptic, rsa
from strongroom.custody.abilities import Abilities, lacking
from strongroom.custody.algorithms import Algorithm, Family, Use, get_algorithm
from strongroom.custody.handles import Whereabouts, move_handle, new_whereabouts, open_handle, seal_handle
from strongroom.custody.inputs import (
    exactly,
    require_blocks,
    require_message,
    require_wrappable,
    row_to_decrypt,
    row_to_encrypt,
)
from strongroom.custody.mechanisms import decrypt_aes, decrypt_rsa, encrypt_aes, sign, unwrap, wrap
from strongroom.custody.provider import (
    Ciphertext,
    KeptKey,
    KeySpec,
    KeyType,
    Place,
    PrivateParts,
    PublicParts,
    TransferForm,
    TransferKey,
    WrappedKey,
)
from strongroom.custody.refusals import undecipherable
from strongroom.custody.rejection import substitute
from strongroom.custody.sealing import Custodian
from strongroom.custody.threads import Threads
from strongroom.custody.token import TRANSIENT, HsmUnavailable, Opened, Token, unavailable
from strongroom.custody.tokenkeys import (
    NOT_LET,
    destroy,
    find,
    generate,
    label_of,
    new_object,
    not_kept,
    require_made_to_stay,
    take,
)
from strongroom.custody.tokentransfer import identify, open_wrapped, require_exchange
from strongroom.errors import BadRequest
from strongroom.sensitive import Sensitive

T = TypeVar("T")

PLATFORM = "pkcs11"
"""The `hsmPlatform` of keys kept here. Azure's own values name validated hardware, which is not ours to claim."""
THREADS = 8
"""Of every worker, and so many sessions: a token is asked for several things at once, each of which takes its time."""

DEADLINE_SECONDS = 120.0
"""How long a request waits for a thread and for the token: making a key takes seconds, a stuck module for ever."""
NOT_OF_INPUT = (
    pkcs11.FunctionNotSupported,
    pkcs11.FunctionRejected,
    pkcs11.KeyTypeInconsistent,
    pkcs11.MechanismInvalid,
    pkcs11.PinExpired,
    pkcs11.UserPinNotInitialized,
)
"""What says that a token does not decrypt at all, whatever it is given: a fault, and not the caller's."""


class Pkcs11Provider:
    """Keeps keys in a token; a `KeyProvider`. One per server, made before its workers are forked."""

    def __init__(self, custodian: Custodian, token: Token) -> None:
        self._custodian = custodian
        self._token = token
        self._abilities = Abilities()
        self._threads = Threads("hsm", THREADS)

    @property
    def platform(self) -> str:
        """What keys kept here tell."""
        return PLATFORM

    @property
    def releases(self) -> bool:
        """No key leaves a token."""
        return False

    async def make(self, spec: KeySpec, place: Place, *, exchange: bool = False) -> KeptKey:
        """Return a new key; HsmUnavailable when the token is away. With 4096 bits that takes seconds."""
        if spec.type is KeyType.AKP:
            raise not_kept(spec.type)
        label, given_up = label_of(place.context.owner), threading.Event()

        def work(opened: Opened) -> KeptKey:
            with new_object(opened, given_up) as id_:
                made, public = generate(opened.session, spec, id_, label, exchange=exchange)
                require_made_to_stay(made)
                return self._kept(opened, id_, spec, public, place)

        return await self._run_for(given_up, work, lambda error: _refused(f"to make a key of type {spec.type}", error))

    async def take(self, parts: PrivateParts, place: Place) -> KeptKey:
        """Return a key that a caller brings, after checking all of it; BadRequest when the token takes none."""
        label, given_up = label_of(place.context.owner), threading.Event()

        def work(opened: Opened) -> KeptKey:
            with new_object(opened, given_up) as id_:
                made, spec, public = take(opened.session, parts, id_, label)
                require_made_to_stay(made)
                return self._kept(opened, id_, spec, public, place)

        return await self._run_for(given_up, work, lambda error: _refused(f"to take a key of type {parts.type}", error))

    async def take_wrapped(
        self, wrapped: WrappedKey, place: Place, exchange: KeptKey, exchange_place: Place
    ) -> KeptKey:
        """Return a key that comes wrapped to an RSA key of the token, unwrapped inside of it (`tokentransfer`)."""
        where = open_handle(self._custodian, exchange, exchange_place)
        label, given_up = label_of(place.context.owner), threading.Event()

        def work(opened: Opened) -> KeptKey:
            mechanism = self._abilities.require_transfer(opened, wrapped.type)
            opener = _find(opened, where, exchange.spec)
            require_exchange(opener)
            with new_object(opened, given_up) as id_:
                named = {Attribute.TOKEN: True, Attribute.ID: id_, Attribute.LABEL: label}
                made = open_wrapped(opened, opener, mechanism, wrapped, named)
                require_made_to_stay(made)
                spec, public = identify(opened, made, wrapped, lambda row: self._abilities.find(opened, row))
                return self._kept(opened, id_, spec, public, place)

        return await self._run_for(given_up, work, lambda error: unavailable("does not take a wrapped key", error))

    async def move(self, key: KeptKey, place: Place, to: Place) -> KeptKey:
        """Return the key under another data key; BadRequest for a backup: the handle is not the key."""
        if to.context != place.context:
            raise BadRequest(
                "A key that an HSM keeps cannot be backed up: it never leaves the HSM. Use the HSM's own backup."
            )
        return move_handle(self._custodian, key, place, to)

    async def release(self, key: KeptKey, place: Place, form: TransferForm, to: TransferKey) -> bytes:
        """Refuse: a key never leaves its token."""
        del key, place, form, to
        raise BadRequest("This key is kept by an HSM, which it never leaves: it cannot be released.")

    async def discard(self, key: KeptKey, place: Place) -> None:
        """Destroy the key in its token, for good."""
        where = open_handle(self._custodian, key, place)

        def work(opened: Opened) -> None:
            _require_token(opened, where)
            destroy(opened, where.id)

        await self._run(work, lambda error: _refused("to destroy a key", error))

    async def sign(
        self, key: KeptKey, place: Place, algorithm: str, digest: bytes, *, context: bytes = b"", is_mu: bool = False
    ) -> bytes:
        """Return the signature of `digest`."""
        row = get_algorithm(algorithm, Use.SIGN, key.spec)
        require_message(row, digest, "value", context, is_mu=is_mu)
        if row.family is Family.PKCS1_BARE:
            rsa.load_public(key.public).require_bare(row, digest, "value")
        where = open_handle(self._custodian, key, place)

        def work(opened: Opened) -> bytes:
            mechanism = self._abilities.require(opened, row)
            return sign(_find(opened, where, key.spec), row, mechanism, digest)

        return await self._run(work, lambda error: _refused(f"to sign with {row.name}", error))

    async def verify(
        self,
        key: KeptKey,
        place: Place,
        algorithm: str,
        digest: bytes,
        signature: bytes,
        *,
        context: bytes = b"",
        is_mu: bool = False,
    ) -> bool:
        """Answer whether `signature` is one of `digest`: with the public half, without the token."""
        row = get_algorithm(algorithm, Use.SIGN, key.spec)
        require_message(row, digest, "digest", context, is_mu=is_mu)
        open_handle(self._custodian, key, place)
        if key.spec.type is KeyType.RSA:
            return rsa.load_public(key.public).verify(row, digest, signature)
        if key.spec.type is KeyType.EC:
            return elliptic.load_public(key.spec, key.public).verify(row, digest, signature)
        raise lacking(row)  # HMAC, which is not among the mechanisms

    async def encrypt(
        self,
        key: KeptKey,
        place: Place,
        algorithm: str,
        plaintext: Sensitive[bytes],
        *,
        iv: bytes | None = None,
        aad: bytes | None = None,
    ) -> Ciphertext:
        """Return the ciphertext, with the iv and tag that decrypting it needs."""
        row = row_to_encrypt(key.spec, algorithm, iv, aad)
        if key.spec.type is KeyType.RSA:
            return await self._encrypt_rsa(key, place, row, plaintext)
        where = open_handle(self._custodian, key, place)
        start = os.urandom(row.iv_bytes or 0) if iv is None else exactly(row, "iv", iv, row.iv_bytes)
        if row.family is Family.CBC:
            require_blocks(row, plaintext.reveal())

        def work(opened: Opened) -> Ciphertext:
            mechanism = self._abilities.require(opened, row)
            found = _find(opened, where, key.spec)
            sealed, tag = encrypt_aes(found, row, mechanism, plaintext.reveal(), iv=start, aad=aad)
            return Ciphertext(value=sealed, iv=start, tag=tag, aad=aad)

        return await self._run(work, lambda error: _refused(f"to encrypt with {row.name}", error))

    async def decrypt(self, key: KeptKey, place: Place, algorithm: str, ciphertext: Ciphertext) -> Sensitive[bytes]:
        """Return the plaintext; one error for whatever does not decrypt."""
        row = row_to_decrypt(key.spec, algorithm, ciphertext)
        if key.spec.type is KeyType.RSA:
            return await self._decrypt_rsa(key, place, row, ciphertext.value)
        where = open_handle(self._custodian, key, place)
        start = exactly(row, "iv", ciphertext.iv, row.iv_bytes)
        tag = b"" if row.tag_bytes is None else exactly(row, "tag", ciphertext.tag, row.tag_bytes)
        if row.family is not Family.GCM:
            require_blocks(row, ciphertext.value)

        def work(opened: Opened) -> Sensitive[bytes]:
            mechanism = self._abilities.require(opened, row)
            found = _find(opened, where, key.spec)
            content = ciphertext.value + tag
            return Sensitive(decrypt_aes(found, row, mechanism, content, iv=start, aad=ciphertext.aad))

        return await self._run(work, _undeciphered)

    async def wrap(self, key: KeptKey, place: Place, algorithm: str, material: Sensitive[bytes]) -> Ciphertext:
        """Return another key's bytes wrapped under this one."""
        row = get_algorithm(algorithm, Use.WRAP, key.spec)
        if key.spec.type is KeyType.RSA:
            return await self._encrypt_rsa(key, place, row, material)
        where = open_handle(self._custodian, key, place)
        require_wrappable(row, material.reveal())

        def work(opened: Opened) -> Ciphertext:
            mechanism = self._abilities.require(opened, row)
            return Ciphertext(value=wrap(opened.session, _find(opened, where, key.spec), mechanism, material))

        return await self._run(work, lambda error: _refused(f"to wrap with {row.name}", error))

    async def unwrap(self, key: KeptKey, place: Place, algorithm: str, wrapped: bytes) -> Sensitive[bytes]:
        """Return what was wrapped; one error for whatever does not unwrap."""
        row = get_algorithm(algorithm, Use.WRAP, key.spec)
        if key.spec.type is KeyType.RSA:
            return await self._decrypt_rsa(key, place, row, wrapped)
        where = open_handle(self._custodian, key, place)

        def work(opened: Opened) -> Sensitive[bytes]:
            mechanism = self._abilities.require(opened, row)
            return unwrap(_find(opened, where, key.spec), mechanism, wrapped)

        return await self._run(work, _undeciphered)

    def forget(self, handle: bytes) -> None:
        """Drop nothing: no key is here, and where they are is opened anew each time."""

    def forget_owner(self, owner: str) -> None:
        """Drop nothing, as `forget`."""

    def close(self) -> None:
        """Begin nothing more in threads."""
        self._threads.close()

    async def _encrypt_rsa(self, key: KeptKey, place: Place, row: Algorithm, content: Sensitive[bytes]) -> Ciphertext:
        """Encrypt with the public half, once it is sure that the token would decrypt it again."""
        open_handle(self._custodian, key, place)
        sealed = rsa.load_public(key.public).encrypt(row, content.reveal())
        await self._run(lambda opened: self._abilities.require(opened, row), lambda error: _refused("a trial", error))
        return sealed

    async def _decrypt_rsa(self, key: KeptKey, place: Place, row: Algorithm, ciphertext: bytes) -> Sensitive[bytes]:
        where = open_handle(self._custodian, key, place)

        def work(opened: Opened) -> Sensitive[bytes]:
            mechanism = self._abilities.require(opened, row)
            return Sensitive(decrypt_rsa(_find(opened, where, key.spec), row, mechanism, ciphertext))

        assert key.spec.bits is not None
        if row.family is not Family.PKCS1_ENCRYPTION or len(ciphertext) != key.spec.bits // 8:
            return await self._run(work, _undeciphered)
        instead = substitute(where.seed, ciphertext, key.spec.bits)
        try:
            return await self._run(lambda opened: _asked_again(opened, work(opened)), _rejected)
        except _Rejected:
            return instead

    async def _run_for(
        self, given_up: threading.Event, work: Callable[[Opened], T], said: Callable[[pkcs11.PKCS11Error], Exception]
    ) -> T:
        """Return what `work` does, which hears when nobody waits for it any more."""
        try:
            return await self._run(work, said)
        except BaseException:
            given_up.set()
            raise

    async def _run(self, work: Callable[[Opened], T], said: Callable[[pkcs11.PKCS11Error], Exception]) -> T:
        """Return what `work` does with the token, in a thread. said: what a refusal of the token's means."""
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await self._threads.run(self._ask, work, said)
        except TimeoutError:
            raise unavailable("does not answer", None) from None

    def _ask(self, work: Callable[[Opened], T], said: Callable[[pkcs11.PKCS11Error], Exception]) -> T:
        try:
            return self._token.use(work)
        except TRANSIENT as error:
            raise unavailable("cannot do this", error) from error
        except pkcs11.PKCS11Error as error:
            raise said(error) from None

    def _kept(self, opened: Opened, id_: bytes, spec: KeySpec, public: PublicParts, place: Place) -> KeptKey:
        handle = seal_handle(self._custodian, new_whereabouts(opened.session.token.serial, id_), spec, public, place)
        return KeptKey(spec=spec, handle=handle, public=public)


class _Rejected(Exception):
    """The token did not decrypt what it was given."""


def _undeciphered(error: pkcs11.PKCS11Error) -> Exception:
    """Return what it means that the token did not decrypt: one error for whatever is wrong with what it was given."""
    return _fault(error) or undecipherable()


def _rejected(error: pkcs11.PKCS11Error) -> Exception:
    return _fault(error) or _Rejected()


def _fault(error: pkcs11.PKCS11Error) -> Exception | None:
    return unavailable("does not decrypt", error) if isinstance(error, NOT_OF_INPUT) else None


def _asked_again(opened: Opened, plaintext: Sensitive[bytes]) -> Sensitive[bytes]:
    """Ask whether the token is there, as is done after a failure: no time is to tell one from the other."""
    opened.session.token.slot.get_token()
    return plaintext


def _find(opened: Opened, where: Whereabouts, spec: KeySpec) -> object:
    _require_token(opened, where)
    return find(opened, where.id, spec.type)


def _require_token(opened: Opened, where: Whereabouts) -> None:
    if opened.session.token.serial != where.serial:
        serial = where.serial.decode(errors="replace")
        raise HsmUnavailable(f"The token that keeps this key is not the one of this server now: it is {serial}.")


def _refused(what: str, error: pkcs11.PKCS11Error) -> Exception:
    """Return what a refusal of the token's means: what it cannot do is the request's, anything else is a fault."""
    if isinstance(error, NOT_LET):
        return BadRequest(f"The HSM of this server refused {what} ({type(error).__name__}).")
    return unavailable(f"refused {what}", error)
