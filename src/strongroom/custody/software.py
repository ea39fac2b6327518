"""The keeper of keys that needs no hardware: each key lies sealed under its vault's data key, and is opened to be used.

A handle is the sealed key. What was opened once stays open in this process for a while (`loaded`), for its place
alone. Small keys are used at once; what takes longer, and the making of every key, goes to threads, so that others do
not wait: the making and the checking of RSA keys to threads of their own, since a line of those takes minutes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from strongroom.custody import elliptic, lattice, rsa, symmetric, transfer
from strongroom.custody.algorithms import Algorithm, Use, get_algorithm
from strongroom.custody.courtesy import Courtesy
from strongroom.custody.elliptic import EcKey
from strongroom.custody.inputs import require_message, row_to_decrypt, row_to_encrypt
from strongroom.custody.lattice import AkpKey
from strongroom.custody.loaded import LoadedKey, LoadedKeys
from strongroom.custody.provider import (
    Ciphertext,
    KeptKey,
    KeySpec,
    KeyType,
    Place,
    PrivateParts,
    TransferForm,
    TransferKey,
    WrappedKey,
)
from strongroom.custody.rsa import RsaKey
from strongroom.custody.sealing import Custodian, SealBroken, sealing_key_id
from strongroom.custody.symmetric import OctKey
from strongroom.custody.threads import Threads
from strongroom.errors import BadRequest
from strongroom.sensitive import Sensitive

T = TypeVar("T")

MAKING_THREADS = 2
CHECKING_THREADS = 1
"""What checks keys holds Python's lock: two would be no faster together, and in the way of others twice as often."""
USING_THREADS = 2
"""Of every worker, of which there is one a core: more than one, so that one slow key does not hold up all others."""
TOGETHER = 16
"""Of the results of slow keys, at most: the loop is woken less often for as many (docs/performance.md)."""
YIELDING_THREADS, YIELDING_NICENESS = 1, 10
"""Of every worker while others are served beside slow keys (`courtesy`)."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """How keys of a type come to be. load raises ValueError for material that is no such key.

    is_slow: to make or to check one takes a tenth of a second to some seconds, and not less than a millisecond.
    """

    generate: Callable[[KeySpec], LoadedKey]
    load: Callable[[Sensitive[bytes]], LoadedKey]
    take: Callable[[PrivateParts], LoadedKey]
    is_slow: bool = False


_KINDS = MappingProxyType(
    {
        KeyType.RSA: _Kind(rsa.generate, rsa.load, rsa.take, is_slow=True),
        KeyType.EC: _Kind(elliptic.generate, elliptic.load, elliptic.take),
        KeyType.OCT: _Kind(symmetric.generate, symmetric.load, symmetric.take),
        KeyType.AKP: _Kind(lattice.generate, lattice.load, lattice.take),
    }
)


class SoftwareProvider:
    """Keeps keys sealed by a custodian; a `KeyProvider`. One per server, made before its workers are forked."""

    def __init__(
        self, custodian: Custodian, loaded: LoadedKeys | None = None, courtesy: Courtesy | None = None
    ) -> None:
        self._custodian = custodian
        self._loaded = loaded or LoadedKeys()
        self._making = Threads("key-making", MAKING_THREADS)
        self._checking = Threads("key-checking", CHECKING_THREADS)
        self._using = Threads("key-using", USING_THREADS, together=TOGETHER)
        self._yielding = Threads("key-yielding", YIELDING_THREADS, YIELDING_NICENESS)
        self._courtesy = courtesy or Courtesy()

    @property
    def platform(self) -> str:
        """Software, as the service numbers what keeps its keys."""
        return "0"

    @property
    def releases(self) -> bool:
        """Exportable keys can leave, wrapped."""
        return True

    async def make(self, spec: KeySpec, place: Place, *, exchange: bool = False) -> KeptKey:
        """Return a new key; an RSA key of 4096 bits takes seconds, in a thread. One for exchange is no other."""
        del exchange
        kind = _KINDS[spec.type]
        threads = self._making if kind.is_slow else self._using
        return self._seal(await threads.run(kind.generate, spec), place)

    async def take(self, parts: PrivateParts, place: Place) -> KeptKey:
        """Return a key that a caller brings, after checking all of it: up to a second for RSA, in a thread."""
        kind = _KINDS[parts.type]
        threads = self._checking if kind.is_slow else self._using
        return self._seal(await threads.run(kind.take, parts), place)

    async def take_wrapped(
        self, wrapped: WrappedKey, place: Place, exchange: KeptKey, exchange_place: Place
    ) -> KeptKey:
        """Return a key that comes wrapped to an RSA key kept here, after checking all of it, in a thread."""
        opener = self._open(exchange, exchange_place)
        assert isinstance(opener, RsaKey), "no other key is a key exchange key"
        return self._seal(await self._checking.run(_take_wrapped, wrapped, opener), place)

    async def move(self, key: KeptKey, place: Place, to: Place) -> KeptKey:
        """Return the key for another place; the handle for the old one stays good until it is thrown away."""
        material = self._custodian.open(place.key, key.handle, place.context)
        handle = self._custodian.seal(to.key, material, to.context)
        return msgspec.structs.replace(key, handle=handle)

    async def release(self, key: KeptKey, place: Place, form: TransferForm, to: TransferKey) -> bytes:
        """Return an exportable key wrapped to the holder of `to`; nothing of it is loaded here for that."""
        if not key.exportable:
            raise BadRequest("This key is not exportable: it never leaves.")
        return transfer.wrap(self._custodian.open(place.key, key.handle, place.context), form, to)

    async def discard(self, key: KeptKey, place: Place) -> None:
        """Drop what is loaded: there is nothing else than the handle."""
        del place
        self.forget(key.handle)

    async def sign(
        self, key: KeptKey, place: Place, algorithm: str, digest: bytes, *, context: bytes = b"", is_mu: bool = False
    ) -> bytes:
        """Return the signature of `digest`."""
        row = get_algorithm(algorithm, Use.SIGN, key.spec)
        require_message(row, digest, "value", context, is_mu=is_mu)
        loaded = self._open(key, place)
        if isinstance(loaded, AkpKey):
            return loaded.sign(digest, context, is_mu=is_mu)
        if loaded.is_slow:
            return await self._use(loaded.sign, row, digest)
        return loaded.sign(row, digest)

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
        """Answer whether `signature` is one of `digest`; a malformed signature is none."""
        row = get_algorithm(algorithm, Use.SIGN, key.spec)
        require_message(row, digest, "digest", context, is_mu=is_mu)
        loaded = self._open(key, place)
        if isinstance(loaded, AkpKey):
            return loaded.verify(digest, signature, context, is_mu=is_mu)
        return loaded.verify(row, digest, signature)

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
        return self._cipher(key, place).encrypt(row, plaintext, iv, aad)

    async def decrypt(self, key: KeptKey, place: Place, algorithm: str, ciphertext: Ciphertext) -> Sensitive[bytes]:
        """Return the plaintext; one error for whatever does not decrypt."""
        row = row_to_decrypt(key.spec, algorithm, ciphertext)
        return await self._decrypt(key, place, row, ciphertext)

    async def wrap(self, key: KeptKey, place: Place, algorithm: str, material: Sensitive[bytes]) -> Ciphertext:
        """Return another key's bytes wrapped under this one."""
        row = get_algorithm(algorithm, Use.WRAP, key.spec)
        return self._cipher(key, place).encrypt(row, material, None, None)

    async def unwrap(self, key: KeptKey, place: Place, algorithm: str, wrapped: bytes) -> Sensitive[bytes]:
        """Return what was wrapped; one error for whatever does not unwrap."""
        row = get_algorithm(algorithm, Use.WRAP, key.spec)
        return await self._decrypt(key, place, row, Ciphertext(value=wrapped))

    def forget(self, handle: bytes) -> None:
        """Drop what this process keeps loaded of a key."""
        self._loaded.drop(handle)

    def forget_owner(self, owner: str) -> None:
        """Drop what this process keeps loaded of an owner's keys."""
        self._loaded.drop_owner(owner)

    def close(self) -> None:
        """Begin nothing more in threads."""
        self._making.close()
        self._checking.close()
        self._using.close()
        self._yielding.close()

    async def _decrypt(self, key: KeptKey, place: Place, row: Algorithm, ciphertext: Ciphertext) -> Sensitive[bytes]:
        loaded = self._cipher(key, place)
        if loaded.is_slow:
            return await self._use(loaded.decrypt, row, ciphertext)
        return loaded.decrypt(row, ciphertext)

    def _cipher(self, key: KeptKey, place: Place) -> RsaKey | OctKey:
        loaded = self._open(key, place)
        assert not isinstance(loaded, EcKey | AkpKey), "no algorithm encrypts with these"
        return loaded

    def _seal(self, loaded: LoadedKey, place: Place) -> KeptKey:
        handle = self._custodian.seal(place.key, loaded.material(), place.context)
        return KeptKey(spec=loaded.spec, handle=handle, public=loaded.public)

    async def _use(self, function: Callable[..., T], *arguments: Any) -> T:
        """Return what a slow key does, in a thread."""
        threads = self._yielding if self._courtesy.is_due() else self._using
        return await threads.run(function, *arguments)

    def _open(self, key: KeptKey, place: Place) -> LoadedKey:
        """Return a kept key, loaded; SealBroken unless all that is said of it is so, whether it was loaded before."""
        if sealing_key_id(key.handle) != place.key.key_id:
            raise SealBroken("a sealed key names another data key")
        loaded = self._loaded.find(key.handle, place.context)
        if loaded is None:
            loaded = self._load(key, place)
            self._loaded.keep(key.handle, place.context, loaded)
        if loaded.spec != key.spec or loaded.public != key.public:
            raise SealBroken("a key is not what its row says")
        return loaded

    def _load(self, key: KeptKey, place: Place) -> LoadedKey:
        material = self._custodian.open(place.key, key.handle, place.context)
        try:
            return _KINDS[key.spec.type].load(material)
        except ValueError:
            raise SealBroken("a sealed key is of another type than its row says") from None


def _take_wrapped(wrapped: WrappedKey, exchange: RsaKey) -> LoadedKey:
    parts = transfer.unwrap(wrapped, exchange)
    loaded = _KINDS[parts.type].take(parts)
    wrapped.require_said(loaded.public)
    return loaded
