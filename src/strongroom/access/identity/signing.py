"""Token-signing keys: RSA-2048, made here, the private half sealed; opened once in a process.

A new key is published before it begins to sign; the one before is retired at that moment, and verifies until the last
token that it signed has expired. Which key does what follows from the keys and the time alone: no worker is told.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import cast

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from strongroom.access.identity.model import SigningKey
from strongroom.access.identity.store import IdentityStore
from strongroom.custody.sealing import Context, Custodian, SealBroken, sealing_key_id
from strongroom.custody.store import DataKey, KeyringStore
from strongroom.errors import ServiceUnavailable
from strongroom.octets import encode_octets
from strongroom.sensitive import Sensitive

TOKEN_LIFETIME = timedelta(hours=1)
KEY_BITS = 2048


@dataclass(frozen=True, slots=True)
class LoadedKey:
    """A signing key ready to sign."""

    kid: str
    private: RSAPrivateKey


def make_signing_key(
    custodian: Custodian, server_key: DataKey, now: datetime, begins: datetime | None = None
) -> SigningKey:
    """Return a new signing key, its private half sealed under `server_key` (Purpose.SERVER). Takes some 50 ms."""
    private = generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    public_der = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    kid = encode_octets(hashlib.sha256(public_der).digest())
    private_der = Sensitive(private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    sealed = custodian.seal(server_key, private_der, private_place(kid))
    return SigningKey(kid=kid, public_der=public_der, sealed_private=sealed, created=now, begins=begins)


def verifying_keys(keys: Iterable[SigningKey], now: datetime) -> tuple[SigningKey, ...]:
    """Return the keys whose tokens may still be alive at `now`."""
    return tuple(key for key in keys if key.retired is None or now < key.retired + TOKEN_LIFETIME)


def signing_key(keys: Iterable[SigningKey], now: datetime) -> SigningKey | None:
    """Return the key that signs at `now`: of those that are not retired, the one that began last. keys: newest first.

    Where none has begun, as after the clock was set back, the first to begin signs early.
    """
    living = [key for key in keys if key.retired is None or now < key.retired]
    begun = [key for key in living if _beginning(key) <= now]
    return max(begun, key=_beginning) if begun else min(living, key=_beginning, default=None)


def retired_by(keys: Iterable[SigningKey], begins: datetime) -> tuple[SigningKey, ...]:
    """Return the keys that change when a new one begins to sign at `begins`, as they are then: retired by that time."""
    return tuple(replace(key, retired=begins) for key in keys if key.retired is None or key.retired > begins)


async def rotate_signing_key(store: IdentityStore, key: SigningKey, *, revoke: bool) -> tuple[str, ...]:
    """Add the key that signs from its `begins` on, inside a change; return the ids of those that it follows.

    revoke: remove them at once, with every token that they signed, instead of letting those live out their lives.
    """
    before = await store.list_signing_keys()
    if revoke:
        for each in before:
            await store.remove_signing_key(each.kid)
    else:
        for each in retired_by(before, _beginning(key)):
            await store.replace_signing_key(each)
    await store.add_signing_key(key)
    return tuple(each.kid for each in before)


def load_public_key(key: SigningKey) -> RSAPublicKey:
    """Return the public half of a signing key."""
    return cast("RSAPublicKey", load_der_public_key(key.public_der))


class SigningKeys:
    """The private halves of the signing keys, opened when first needed and kept for the life of the process."""

    def __init__(self, custodian: Custodian) -> None:
        self._custodian = custodian
        self._loaded: dict[str, LoadedKey] = {}

    async def current(self, store: IdentityStore, keyring: KeyringStore, now: datetime) -> LoadedKey:
        """Return the key that signs at `now`; ServiceUnavailable when there is none."""
        key = signing_key(await store.list_signing_keys(), now)
        if key is None:
            raise ServiceUnavailable("There is no token-signing key; start the server once to make one.")
        return self._loaded.get(key.kid) or await self._load(key, keyring)

    async def _load(self, key: SigningKey, keyring: KeyringStore) -> LoadedKey:
        server_key = await keyring.find(sealing_key_id(key.sealed_private))
        if server_key is None:
            raise SealBroken("a signing key is sealed under a key that the keyring has not")
        der = self._custodian.open(server_key, key.sealed_private, private_place(key.kid))
        # The seal vouches for the bytes: the full check of an RSA key would cost 28 ms.
        private = load_der_private_key(der.reveal(), None, unsafe_skip_rsa_key_validation=True)
        self._loaded[key.kid] = LoadedKey(key.kid, cast("RSAPrivateKey", private))
        return self._loaded[key.kid]


def _beginning(key: SigningKey) -> datetime:
    return key.begins or key.created


def private_place(kid: str) -> Context:
    """Return where the private half of a signing key belongs."""
    return Context("", "signing-keys", kid, "", "private")
